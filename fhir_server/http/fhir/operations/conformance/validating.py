"""`$validate`, on every type that is stored: what a write would find wrong with a resource, without a write.

Source: https://hl7.org/fhir/R4/resource-operation-validate.html. The answer is 200 with an OperationOutcome whenever
the check could run.
"""

from collections.abc import Iterable
from functools import partial

from flask import Response, request

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading.conformance import validation
from fhir_server.application.reading.conformance.validation import MODES, Asked
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs
from fhir_server.r4.parsing import load
from fhir_server.registry import REGISTRY, ResourceType

_CODES = frozenset({"structure", "required", "value", "invariant", "not-supported", "code-invalid"})
"""The codes of faults that are codes of https://hl7.org/fhir/R4/valueset-issue-type.html too."""
_VALUES = {"mode": "valueCode", "profile": "valueUri"}
_ON_THE_TYPE, _ON_ONE = frozenset({"create"}), frozenset({"update", "delete"})


def _validate(runtime: Runtime, caller: Caller, id_: str, _given: Arguments, row: ResourceType) -> Response:
    asked = _asked(row, id_)
    return negotiation.fhir_response(_outcome(validation.validate(runtime, caller, row, id_, asked)))


def _asked(row: ResourceType, id_: str) -> Asked:
    """Read what is asked, from a resource or Parameters in the body, and from `mode` and `profile` of the URL.

    All that can be refused before the store is read is refused here.
    Raises: Problem(MALFORMED, UNSUPPORTED_MEDIA) for a body that cannot be read; INVALID for parameters that do not
    fit.
    """
    body = request.get_data(cache=False) if request.method == "POST" else b""
    loaded = load(body, request.content_type or "") if body else None
    if "resource" in request.args:
        raise Problem.of(Category.INVALID, "`resource` goes into the body, not into the URL", code="value")
    given: Json = {name: value for name, value in request.args.items() if not name.startswith("_")}
    if loaded is not None and loaded.get("resourceType") == "Parameters":
        given |= _parts(loaded)
    elif loaded is not None:
        given["resource"] = loaded
    return _fitting(given, row, id_)


def _parts(parameters: Json) -> Json:
    """Return the parameters by name, without a check of the resource among them."""
    found: Json = {}
    parts = parameters.get("parameter", [])
    for index, part in enumerate(parts if isinstance(parts, list) else []):
        name = str(part.get("name")) if isinstance(part, dict) else ""
        value = part.get(_VALUES.get(name, "resource")) if name else None
        if name in found or not isinstance(value, str if name in _VALUES else dict):
            where = f"Parameters.parameter[{index}]"
            text = "this must be one of `resource`, `mode` (a code) and `profile` (a URI), said once"
            raise Problem.of(Category.INVALID, text, where, "value")
        found[name] = value
    return found


def _fitting(given: Json, row: ResourceType, id_: str) -> Asked:
    unknown = sorted(given.keys() - {"resource", "mode", "profile"})
    mode = str(given.get("mode", ""))
    faults = [f"`{unknown[0][:64]}` is no parameter of this operation"] if unknown else []
    if mode and mode not in MODES:
        faults.append(f"`mode` takes one of {', '.join(MODES)}")
    if mode in (_ON_THE_TYPE if id_ else _ON_ONE):
        faults.append(f"the mode `{mode}` belongs to {'the type' if id_ else 'one resource'}")
    if mode == "profile" and not given.get("profile"):
        faults.append("the mode `profile` needs a `profile`")
    if "resource" not in given and not id_:
        faults.append(f"send the {row.name} that is to be checked")
    if faults:
        raise Problem(Category.INVALID, *(Issue(text, "Parameters.parameter", "value") for text in faults))
    return Asked(given.get("resource"), mode, str(given.get("profile", "")))


def _outcome(faults: Iterable[Issue]) -> Json:
    issues = [_issue(fault) for fault in faults]
    sound = {"severity": "information", "code": "informational", "details": {"text": "no fault was found"}}
    return {"resourceType": "OperationOutcome", "issue": issues or [sound]}


def _issue(fault: Issue) -> Json:
    code = fault.code if fault.code in _CODES else "invalid"
    place = {"expression": [fault.expression]} if fault.expression else {}
    return {"severity": "error", "code": code, "details": {"text": fault.text}} | place


def _operation(row: ResourceType) -> Operation:
    return Operation(
        "validate",
        row.name,
        f"What is wrong with one {row.name}",
        "The faults that a write would find in the resource itself: structure, values, invariants, and the profiles of "
        "MHD and PDSm that it claims or that `profile` names. Nothing is stored, and nothing is said about other "
        "resources. On one resource the caller must be able to read it; without `resource`, the stored one is checked.",
        partial(_validate, row=row),
        (
            Parameter("resource", "Resource", "what is to be checked; a body that is no Parameters is this resource"),
            Parameter("mode", "code", "`create` (on the type), `update` or `delete` (on one resource), or `profile`"),
            Parameter("profile", "uri", "a profile that the resource must follow, beside those that it claims"),
        ),
        outputs(("return", "OperationOutcome")),
        affects_state=False,
        also_on_type=True,
        reads_request=True,
    )


OPERATIONS = tuple(_operation(row) for row in REGISTRY.values())
