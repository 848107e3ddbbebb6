"""FHIRPath Patch: the operations add, insert, delete, replace and move of a Parameters resource.

Source: https://hl7.org/fhir/R4/fhirpatch.html. Paths are read by paths.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.r4 import paths
from fhir_server.r4.places import Place, Work, children, elements_named
from fhir_server.r4.structure import Element, shape_of
from fhir_server.r4.trees import copied, demand_same_identity, pruned
from fhir_server.settings import limits


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation as sent. part: its parts by name. work: how many places all paths of the patch may still visit."""

    type: str
    path: str
    part: dict[str, Json]
    work: Work

    def select(self, resource: Json, path: str) -> list[Place]:
        """Return the places that a path selects."""
        return paths.select(resource, path, self.work)

    def number(self, name: str) -> int:
        """Return an index that the operation must have."""
        value = self.part.get(name, {}).get("valueInteger")
        if not isinstance(value, int) or isinstance(value, bool):
            raise _malformed(f"the operation `{self.type}` needs `{name}` as valueInteger", self.path)
        return value


@dataclass(frozen=True, slots=True)
class _Value:
    """A value as sent. type: name of its type with a capital, "" for an unnamed element made of parts."""

    type: str
    json: Any


def apply_fhirpath_patch(resource: Json, parameters: Json) -> Json:
    """Return the resource after all operations of a FHIRPath Patch, or none of them.

    parameters: a Parameters resource, already checked as R4.

    Raises: Problem(MALFORMED) for a body that is not such a patch, for a path that is unreadable or touches id or type,
    or for a cost above the limits; BUSINESS_RULE when a path does not select what the operation needs. Each names the
    path.
    """
    allowed = limits.in_force()
    sent = parameters.get("parameter", [])
    if len(sent) > allowed.patch_operations:
        raise _malformed(f"a FHIRPath Patch has at most {allowed.patch_operations} operations", "Parameters.parameter")
    patched, work = copied(resource), Work(allowed.patch_work)
    for index, one in enumerate(sent):
        operation = _operation(one, f"Parameters.parameter[{index}]", work)
        try:
            _OPERATIONS[operation.type](patched, operation)
        except paths.BadPath as error:
            raise _malformed(str(error), operation.path) from error
    found = pruned(patched)
    if len(orjson.dumps(found)) > allowed.patched_bytes:
        raise _malformed("the operations make the resource larger than one may be", "Parameters.parameter")
    return demand_same_identity(resource, found)


def _operation(sent: Json, expression: str, work: Work) -> _Operation:
    parts = {str(part.get("name")): part for part in sent.get("part", [])}
    if sent.get("name") != "operation" or len(parts) < len(sent.get("part", [])):
        raise _malformed("every parameter must be named `operation`, each of its parts once", expression)
    type_ = next((str(value) for name, value in parts.get("type", {}).items() if name.startswith("value")), "")
    path = next((str(value) for name, value in parts.get("path", {}).items() if name.startswith("value")), "")
    if type_ not in _OPERATIONS or not path:
        raise _malformed(f"an operation needs a path and one of the types {', '.join(_OPERATIONS)}", expression)
    return _Operation(type_, path, parts, work)


def _add(resource: Json, operation: _Operation) -> None:
    parent = _one(operation.select(resource, operation.path), operation)
    named = operation.part.get("name", {})
    name = next((str(value) for key, value in named.items() if key.startswith("value")), "")
    owner, element = _element_below(parent, name, operation)
    value = _value(operation, element)
    if element.many:
        owner.setdefault(element.name, []).append(value.json)
        _align(owner, element, len(owner[element.name]) - 1)
        return
    if list(children(parent, name)):
        raise _refused(f"`{name[:64]}` is there already", operation)
    owner[_typed(element, value)] = value.json


def _insert(resource: Json, operation: _Operation) -> None:
    owner, element = _list(resource, operation)
    index = operation.number("index")
    items = owner.get(element.name, [])
    if not 0 <= index <= len(items):
        raise _refused(f"index {index} lies outside the list of {len(items)}", operation)
    owner[element.name] = [*items[:index], _value(operation, element).json, *items[index:]]
    _align(owner, element, index)


