"""Suspensions of somebody's declarations, as operations for the data-protection officer.

Source: docs/operations.md; statement V13 of docs/rules.md.
"""

from flask import Response

from fhir_server.application.cases import suspensions
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.supervision import Suspension
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Output, Parameter, outputs, parameters, part


def _list(runtime: Runtime, caller: Caller, _id: str, _given: Arguments) -> Response:
    found = [part("suspension", **_about(one)) for one in suspensions.suspensions(runtime, caller)]
    return negotiation.fhir_response(parameters(suspensions=found))


def _suspend(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    subject = _reference(given)
    suspensions.suspend(runtime, caller, subject, str(given["reason"]))
    return negotiation.fhir_response(parameters(subject={"reference": subject}, suspended=True))


def _resume(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    subject = _reference(given)
    suspensions.resume(runtime, caller, subject, str(given["reason"]))
    return negotiation.fhir_response(parameters(subject={"reference": subject}, suspended=False))


def _reference(given: Arguments) -> str:
    return str(given["subject"].get("reference", ""))


def _about(one: Suspension) -> dict[str, object]:
    texts = {"by": one.by, "reason": one.reason, "case": one.case}
    said = {f"{name}s": [{"name": name, "valueString": text}] for name, text in texts.items() if text}
    return {"subject": {"reference": one.subject}, "since": one.since, "cause": one.cause} | said


_SUBJECT = Parameter("subject", "Reference", "`Practitioner`, `Organization`, or `Device` of an app", required=True)
_REASON = Parameter("reason", "string", "why; for auditors and the operator alone", required=True)
_DONE = outputs(("subject", "Reference"), ("suspended", "boolean"))
OPERATIONS = (
    Operation(
        "suspensions",
        "AuditEvent",
        "Whose declarations are suspended",
        "With who decided so, when and why. `cause` and `case` are said of a suspension that began by itself: "
        "`ceilings` or `contests`. For auditors.",
        _list,
        output=(
            Output(
                "suspension",
                parts=outputs(
                    ("subject", "Reference"),
                    ("since", "dateTime"),
                    ("cause", "code"),
                    ("by", "string"),
                    ("reason", "string"),
                    ("case", "string"),
                ),
            ),
        ),
        instance=False,
        affects_state=False,
    ),
    Operation(
        "suspend-word",
        "AuditEvent",
        "Stop somebody's declarations from opening new spaces",
        "From the next request on. Open spaces stay open; evidence of the patient or of a third party still opens "
        "spaces, and so do emergencies. For auditors, but not about their own declarations.",
        _suspend,
        (_SUBJECT, _REASON),
        _DONE,
        instance=False,
    ),
    Operation(
        "resume-word",
        "AuditEvent",
        "Let somebody's declarations open spaces again",
        "From the next request on. The ceilings and contests until now count no more. For auditors, but not about "
        "their own declarations.",
        _resume,
        (_SUBJECT, _REASON),
        _DONE,
        instance=False,
    ),
)
