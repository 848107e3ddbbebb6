"""One case on a page: the evidence in words, the decision, and the suspension of whom it is about.

Source: statements V8, V11, V13 and V20 of docs/rules.md; docs/adr/0086-cases-for-the-officer.md.
"""

from collections.abc import Sequence
from uuid import UUID

from flask import Response, make_response, render_template, request

from fhir_server.application.cases import deciding
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.case_files import Case, CaseOutcome
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.officer import case_words
from fhir_server.http.pages.officer.queue import REVIEWING
from fhir_server.http.pages.officer.review import problems_of
from fhir_server.http.pages.officer.trail_lines import TrailLine, told
from fhir_server.http.request_context import runtime

_OUTCOMES = (CaseOutcome.JUSTIFIED, CaseOutcome.NOT_JUSTIFIED)
_SUSPENDED = ("Practitioner/", "Organization/", "Device/")


@page(Role.OFFICER, "/cases/<uuid:id_>", REVIEWING, interaction_of(EventKind.CASE_READ))
def case(visit: StaffVisit, id_: UUID) -> Response:
    """Show one case with its evidence, and how to decide."""
    return _shown(visit, str(id_), {})


@form(Role.OFFICER, "/cases/<uuid:id_>/decide", REVIEWING, interaction_of(EventKind.CASE_DECIDED))
def decide_case(visit: StaffVisit, id_: UUID) -> Response:
    """Record the decision; a form without outcome or reasons is shown again."""
    outcome, comment = request.form.get("outcome", ""), request.form.get("comment", "")
    problems = problems_of(outcome, comment, [one.value for one in _OUTCOMES])
    if problems:
        return _shown(visit, str(id_), problems)
    deciding.decide(runtime(), visit.caller, str(id_), outcome, comment)
    return back_to(visit.address("queue", decided="1"))


def _shown(visit: StaffVisit, id_: str, problems: dict[str, str]) -> Response:
    found = deciding.look(runtime(), visit.caller, id_)
    shown = {
        "case": found,
        "kind": case_words.KINDS[found.kind],
        "rule": case_words.rule_of(found),
        "evidence": case_words.evidence_of(found),
        "events": _events_of(visit, found),
        "age": case_words.ago(found.opened_at, runtime().now()),
        "is_late": runtime().now() >= found.due,
        "outcomes": [(one.value, case_words.OUTCOMES[one]) for one in _OUTCOMES],
        "words": case_words.OUTCOMES,
        "may_suspend": bool(found.who and found.who.startswith(_SUSPENDED)),
        "problems": problems,
        "sent": request.form,
    }
    text = render_template("portal/officer/case.html", visit=visit, **shown)
    return make_response(text, 422 if problems else 200)


def _events_of(visit: StaffVisit, found: Case) -> Sequence[TrailLine]:
    """Return the audit events of the evidence in words: one search in the patient's space, which its journal tells."""
    ids = [event.partition("/")[2] for event in found.events]
    if not ids or not found.patient:
        return ()
    asked = [("patient", found.patient), ("_id", ",".join(ids)), ("_count", str(len(ids)))]
    return told(find(visit.caller, "AuditEvent", asked).resources)
