"""The cases of the data-protection officer, as operations: the queue, one case, the decision.

Source: docs/operations.md; statements V8, V11, V13 and V20 of docs/rules.md.
"""

from flask import Response

from fhir_server.application.cases import deciding
from fhir_server.application.consents import contests
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import Case
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, paging
from fhir_server.http.fhir.operations.model import (
    Answer,
    Arguments,
    Operation,
    Output,
    Parameter,
    outputs,
    parameters,
    part,
)
from fhir_server.http.fhir.operations.reviews import COUNT, PAGE, count_of


def _queue(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    cursor, bound = str(given.get("page", "")), f"case-queue {caller.granted.id}"
    after = paging.unseal(runtime.cursor_key, cursor, bound) if cursor else None
    found = deciding.queue(runtime, caller, count_of(given), after)
    place = paging.seal(runtime.cursor_key, found.next, bound) if found.next else None
    following = [{"name": "next", "valueString": place}] if place else []
    cases = [part("case", **_about(runtime, one)) for one in found.waiting]
    return negotiation.fhir_response(parameters(cases=cases, next=following))


def _look(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    return _answer(runtime, deciding.look(runtime, caller, str(given["case"])))


def _decide(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    outcome, comment = str(given["outcome"]), str(given["comment"])
    return _answer(runtime, deciding.decide(runtime, caller, str(given["case"]), outcome, comment))


def _contest(type_: str) -> Answer:
    def answer(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
        case = contests.contest(runtime, caller, type_, id_)
        return negotiation.fhir_response(parameters(case=case.partition("/")[2], blocked=True))

    return answer


def _withdraw(type_: str) -> Answer:
    def answer(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
        contests.withdraw(runtime, caller, type_, id_)
        return negotiation.fhir_response(parameters(withdrawn=True))

    return answer


def _answer(runtime: Runtime, case: Case) -> Response:
    events = [{"name": "event", "valueReference": {"reference": one}} for one in case.events]
    counts = [part("evidence", code=code, count=count) for code, count in sorted(case.evidence.items())]
    decision = {"decidedAt": case.decided_at, "decidedBy": case.decided_by.as_reference() if case.decided_by else None}
    comment = [{"name": "comment", "valueString": case.comment}] if case.comment else []
    told = _about(runtime, case) | {"events": events, "counts": counts} | decision | {"comments": comment}
    return negotiation.fhir_response(parameters(**told))


def _about(runtime: Runtime, case: Case) -> dict[str, object]:
    """Return what the queue says of a case. A case about no patient names none."""
    who: Json = {"reference": case.who} | ({"display": case.display} if case.display else {}) if case.who else {}
    return {
        "id": [{"name": "id", "valueString": case.id}],
        "kind": case.kind.value,
        "rule": case.rule,
        "patient": {"reference": f"Patient/{case.patient}"} if case.patient else None,
        "about": who or None,
        "openedAt": case.opened_at,
        "due": case.due,
        "times": case.times,
        "state": case.outcome.value if case.outcome else "overdue" if runtime.now() >= case.due else "waiting",
    }


_ABOUT = outputs(
    ("id", "string"),
    ("kind", "code"),
    ("rule", "code"),
    ("patient", "Reference"),
    ("about", "Reference"),
    ("openedAt", "dateTime"),
    ("due", "dateTime"),
    ("times", "integer"),
    ("state", "code"),
)
_FILE = (
    *_ABOUT,
    Output("event", "Reference"),
    Output("evidence", parts=outputs(("code", "code"), ("count", "integer"))),
    *outputs(("decidedAt", "dateTime"), ("decidedBy", "Reference"), ("comment", "string")),
)
_CONTESTED = ("Communication", "AuditEvent", "Encounter")
_CASE = Parameter("case", "string", "the id of the case, as the queue says it", required=True)
OPERATIONS = (
    Operation(
        "case-queue",
        "AuditEvent",
        "Which cases wait for the decision of the data-protection officer",
        "Contests of patients, ceilings that were reached, breakers, and accesses that nobody explains, in the order "
        "in which they are due. Nobody sees a case about themselves. For auditors; each space of which a case is "
        "shown gets an audit event.",
        _queue,
        (COUNT, PAGE),
        (Output("case", parts=_ABOUT), Output("next", "string")),
        instance=False,
        affects_state=False,
    ),
    Operation(
        "case",
        "AuditEvent",
        "What is known about a case",
        "With references of the audit events that are its evidence; it names no document. For auditors, but not for "
        "the person whom the case is about.",
        _look,
        (_CASE,),
        _FILE,
        instance=False,
        affects_state=False,
    ),
    Operation(
        "decide-case",
        "AuditEvent",
        "Decide a case",
        "Once, by an auditor whom the case is not about. A patient who contests is told the outcome in the same "
        "commit; the comment stays in the case. `justified` ends the suspension that the case has begun, "
        "`not-justified` keeps it.",
        _decide,
        (
            _CASE,
            Parameter("outcome", "code", "`justified` or `not-justified`", required=True),
            Parameter("comment", "string", "the reasons, for auditors alone", required=True),
        ),
        _FILE,
        instance=False,
    ),
    *(
        Operation(
            "contest",
            type_,
            "Say that this is not true, or that this person is unknown",
            "For the patient and the legal representatives, about a notice, audit event or admission that they "
            "see. It blocks at once the professional, or the establishment that says that the patient is in its care, "
            "and opens a case for the data-protection officer. No professional learns of it.",
            _contest(type_),
            output=outputs(("case", "code"), ("blocked", "boolean")),
        )
        for type_ in _CONTESTED
    ),
    *(
        Operation(
            "withdraw-contest",
            type_,
            "Take a contest back",
            "For whoever contested, while the case waits for its decision. The block ends as if it had never been.",
            _withdraw(type_),
            output=outputs(("withdrawn", "boolean")),
        )
        for type_ in _CONTESTED
    ),
)
