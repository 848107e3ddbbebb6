"""Pages of the demonstration and of signed-in persons: the cast, the journal of accesses, the interface.

Server-rendered, readable without scripts, nothing from elsewhere; each answer forbids all that the page does not use.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import format_date
from flask_smorest import Api

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.application import consultation, emergencies_only, finding
from fhir_server.application.accounts import Charge
from fhir_server.application.clients import Client, ClientKind
from fhir_server.application.enforcement import demand_served
from fhir_server.application.parties import Party
from fhir_server.domain import tokens
from fhir_server.domain.audit import ON_PAGES, PAGES
from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed
from fhir_server.domain.problem import Problem
from fhir_server.domain.search import AnyOf, Criterion, NoneOf, Search
from fhir_server.http import journal as told
from fhir_server.http import language, paging
from fhir_server.http.locked_pages import lock_down
from fhir_server.http.oauth_frame import current_session
from fhir_server.http.request_context import request_id, runtime
from fhir_server.http.told_notices import Told, tell
from fhir_server.oauth.bearer import caller_of
from fhir_server.oauth.sessions import Session
from fhir_server.registry import REGISTRY

Json = dict[str, Any]

LINES = 50
NOTICES = 10
WITHDRAWN = 5
"""Withdrawn documents that one page of the journal names."""
_JOURNAL = "pages/journal.html"
_LOOK = Deed("search-type", "AuditEvent", query="GET /journal/AuditEvent")
_REFUSED = frozenset({"outcome|http://hl7.org/fhir/audit-event-outcome|4"})
_API = "habilis.api"
_PAGE = Client(PAGES, "Habilis", ClientKind.PATIENT_APP)
_READING = Scopes.parse("patient/AuditEvent.rs patient/Communication.rs patient/DocumentReference.rs")
_pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/assets")
_pages.after_request(lock_down)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the journal: a person of the demonstration, or whoever is signed in.

    key: of the person whose journal it is, as the address of the page names it.
    """

    caller: Caller
    key: str

    @property
    def patient(self) -> str:
        """The id of the patient whose journal it is."""
        return self.caller.launch_patient or self.caller.requester.person.partition("/")[2]


def register(app: Flask, api: Api) -> None:
    """Register the pages."""
    language.install(app)
    app.extensions[_API] = api
    app.register_blueprint(_pages)


@_pages.get("/")
def home() -> Response:
    """Show the cast with their tokens and requests, or what this server is."""
    return make_response(render_template("pages/home.html", demo=_demonstration()))


@_pages.get("/journal")
def journal() -> Response:
    """Show who did what in a space, newest first."""
    demo = _demonstration()
    choices = _choices(demo)
    reader = _reader(demo, choices)
    if reader is None:
        return make_response(render_template(_JOURNAL, choices=choices, reader=None))
    demand_served(runtime(), reader.caller, reader.patient, _LOOK)
    wanted, notices = _wanted(reader), _notices(reader)
    try:
        found = finding.find(runtime(), reader.caller, REGISTRY["AuditEvent"], wanted)
        lines = _lines(reader, found)
    except Problem:
        text = render_template(_JOURNAL, choices=choices, reader=reader, notices=notices, closed=True)
        return make_response(text, 403)
    shown = told.by_day(lines)
    more = _more(reader, found)
    return make_response(
        render_template(_JOURNAL, choices=choices, reader=reader, notices=notices, days=shown, more=more)
    )


@_pages.get("/api")
def interface() -> Response:
    """Show what can be asked over HTTP, from the OpenAPI document."""
    api: Api = current_app.extensions[_API]
    return make_response(render_template("pages/api.html", groups=_groups(api.spec.to_dict())))


def _demonstration() -> Json | None:
    """Return what the seed wrote down, None outside the demonstration."""
    path = Path(current_app.config["DATA_DIR"]) / "demo.json"
    if not current_app.config["DEMO"] or not path.exists():
        return None
    book: Json = orjson.loads(path.read_bytes())
    return book


def _choices(demo: Json | None) -> tuple[tuple[str, str], ...]:
    """Return whose journals may be chosen, as pairs (key, name)."""
    session = current_session()
    own = tuple((charge.patient, charge.label) for charge in session.account.patients) if session else ()
    people = demo["people"] if demo else ()
    return (*own, *((person["key"], person["name"]) for person in people if person["kind"] == "patient"))


def _reader(demo: Json | None, choices: tuple[tuple[str, str], ...]) -> Reader | None:
    """Return who reads; None when nobody is chosen and nobody is signed in."""
    key = request.args.get("person", "")
    session = current_session()
    if session and session.account.patients and not key:
        key = session.account.patients[0].patient
    if not key:
        return None
    charge = session.account.charge_of(key) if session else None
    if session and charge:
        return Reader(_signed_in(session, charge), key)
    if demo is None or key not in dict(choices):
        abort(404)
    person = next(person for person in demo["people"] if person["key"] == key)
    bearer = f"Bearer {demo['tokens'][person['reader']]}"
    caller = caller_of(runtime(), bearer, request.remote_addr or "", request_id())
    return Reader(replace(caller, client_id=_PAGE.id, client_name=_PAGE.name), key)


