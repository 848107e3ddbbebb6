"""Check one resource against R4: structure, primitives, required codes, reference targets and invariants.

Every fault is reported with its FHIRPath. A path is built only when there is a fault.

Source: https://hl7.org/fhir/R4/validation.html and https://hl7.org/fhir/R4/json.html.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json
from fhir_server.r4.primitives import CHECKS, TYPE_FAULTS
from fhir_server.r4.structure import Element, Shape, is_resource_type, shape_of
from fhir_server.settings import limits

MAX_ISSUES = 100
"""Most faults in one answer; more are not kept, because a body may have as many faults as values."""

_TARGET = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$|\?)")
_MIME = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *; *[\w-]+=(\"[^\"]*\"|[^\s;\"]+))*")
_LINKS = frozenset({"canonical", "uri", "url"})
_MIME_ELEMENTS = frozenset({("Attachment", "contentType"), ("Binary", "contentType")})


@dataclass(slots=True)
class _Fault:
    path: str
    text: str
    code: str


@dataclass(slots=True)
class _Walk:
    """What the check collects on its way through one resource.

    fragments: references of the form `#id`. contained: types of the contained resources by id.
    inside: whether the check is in a contained resource. shell: whether the check skips the resources in entries, which
        the caller checks one by one.
    depth: the deepest nesting of elements that is allowed.
    """

    faults: list[_Fault] = field(default_factory=list)
    fragments: set[str] = field(default_factory=set)
    contained: dict[str, str] = field(default_factory=dict)
    inside: bool = False
    shell: bool = False
    depth: int = field(default_factory=lambda: limits.in_force().depth)

    def add(self, path: str, text: str, code: str) -> None:
        if len(self.faults) < MAX_ISSUES:
            self.faults.append(_Fault(path, text, code))

    def under(self, mark: int, prefix: str) -> None:
        """Put a prefix before the paths of all faults from index `mark` on."""
        for fault in self.faults[mark:]:
            fault.path = f"{prefix}.{fault.path}" if fault.path else prefix


def check(resource: Json, root: str = "") -> list[Issue]:
    """Return the faults of a resource, the first `MAX_ISSUES` at most; empty when it is valid R4.

    A resource inside an entry of a batch or transaction Bundle is left to its own check.
    root: the FHIRPath of the resource, such as `Bundle.entry[1].resource`; "" for the name of its type.
    """
    walk = _Walk()
    type_ = resource.get("resourceType")
    _resource(walk, resource, 0)
    walk.under(0, root or (type_ if isinstance(type_, str) and is_resource_type(type_) else "Resource"))
    return [Issue(fault.text, fault.path, fault.code) for fault in walk.faults]


def _resource(walk: _Walk, resource: Json, depth: int) -> None:
    type_ = resource.get("resourceType")
    shape = shape_of(type_) if isinstance(type_, str) else None
    if shape is None or not is_resource_type(shape.name):
        walk.add("", "`resourceType` must name a resource type of R4", "structure")
        return
    if "implicitRules" in resource:
        walk.add("implicitRules", "the server knows none of these rules; write the resource without them", "value")
    if not walk.inside:
        contained = resource.get("contained")
        walk.contained = _ids_of(contained) if isinstance(contained, list) else {}
        walk.shell = type_ == "Bundle" and resource.get("type") in ("batch", "transaction")
    _object(walk, shape, resource, depth)
    if not walk.inside:
        _contained_used(walk, resource)


def _ids_of(contained: Iterable[Any]) -> dict[str, str]:
    return {str(one.get("id")): str(one.get("resourceType")) for one in contained if isinstance(one, dict)}


def _contained_used(walk: _Walk, resource: Json) -> None:
    """Check dom-3 for every contained resource: something refers to it, or it refers to its container."""
    for index, (id_, type_) in enumerate(walk.contained.items()):
        if id_ == "None":
            walk.add(f"contained[{index}].id", "a contained resource needs an id", "required")
        elif f"#{id_}" not in walk.fragments and not _refers_to_container(resource["contained"][index]):
            text = f"the contained {type_} is not referred to from the resource (dom-3)"
            walk.add(f"contained[{index}]", text, "invariant")


def _refers_to_container(value: object) -> bool:
    if isinstance(value, dict):
        return value.get("reference") == "#" or any(_refers_to_container(item) for item in value.values())
    return isinstance(value, list) and any(_refers_to_container(item) for item in value)


def _object(walk: _Walk, shape: Shape, value: Json, depth: int) -> None:
    if depth > walk.depth:
        walk.add("", f"is nested more than {walk.depth} levels deep", "too-deep")
        return
    if not value:
        walk.add("", "must not be empty (ele-1)", "structure")
    for name in value:
        _member(walk, shape, name, value, depth)
    _presence(walk, shape, value)
    for rule in shape.rules:
        for path, text in rule(value):
            walk.add(path, text, "invariant")


def _member(walk: _Walk, shape: Shape, name: str, value: Json, depth: int) -> None:
    element = shape.elements.get(name)
    if element is None:
        _other(walk, shape, name, value, depth)
    elif element.many:
        _array(walk, shape, element, value, depth)
    else:
        mark = len(walk.faults)
        _value(walk, shape, element, value[name], depth)
        if len(walk.faults) > mark:
            walk.under(mark, element.path)


def _presence(walk: _Walk, shape: Shape, value: Json) -> None:
    for element in shape.required:
        if element.name not in value and not (element.primitive and f"_{element.name}" in value):
            walk.add(element.path, "is required", "required")
    for choice, (names, demanded) in shape.choices.items():
        present = sum(1 for name in names if name in value or f"_{name}" in value)
        if present > 1:
            walk.add(choice, "must have only one type", "structure")
        elif demanded and not present:
            walk.add(choice, "is required", "required")


def _array(walk: _Walk, shape: Shape, element: Element, parent: Json, depth: int) -> None:
    items = parent[element.name]
    if not isinstance(items, list):
        walk.add(element.path, "must be an array", "structure")
        return
    if not items:
        walk.add(element.path, "must not be an empty array", "structure")
    siblings = parent.get(f"_{element.name}") if element.primitive else None
    for index, item in enumerate(items):
        if item is None and isinstance(siblings, list) and index < len(siblings) and siblings[index]:
            continue
        mark = len(walk.faults)
        _value(walk, shape, element, item, depth)
        if len(walk.faults) > mark:
            walk.under(mark, f"{element.path}[{index}]")


def _value(walk: _Walk, shape: Shape, element: Element, item: object, depth: int) -> None:
    type_ = element.type
    if type_ in CHECKS:
        _primitive(walk, shape, element, item)
    elif not isinstance(item, dict):
        walk.add("", "must not be an array" if isinstance(item, list) else "must be an object", "structure")
    elif type_ == "Resource":
        _nested_resource(walk, element, item, depth)
    else:
        inner = shape_of(type_)
        if inner is not None:
            _object(walk, inner, item, depth + 1)
        if type_ == "Reference":
            _reference(walk, element, item)


def _primitive(walk: _Walk, shape: Shape, element: Element, item: object) -> None:
    fault = CHECKS[element.type](item)
    if fault:
        walk.add("", fault, "structure" if fault in TYPE_FAULTS else "value")
    elif element.codes and item not in element.codes:
        walk.add("", f"must be one of {', '.join(sorted(element.codes))}", "code-invalid")
    elif element.type in _LINKS and str(item).startswith("#"):
        walk.fragments.add(str(item))
    elif (shape.name, element.name) in _MIME_ELEMENTS and not _MIME.fullmatch(str(item)):
        walk.add("", "must be a media type", "code-invalid")


def _nested_resource(walk: _Walk, element: Element, item: Json, depth: int) -> None:
    if element.name == "contained":
        outer, walk.inside = walk.inside, True
        _resource(walk, item, depth + 1)
        walk.inside = outer
    elif not walk.shell:
        own = _Walk()
        _resource(own, item, depth + 1)
        walk.faults.extend(own.faults[: MAX_ISSUES - len(walk.faults)])


def _reference(walk: _Walk, element: Element, item: Json) -> None:
    literal = item.get("reference")
    if not isinstance(literal, str):
        literal = ""
    type_ = item.get("type")
    if literal.startswith("#"):
        walk.fragments.add(literal)
        type_ = _contained_type(walk, literal)
    else:
        match = _TARGET.search(literal)
        type_ = match[1] if match else type_
    if element.targets and isinstance(type_, str) and type_ not in element.targets and is_resource_type(type_):
        walk.add("", f"must refer to {' or '.join(sorted(element.targets))}, not to {type_}", "reference-target")


def _contained_type(walk: _Walk, literal: str) -> str:
    if literal != "#" and literal[1:] not in walk.contained:
        walk.add("reference", "refers to a contained resource that is not there (ref-1)", "invariant")
    return walk.contained.get(literal[1:], "")


def _other(walk: _Walk, shape: Shape, name: str, parent: Json, depth: int) -> None:
    """Check a member that is not an element: `resourceType`, the sibling of a primitive, or an unknown name."""
    if name == "resourceType" and shape.is_resource:
        return
    element = shape.elements.get(name[1:]) if name.startswith("_") else None
    if element is None or not element.primitive or element.type == "xhtml":
        walk.add("", f"has no element `{name[:64]}` in R4", "structure")
        return
    item = parent[name]
    mark = len(walk.faults)
    if not element.many:
        _sibling(walk, item, depth)
        walk.under(mark, element.path)
    elif not isinstance(item, list) or not item:
        walk.add(element.path, "must be an array beside its values", "structure")
    else:
        _siblings(walk, element, item, parent.get(element.name), depth)


def _siblings(walk: _Walk, element: Element, items: list[Any], values: object, depth: int) -> None:
    if isinstance(values, list) and len(values) != len(items):
        walk.add(element.path, "must have as many extension members as values", "structure")
    for index, item in enumerate(items):
        mark = len(walk.faults)
        if item is None and isinstance(values, list) and index < len(values) and values[index] is not None:
            continue
        _sibling(walk, item, depth)
        walk.under(mark, f"{element.path}[{index}]")


def _sibling(walk: _Walk, item: object, depth: int) -> None:
    """Check the extension member of a primitive: an id, extensions, nothing else."""
    shape = shape_of("Element")
    if not isinstance(item, dict):
        walk.add("", "must be an object with id or extension", "structure")
    elif shape is not None:
        _object(walk, shape, item, depth + 1)