def _delete(resource: Json, operation: _Operation) -> None:
    places = operation.select(resource, operation.path)
    if not places:
        return  # R4: deleting nothing is not a fault
    place = _one(places, operation)
    if not place.member:
        raise _refused("a patch cannot delete the resource itself", operation)
    for member in (place.member, f"_{place.member}"):
        if place.index is None:
            place.owner.pop(member, None)
        elif len(place.owner.get(member, ())) > place.index:
            del place.owner[member][place.index]


def _replace(resource: Json, operation: _Operation) -> None:
    place = _one(operation.select(resource, operation.path), operation)
    if not place.member:
        raise _refused("a patch cannot replace the resource itself", operation)
    value = _value(operation, place.element)
    if place.index is not None:
        place.owner[place.member][place.index] = value.json
        return
    place.owner.pop(f"_{place.member}", None)
    name = _typed(place.element, value)
    if name != place.member:
        place.owner.pop(place.member, None)
    place.owner[name] = value.json


def _move(resource: Json, operation: _Operation) -> None:
    owner, element = _list(resource, operation)
    source, destination = operation.number("source"), operation.number("destination")
    size = len(owner.get(element.name, []))
    if not (0 <= source < size and 0 <= destination < size):
        raise _refused(f"source or destination lies outside the list of {size}", operation)
    for member in (element.name, f"_{element.name}"):
        items = owner.get(member)
        if items is not None:
            items.insert(destination, items.pop(source))


_OPERATIONS: dict[str, Callable[[Json, _Operation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


def _one(places: list[Place], operation: _Operation) -> Place:
    if len(places) != 1:
        raise _refused(f"the path selects {len(places)} elements instead of one", operation)
    return places[0]


def _list(resource: Json, operation: _Operation) -> tuple[Json, Element]:
    """Return the object that holds the list at the path, and the definition of that list.

    Raises: Problem when the path names no list.
    """
    parent, name = paths.parent_of(operation.path)
    owner, element = _element_below(_one(operation.select(resource, parent), operation), name, operation)
    if not element.many:
        raise _refused(f"`{name[:64]}` is no list", operation)
    return owner, element


def _element_below(parent: Place, name: str, operation: _Operation) -> tuple[Json, Element]:
    value = parent.value
    shape = shape_of(str(value.get("resourceType", parent.type)) if isinstance(value, dict) else parent.type)
    elements = elements_named(shape, name) if shape else []
    if not elements or not isinstance(value, dict):
        raise _refused(f"R4 has no element `{name[:64]}` there", operation)
    return value, elements[0]


def _typed(element: Element, value: _Value) -> str:
    """Return the JSON name of a value: the name of a choice ends with the type of the value."""
    return f"{element.choice}{value.type}" if element.choice else element.name


def _value(operation: _Operation, element: Element) -> _Value:
    """Return the value of an operation: `value[x]`, a resource, or an element made of named parts."""
    sent = operation.part.get("value", {})
    for name, value in sent.items():
        if name.startswith("value"):
            return _Value(name.removeprefix("value"), value)
    if "resource" in sent:
        return _Value("Resource", sent["resource"])
    if "part" not in sent:
        raise _malformed(f"the operation `{operation.type}` needs a value", operation.path)
    return _Value("", _assembled(sent["part"], element.type, operation))


def _assembled(parts: list[Json], type_: str, operation: _Operation) -> Json:
    """Build an element from its parts; the definition says which parts repeat."""
    shape = shape_of(type_)
    built: Json = {}
    for part in parts:
        name = str(part.get("name"))
        elements = elements_named(shape, name) if shape else []
        if not elements:
            raise _refused(f"R4 has no element `{name[:64]}` there", operation)
        inner = _value(_Operation(operation.type, operation.path, {"value": part}, operation.work), elements[0])
        if elements[0].many:
            built.setdefault(name, []).append(inner.json)
        else:
            built[_typed(elements[0], inner)] = inner.json
    return built


def _align(owner: Json, element: Element, index: int) -> None:
    """Keep the extension members of a list of primitives aligned with their values."""
    beside = owner.get(f"_{element.name}")
    if isinstance(beside, list):
        beside.insert(index, None)


def _malformed(text: str, expression: str) -> Problem:
    return Problem.of(Category.MALFORMED, text, expression[: paths.MAX_LENGTH], "structure")


def _refused(text: str, operation: _Operation) -> Problem:
    return Problem.of(Category.BUSINESS_RULE, text, operation.path, "no-such-place")
