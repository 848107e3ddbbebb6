"""One emergency access on a page: what was stated, and the decision of the officer, of which the patient is told.

Source: rules G3 and G8 of docs/rules.md; docs/adr/0027-a-break-glass-is-reviewed.md.
"""

from uuid import UUID

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from consent_rules.vocabulary import ReviewOutcome
from fhir_server.application.spaces import break_glass_reviews
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.officer import case_words
from fhir_server.http.pages.officer.queue import REVIEWING
from fhir_server.http.request_context import runtime


@page(Role.OFFICER, "/reviews/<uuid:id_>", REVIEWING, interaction_of(EventKind.REVIEW_STATUS_READ))
def review(visit: StaffVisit, id_: UUID) -> Response:
    """Show one emergency access with the stated reason, and how to decide."""
    return _shown(visit, str(id_), {})


@form(Role.OFFICER, "/reviews/<uuid:id_>/decide", REVIEWING, interaction_of(EventKind.ACCESS_REVIEWED))
def decide_review(visit: StaffVisit, id_: UUID) -> Response:
    """Record the decision; a form without outcome or reasons is shown again."""
    outcome, comment = request.form.get("outcome", ""), request.form.get("comment", "")
    problems = problems_of(outcome, comment, [one.value for one in ReviewOutcome])
    if problems:
        return _shown(visit, str(id_), problems)
    break_glass_reviews.review(runtime(), visit.caller, str(id_), outcome, comment)
    return back_to(visit.address("queue", decided="1"))


def problems_of(outcome: str, comment: str, outcomes: list[str]) -> dict[str, str]:
    """Return what a decision lacks, by the field of the form."""
    found = {}
    if outcome not in outcomes:
        found["outcome"] = gettext("Choose a decision")
    if not comment.strip():
        found["comment"] = gettext("Say why")
    return found


def _shown(visit: StaffVisit, id_: str, problems: dict[str, str]) -> Response:
    report = break_glass_reviews.look(runtime(), visit.caller, id_)
    outcomes = [(one.value, case_words.OUTCOMES[one.value]) for one in ReviewOutcome]
    shown = {
        "file": report.file,
        "state": report.state.value,
        "age": case_words.ago(report.file.opened_at, runtime().now()),
        "outcomes": outcomes,
        "words": case_words.OUTCOMES,
        "problems": problems,
        "sent": request.form,
    }
    text = render_template("portal/officer/review.html", visit=visit, **shown)
    return make_response(text, 422 if problems else 200)
