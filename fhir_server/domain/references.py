"""References inside a resource: finding them, rewriting them, and removing those to hidden documents.

These elements name documents: DocumentReference.relatesTo, DocumentReference.context.related, List.entry and
Consent.provision.data.
Source: https://hl7.org/fhir/R4/http.html#trules and https://hl7.org/fhir/R4/references.html.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from fhir_server.domain.values import Json
from fhir_server.registry import DOCUMENTS

_Place = tuple[str | int, "_Place | None"]
"""A member's name or an item's index, and the enclosing place; only few places are ever written as an expression."""

Number = tuple[str, str]
"""(system, value) of an identifier; "" for no system."""
_RELATIVE = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_TYPE_IN = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$|\?)")
_NESTED = frozenset({dict, list})
_REFERRING = ("item", "target", "what", "reference")
"""An element is left out when one of these members of it refers to something hidden."""
_REWRITTEN = frozenset({"reference", "url", "valueUri", "valueUrl"})
"""Elements of type Reference.reference, url and uri that may name an entry; identifiers are never rewritten."""

_STARTS = tuple(f"{name}/".encode() for name in sorted(DOCUMENTS))
_NAMED = {start: re.compile(start + rb'([A-Za-z0-9\-.]{1,64})(?:/_history/[^"]*)?"') for start in _STARTS}
"""A pattern that begins with plain text is found much sooner than one that begins with any quotation mark."""
_BEFORE = b'"/'


def references_in(value: Any, root: str) -> list[tuple[str, Json]]:  # noqa: ANN401 - any JSON value
    """Return every Reference with a literal reference, with its FHIRPath expression, in document order."""
    found: list[tuple[_Place, Json]] = []
    _collect(found, value, (root, None))
    return [(_expression(place), reference) for place, reference in found]


def _collect(found: list[tuple[_Place, Json]], value: Any, place: _Place) -> None:  # noqa: ANN401 - any JSON value
    if type(value) is dict:
        if type(value.get("reference")) is str:
            found.append((place, value))
        for name, item in value.items():
            if type(item) in _NESTED:
                _collect(found, item, (name, place))
    elif type(value) is list:
        for index, item in enumerate(value):
            if type(item) in _NESTED:
                _collect(found, item, (index, place))


def _expression(place: _Place) -> str:
    step, outer = place
    if outer is None:
        return str(step)
    return f"{_expression(outer)}.{step}" if isinstance(step, str) else f"{_expression(outer)}[{step}]"


def naming(value: Any, types: frozenset[str], root: str) -> list[str]:  # noqa: ANN401 - any JSON value
    """Return the expression of each reference to one of these types, and of each contained resource of them.

    A reference names its type in its URL, or in `type` beside an identifier.
    """
    found: list[_Place] = []
    waiting: list[tuple[Any, _Place]] = [(value, (root, None))]
    while waiting:
        item, place = waiting.pop()
        if type(item) is dict:
            literal = _TYPE_IN.search(str(item.get("reference", "")))
            named = {literal and literal[1], item.get("resourceType"), "identifier" in item and str(item.get("type"))}
            found += [place] if types & named else []
            waiting += [(one, (name, place)) for name, one in item.items() if type(one) in _NESTED]
        elif type(item) is list:
            waiting += [(one, (index, place)) for index, one in enumerate(item)]
    return sorted(_expression(place) for place in found)


def identifiers_named(value: Any) -> frozenset[Number]:  # noqa: ANN401 - any JSON value
    """Return (system, value) of each identifier by which a Reference names something; "" for no system."""
    found: set[Number] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        inner = item.values() if type(item) is dict else item if type(item) is list else ()
        waiting.extend(one for one in inner if type(one) in _NESTED)
        number = number_of(item) if type(item) is dict else None
        if number:
            found.add(number)
    return frozenset(found)


def split(reference: str, fhir_base: str) -> tuple[str, str] | None:
    """Return (type, id) of a literal reference to a resource of this server, relative or absolute; None for others."""
    found = _RELATIVE.fullmatch(reference.removeprefix(f"{fhir_base}/"))
    return (found[1], found[2]) if found else None


def rewritten(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a copy in which each reference or URL that is a key of `names` is replaced by its value."""
    if isinstance(value, dict):
        return {
            name: rewritten(item, names)
            if type(item) in _NESTED
            else (names.get(item, item) if name in _REWRITTEN and isinstance(item, str) else item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [rewritten(item, names) if type(item) in _NESTED else item for item in value]
    return value


def documents_named(body: bytes) -> frozenset[str]:
    """Return the ids of the documents that a stored body refers to; quick when it refers to none."""
    return frozenset(
        match[1].decode()
        for start, pattern in _NAMED.items()
        if start in body
        for match in pattern.finditer(body)
        if body[match.start() - 1] in _BEFORE
    )


def without_documents(body: bytes, hidden: frozenset[str]) -> bytes:
    """Return the body without any element that refers to one of the hidden documents.

    hidden: among the documents that the body names.
    """
    if not hidden:
        return body
    names = frozenset(f"{name}/{id_}" for name in DOCUMENTS for id_ in hidden)
    return orjson.dumps(without_references(orjson.loads(body), names))


def without_references(resource: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a resource without any element that refers to one of these names ("Type/id")."""
    hidden = frozenset(names)
    pruned: dict[str, Any] = _pruned(resource, lambda one: "reference" in one and _names(one["reference"], hidden))
    return pruned


def without_numbers(body: bytes, hidden: frozenset[Number]) -> bytes:
    """Return the body without any element that refers to something by one of these identifiers."""
    return orjson.dumps(_pruned(orjson.loads(body), lambda reference: number_of(reference) in hidden))


def number_of(reference: Json) -> Number | None:
    """Return (system, value) of the identifier by which a Reference names something; "" for no system."""
    number = reference.get("identifier")
    if type(number) is not dict or type(number.get("value")) is not str:
        return None
    return str(number.get("system", "")), number["value"]


def _pruned(value: Any, hides: Callable[[Json], bool]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value without the elements that refer to something hidden, and without what becomes empty by it."""
    if type(value) is list:
        kept = (item for item in value if type(item) is not dict or not _refers(item, hides))
        return [_pruned(item, hides) if type(item) in _NESTED else item for item in kept]
    members: Json = {}
    for name, item in value.items():
        if type(item) not in _NESTED:
            members[name] = item
        elif type(item) is list or not _refers(item, hides):
            inner = _pruned(item, hides)
            if inner:
                members[name] = inner
    return members


def _refers(value: Json, hides: Callable[[Json], bool]) -> bool:
    """Tell whether a value is a reference to a hidden resource, or one of its `_REFERRING` members is one."""
    if hides(value):
        return True
    for name in _REFERRING:
        inner = value.get(name)
        if type(inner) is dict and hides(inner):
            return True
    return False


def _names(reference: Any, hidden: frozenset[str]) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(reference, str):
        return False
    parts = reference.split("/_history/")[0].rsplit("/", 2)
    return len(parts) > 1 and "/".join(parts[-2:]) in hidden
