"""Requests: the switch "ask me first", the agreements that wait for an answer, and the answer.

Source: docs/consents.md (ask-first); rules C4 and C6; docs/portal.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, abort, make_response, render_template, request
from flask_babel import lazy_gettext

from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.application.consents import recording
from fhir_server.application.consents.choices import Agree
from fhir_server.application.spaces.settings import SpaceSettings, Waiting
from fhir_server.domain.audit.interactions import AuditedInteraction, interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.search import tokens
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.language import current_language
from fhir_server.http.pages.space import switches
from fhir_server.http.request_context import runtime

_READING = "patient/Consent.rs patient/Practitioner.rs patient/PractitionerRole.rs patient/Organization.rs"
_ASKING = DirectiveKind.ASK_FIRST.value
_CREATING = AuditedInteraction(Interaction.CREATE, "Consent")
_ENDING = AuditedInteraction(Interaction.UPDATE, "Consent")
SPANS: Mapping[str, tuple[timedelta, Any]] = {
    "hour": (timedelta(hours=1), lazy_gettext("for one hour")),
    "day": (timedelta(days=1), lazy_gettext("for one day")),
    "season": (timedelta(days=90), lazy_gettext("for 90 days")),
}
"""For how long a request is approved, by the value of its button."""
_SAID = ("approved", "refused", "on", "off")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody for whom access is asked. profession, place: "" when the directory does not say."""

    name: str
    profession: str
    place: str


@dataclass(frozen=True, slots=True)
class RequestInWords:
    """A request. id: of the Consent that waits. until: when silence has refused it."""

    id: str
    people: tuple[Person, ...]
    since: datetime
    until: datetime


@page(Role.PATIENT, "/requests", _READING, interaction_of(EventKind.SPACE_SETTINGS_READ))
def requests(visit: Visit) -> Response:
    """Show whether the patient is asked first, and what waits for an answer."""
    settings = switches.read(visit)
    waiting = list(_tell(visit, settings.waiting)) if settings.waiting else []
    done = request.args.get("done", "")
    shown = {
        "is_on": settings.of(_ASKING).is_on,
        "waiting": waiting,
        "done": done if done in _SAID else "",
        "spans": SPANS,
    }
    return make_response(render_template("portal/space/requests.html", visit=visit, **shown))


@form(Role.PATIENT, "/requests/switch", switches.CHANGING, _CREATING)
def ask_first(visit: Visit) -> Response:
    """Have the patient asked before each access on somebody's word, or no more."""
    on = request.form.get("on", "")
    if on not in {"yes", "no"}:
        abort(422)
    switches.switch(visit, _ASKING, on=on == "yes")
    return back_to(visit.address("requests", done="on" if on == "yes" else "off"))


@form(Role.PATIENT, "/requests/<uuid:id_>/approve", switches.CHANGING, _CREATING)
def approve(visit: Visit, id_: UUID) -> Response:
    """Let in whom a request names, by an agreement of the patient's own; the page offers to undo it."""
    span = SPANS.get(request.form.get("span", ""))
    if span is None:
        abort(422)
    asked = _waiting(switches.read(visit), str(id_))
    until = runtime().now().replace(microsecond=0) + span[0]
    given = Agree.of(visit.patient, *asked.actors, until=until, purposes=(Purpose.TREATMENT,))
    return back_to(visit.address("requests", done="approved", undo=switches.record(visit, given)))


@form(Role.PATIENT, "/requests/<uuid:id_>/refuse", switches.CHANGING, _ENDING)
def refuse(visit: Visit, id_: UUID) -> Response:
    """Refuse a request; the professional may ask again."""
    asked = _waiting(switches.read(visit), str(id_))
    recording.revoke(runtime(), visit.caller, asked.consent)
    return back_to(visit.address("requests", done="refused"))


@form(Role.PATIENT, "/requests/<uuid:id_>/undo", "patient/Consent.u", _ENDING)
def undo_approval(visit: Visit, id_: UUID) -> Response:
    """End the agreement by which a request was approved; the request waits again."""
    recording.revoke(runtime(), visit.caller, str(id_))
    return back_to(visit.address("requests"))


def _waiting(settings: SpaceSettings, id_: str) -> Waiting:
    """Return a request that waits. Raises: HTTPException 404 for what does not."""
    found = next((one for one in settings.waiting if one.consent == id_), None)
    if found is None:
        abort(404)
    return found


def _tell(visit: Visit, waiting: Iterable[Waiting]) -> Iterator[RequestInWords]:
    asked = [
        ("patient", visit.patient),
        ("_id", ",".join(one.consent for one in waiting)),
        ("_include", "Consent:actor"),
    ]
    found = find(visit.caller, "Consent", asked)
    roles = _roles(
        visit, sorted({actor for one in waiting for actor in one.actors if actor.startswith("Practitioner/")})
    )
    for one in waiting:
        people = tuple(_person(actor, found.beside, roles) for actor in one.actors)
        yield RequestInWords(one.consent, people, one.since, one.until)


def _roles(visit: Visit, people: list[str]) -> dict[str, tuple[str, str]]:
    """Return profession and establishment of each person, from a practice situation of the directory."""
    if not people:
        return {}
    asked = [("practitioner", ",".join(people)), ("_include", "PractitionerRole:organization")]
    found = find(visit.caller, "PractitionerRole", asked)
    practised = (role for role in found.resources if role.get("active") is not False)
    return {role["practitioner"]["reference"]: _told(role, found.beside) for role in practised}


def _person(actor: str, named: Mapping[str, Json], roles: Mapping[str, tuple[str, str]]) -> Person:
    role = named.get(actor, {}) if actor.startswith("PractitionerRole/") else {}
    profession, place = _told(role, named) if role else roles.get(actor, ("", ""))
    return Person(name_of({"reference": actor}, named), profession, place)


def _told(role: Json, named: Mapping[str, Json]) -> tuple[str, str]:
    codings = (coding for concept in role.get("code", ()) for coding in concept.get("coding", ()))
    code = next((str(one.get("code", "")) for one in codings if one.get("system") == tokens.PROFESSION_SYSTEM), "")
    known = runtime().matrix.professions.get(code)
    label = (known.label_fr if current_language() == "fr" else known.label_en) if known else ""
    return label, name_of(role.get("organization", {}), named)
