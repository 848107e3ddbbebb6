"""Copies of JSON trees, without the empty arrays and objects that FHIR forbids."""

from typing import Any

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json


def copied(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a deep copy of a JSON value; scalars are shared, also decimals kept as written."""
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def is_within(value: object, depth: int) -> bool:
    """Tell whether a JSON value is nested at most this deep; looks no deeper."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not inner or (depth > 0 and all(is_within(item, depth - 1) for item in inner))


def measure(value: object) -> tuple[int, int]:
    """Return how many values a JSON value contains, itself included, and how deep they are nested; 0 for a scalar."""
    count, deepest, left = 0, 0, [(value, 0)]
    while left:
        item, depth = left.pop()
        count += 1
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        if inner:
            deepest = max(deepest, depth + 1)
            left.extend((one, depth + 1) for one in inner)
    return count, deepest


def pruned(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value without empty arrays and objects at any depth."""
    if isinstance(value, dict):
        kept = {name: pruned(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in ({}, [])}
    return [item for item in map(pruned, value) if item not in ({}, [])] if isinstance(value, list) else value


def demand_same_identity(before: Json, after: Json) -> Json:
    """Return the patched resource.

    Raises: Problem(MALFORMED) when the patch touched the resource's type or id.
    """
    for name in ("resourceType", "id"):
        if before.get(name) != after.get(name):
            expression = f"{before.get('resourceType')}.{name}"
            raise Problem.of(Category.MALFORMED, f"a patch cannot change `{name}`", expression, "immutable")
    return after
