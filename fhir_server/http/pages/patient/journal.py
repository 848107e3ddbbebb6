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
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Place, Search
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.fhir import paging
from fhir_server.http.pages.base import demonstration, site
from fhir_server.http.pages.frame.beginnings import begin
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.visits import PAGE, of_patient
from fhir_server.http.pages.patient import journal_lines
from fhir_server.http.pages.patient.journal_filters import JournalFilters
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
    filters = JournalFilters.read(request.args)
    wanted, notices = _wanted(reader, filters), _notices(reader, filters)
    told = {"choices": choices, "reader": reader, "notices": notices, "filters": filters}
    try:
        lines, place = lines_of(reader, wanted)
    except Problem:
        return make_response(render_template(_JOURNAL, closed=True, **told), 403)
    days, more = journal_lines.by_day(journal_lines.folded(lines)), _more(reader, filters, place)
    named = lines[0].who if lines else ""
    chosen = filters.in_force(reader.key, named)
    return make_response(render_template(_JOURNAL, days=days, more=more, chosen=chosen, **told))


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


def _wanted(reader: JournalReader, filters: JournalFilters) -> reading_search.Wanted:
    cursor = request.args.get("page", "")
    after = paging.unseal(runtime().cursor_key, cursor, _binding(reader, filters)) if cursor else None
    return wanted_lines(reader, filters, after)


def wanted_lines(reader: JournalReader, filters: JournalFilters, after: Place | None) -> reading_search.Wanted:
    """Return the search for one page of the journal, newest first. after: where the page before ends."""
    search = Search(
        "AuditEvent", filters.criteria(reader.caller.requester.person), sort="date", limit=LINES, after=after
    )
    return reading_search.Wanted(search, reader.patient, total=False, query="GET /journal/AuditEvent")


def _binding(reader: JournalReader, filters: JournalFilters) -> str:
    return f"journal {reader.caller.granted.id} {urlencode(filters.kept)}"


def _more(reader: JournalReader, filters: JournalFilters, place: Place | None) -> str:
    if place is None:
        return ""
    cursor = paging.seal(runtime().cursor_key, place, _binding(reader, filters))
    kept = [("person", request.args["person"])] if "person" in request.args else []
    return f"{url_for('pages.journal')}?{urlencode([*kept, *filters.kept, ('page', cursor)])}"


def lines_of(
    reader: JournalReader, wanted: reading_search.Wanted
) -> tuple[list[journal_lines.JournalLine], Place | None]:
    """Return one page of the journal in words, and where it ends: None on the last page.

    Raises: Problem when the journal is not open to the reader now.
    """
    found = reading_search.find(runtime(), reader.caller, REGISTRY["AuditEvent"], wanted)
    events = journal_lines.events_of(item.stored.body for item in found.shown)
    named = frozenset(id_ for event in events for id_ in journal_lines.documents_of(event))
    titles = _titles(reader, named) if named else {}
    return [journal_lines.line_of(event, titles) for event in events], found.next


def _notices(reader: JournalReader, filters: JournalFilters) -> list[NoticeInWords]:
    """Return the latest notices to the patient, on the first page of the whole journal, even when the space is closed.

    The notice to the attending physician about the same emergency is left out, because it would repeat it.
    """
    if "page" in request.args or filters.sent.keys() - {"own"}:
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
