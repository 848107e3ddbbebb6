"""`$summary`: a patient summary as a FHIR document, assembled from what the caller may see of the documents.

Source: https://hl7.org/fhir/uv/ips/OperationDefinition-summary.html; docs/operations.md.
"""

import orjson
from flask import Response, request

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import summary
from fhir_server.domain import bodies
from fhir_server.domain.caller import Caller
from fhir_server.domain.documents import patient_summary
from fhir_server.domain.documents.patient_summary import Named
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.http.fhir.operations.model import Arguments, Operation, outputs
from fhir_server.http.fhir.operations.walking import sent

_LANGUAGES = ("fr", "en")


def _summary(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    found = summary.summarize(runtime, caller, PatientId(id_), sent([]))
    language = request.accept_languages.best_match(_LANGUAGES) or _LANGUAGES[0]
    named = Named(runtime.fhir_base, found.ids, bodies.instant(found.at), language)
    patient = orjson.loads(rendering.body_of(found.patient))
    documents = [orjson.loads(rendering.body_of(item)) for item in found.documents]
    return negotiation.fhir_response(patient_summary.assembled(patient, documents, named, are_all=found.are_all))


OPERATIONS = (
    Operation(
        "summary",
        "Patient",
        "A summary of the patient as a FHIR document",
        "A Bundle of type document in the structure of the International Patient Summary: the patient, and the latest "
        "current documents that a search would show the caller, named in the section of their subject. The server "
        "holds no structured clinical data, so that a section without documents states `emptyReason`. A patient whose "
        "space the caller may not enter is not found, as an unknown one.",
        _summary,
        output=outputs(("return", "Bundle")),
        affects_state=False,
    ),
)
