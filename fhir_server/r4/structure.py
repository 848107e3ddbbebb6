"""The shape of every R4 type: its elements, their types and cardinalities, choices, codes and reference targets.

The shapes come from the class definitions of fhir.resources. Each is read once, when its type is first used, so that
the server starts quickly. The classes are never instantiated, because they change dates and decimals (ADR 0009).

Source: https://hl7.org/fhir/R4/resourcelist.html; data/required_codes.tsv for required bindings.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, get_args

from fhir_server.r4.invariants import Rule, rules_of
from fhir_server.r4.primitives import CHECKS

_NOT_R4 = frozenset({"fhir_comments", "valueCodeableReference", "valueRatioRange"})
"""Members of the library's classes that R4 does not have."""
_ABSTRACT = frozenset({"Resource", "DomainResource"})
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z]{1,63}")
_NAMES = {"bool": "boolean", "EncodedBytes": "base64Binary", "UuidVersion": "uuid"}


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type, by its JSON name.

    type: a primitive, a data type, a backbone element such as `DocumentReferenceContent`, or `Resource`.
    choice: the name without type of an element with several types ("value"), "" when it has one type. codes, targets:
        allowed codes, and allowed types of a reference's target; empty for any.
    """

    name: str
    type: str
    many: bool = False
    required: bool = False
    choice: str = ""
    codes: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()

    @property
    def primitive(self) -> bool:
        """Whether its value is a JSON scalar."""
        return self.type in CHECKS

    @property
    def path(self) -> str:
        """Its name in FHIRPath."""
        return self.choice or self.name


@dataclass(frozen=True, slots=True)
class Shape:
    """One type: its elements in the order of the definition.

    required: elements that must occur. summary: names of the elements that a summary has.
    choices: names of choices, with their elements and whether one of these must occur.
    rules: the invariants of the type.
    """

    name: str
    elements: dict[str, Element]
    is_resource: bool
    required: tuple[Element, ...] = ()
    summary: frozenset[str] = frozenset()
    choices: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


def shape_of(type_: str) -> Shape | None:
    """Return the shape of a data type, backbone element or resource; None when R4 has no such type."""
    try:
        return _known_shape(type_)
    except LookupError:
        return None


@cache
def _known_shape(type_: str) -> Shape:
    """Build a shape once. Clients send the names: an unknown name raises, so that the cache does not keep it.

    Raises: LookupError.
    """
    from fhir.resources.R4B import get_fhir_model_class  # noqa: PLC0415 - it takes an eighth of a start, and only writes need it

    if not _TYPE_NAME.fullmatch(type_):
        raise LookupError(type_)
    try:
        model = get_fhir_model_class(type_)
    except (ImportError, AttributeError, ValueError) as error:
        raise LookupError(type_) from error
    return _shape(type_, model)


def is_resource_type(type_: str) -> bool:
    """Tell whether R4 has a resource type with this name that a body may have."""
    shape = shape_of(type_)
    return shape is not None and shape.is_resource and type_ not in _ABSTRACT


def _shape(type_: str, model: Any) -> Shape:  # noqa: ANN401 - a class of the library, which is not typed
    elements: dict[str, Element] = {}
    choices: dict[str, tuple[tuple[str, ...], bool]] = {}
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    for name in _in_order(model, fields):
        extra = fields[name].json_schema_extra or {}
        elements[name] = element = _element(type_, name, fields[name], extra)
        if element.choice:
            known, demanded = choices.get(element.choice, ((), False))
            choices[element.choice] = ((*known, name), demanded or bool(extra.get("one_of_many_required")))
    required = tuple(element for element in elements.values() if element.required)
    rules = rules_of(type_, has_contained="contained" in elements)
    summary = frozenset(elements) & frozenset(model.summary_elements_sequence())
    return Shape(type_, elements, bool(model.has_resource_base()), required, summary, choices, rules)


def _in_order(model: Any, fields: dict[str, Any]) -> list[str]:  # noqa: ANN401 - as above
    """Return the JSON names of R4's elements in the order of the definition."""
    sequence = [name for name in model.elements_sequence() if name in fields]
    rest = [name for name in fields if name not in sequence]
    names = [*(name for name in rest if name in ("id", "extension")), *sequence]
    names += [name for name in rest if name not in names]
    kept = (name for name in names if not name.startswith("_") and name not in _NOT_R4)
    return [name for name in kept if name != "resourceType" and not name.endswith("__ext")]


def _element(type_: str, name: str, info: Any, extra: dict[str, Any]) -> Element:  # noqa: ANN401 - as above
    leaf, many = _leaf(info.annotation)
    return Element(
        name=name,
        type=leaf,
        many=many,
        required=bool(info.is_required() or extra.get("element_required")) and not extra.get("one_of_many"),
        choice=extra.get("one_of_many", ""),
        codes=_required_codes().get(f"{type_}.{name}", frozenset()),
        targets=frozenset(extra.get("enum_reference_types") or ()) - {"Resource"},
    )


def _leaf(annotation: Any) -> tuple[str, bool]:  # noqa: ANN401 - an annotation is any object
    """Return the FHIR type at the core of an annotation, and whether it is a list."""
    marks = [type(mark).__name__ for mark in getattr(annotation, "__metadata__", ())]
    if marks:
        return _fhir_name(marks[0]), False
    many = getattr(annotation, "__origin__", None) is list
    for part in get_args(annotation):
        if part is not type(None):
            name, inner = _leaf(part)
            return name, many or inner
    return _fhir_name(annotation.__name__), False


def _fhir_name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    lowered = name[0].lower() + name[1:]
    return lowered if lowered in CHECKS else name.removesuffix("Type")


@cache
def _required_codes() -> dict[str, frozenset[str]]:
    """Read the required bindings: `Type.element` to its codes; backbone elements are named as in shapes."""
    table = resources.files("fhir_server.r4").joinpath("data/required_codes.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return {_shape_path(path): frozenset(codes.split()) for path, codes in rows}


def _shape_path(path: str) -> str:
    *parents, name = path.split(".")
    return "".join(part[0].upper() + part[1:] for part in parents) + f".{name}"
