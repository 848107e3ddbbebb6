"""Where values are in a resource, and the steps between places: even an empty element has a place.

Source: http://hl7.org/fhirpath/N1/ (5 and 6), as far as https://hl7.org/fhir/R4/fhirpatch.html needs it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fhir_server.domain.values import Json
from fhir_server.r4.structure import Element, Shape, shape_of


class BadPath(ValueError):
    """An expression outside the supported part of FHIRPath, or one that selects too much."""


@dataclass(slots=True)
class Work:
    """How many places the paths of one patch may still visit."""

    left: int

    def visit(self, places: int) -> None:
        """Count places.

        Raises: BadPath when there have been too many.
        """
        self.left -= places
        if self.left < 0:
            raise BadPath("the paths of this patch visit too many elements")


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a value: a member of an object, and the index when the member is a list.

    element, type: from the definition of R4.
    """

    owner: Json
    member: str
    index: int | None
    element: Element
    type: str

    @property
    def value(self) -> Any:  # noqa: ANN401 - any JSON value
        """The value at this place; None for a primitive that has only extensions."""
        item = self.owner.get(self.member)
        return item[self.index] if self.index is not None and item is not None else item


@dataclass(frozen=True, slots=True)
class Name:
    """A step to an element, by its name; the name of a choice has no type."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A step to one of the places so far; -1 for the last."""

    index: int


@dataclass(frozen=True, slots=True)
class OfType:
    """A step that keeps the places of one type."""

    name: str


@dataclass(frozen=True, slots=True)
class Where:
    """A step that keeps the places that pass a test."""

    test: Callable[[Place], bool]


@dataclass(frozen=True, slots=True)
class Extension:
    """A step to the extensions with one URL."""

    url: object


Step = Name | Index | OfType | Where | Extension


def root_of(resource: Json) -> Place:
    """Return the place of a whole resource."""
    type_ = str(resource.get("resourceType"))
    return Place({"": resource}, "", None, Element("", type_), type_)


def children(place: Place, name: str) -> Iterator[Place]:
    """Yield the places of an element below a place: each item of a list, the one value of a choice."""
    value = place.value
    shape = shape_of(_type_of(place))
    if not isinstance(value, dict) or shape is None:
        return
    for element in elements_named(shape, name):
        item = value.get(element.name)
        if isinstance(item, list):
            yield from (Place(value, element.name, index, element, element.type) for index in range(len(item)))
        elif item is not None or f"_{element.name}" in value:
            yield Place(value, element.name, None, element, element.type)


def elements_named(shape: Shape, name: str) -> list[Element]:
    """Return the element with that name, or one element for each type of a choice."""
    if name in shape.choices:
        return [shape.elements[typed] for typed in shape.choices[name][0]]
    element = shape.elements.get(name)
    return [element] if element else []


def follow(places: list[Place], steps: list[Step], work: Work) -> list[Place]:
    """Return the places that steps lead to.

    Raises: BadPath when they visit too many.
    """
    for step in steps:
        work.visit(len(places))
        if isinstance(step, Name):
            places = [child for place in places for child in children(place, step.name)]
        elif isinstance(step, Index):
            places = places[step.index :][:1] if step.index >= 0 else places[-1:]
        elif isinstance(step, Extension):
            found = (child for place in places for child in children(place, "extension"))
            places = [child for child in found if child.value.get("url") == step.url]
        elif isinstance(step, OfType):
            places = [place for place in places if place.type == step.name]
        else:
            places = [place for place in places if step.test(place)]
    work.visit(len(places))
    return places


def _type_of(place: Place) -> str:
    """Return the type at a place; a nested resource states its own type."""
    value = place.value
    is_resource = place.type == "Resource" and isinstance(value, dict)
    return str(value.get("resourceType")) if is_resource else place.type
