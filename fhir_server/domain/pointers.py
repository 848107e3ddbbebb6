"""References inside a resource: where they stand, and rewriting them when a transaction gives new resources their ids.

Source: https://hl7.org/fhir/R4/http.html#trules and https://hl7.org/fhir/R4/references.html.
"""

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_RELATIVE = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_REWRITTEN = frozenset({"reference", "url", "valueUri", "valueUrl"})
"""Elements of type Reference.reference, url and uri that may name an entry; identifiers are never rewritten."""


def references_in(value: Any, root: str) -> list[tuple[str, Json]]:  # noqa: ANN401 - any JSON value
    """Return every Reference that holds a literal, with its FHIRPath expression, in document order."""
    found: list[tuple[str, Json]] = []
    _collect(found, value, root)
    return found


def _collect(found: list[tuple[str, Json]], value: Any, root: str) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            found.append((root, value))
        for name, item in value.items():
            if isinstance(item, (dict, list)):
                _collect(found, item, f"{root}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                _collect(found, item, f"{root}[{index}]")


def split(reference: str, fhir_base: str) -> tuple[str, str] | None:
    """Return (type, id) of a literal reference to a resource of this server, relative or absolute; None for others."""
    found = _RELATIVE.fullmatch(reference.removeprefix(f"{fhir_base}/"))
    return (found[1], found[2]) if found else None


def rewritten(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a copy in which each reference or URL that is a key of `names` is replaced by its value."""
    if isinstance(value, dict):
        return {
            name: rewritten(item, names)
            if isinstance(item, (dict, list))
            else (names.get(item, item) if name in _REWRITTEN and isinstance(item, str) else item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [rewritten(item, names) if isinstance(item, (dict, list)) else item for item in value]
    return value
