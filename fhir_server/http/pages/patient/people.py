"""Whom a space lets in and keeps out, as a page: agreements, the attending physician, relatives, blocks.

Source: rules C1 to C8 and F1 to F6; docs/portal.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Response, make_response, render_template, request

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.consents import recording
from fhir_server.application.consents.choices import Block
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.consents.directives import directives_of
from fhir_server.domain.problem import Problem
from fhir_server.domain.terminology.code_systems import OWN, code_systems
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.language import current_language
from fhir_server.http.request_context import runtime
from fhir_server.registry import PARTIES

_SHOWN = (
    DirectiveKind.DECLARED_PHYSICIAN,
    DirectiveKind.ADMINISTRATOR,
    DirectiveKind.AGREEMENT,
    DirectiveKind.REPRESENTATIVE,
    DirectiveKind.GUARDIAN,
    DirectiveKind.CARER,
    DirectiveKind.BLOCK,
)
"""The kinds of choices about somebody, in the order of the page."""
_ENDED_HERE = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.BLOCK})
_NAMES = ("Organization", "Practitioner", "PractitionerRole", "RelatedPerson")
_READING = " ".join(f"patient/{name}.rs" for name in ("Consent", *_NAMES))
_MOST = 100


@dataclass(frozen=True, slots=True)
class ChoiceInWords:
    """One choice about somebody. id: of its Consent. actor: the reference of whom it names. until: None for no end."""

    id: str
    actor: str
    name: str
    kind: str
    since: datetime | None
    until: datetime | None
    is_block: bool
    may_end: bool

    @property
    def may_block(self) -> bool:
        """Tell whether the page offers to block whom the choice names."""
        return not self.is_block and self.actor.partition("/")[0] in PARTIES


@page(Role.PATIENT, "/people", _READING, AuditedInteraction(Interaction.SEARCH, "Consent"))
def people(visit: Visit) -> Response:
    """Show whom the choices in force name, each with how to end it."""
    asked = [("patient", visit.patient), ("status", "active"), ("_count", str(_MOST)), ("_include", "Consent:actor")]
    found = find(visit.caller, "Consent", asked)
    told = [choice for consent in found.resources for choice in _tell(consent, found.beside)]
    done = request.args.get("blocked", "")
    blocked = next((choice for choice in told if choice.id == done and choice.is_block), None)
    shown = {"visit": visit, "choices": sorted(told, key=_place), "blocked": blocked, "has_more": bool(found.later)}
    return make_response(render_template("portal/people.html", **shown))


@form(Role.PATIENT, "/people/block", "patient/Consent.cru", AuditedInteraction(Interaction.CREATE, "Consent"))
def block(visit: Visit) -> Response:
    """Block a professional or an establishment; the page offers to undo it."""
    written = recording.record(runtime(), visit.caller, Block.of(visit.patient, request.form.get("actor", "")))
    return back_to(visit.address("people", blocked=written.shown.stored.id))


@form(Role.PATIENT, "/people/<uuid:id_>/end", "patient/Consent.cru", AuditedInteraction(Interaction.UPDATE, "Consent"))
def end_choice(visit: Visit, id_: UUID) -> Response:
    """End an agreement or a block."""
    recording.revoke(runtime(), visit.caller, str(id_))
    return back_to(visit.address("people"))


def _tell(consent: Json, beside: Mapping[str, Json]) -> Iterator[ChoiceInWords]:
    """Yield a choice in words for each whom it names; nothing for a choice about documents or emergencies."""
    try:
        said = directives_of(consent, consent["id"])[:1]
    except Problem:  # an earlier version stored it, and it is not in force
        return
    for directive in said:
        if directive.kind in _SHOWN:
            yield from (_in_words(directive, actor, consent, beside) for actor in sorted(directive.actors))


def _in_words(directive: Directive, actor: str, consent: Json, beside: Mapping[str, Json]) -> ChoiceInWords:
    given = consent.get("dateTime", "")
    kind = code_systems()[f"{OWN}directive"].concepts[directive.kind.value].display(current_language())
    return ChoiceInWords(
        id=consent["id"],
        actor=actor,
        name=name_of({"reference": actor} | _said_of(actor, consent), beside),
        kind=kind,
        since=datetime.fromisoformat(given) if "T" in given else None,
        until=directive.end,
        is_block=directive.kind is DirectiveKind.BLOCK,
        may_end=directive.kind in _ENDED_HERE,
    )


def _said_of(actor: str, consent: Json) -> Json:
    """Return what the Consent says of whom it names, such as a display."""
    named = (one.get("reference", {}) for one in consent.get("provision", {}).get("actor", ()))
    return next((one for one in named if one.get("reference") == actor), {})


def _place(choice: ChoiceInWords) -> tuple[bool, str, str]:
    return choice.is_block, choice.kind, choice.name
