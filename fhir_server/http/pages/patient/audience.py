"""Who can see a document, before and after hiding or showing it; hiding and showing, each with undo.

Source: rules E1, E2 and H5; docs/operations.md ($audience); docs/portal.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response, make_response, render_template, request
from flask_babel import lazy_gettext

from consent_rules.vocabulary import Mark
from fhir_server.application.documents.hiding_and_withdrawal import Hide, Show, change_document
from fhir_server.application.reading import document_audience, read
from fhir_server.application.reading.document_audience import Seer
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.terminology.code_systems import OWN, code_systems
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.documents.words import tell
from fhir_server.http.pages.frame.asking import resource_of
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.language import current_language
from fhir_server.http.pages.patient import withholding
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_DOCUMENT = REGISTRY["DocumentReference"]
_CHANGING = "patient/DocumentReference.ru"
_PROFESSIONS = ("care-team", "break-glass")
"""Roles of which a seer is a profession."""
_ROLES = {
    "depositor": lazy_gettext("has filed the document"),
    "document-for": lazy_gettext("the document is for them"),
    "establishment": lazy_gettext("everybody there who practises today"),
}


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who might see the document, in words. would: after hiding or showing it. reference: to them."""

    name: str
    why: Any
    sees: bool
    would: bool
    reference: str


@page(
    Role.PATIENT,
    "/documents/<uuid:id_>/audience",
    f"patient/DocumentReference.rs patient/AuditEvent.rs {withholding.READING}",
    AuditedInteraction(Interaction.OPERATION, _DOCUMENT.name, operation="audience"),
)
def audience(visit: Visit, id_: UUID) -> Response:
    """Show who sees the document now, who would after the next hiding or showing, and who has opened it."""
    document = tell(resource_of(read.read(runtime(), visit.caller, _DOCUMENT, str(id_))), {})
    proposed = "visible" if document.is_hidden else "hidden"
    found = document_audience.audience_of(runtime(), visit.caller, str(id_), proposed)
    seers, professions = found.seers, {role: _professions(role, found.seers) for role in _PROFESSIONS}
    told: dict[str, Any] = {"visit": visit, "document": document, "parties": _parties(seers), "readers": found.readers}
    kept = withholding.kept_from(visit, str(id_))
    told |= {"kept": kept, "done": next((one for one in kept if one.id == request.args.get("kept")), None)}
    return make_response(render_template("portal/audience.html", **told, professions=professions))


@form(
    Role.PATIENT,
    "/documents/<uuid:id_>/hide",
    _CHANGING,
    AuditedInteraction(Interaction.PATCH, _DOCUMENT.name, kind=EventKind.DOCUMENT_HIDDEN),
)
def hide(visit: Visit, id_: UUID) -> Response:
    """Hide a document from health professionals."""
    change_document(runtime(), visit.caller, str(id_), Hide(Mark.MASQUE_PS))
    return back_to(visit.address("document", id_=id_, done="hidden"))


@form(
    Role.PATIENT,
    "/documents/<uuid:id_>/show",
    _CHANGING,
    AuditedInteraction(Interaction.PATCH, _DOCUMENT.name, kind=EventKind.DOCUMENT_SHOWN),
)
def show(visit: Visit, id_: UUID) -> Response:
    """Show a document to health professionals again."""
    change_document(runtime(), visit.caller, str(id_), Show(Mark.MASQUE_PS))
    return back_to(visit.address("document", id_=id_, done="shown"))


def _parties(seers: Iterable[Seer]) -> list[Party]:
    """Return the professionals and establishments that the space names, each once for each reason."""
    named = (seer for seer in seers if seer.role not in _PROFESSIONS and seer.display)
    return [Party(seer.display, _why(seer.role), seer.sees, bool(seer.would), seer.name) for seer in named]


def _why(role: str) -> object:
    if role in _ROLES:
        return _ROLES[role]
    known = code_systems()[f"{OWN}directive"].concepts.get(role)
    return known.display(current_language()) if known else role


def _professions(role: str, seers: Iterable[Seer]) -> tuple[list[str], list[str]]:
    """Return which professions see the document in this role now, and which would."""
    asked = [seer for seer in seers if seer.role == role]
    names = runtime().matrix.professions
    said = {seer.name: names[seer.name] for seer in asked}
    told = {name: one.label_fr if current_language() == "fr" else one.label_en for name, one in said.items()}
    return sorted(told[one.name] for one in asked if one.sees), sorted(told[one.name] for one in asked if one.would)
