"""References from one resource to documents, and leaving out those that a caller must not see.

A document is named by DocumentReference.relatesTo, DocumentReference.context.related, List.entry and
Consent.provision.data.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

_NAMED = re.compile(rb'"(?:[^"\\]*/)?DocumentReference/([A-Za-z0-9\-.]{1,64})(?:/_history/[^"]*)?"')


def documents_named(body: bytes) -> frozenset[str]:
    """Return the ids of the documents that a stored body refers to; cheap when there is none."""
    if b"DocumentReference/" not in body:
        return frozenset()
    return frozenset(match.decode() for match in _NAMED.findall(body))


def without_documents(body: bytes, hidden: frozenset[str]) -> bytes:
    """Return the body without any element that refers to one of the hidden documents."""
    if not hidden & documents_named(body):
        return body
    return orjson.dumps(_pruned(orjson.loads(body), frozenset(f"DocumentReference/{id_}" for id_ in hidden)))


def without_references(resource: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a resource without any element that refers to one of these ("Type/id")."""
    pruned: dict[str, Any] = _pruned(resource, frozenset(names))
    return pruned


def _pruned(value: Any, hidden: frozenset[str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_pruned(item, hidden) for item in value if not _refers(item, hidden)]
    if isinstance(value, dict):
        kept = {name: _pruned(item, hidden) for name, item in value.items() if not _refers(item, hidden)}
        return {name: item for name, item in kept.items() if item not in ({}, [])}
    return value


def _refers(value: Any, hidden: frozenset[str]) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether a value is a reference to something hidden, or an element whose `item`, `target` or such is one."""
    if not isinstance(value, dict):
        return False
    for candidate in (value, value.get("item"), value.get("target"), value.get("what"), value.get("reference")):
        if isinstance(candidate, dict) and _names(candidate.get("reference"), hidden):
            return True
    return False


def _names(reference: Any, hidden: frozenset[str]) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(reference, str):
        return False
    parts = reference.split("/_history/")[0].rsplit("/", 2)
    return len(parts) > 1 and "/".join(parts[-2:]) in hidden
