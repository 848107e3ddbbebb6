"""Keeping one document from somebody, or leaving it to some people only; each with undo.

Hiding (`audience`) keeps a document from all professionals; these choices name who does not see it, or who alone does.
Source: rules E1 and E4, F1; docs/portal.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import Response, abort, request

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.consents import recording
from fhir_server.application.consents.choices import Withhold
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.consents.directives import directives_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Problem
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime
from fhir_server.registry import PARTIES

READING = "patient/Consent.rs patient/Practitioner.rs patient/PractitionerRole.rs patient/Organization.rs"
_CHANGING = "patient/Consent.cru patient/DocumentReference.r"
_WITHHELD = AuditedInteraction(Interaction.CREATE, "Consent", kind=EventKind.DOCUMENTS_WITHHELD)
_MOST = 50
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class KeptInWords:
    """A choice about one document. id: of its Consent. names: from whom it is kept, or who alone sees it."""

    id: str
    names: tuple[str, ...]
    is_only: bool


@form(Role.PATIENT, "/documents/<uuid:id_>/keep", _CHANGING, _WITHHELD)
def keep_from(visit: Visit, id_: UUID) -> Response:
    """Keep a document from one professional or establishment; the page offers to undo it."""
    choice = Withhold.of(visit.patient, request.form.get("actor", ""), documents=(str(id_),))
    return _recorded(visit, id_, choice)


@form(Role.PATIENT, "/documents/<uuid:id_>/only", _CHANGING, _WITHHELD)
def leave_to(visit: Visit, id_: UUID) -> Response:
    """Leave a document to the professionals and establishments that were chosen; the page offers to undo it."""
    chosen = request.form.getlist("actor")[:_MOST_NAMED]
    if not chosen:
        return back_to(visit.address("audience", id_=id_, done="nobody", _anchor="only"))
    return _recorded(visit, id_, Withhold.from_all_but(visit.patient, chosen, (str(id_),)))


@form(
    Role.PATIENT,
    "/documents/<uuid:id_>/kept/<uuid:consent>/end",
    "patient/Consent.cru",
    AuditedInteraction(Interaction.UPDATE, "Consent"),
)
def end_keeping(visit: Visit, id_: UUID, consent: UUID) -> Response:
    """End such a choice."""
    recording.revoke(runtime(), visit.caller, str(consent))
    return back_to(visit.address("audience", id_=id_))


def kept_from(visit: Visit, document: str) -> list[KeptInWords]:
    """Return the choices in force about one document. document: id."""
    asked = [("patient", visit.patient), ("status", "active"), ("data", f"DocumentReference/{document}")]
    found = find(visit.caller, "Consent", [*asked, ("_count", str(_MOST))])
    said = [one for consent in found.resources for one in _roots(consent) if one.kind is DirectiveKind.WITHHELD]
    names = _names(visit, {actor for one in said for actor in one.actors | one.excluded})
    return [_in_words(one, names) for one in said]


def _recorded(visit: Visit, id_: UUID, choice: Withhold) -> Response:
    if not all(actor.partition("/")[0] in PARTIES for actor in _named(choice)):
        abort(422)
    written = recording.record(runtime(), visit.caller, choice)
    return back_to(visit.address("audience", id_=id_, kept=written.shown.stored.id))


def _named(choice: Withhold) -> frozenset[str]:
    return choice.said[0].actors | choice.said[0].excluded


def _roots(consent: Json) -> tuple[Directive, ...]:
    """Return what a Consent says first; nothing for one that an earlier version stored and that cannot be read."""
    try:
        return directives_of(consent, consent["id"])[:1]
    except Problem:
        return ()


def _names(visit: Visit, references: set[str]) -> dict[str, Json]:
    """Return the professionals and establishments of these references, as the directory has them today."""
    found: dict[str, Json] = {}
    for type_ in sorted(PARTIES):
        ids = sorted(one.partition("/")[2] for one in references if one.startswith(f"{type_}/"))
        asked = [("_id", ",".join(ids)), ("_count", str(len(ids)))]
        found |= {f"{type_}/{one['id']}": one for one in find(visit.caller, type_, asked).resources} if ids else {}
    return found


def _in_words(one: Directive, names: Mapping[str, Json]) -> KeptInWords:
    told = (name_of({"reference": actor}, names) for actor in sorted(one.actors or one.excluded))
    return KeptInWords(one.id, tuple(filter(None, told)), not one.actors)
