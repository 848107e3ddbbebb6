"""The search of the audit log: between two days, of everybody, of one patient, or of what one party did.

It is the search that an officer's software sends (ITI-81), with the same audit event: when a patient is named, their
journal tells it. The number of a patient comes in a form alone, so that it stands in no address.
Source: https://profiles.ihe.net/ITI/TF/Volume2/ITI-81.html; scenario P9.1; docs/adr/0147-the-officers-search.md.
"""

from collections.abc import Mapping
from datetime import date, timedelta

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS, names_patient
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.frame.asking import Page, find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import form, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.language import local
from fhir_server.http.pages.officer.trail_lines import told
from fhir_server.http.request_context import runtime
from fhir_server.settings import limits

SCOPES = "user/AuditEvent.rs"
ASKS = AuditedInteraction(Interaction.SEARCH, "AuditEvent")
_FIELDS = ("from", "to", "who", "patient", "refused")
_LINES = 50
_REFUSED = "http://hl7.org/fhir/audit-event-outcome|4"
_EARLIEST, _LATEST = date(1900, 1, 1), date(3000, 1, 1)
"""Days outside are typing errors; the calendar of a time zone need not have them."""
_PARTIES = ("Practitioner/", "Organization/", "Device/", "Patient/", "RelatedPerson/")


@page(Role.OFFICER, "/trail", SCOPES, ASKS)
def trail(visit: StaffVisit) -> Response:
    """Show the form, and what it found once both days are named."""
    sent = sent_of(request.args)
    if not (sent["from"] or sent["to"]):
        return _shown(visit, sent, {}, None)
    problems = problems_of(sent)
    pairs = [] if problems else pairs_of(sent)
    return _found(visit, sent, problems, pairs)


@form(Role.OFFICER, "/trail/patient", SCOPES, ASKS)
def trail_of_patient(visit: StaffVisit) -> Response:
    """Show what was found about the patient of a number; the addresses of further pages name the patient by id."""
    sent = sent_of(request.form)
    system, number = request.form.get("system", ""), "".join(request.form.get("number", "").split())
    problems = problems_of(sent)
    if system not in INS_SYSTEMS or not number:
        problems["number"] = gettext("Type the number, and choose its kind")
    pairs = [] if problems else [("patient.identifier", f"{system}|{number}"), *_asked(sent)]
    return _found(visit, sent, problems, pairs)


def _found(visit: StaffVisit, sent: dict[str, str], problems: dict[str, str], pairs: list[tuple[str, str]]) -> Response:
    if problems:
        return _shown(visit, sent, problems, None)
    try:
        by_form = request.method == "POST"
        found = find(visit.caller, "AuditEvent", pairs, request.args.get("page", ""), by_form=by_form)
    except Problem as problem:
        if problem.category is not Category.MALFORMED or "page" in request.args:
            raise
        return _shown(visit, sent, {"to": gettext("The server does not search so much time at once")}, None)
    sent["patient"] = found.patient if found.resources else sent["patient"]
    return _shown(visit, sent, {}, found)


def problems_of(sent: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with the fields: both days are needed, in order, and not too far from each other."""
    found = {name: gettext("Name this day") for name in ("from", "to") if _day(sent[name]) is None}
    first, last = _day(sent["from"]), _day(sent["to"])
    most = limits.in_force().trail_days
    if first and last and not timedelta() <= last - first < timedelta(days=most):
        found["to"] = gettext("The last day follows the first one by less than %(most)s days", most=most)
    for name in ("who", "patient"):
        if names_patient(sent[name]):
            found[name] = gettext("Type the number of a patient into the form below, which keeps it out of the address")
    if sent["who"] and not (sent["who"].isdigit() or sent["who"].startswith(_PARTIES)):
        found["who"] = gettext("Type the number of a professional, or a reference such as Organization/ and its id")
    return found


def sent_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of the search, "" for one that was left empty."""
    return {name: given.get(name, "").strip() for name in _FIELDS}


def pairs_of(sent: Mapping[str, str], lines: int = _LINES) -> list[tuple[str, str]]:
    """Return the parameters of a search without a fault. lines: how many one page of it has."""
    named = [("patient", sent["patient"])] if sent["patient"] else []
    return [*named, *_asked(sent, lines)]


def _asked(sent: Mapping[str, str], lines: int = _LINES) -> list[tuple[str, str]]:
    """Return the parameters of the search, without whom it names as patient; days are those of the page's time zone."""
    first, last = _day(sent["from"]) or date.min, _day(sent["to"]) or date.min
    asked = [("date", f"ge{_midnight(first)}"), ("date", f"lt{_midnight(last + timedelta(days=1))}")]
    who = sent["who"]
    asked += [("agent.identifier" if who.isdigit() else "agent", who)] if who else []
    asked += [("outcome", _REFUSED)] if sent["refused"] else []
    return [*asked, ("_count", str(lines)), ("_sort", "-date")]


def _midnight(day: date) -> str:
    begins = local(runtime().now()).replace(
        year=day.year, month=day.month, day=day.day, hour=0, minute=0, second=0, microsecond=0
    )
    return begins.isoformat()


def _day(text: str) -> date | None:
    try:
        named = date.fromisoformat(text)
    except ValueError:
        return None
    return named if _EARLIEST <= named < _LATEST else None


def _shown(visit: StaffVisit, sent: Mapping[str, str], problems: dict[str, str], found: Page | None) -> Response:
    kept = {name: value for name, value in sent.items() if value}
    files = {form: visit.address("trail_file", form=form, **kept) for form in ("csv", "json")}
    links = (
        {
            name: visit.address("trail", **kept, page=cursor)
            for name, cursor in (("earlier", found.earlier), ("later", found.later))
            if cursor
        }
        if found
        else {}
    )
    lines = told(found.resources) if found else ()
    text = render_template(
        "portal/officer/trail.html",
        visit=visit, sent=sent, problems=problems, lines=lines, is_asked=found is not None, links=links, files=files,
        systems=INS_SYSTEMS, most=limits.in_force().trail_days,
    )  # fmt: skip
    return make_response(text, 422 if problems else 200)
