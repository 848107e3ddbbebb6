"""`$meta` of one resource, and `$generate-metadata` (ITI-106): files a document that describes itself.

Source: https://hl7.org/fhir/R4/resource-operation-meta.html; https://profiles.ihe.net/ITI/MHD/ITI-106.html.
"""

from functools import partial

import orjson
from flask import Response

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.documents import generation
from fhir_server.application.reading import read
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs
from fhir_server.registry import REGISTRY, AccessRule, types_under

_LABELLED = types_under(AccessRule.DOCUMENT, AccessRule.GATHERING, AccessRule.DIRECTIVE, AccessRule.IDENTITY)
"""The types whose resources bear labels that not everybody may know."""


def _meta(type_: str, runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    shown = read.read(runtime, caller, REGISTRY[type_], id_)
    meta = orjson.loads(rendering.body_of(shown)).get("meta", {})
    told: Json = {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta}]}
    return negotiation.fhir_response(told)


def _generate(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    sent = [name for name in ("binary", "bundle") if name in given]
    if len(sent) != 1:
        text = "send a CDA document in `binary`, or a FHIR document in `bundle`"
        raise Problem.of(Category.INVALID, text, "Parameters.parameter", "required")
    file = generation.file_binary if sent == ["binary"] else generation.file_bundle
    filed = file(runtime, caller, given[sent[0]])
    parts: list[Json] = [{"name": "DocumentReference", "valueReference": {"reference": filed.written.shown.reference}}]
    parts += [{"name": "outcome", "resource": rendering.warnings(filed.notes)}] if filed.notes else []
    return negotiation.fhir_response({"resourceType": "Parameters", "parameter": parts})


def _meta_of(type_: str) -> Operation:
    return Operation(
        "meta",
        type_,
        f"The meta of one {type_}",
        "Profiles, tags and labels as whoever reads the resource sees them. Asking is a reading like any other, and an "
        "id that the caller does not see is not found. There is none for a type or for the server, because it would "
        "list the labels in use, and labels are not changed by an operation.",
        partial(_meta, type_),
        output=outputs(("return", "Meta")),
        affects_state=False,
    )


OPERATIONS = (
    *(_meta_of(name) for name in REGISTRY if name in _LABELLED),
    Operation(
        "generate-metadata",
        "DocumentReference",
        "File a structured document with a description from itself",
        "A CDA R2 document, or a FHIR document, is filed as by a simplified publication (ITI-105); the server writes "
        "the DocumentReference from its header or its Composition. The answer names what was not mapped (ITI-106).",
        _generate,
        (
            Parameter("binary", "Binary", "a CDA document (text/xml), or a FHIR document"),
            Parameter("bundle", "Bundle", "a FHIR document"),
        ),
        outputs(("DocumentReference", "Reference"), ("outcome", "OperationOutcome")),
        instance=False,
    ),
)
