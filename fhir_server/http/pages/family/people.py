"""Whom a space lets in and keeps out, as a page: the attending physician, agreements, relatives, blocks.

Source: rules C1 to C8, D4 and F1 to F6; docs/portal.md.
"""

from uuid import UUID

from flask import Response, make_response, render_template, request

from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.consents import recording
from fhir_server.application.consents.choices import Block, DeclarePhysician
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.family.choices import READING, ChoiceInWords, choices
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime

CHOOSING = f"{READING} patient/Consent.cru"
_RECORDED = AuditedInteraction(Interaction.CREATE, "Consent")
_DONE = {"blocked": DirectiveKind.BLOCK, "declared": DirectiveKind.DECLARED_PHYSICIAN}
"""What the address says was just done, by the kind of choice that it names."""


@page(Role.PATIENT, "/people", READING, AuditedInteraction(Interaction.SEARCH, "Consent"))
def people(visit: Visit) -> Response:
    """Show whom the choices in force name, each with how to end it."""
    told, has_more = choices(visit)
    done: dict[str, object] = {name: _named(told, request.args.get(name, ""), kind) for name, kind in _DONE.items()}
    physicians = [one for one in told if one.kind is DirectiveKind.DECLARED_PHYSICIAN]
    others = [one for one in told if one.kind is not DirectiveKind.DECLARED_PHYSICIAN]
    shown = {"visit": visit, "choices": others, "physicians": physicians, "has_more": has_more}
    done["sees_hidden"] = runtime().profile.declared_physician_sees_hidden
    return make_response(render_template("portal/family/people.html", **shown, **done))


def _named(told: list[ChoiceInWords], id_: str, kind: DirectiveKind) -> ChoiceInWords | None:
    return next((choice for choice in told if choice.id == id_ and choice.kind is kind), None)


@form(Role.PATIENT, "/people/block", "patient/Consent.cru", _RECORDED)
def block(visit: Visit) -> Response:
    """Block a professional or an establishment; the page offers to undo it."""
    written = recording.record(runtime(), visit.caller, Block.of(visit.patient, request.form.get("actor", "")))
    return back_to(visit.address("people", blocked=written.shown.stored.id))


@form(Role.PATIENT, "/people/physician", CHOOSING, _RECORDED)
def declare_physician(visit: Visit) -> Response:
    """Declare the attending physician; it ends the declaration of an earlier one."""
    earlier = [one.id for one in choices(visit)[0] if one.kind is DirectiveKind.DECLARED_PHYSICIAN]
    declared = DeclarePhysician.of(visit.patient, request.form.get("actor", ""))
    written = recording.record(runtime(), visit.caller, declared)
    for id_ in earlier:
        recording.revoke(runtime(), visit.caller, id_)
    return back_to(visit.address("people", declared=written.shown.stored.id))


@form(Role.PATIENT, "/people/<uuid:id_>/end", "patient/Consent.cru", AuditedInteraction(Interaction.UPDATE, "Consent"))
def end_choice(visit: Visit, id_: UUID) -> Response:
    """End a choice about somebody: from the next request on it opens or closes nothing."""
    recording.revoke(runtime(), visit.caller, str(id_))
    return back_to(visit.address("carers" if request.form.get("from") == "carers" else "people"))
