"""A patch as sent becomes a change to a resource: JSON Patch, or FHIRPath Patch as Parameters.

Source: https://hl7.org/fhir/R4/http.html#patch and https://hl7.org/fhir/R4/fhirpatch.html.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_server.domain.labels import CODE_OF_SECRET
from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.checking import check
from fhir_server.r4.parsing import demand_few_values, load_json
from fhir_server.r4.patching import apply_fhirpath_patch, apply_json_patch

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
_LABEL_BY_INDEX = re.compile(r"/securityLabel/\d+(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to a resource as its caller sees it.

    apply: returns the changed resource, or raises Problem. by_index: whether it replaces a label by its index.
    of_secret: whether it speaks of the mark of a minor's secret.
    """

    apply: Callable[[Json], Json]
    by_index: bool = False
    of_secret: bool = False


def of_json(body: bytes) -> Patch:
    """Read a JSON Patch.

    Raises: Problem(MALFORMED), and TOO_LARGE for more values than the limits allow.
    """
    demand_few_values(body)
    try:
        operations = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem.of(Category.MALFORMED, "the body is not JSON in UTF-8", code="structure") from error
    by_index, of_secret = _replaces_by_index(operations), _speaks_of_secret(operations)
    return Patch(lambda resource: apply_json_patch(resource, operations), by_index, of_secret)


def of_parameters(parameters: Json) -> Patch:
    """Read a FHIRPath Patch."""
    of_secret = _speaks_of_secret(parameters)
    return Patch(lambda resource: apply_fhirpath_patch(resource, parameters), of_secret=of_secret)


def of_entry(resource: Json, root: str) -> Patch:
    """Read the patch of a Bundle entry: Parameters, or a Binary that holds a JSON Patch.

    Raises: Problem(INVALID) for anything else.
    """
    if resource.get("resourceType") == "Parameters":
        return of_parameters(resource)
    if resource.get("resourceType") == "Binary" and resource.get("contentType") == JSON_PATCH:
        try:
            return of_json(b64decode(str(resource.get("data", "")), validate=True))
        except NotBase64 as error:
            raise Problem.of(Category.INVALID, "the patch is no base64", f"{root}.data", "value") from error
    text = f"a patch is Parameters, or a Binary of type {JSON_PATCH}"
    raise Problem.of(Category.INVALID, text, root, "not-supported")


def demand_valid(wanted: Json, before: bytes) -> None:
    """Hold the result of a patch to R4; a fault that the resource had before the patch does not count against it.

    before: the body as it was stored, perhaps by an earlier version that demanded less.
    Raises: Problem(BUSINESS_RULE) naming every fault of the patch.
    """
    faults = check(wanted)
    if faults:
        known = check(load_json(before))
        faults = [fault for fault in faults if fault not in known]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _speaks_of_secret(value: object) -> bool:
    """Tell whether a text anywhere in a patch holds the mark of a minor's secret (B6)."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and CODE_OF_SECRET in one.upper():
            return True
        waiting.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
    return False


def _replaces_by_index(operations: object) -> bool:
    found = operations if isinstance(operations, list) else []
    return any(
        isinstance(one, dict) and one.get("op") == "replace" and _LABEL_BY_INDEX.fullmatch(str(one.get("path")))
        for one in found
    )
