"""The review of break-glass accesses, as operations on the Consent that records the access.

Source: docs/operations.md; rules G3 and G8, scenario P6.5.
"""

import re

from flask import Response

from consent_rules.vocabulary import ReviewOutcome
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.spaces import break_glass_reviews
from fhir_server.application.spaces.break_glass_reviews import ReviewReport
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, paging
from fhir_server.http.fhir.operations.model import Arguments, Operation, Output, Parameter, outputs, parameters, part

DEFAULT_COUNT = 20
MAX_COUNT = 100
_COUNT = re.compile(r"[1-9][0-9]{0,2}")


def _queue(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    cursor, bound = str(given.get("page", "")), f"review-queue {caller.granted.id}"
    after = paging.unseal(runtime.cursor_key, cursor, bound) if cursor else None
    found = break_glass_reviews.queue(runtime, caller, count_of(given), after)
    following = paging.seal(runtime.cursor_key, found.next, bound) if found.next else None
    openings = [part("opening", **_about(one)) for one in found.waiting]
    return negotiation.fhir_response(parameters(openings=openings, next=_text("next", following or "")))


def count_of(given: Arguments) -> int:
    """Return how many a page of a queue shows. Raises: Problem(INVALID)."""
    text = str(given.get("count", DEFAULT_COUNT))
    if _COUNT.fullmatch(text) and int(text) <= MAX_COUNT:
        return int(text)
    why = f"`count` is a number from 1 to {MAX_COUNT}"
    raise Problem.of(Category.INVALID, why, "Parameters.parameter", "value")


def _status(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    return _answer(break_glass_reviews.look(runtime, caller, id_))


def _review(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    outcome, comment = str(given["outcome"]), str(given.get("comment", ""))
    return _answer(break_glass_reviews.review(runtime, caller, id_, outcome, comment))


def _contest(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    return _answer(break_glass_reviews.contest(runtime, caller, id_))


def _answer(report: ReviewReport) -> Response:
    file = report.file
    times = {"contestedAt": file.contested_at, "reviewedAt": file.reviewed_at}
    told = _about(report) | times | {"reasons": _text("reason", file.reason)}
    if report.to_auditor:
        told |= {"comments": _text("comment", file.comment)}
    return negotiation.fhir_response(parameters(**told))


def _about(report: ReviewReport) -> dict[str, object]:
    """Return what a page of the queue says about an access: no document, and no reason, which may mention health."""
    file = report.file
    return {
        "consent": {"reference": file.consent},
        "patient": {"reference": f"Patient/{file.patient}"},
        "professional": file.who.as_reference(),
        "establishment": file.where.as_reference() if file.where else None,
        "openedAt": file.opened_at,
        "due": file.due,
        "state": report.state.value,
        "contested": file.contested_at is not None,
    }


def _text(name: str, text: str) -> list[Json]:
    return [{"name": name, "valueString": text}] if text else []


COUNT = Parameter("count", "integer", f"how many, {DEFAULT_COUNT} when not said, {MAX_COUNT} at most")
PAGE = Parameter("page", "string", "where to go on: `next` of the page before")
_ABOUT = outputs(
    ("consent", "Reference"),
    ("patient", "Reference"),
    ("professional", "Reference"),
    ("establishment", "Reference"),
    ("openedAt", "dateTime"),
    ("due", "dateTime"),
    ("state", "code"),
    ("contested", "boolean"),
)
_FILE = (
    *_ABOUT,
    *outputs(("contestedAt", "dateTime"), ("reviewedAt", "dateTime"), ("reason", "string"), ("comment", "string")),
)
OPERATIONS = (
    Operation(
        "review-queue",
        "Consent",
        "Which break-glass accesses wait for their review",
        "Of all spaces, those that the patient contests first, then the one due first, so that what is overdue is not "
        "missed. Who, where, when and by when; neither the stated reason nor a document. For auditors; each "
        "space that is shown gets an audit event.",
        _queue,
        (COUNT, PAGE),
        (Output("opening", parts=_ABOUT), Output("next", "string")),
        instance=False,
        affects_state=False,
    ),
    Operation(
        "review-status",
        "Consent",
        "How the review of a break-glass stands",
        "To an auditor the whole file, with the reason that was stated; to the patient and the legal representatives "
        "all but the comment. Not to who opened the space.",
        _status,
        output=_FILE,
        affects_state=False,
    ),
    Operation(
        "review-emergency",
        "Consent",
        "Say what the review of a break-glass came to",
        "Once for each opening, by an auditor who is not the person that opened the space. The patient and the legal "
        "representatives are told the outcome in the same commit; the comment stays in the file.",
        _review,
        (
            Parameter("outcome", "code", f"one of {', '.join(f'`{one}`' for one in ReviewOutcome)}", required=True),
            Parameter("comment", "string", "for auditors alone"),
        ),
        _FILE,
    ),
    Operation(
        "contest-emergency",
        "Consent",
        "Contest a break-glass",
        "For the patient and the legal representatives, as long as it waits for its review: it comes first in the "
        "queue. No professional learns of it.",
        _contest,
        output=_FILE,
    ),
)
