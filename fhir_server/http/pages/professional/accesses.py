"""What the professional did in the space of a patient: when, on which ground; and with whom access is shared there.

One's own events are never refused (rule H4), so that the page needs no ground to read.
Source: IHE ITI-81; rules C2, C3 and H4.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import Response, make_response, render_template, request

from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.audit.stored_events import kind_of_event, type_of_event
from fhir_server.domain.events import sentences
from fhir_server.domain.values import Interaction, Json, type_of
from fhir_server.http.pages.documents.words import coded, name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.language import current_language
from fhir_server.http.pages.professional import evidence, in_view
from fhir_server.registry import DOCUMENT

_EVENT, _ROLE = "AuditEvent", "PractitionerRole"
_A_PAGE, _MOST = 50, 100


@dataclass(frozen=True, slots=True)
class OwnAccess:
    """One act of the professional. why: the ground, or why it was refused, "" when neither is known.

    documents: ids of those that the event names.
    """

    at: datetime
    act: str
    why: str
    refused: bool
    documents: tuple[str, ...]


@page(
    Role.PROFESSIONAL,
    "/patients/<uuid:patient>/accesses",
    f"patient/{_EVENT}.rs",
    AuditedInteraction(Interaction.SEARCH, _EVENT),
)
def care_accesses(visit: DeskVisit) -> Response:
    """List what the professional did here, the newest first."""
    asked = [("patient", visit.patient), ("agent", visit.caller.requester.person), ("_count", str(_A_PAGE))]
    found = find(visit.caller, _EVENT, asked, request.args.get("page", ""))
    shown = {"accesses": [_tell(event) for event in found.resources], "later": found.later, "earlier": found.earlier}
    name = in_view.known(visit)
    return make_response(render_template("portal/professional/accesses.html", visit=visit, name=name, **shown))


@page(
    Role.PROFESSIONAL,
    "/patients/<uuid:patient>/team",
    evidence.READING,
    AuditedInteraction(Interaction.SEARCH, "Consent"),
)
def care_team(visit: DeskVisit) -> Response:
    """Say with whom access to this space is shared, as far as the professional may know."""
    return evidence.with_ground(visit, _shared)


def _shared(visit: DeskVisit) -> Response:
    choices, place = list(evidence.choices(visit)), visit.caller.requester.organization
    members = _members(visit) if place and any(one.actor == place for one in choices) else []
    shown = {"choices": choices, "members": members, "name": in_view.name(visit)}
    return make_response(render_template("portal/professional/team.html", visit=visit, **shown))


def _members(visit: DeskVisit) -> list[tuple[str, str]]:
    """Return who practises in the establishment, by the directory: name and profession, in the order of the names."""
    asked = [("organization", visit.caller.requester.organization), ("active:not", "false"), ("_count", str(_MOST))]
    found = find(visit.caller, _ROLE, [*asked, ("_include", f"{_ROLE}:practitioner")])
    told = {
        (name_of(one.get("practitioner", {}), found.beside), next(map(coded, one.get("code", ())), ""))
        for one in found.resources
    }
    return sorted(pair for pair in told if pair[0])


def _tell(event: Json) -> OwnAccess:
    refused, language = event.get("outcome", "0") != "0", current_language()
    kind, type_ = kind_of_event(event), type_of_event(event)
    named = [str(one.get("what", {}).get("reference", "")) for one in event.get("entity", ())]
    return OwnAccess(
        at=datetime.fromisoformat(event["recorded"]),
        act=sentences.wanted(kind, type_, language) if refused else sentences.act(kind, type_, language).did,
        why=_why(event, refused=refused),
        refused=refused,
        documents=tuple(dict.fromkeys(one.split("/")[1] for one in named if type_of(one) == DOCUMENT)),
    )


def _why(event: Json, *, refused: bool) -> str:
    if refused:
        reason = str(event.get("outcomeDesc", ""))
        return sentences.refusal(reason, current_language()) if reason else ""
    details = {one["type"]: one.get("valueString", "") for e in event.get("entity", ()) for one in e.get("detail", ())}
    ground = str(details.get("ground", ""))
    return sentences.ground(ground, str(details.get("grade", "")), current_language()) if ground else ""
