"""Patches of one resource (JSON, XML, JSON Merge and FHIRPath Patch): from the request body to the changed resource.

The given resource is never changed. A patch that cannot be carried out is refused here; the caller checks the result
like any body.
Source: https://www.rfc-editor.org/rfc/rfc6902, https://www.rfc-editor.org/rfc/rfc5261,
https://www.rfc-editor.org/rfc/rfc7396, https://hl7.org/fhir/R4/http.html#patch and https://hl7.org/fhir/R4/fhirpatch.html.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass

import jsonpatch
import jsonpointer
import orjson

from fhir_server.domain.documents.security_labels import CODE_OF_SECRET
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.r4.checking import check
from fhir_server.r4.fhirpath_patch import apply_fhirpath_patch
from fhir_server.r4.parsing import demand_few_values, load_json
from fhir_server.r4.trees import copied, demand_same_identity, is_within, measure, pruned
from fhir_server.r4.xml_patch import apply_xml_patch, read_xml_patch, texts_of
from fhir_server.settings import limits

_MEMBERS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "from"),
    "copy": ("path", "from"),
    "test": ("path", "value"),
}

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"
MERGE_PATCH = "application/merge-patch+json"
PATCH_TYPES = (JSON_PATCH, XML_PATCH, MERGE_PATCH)
"""The media types of patches that are no FHIR resource."""
_LABEL_IN_XML = re.compile(r"securityLabel\[\d+\]")
_LABEL_BY_INDEX = re.compile(r"/securityLabel/\d+(?:/.*)?")


def apply_json_patch(resource: Json, ops: object) -> Json:
    """Return the resource after all operations of a JSON Patch, or none of them.

    An array that becomes empty is removed, because FHIR has no empty arrays.

    Raises: Problem(MALFORMED) for a body that is not a JSON Patch, touches id or type, or costs more than the limits
    allow; BUSINESS_RULE when an operation cannot be carried out on this resource or a `test` fails. Each names the
    element.
    """
    most = limits.in_force().patch_operations
    if not isinstance(ops, list) or len(ops) > most:
        raise Problem.of(Category.MALFORMED, f"a JSON Patch is an array of at most {most} operations")
    patched = copied(resource)
    cost = _Cost(len(orjson.dumps(resource)))
    for index, op in enumerate(ops):
        _demand_operation(op, index)
        cost.represented(patched, op, index)
        patched = _applied(patched, op)
    return demand_same_identity(resource, pruned(patched))


@dataclass(slots=True)
class _Cost:
    """The most that the operations so far can cost; each operation is charged before it is carried out.

    size: most bytes that the resource can have, as if no operation removed anything. work: values visited.
    """

    size: int
    work: int = 0

    def represented(self, resource: Json, op: Json, index: int) -> None:
        """Add the cost of one operation.

        Raises: Problem(MALFORMED).
        """
        allowed = limits.in_force()
        moved = _moved(resource, op)
        count, depth = measure(moved)
        self.work += count
        if self.work > allowed.patch_work:
            text = f"the operations up to {index} visit more than {allowed.patch_work} values"
            raise Problem.of(Category.MALFORMED, text, code="too-much-work")
        too_deep = depth + op["path"].count("/") > allowed.depth
        if op["op"] in ("add", "replace", "copy") and not too_deep:
            self.size += len(orjson.dumps(moved))
        if too_deep or self.size > allowed.patched_bytes:
            text = f"operation {index} makes the resource larger, or nested deeper, than one may be"
            raise Problem.of(Category.MALFORMED, text, code="too-deep")


def _moved(resource: Json, op: Json) -> object:
    """Return the value that an operation adds, compares or copies; None when there is no such value."""
    if op["op"] in ("move", "copy"):
        try:
            found = jsonpointer.resolve_pointer(resource, op["from"], None)
        except jsonpointer.JsonPointerException:
            return None  # the operation itself reports the fault
        return None if isinstance(found, jsonpointer.EndOfList) else found
    return op.get("value")


def _demand_operation(op: object, index: int) -> None:
    """Check one operation against RFC 6902.

    Raises: Problem(MALFORMED).
    """
    members = _MEMBERS.get(str(op.get("op"))) if isinstance(op, dict) else None
    if members is None or not isinstance(op, dict):
        raise Problem.of(Category.MALFORMED, f"operation {index} is none of {', '.join(_MEMBERS)}", code="structure")
    for name in members:
        is_pointer = name != "value"
        value = op.get(name)
        if name not in op or (is_pointer and not (isinstance(value, str) and (not value or value.startswith("/")))):
            what = "a JSON Pointer" if is_pointer else "a value"
            raise Problem.of(Category.MALFORMED, f"operation {index} needs {what} in `{name}`", code="structure")
    if measure(op)[1] > limits.in_force().depth:
        raise Problem.of(Category.MALFORMED, f"operation {index} is nested too deeply", code="too-deep")


def _applied(resource: Json, op: Json) -> Json:
    expression = expression_of(resource, op["path"])
    try:
        patched = jsonpatch.JsonPatch([copied(op)]).apply(resource, in_place=True)
    except jsonpatch.JsonPatchTestFailed as error:
        text = "the value that the patch tests is another"
        raise Problem.of(Category.BUSINESS_RULE, text, expression, "test-failed") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, ValueError) as error:
        text = f"`{op['op']}` cannot be carried out: there is no such place"
        raise Problem.of(Category.BUSINESS_RULE, text, expression, "no-such-place") from error
    if not isinstance(patched, dict):
        raise Problem.of(Category.MALFORMED, "a patch cannot replace the resource by something else", expression)
    return patched


def expression_of(resource: Json, pointer: str) -> str:
    """Return a JSON Pointer as FHIRPath: `/content/0/format` is `DocumentReference.content[0].format`."""
    expression = str(resource.get("resourceType"))
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        expression += f"[{name}]" if name.isdigit() or name == "-" else f".{name[:64]}"
    return expression


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to a resource as its caller sees it.

    apply: returns the changed resource, or raises Problem. by_index: whether it replaces a label by its index.
        of_confidential: whether it contains the mark that hides a document from guardians.
    """

    apply: Callable[[Json], Json]
    by_index: bool = False
    of_confidential: bool = False


