"""The journal to keep: a page to print, and a file with the AuditEvents that an app gets.

Source: rules H5 and H7; https://hl7.org/fhir/R4/bundle.html; docs/portal.md.
"""

import orjson
from flask import Response, make_response, render_template, request

from consent_rules.vocabulary import PatientId
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.bodies import instant
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.patient import journal_lines
from fhir_server.http.pages.patient.journal import JournalReader, lines_of, wanted_lines
from fhir_server.http.pages.patient.journal_filters import JournalFilters
from fhir_server.http.request_context import runtime

MOST = 2000
"""At most so many entries are printed or kept at once, the newest ones."""
_AT_ONCE = 200
_READING = "patient/AuditEvent.rs patient/DocumentReference.rs"
_ASKS = AuditedInteraction(Interaction.SEARCH, "AuditEvent")


@page(Role.PATIENT, "/journal", "", None)
def journal_export(visit: Visit) -> Response:
    """Let the person choose a period, and whether to print the journal or to keep it as a file."""
    filters = JournalFilters.read(request.args)
    shown = {"filters": filters, "most": MOST}
    return make_response(render_template("portal/space/journal_export.html", visit=visit, **shown))


@page(Role.PATIENT, "/journal/print", _READING, _ASKS)
def journal_print(visit: Visit) -> Response:
    """Show the whole journal of a period in words, without forms, to be printed."""
    filters, reader = _filters(), JournalReader(visit.caller, visit.patient)
    lines, place = lines_of(reader, wanted_lines(reader, filters, None))
    while place is not None and len(lines) < MOST:
        more, place = lines_of(reader, wanted_lines(reader, filters, place))
        lines += more
    chosen = [words for words, _ in filters.in_force(visit.patient, "")]
    shown = {
        "days": journal_lines.by_day(lines),
        "chosen": chosen,
        "has_more": place is not None,
        "at": runtime().now(),
    }
    return make_response(render_template("portal/space/journal_print.html", visit=visit, **shown))


@page(Role.PATIENT, "/journal/file", _READING, _ASKS)
def journal_file(visit: Visit) -> Response:
    """Answer with the AuditEvents of a period as a Bundle: the same resources that an app gets by the same search."""
    pairs = [("patient", visit.patient), *_filters().pairs, ("_count", str(_AT_ONCE)), ("_sort", "-date")]
    found = find(visit.caller, "AuditEvent", pairs)
    events = list(found.resources)
    while found.later and len(events) < MOST:
        found = find(visit.caller, "AuditEvent", pairs, found.later)
        events += found.resources
    response = make_response(orjson.dumps(_bundle(visit.patient, events, has_more=bool(found.later))))
    response.headers["Content-Type"] = "application/fhir+json"
    response.headers["Content-Disposition"] = 'attachment; filename="journal.json"'
    return response


def _filters() -> JournalFilters:
    """Return the filters of the address; the export has every entry, those on these pages too."""
    return JournalFilters.read(request.args.to_dict() | {"own": "1"})


def _bundle(patient: PatientId, events: list[Json], *, has_more: bool) -> Json:
    base = runtime().fhir_base
    entries: list[Json] = [{"fullUrl": f"{base}/AuditEvent/{one['id']}", "resource": one} for one in events]
    if has_more:
        text = f"only the newest {len(events)} events are here; ask for a shorter period"
        issue = {"severity": "warning", "code": "incomplete", "diagnostics": text}
        entries.append({"resource": {"resourceType": "OperationOutcome", "issue": [issue]}})
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": instant(runtime().now()),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"{base}/Patient/{patient}"},
        "entry": entries,
    }
