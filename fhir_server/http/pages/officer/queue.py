"""Everything that waits for the officer on one page: reviews of emergencies and cases, the one due first at the top.

Two queues of the API are shown beside each other, each by its own page and with its own audit events.
Source: statements V8, V11, V13 and V20 and rules G3 and G8 of docs/rules.md; docs/portal.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from consent_rules.vocabulary import ReviewState
from fhir_server.application.cases import deciding
from fhir_server.application.spaces import break_glass_reviews
from fhir_server.application.spaces.break_glass_reviews import ReviewReport
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.case_files import Case
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.search.criteria import Place
from fhir_server.http.fhir import paging
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.officer import case_words
from fhir_server.http.request_context import runtime

REVIEWING = "user/Consent.rus user/AuditEvent.rs"
"""All that the officer's pages may ask for."""
_MOST = 25
"""How many of each queue one page shows."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the queue. about: the name of whom it is about. said: what happened, in words. age: in words."""

    address: str
    what: Any
    about: str
    said: str
    age: str
    due: datetime
    is_late: bool
    is_contested: bool = False
    times: int = 1


_Part = tuple[list[Waiting], Place | None]
"""A page of one queue, and where it goes on."""


@page(Role.OFFICER, "/queue", REVIEWING, interaction_of(EventKind.CASE_QUEUE_READ))
def queue(visit: StaffVisit) -> Response:
    """Show what waits for a decision."""
    is_later = any(name in request.args for name in _ASKED)
    asked = [name for name in _ASKED if not is_later or name in request.args]
    parts = [_ASKED[name](visit, _after(visit, name)) for name in asked]
    lines = sorted((line for found, _ in parts for line in found), key=lambda line: (not line.is_contested, line.due))
    following = {name: _sealed(visit, name, place) for name, (_, place) in zip(asked, parts, strict=True) if place}
    more = visit.address("queue", **following) if following else ""
    shown = {"lines": lines, "more": more, "is_first": not is_later, "is_done": "decided" in request.args}
    return make_response(render_template("portal/officer/queue.html", visit=visit, **shown))


def _reviews(visit: StaffVisit, after: Place | None) -> _Part:
    found = break_glass_reviews.queue(runtime(), visit.caller, _MOST, after)
    return [_of_review(visit, one) for one in found.waiting], found.next


def _cases(visit: StaffVisit, after: Place | None) -> _Part:
    found = deciding.queue(runtime(), visit.caller, _MOST, after)
    return [_of_case(visit, one) for one in found.waiting], found.next


def _of_review(visit: StaffVisit, report: ReviewReport) -> Waiting:
    file, now = report.file, runtime().now()
    return Waiting(
        address=visit.address("review", id_=file.opening),
        what=gettext("An emergency access"),
        about=file.who.display,
        said=file.where.display if file.where else "",
        age=case_words.ago(file.opened_at, now),
        due=file.due,
        is_late=report.state is ReviewState.OVERDUE,
        is_contested=file.contested_at is not None,
    )


def _of_case(visit: StaffVisit, case: Case) -> Waiting:
    now = runtime().now()
    return Waiting(
        address=visit.address("case", id_=case.id),
        what=case_words.KINDS[case.kind],
        about=case.display or case.who or "",
        said=case_words.rule_of(case),
        age=case_words.ago(case.opened_at, now),
        due=case.due,
        is_late=now >= case.due,
        times=case.times,
    )


def _after(visit: StaffVisit, name: str) -> Place | None:
    cursor = request.args.get(name, "")
    return paging.unseal(runtime().cursor_key, cursor, _bound(visit, name)) if cursor else None


def _sealed(visit: StaffVisit, name: str, place: Place) -> str:
    return paging.seal(runtime().cursor_key, place, _bound(visit, name))


def _bound(visit: StaffVisit, name: str) -> str:
    return f"officer {name} {visit.session.id}"


_ASKED: Mapping[str, Callable[[StaffVisit, Place | None], _Part]] = {"reviews": _reviews, "cases": _cases}
"""The queues of the page, by the name of their cursor in its address; a later page asks only those that go on."""