def of_json(body: bytes) -> Patch:
    """Read a JSON Patch.

    Raises: Problem(MALFORMED), and TOO_LARGE for more values than the limits allow.
    """
    demand_few_values(body)
    try:
        operations = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem.of(Category.MALFORMED, "the body is not JSON in UTF-8", code="structure") from error
    by_index, of_confidential = _replaces_by_index(operations), _speaks_of_confidential(operations)
    return Patch(lambda resource: apply_json_patch(resource, operations), by_index, of_confidential)


def of_xml(body: bytes) -> Patch:
    """Read an XML Patch.

    Raises: Problem(MALFORMED) for what is no such patch or declares a document type; TOO_LARGE as `from_xml`.
    """
    root = read_xml_patch(body)
    by_index = any(_LABEL_IN_XML.search(str(one.get("sel"))) for one in root)
    return Patch(lambda resource: apply_xml_patch(resource, root), by_index, _speaks_of_confidential(texts_of(root)))


def of_media_type(body: bytes, media_type: str) -> Patch:
    """Read a patch of one of `PATCH_TYPES`. Raises: as `of_json`, `of_xml` and `of_merge`."""
    return {JSON_PATCH: of_json, XML_PATCH: of_xml, MERGE_PATCH: of_merge}[media_type](body)


def of_merge(body: bytes) -> Patch:
    """Read a JSON Merge Patch (RFC 7396): an object with the members to replace; null removes one.

    Raises: Problem(MALFORMED) for what is no object; TOO_LARGE for more values than the limits allow.
    """
    wanted = load_json(body)
    if not is_within(wanted, limits.in_force().depth):
        raise Problem.of(Category.MALFORMED, "the patch is nested too deeply", code="too-deep")
    return Patch(lambda resource: _merged(resource, wanted), of_confidential=_speaks_of_confidential(wanted))


def _merged(resource: Json, wanted: Json) -> Json:
    """Return the resource after a merge patch, which may cost no more than any other.

    Raises: Problem(MALFORMED) when the result is larger than one may be, or has another id or type.
    """
    found = pruned(_merge(resource, wanted))
    if len(orjson.dumps(found)) > limits.in_force().patched_bytes:
        raise Problem.of(Category.MALFORMED, "the patch makes the resource larger than one may be", code="too-deep")
    return demand_same_identity(resource, found)


def _merge(before: Json, wanted: Json) -> Json:
    merged: Json = copied(before)
    for name, value in wanted.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            inner = merged.get(name)
            merged[name] = _merge(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[name] = copied(value)
    return merged


def of_parameters(parameters: Json) -> Patch:
    """Read a FHIRPath Patch."""
    of_confidential = _speaks_of_confidential(parameters)
    return Patch(lambda resource: apply_fhirpath_patch(resource, parameters), of_confidential=of_confidential)


def of_entry(resource: Json, root: str) -> Patch:
    """Read the patch of a Bundle entry: Parameters, or a Binary with a JSON Patch or an XML Patch in it.

    Raises: Problem(INVALID) for anything else.
    """
    if resource.get("resourceType") == "Parameters":
        return of_parameters(resource)
    kind = str(resource.get("contentType", "")).partition(";")[0].strip().lower()
    if resource.get("resourceType") == "Binary" and kind in PATCH_TYPES:
        try:
            return of_media_type(b64decode(str(resource.get("data", "")), validate=True), kind)
        except NotBase64 as error:
            raise Problem.of(Category.INVALID, "the patch is no base64", f"{root}.data", "value") from error
    text = f"a patch is Parameters, or a Binary of type {' or '.join(PATCH_TYPES)}"
    raise Problem.of(Category.INVALID, text, root, "not-supported")


def demand_valid(wanted: Json, before: bytes) -> None:
    """Check the result of a patch against R4; a fault that the resource had before the patch is accepted.

    before: the body as it was stored, perhaps by an earlier version with fewer rules.
    Raises: Problem(BUSINESS_RULE) naming every fault of the patch.
    """
    faults = check(wanted)
    if faults:
        known = check(load_json(before))
        faults = [fault for fault in faults if fault not in known]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _speaks_of_confidential(value: object) -> bool:
    """Tell whether any text in a patch contains the mark that hides a document from guardians (B6)."""
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