def _signed_in(session: Session, charge: Charge) -> Caller:
    """Return a signed-in person as the party of this request: the page asks no more than to read."""
    requester = Party(_PAGE, session.account, launch_patient=charge.patient).requester
    own = requester.kind is RequesterKind.PATIENT
    return Caller(
        requester,
        _READING,
        token_id=session.id,
        grant_id=session.id,
        client_id=_PAGE.id,
        client_name=_PAGE.name,
        display=session.account.display,
        launch_patient=charge.patient,
        purpose=Purpose.PATIENT_REQUEST if own else Purpose.FAMILY_REQUEST,
        address=request.remote_addr or "",
        request_id=request_id(),
        emergencies_only=emergencies_only.find(runtime()) is not None,
    )


def _wanted(reader: Reader) -> finding.Wanted:
    criteria: list[Criterion] = [AnyOf(_REFUSED)] if "refused" in request.args else []
    if "own" not in request.args:
        criteria.append(NoneOf(frozenset({ON_PAGES})))
    cursor = request.args.get("page", "")
    after = paging.unseal(runtime().cursor_key, cursor, _binding(reader)) if cursor else None
    search = Search("AuditEvent", tuple(criteria), sort="date", limit=LINES, after=after)
    return finding.Wanted(search, reader.patient, total=False, query="GET /journal/AuditEvent")


def _binding(reader: Reader) -> str:
    shown = [name for name in ("own", "refused") if name in request.args]
    return f"journal {reader.caller.grant_id} {' '.join(shown)}"


def _more(reader: Reader, found: finding.Found) -> str:
    if found.next is None:
        return ""
    cursor = paging.seal(runtime().cursor_key, found.next, _binding(reader))
    kept = [(name, request.args[name]) for name in ("person", "own", "refused") if name in request.args]
    return f"{url_for('pages.journal')}?{urlencode([*kept, ('page', cursor)])}"


def _lines(reader: Reader, found: finding.Found) -> list[told.Line]:
    events = told.events_of(item.stored.body for item in found.shown)
    named = frozenset(id_ for event in events for id_ in told.documents_of(event))
    titles = _titles(reader, named) if named else {}
    return [told.line_of(event, titles) for event in events]


def _notices(reader: Reader) -> list[Told]:
    """Return the latest notices to the holder, on the first page of the whole journal; they outlive a closing.

    What the declared physician was told of the same emergency would be said twice.
    """
    if {"page", "refused"} & set(request.args):
        return []
    to_holder = AnyOf(tokens.reference("recipient", f"Patient/{reader.patient}"))
    search = Search("Communication", (to_holder,), sort="sent", limit=NOTICES)
    wanted = finding.Wanted(search, reader.patient, total=False, query="GET /journal/Communication")
    try:
        found = finding.find(runtime(), reader.caller, REGISTRY["Communication"], wanted)
    except Problem:
        return []
    return tell([orjson.loads(item.stored.body) for item in found.shown], runtime().now())


def _titles(reader: Reader, ids: frozenset[str]) -> Mapping[str, str]:
    """Look up the titles of documents, as far as the reader sees them; this is a search like any other, and traced."""
    search = Search("DocumentReference", ids=ids, limit=len(ids))
    query = "GET /journal/DocumentReference"
    found = finding.find(
        runtime(), reader.caller, REGISTRY["DocumentReference"],
        finding.Wanted(search, reader.patient, total=False, query=query),
    )  # fmt: skip
    titles = {item.stored.id: _title_of(item.stored.body) for item in found.shown}
    return titles | _withdrawn_titles(reader, ids - titles.keys())


def _withdrawn_titles(reader: Reader, ids: frozenset[str]) -> dict[str, str]:
    """Look up the last titles of documents that were withdrawn, a few for each page; each look is traced."""
    titles: dict[str, str] = {}
    for id_ in sorted(ids)[:WITHDRAWN]:
        try:
            versions = consultation.history(runtime(), reader.caller, REGISTRY["DocumentReference"], id_)
        except Problem:
            continue
        last = next((item.stored.body for item in versions if item.stored.body), b"")
        titles |= {id_: _title_of(last)} if last else {}
    return titles


def _title_of(body: bytes) -> str:
    return str(orjson.loads(body)["content"][0]["attachment"].get("title", ""))


def _groups(spec: Json) -> list[tuple[str, list[Json]]]:
    """Return the operations of the OpenAPI document, gathered by tag, in order of their paths."""
    groups: dict[str, list[Json]] = {}
    for path, item in sorted(spec.get("paths", {}).items()):
        for method, operation in item.items():
            if isinstance(operation, dict):
                shown = {"method": method.upper(), "path": path, "summary": operation.get("summary", "")}
                groups.setdefault((operation.get("tags") or [""])[0], []).append(shown)
    return sorted(groups.items())


@_pages.app_template_filter("said")
def _said(text: Mapping[str, str]) -> str:
    """Choose the language of a text of the demonstration."""
    return text.get(language.current_language()) or next(iter(text.values()), "")


@_pages.app_template_filter("long_date")
def _long_date(at: datetime) -> str:
    """Write a day in full, in the language of the page."""
    return str(format_date(at.date(), "full"))


@_pages.get("/favicon.ico")
def _icon() -> Response:
    return make_response(redirect(url_for("pages.static", filename="habilis.svg")))
