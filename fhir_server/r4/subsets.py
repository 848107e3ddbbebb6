"""What a client asks to see of each resource: `_summary` and `_elements`.

A shortened resource is tagged SUBSETTED and keeps its mandatory elements, its modifier elements, and the contained
resources that it still refers to. It claims no profile, because it lacks elements that a profile may require.

Source: https://hl7.org/fhir/R4/search.html#summary and #elements. Only elements of the resource itself are left out:
an element that stays is whole.
"""

import re
from dataclasses import dataclass

import orjson

from fhir_server.domain.directory.identity_traits import SUBSETTED
from fhir_server.domain.values import Json
from fhir_server.r4.parsing import load_json
from fhir_server.r4.structure import shape_of

SUMMARIES = ("true", "text", "data", "count", "false")
"""Values of `_summary`; "count" asks for no resource, "false" for whole ones."""
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})
_MODIFIERS = frozenset({"status", "active", "mode", "link", "deceasedBoolean", "deceasedDateTime"})
"""Modifier elements of any type: they change what the other elements of the resource mean."""
_LOCAL = re.compile(rb'"reference":"#([^"]+)"')


@dataclass(frozen=True, slots=True)
class Subset:
    """What one request asks to see. summary: "true", "text" or "data", "" for none. elements: names, empty for all."""

    summary: str = ""
    elements: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether anything is left out."""
        return bool(self.summary or self.elements)

    @property
    def of_included(self) -> "Subset":
        """The subset for included resources: without `_elements`, which is about the matches alone."""
        return Subset(self.summary)

    def of(self, body: bytes, type_: str) -> bytes:
        """Return a body of this type without what the client does not ask for."""
        return _shortened(body, self._kept(type_)) if self else body

    def _kept(self, type_: str) -> frozenset[str] | None:
        """Return the names of the elements that stay, None for all but the narrative."""
        shape = shape_of(type_)
        kept = _ALWAYS | _MODIFIERS | {element.name for element in (shape.required if shape else ())}
        if self.elements:
            choices = shape.choices if shape else {}
            return kept | self.elements.union(*(choices[name][0] for name in self.elements if name in choices))
        if self.summary == "data":
            return None
        return kept | ({"text"} if self.summary == "text" or shape is None else shape.summary)


def _shortened(body: bytes, kept: frozenset[str] | None) -> bytes:
    whole: Json = load_json(body)
    contained = whole.pop("contained", [])
    if kept is None:
        resource = {name: value for name, value in whole.items() if name != "text"}
    else:
        resource = {name: value for name, value in whole.items() if name.removeprefix("_") in kept}
    if contained:
        resource |= _still_named(contained, resource)
    meta = resource["meta"] = {name: value for name, value in whole.get("meta", {}).items() if name != "profile"}
    meta["tag"] = [*(tag for tag in meta.get("tag", ()) if tag != SUBSETTED), SUBSETTED]
    return orjson.dumps(resource)


def _still_named(contained: list[Json], resource: Json) -> Json:
    """Return the contained resources to which the resource refers, or to which one of them refers."""
    named = {match.decode() for match in _LOCAL.findall(orjson.dumps(resource))}
    found: list[Json] = []
    while more := [one for one in contained if one.get("id") in named and one not in found]:
        found += more
        named |= {match.decode() for match in _LOCAL.findall(orjson.dumps(more))}
    return {"contained": [one for one in contained if one in found]} if found else {}
