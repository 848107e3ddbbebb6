"""The journal of accesses as a page: who did what in a space, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
from flask import (
    Response,
    abort,
    make_response,
    render_template,
    request,
    url_for,
)

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import PatientId
from fhir_server.application.core.enforcement_point import demand_served
from fhir_server.application.identity.accounts import RepresentedPatient
from fhir_server.application.reading import read
from fhir_server.application.reading import search as reading_search
from fhir_server.domain.audit.audit_event import ON_PAGES
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Criterion, NoneOf, Search
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.fhir import paging
from fhir_server.http.pages.base import demonstration, site
from fhir_server.http.pages.frame.beginnings import begin
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.visits import PAGE, of_patient
from fhir_server.http.pages.patient import journal_lines
from fhir_server.http.pages.patient.notice_texts import NoticeInWords, tell
from fhir_server.http.pages.sign_in.frame import current_session
from fhir_server.http.request_context import origin, runtime
from fhir_server.oauth.login.sessions import Session
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.registry import REGISTRY

LINES = 50
NOTICES = 10
WITHDRAWN = 5
"""How many withdrawn documents one page of the journal names."""
_JOURNAL = "pages/journal.html"
_LOOK = AuditedInteraction(Interaction.SEARCH, "AuditEvent", query="GET /journal/AuditEvent")
_REFUSED = frozenset({"outcome|http://hl7.org/fhir/audit-event-outcome|4"})
_READING = Scopes.parse("patient/AuditEvent.rs patient/Communication.rs patient/DocumentReference.rs")

_CONTESTING = Scopes.parse("patient/Consent.cru patient/Communication.rs patient/AuditEvent.rs")


@dataclass(frozen=True, slots=True)
class JournalReader:
    """The reader of the journal: a person of the demonstration, or the person who is signed in.

    key: of the person whose journal is shown, as in the address of the page. csrf: the secret of the forms of a person
    who is signed in, None for the demonstration, which only reads.
    """

    caller: Caller
    key: str
    csrf: str | None = None

    @property
    def patient(self) -> PatientId:
        """The id of the patient whose journal is shown."""
        return self.caller.launch_patient or PatientId(self.caller.requester.person.partition("/")[2])


@site.get("/journal")
def journal() -> Response:
    """Show who did what in a space, newest first."""
    demo = demonstration()
    choices = _choices(demo)
    reader = _reader(demo, choices)
    if reader is None:
        return make_response(render_template(_JOURNAL, choices=choices, reader=None))
    demand_served(runtime(), reader.caller, reader.patient, _LOOK)
    wanted, notices = _wanted(reader), _notices(reader)
    try:
        found = reading_search.find(runtime(), reader.caller, REGISTRY["AuditEvent"], wanted)
        lines = _lines(reader, found)
    except Problem:
        text = render_template(_JOURNAL, choices=choices, reader=reader, notices=notices, closed=True)
        return make_response(text, 403)
    shown = journal_lines.by_day(lines)
    more = _more(reader, found)
    return make_response(
        render_template(_JOURNAL, choices=choices, reader=reader, notices=notices, days=shown, more=more)
    )


def _choices(demo: Json | None) -> tuple[tuple[str, str], ...]:
    """Return the persons whose journals can be chosen, as pairs (key, name)."""
    session = current_session()
    own = tuple((represented.patient, represented.label) for represented in session.account.patients) if session else ()
    people = demo["people"] if demo else ()
    return (*own, *((person["key"], person["name"]) for person in people if person["kind"] == "patient"))


def _reader(demo: Json | None, choices: tuple[tuple[str, str], ...]) -> JournalReader | None:
    """Return the reader; None when no person is chosen and nobody is signed in."""
    key = request.args.get("person", "")
    session = current_session()
    if session and session.account.patients and not key:
        key = session.account.patients[0].patient
    if not key:
        return None
    represented = session.account.represented_patient(PatientId(key)) if session else None
    if session and represented:
        visit = begin(Role.PATIENT, session, _READING, {"patient": key})
        return JournalReader(visit.caller, key, session.csrf)
    if demo is None or key not in dict(choices):
        abort(404)
    person = next(person for person in demo["people"] if person["key"] == key)
    bearer = f"Bearer {demo['tokens'][person['reader']]}"
    caller = caller_of(runtime(), bearer, origin())
    return JournalReader(caller.through(PAGE.id, PAGE.name), key)


def acting_as(session: Session, represented: RepresentedPatient) -> Caller:
    """Return a signed-in person as the caller of this request, who may contest what stands on these pages."""
    return of_patient(session, _CONTESTING, represented.patient).caller


def reading_as(session: Session, represented: RepresentedPatient) -> Caller:
    """Return a signed-in person as the caller of this request, who may only read."""
    return of_patient(session, _READING, represented.patient).caller


def _wanted(reader: JournalReader) -> reading_search.Wanted:
    criteria: list[Criterion] = [AnyOf(_REFUSED)] if "refused" in request.args else []
    if "own" not in request.args:
        criteria.append(NoneOf(frozenset({ON_PAGES})))
    cursor = request.args.get("page", "")
    after = paging.unseal(runtime().cursor_key, cursor, _binding(reader)) if cursor else None
    search = Search("AuditEvent", tuple(criteria), sort="date", limit=LINES, after=after)
    return reading_search.Wanted(search, reader.patient, total=False, query="GET /journal/AuditEvent")


def _binding(reader: JournalReader) -> str:
    shown = [name for name in ("own", "refused") if name in request.args]
    return f"journal {reader.caller.granted.id} {' '.join(shown)}"


def _more(reader: JournalReader, found: reading_search.Found) -> str:
    if found.next is None:
        return ""
    cursor = paging.seal(runtime().cursor_key, found.next, _binding(reader))
    kept = [(name, request.args[name]) for name in ("person", "own", "refused") if name in request.args]
    return f"{url_for('pages.journal')}?{urlencode([*kept, ('page', cursor)])}"


def _lines(reader: JournalReader, found: reading_search.Found) -> list[journal_lines.JournalLine]:
    events = journal_lines.events_of(item.stored.body for item in found.shown)
    named = frozenset(id_ for event in events for id_ in journal_lines.documents_of(event))
    titles = _titles(reader, named) if named else {}
    return [journal_lines.line_of(event, titles) for event in events]


def _notices(reader: JournalReader) -> list[NoticeInWords]:
    """Return the latest notices to the patient, on the first page of the whole journal, even when the space is closed.

    The notice to the attending physician about the same emergency is left out, because it would repeat it.
    """
    if {"page", "refused"} & set(request.args):
        return []
    to_holder = AnyOf(tokens.reference("recipient", f"Patient/{reader.patient}"))
    search = Search("Communication", (to_holder,), sort="sent", limit=NOTICES)
    wanted = reading_search.Wanted(search, reader.patient, total=False, query="GET /journal/Communication")
    try:
        found = reading_search.find(runtime(), reader.caller, REGISTRY["Communication"], wanted)
    except Problem:
        return []
    return tell([orjson.loads(item.stored.body) for item in found.shown], runtime().now())


def _titles(reader: JournalReader, ids: frozenset[str]) -> Mapping[str, str]:
    """Look up the titles of documents that the reader may see; the audit log records this search like any other."""
    search = Search("DocumentReference", ids=ids, limit=len(ids))
    query = "GET /journal/DocumentReference"
    found = reading_search.find(
        runtime(), reader.caller, REGISTRY["DocumentReference"],
        reading_search.Wanted(search, reader.patient, total=False, query=query),
    )  # fmt: skip
    titles = {item.stored.id: _title_of(item.stored.body) for item in found.shown}
    return titles | _withdrawn_titles(reader, ids - titles.keys())


def _withdrawn_titles(reader: JournalReader, ids: frozenset[str]) -> dict[str, str]:
    """Look up the last titles of some withdrawn documents for each page; each read is recorded in the audit log."""
    titles: dict[str, str] = {}
    for id_ in sorted(ids)[:WITHDRAWN]:
        try:
            versions = read.history(runtime(), reader.caller, REGISTRY["DocumentReference"], id_)
        except Problem:
            continue
        last = next((item.stored.body for item in versions if item.stored.body), b"")
        titles |= {id_: _title_of(last)} if last else {}
    return titles


def _title_of(body: bytes) -> str:
    return str(orjson.loads(body)["content"][0]["attachment"].get("title", ""))
