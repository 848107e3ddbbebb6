"""Rich authorization requests: the structured form of an emergency access.

Source: RFC 9396.
"""

import orjson

from fhir_server.domain.values import Json

EMERGENCY = "emergency-access"
_LIMIT, _ITEMS = 4096, 4
_MEMBERS = frozenset({"type", "patient", "purpose", "reason"})


def parse(text: str) -> tuple[Json, ...]:
    """Return the objects of `authorization_details`, which must all have the one supported type.

    Raises: ValueError for anything else.
    """
    if not text:
        return ()
    if len(text) > _LIMIT:
        raise ValueError
    items = orjson.loads(text)
    if not isinstance(items, list) or not 0 < len(items) <= _ITEMS:
        raise ValueError
    return tuple(_checked(item) for item in items)


def _checked(item: object) -> Json:
    if not isinstance(item, dict) or item.keys() - _MEMBERS or not all(isinstance(v, str) for v in item.values()):
        raise ValueError
    if str(item.get("type", "")).rpartition("/")[2] != EMERGENCY or item.get("purpose", "BTG") != "BTG":
        raise ValueError
    return item


def emergency_of(details: tuple[Json, ...]) -> Json | None:
    """Return the emergency access among details, None when there is none."""
    return next(iter(details), None)
