"""Operations that change nothing: who could see a document, and why a caller is or is not permitted to enter a space.

Source: docs/operations.md.
"""

from flask import Response, request

from consent_rules.model import RuleApplied
from consent_rules.tools.explanation import LANGUAGES, text_of
from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import document_audience, explain
from fhir_server.application.reading.document_audience import Reader, Seer
from fhir_server.application.reading.explain import Explanation
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Output, Parameter, outputs, parameters, part


def _audience(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    told = document_audience.audience_of(runtime, caller, id_, str(given.get("proposed", "")))
    readers = [_reader(reader) for reader in told.readers]
    return negotiation.fhir_response(parameters(seers=[_seer(seer) for seer in told.seers], readers=readers))


def _reader(reader: Reader) -> Json:
    who = {"reference": reader.person} | ({"display": reader.display} if reader.display else {})
    return part("reader", who=who, at=reader.at)


def _seer(seer: Seer) -> Json:
    reference: Json | None = None
    if "/" in seer.name:
        reference = {"reference": seer.name} | ({"display": seer.display} if seer.display else {})
    profession = "" if reference else seer.name
    return part(
        "seer",
        role=seer.role,
        who=reference,
        profession=profession,
        sees=seer.sees,
        would=seer.would,
        members=seer.members,
    )


def _explain(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    told = explain.explain(runtime, caller, PatientId(id_), str(given.get("type", "")), _language())
    return _explanation(told)


def _explain_document(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    return _explanation(explain.explain_document(runtime, caller, id_, _language()))


def _language() -> str:
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _explanation(told: Explanation) -> Response:
    language = _language()
    return negotiation.fhir_response(
        parameters(
            permitted=told.permitted,
            basis=told.basis or "",
            code=told.code,
            rules=[_rule(rule, language) for rule in told.rules],
            matrix=told.matrix_version,
            texts=[{"name": "text", "valueString": text} for text in told.texts],
        )
    )


def _rule(rule: RuleApplied, language: str) -> Json:
    return part(
        "rule", statement=rule.statement, texts=[{"name": "text", "valueString": text_of(rule.statement, language)}]
    )


_SEER = outputs(
    ("role", "code"),
    ("who", "Reference"),
    ("profession", "code"),
    ("sees", "boolean"),
    ("would", "boolean"),
    ("members", "integer"),
)
_EXPLANATION = (
    *outputs(("permitted", "boolean"), ("basis", "code"), ("code", "code")),
    Output("rule", parts=outputs(("statement", "code"), ("text", "string"))),
    *outputs(("matrix", "code"), ("text", "string")),
)
OPERATIONS = (
    Operation(
        "audience",
        "DocumentReference",
        "Who could see this document",
        "Everybody whom the space names, the establishments that were let in with how many see it today, and every "
        "health profession in a care team and in an emergency; before and after a proposed hiding; and which "
        "professionals have seen it, since copies elsewhere remain. For the patient and "
        "the legal representatives; nothing is changed, and no professional learns of the question.",
        _audience,
        (Parameter("proposed", "code", "`hidden` or `visible`: what is to be compared with today"),),
        (Output("seer", parts=_SEER), Output("reader", parts=outputs(("who", "Reference"), ("at", "dateTime")))),
        affects_state=False,
    ),
    Operation(
        "explain",
        "Patient",
        "Why the caller may enter a space, or may not",
        "The rules that spoke and the version of the matrix. What a patient decided is told to the patient's side "
        "alone; to anybody else such a refusal reads like that of an unknown patient.",
        _explain,
        (
            Parameter(
                "type", "code", "a document type: what the published matrix says of it for the caller's profession"
            ),
        ),
        _EXPLANATION,
        affects_state=False,
    ),
    Operation(
        "explain",
        "DocumentReference",
        "Why the caller sees a document",
        "The ground, the rules and the cell of the matrix. A document that the caller does not see is not found, "
        "whatever hides it. Asking is a reading like any other.",
        _explain_document,
        output=_EXPLANATION,
        affects_state=False,
    ),
)
