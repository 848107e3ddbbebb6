"""Signed tokens and JSON from outside: their length and depth are limited before they are parsed.

Sources: RFC 8725 3.11 (validate before use), RFC 7519 4.1.4 (NumericDate).
"""

import re
from base64 import urlsafe_b64decode
from datetime import UTC, datetime

ASSERTION_BYTES = 8192
DEPTH = 12
"""Levels of nesting allowed: an assertion with `hl7-b2b`, or a registration with a JWK Set, has five."""
_PARTS = 3
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
"""A JSON string, closed or not: it matches from every quotation mark, so that the search never backtracks."""
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC).timestamp(), datetime(2200, 1, 1, tzinfo=UTC).timestamp()


def demand_small(token: str, limit: int = ASSERTION_BYTES) -> None:
    """Refuse a compact token that is too long, not ASCII, not of three parts, or too deeply nested.

    Raises: ValueError.
    """
    parts = token.split(".") if len(token) <= limit and token.isascii() else []
    if len(parts) != _PARTS or not all(is_shallow(_decoded(part)) for part in parts[:2]):
        raise ValueError("no token of bounded size")


def is_shallow(text: bytes) -> bool:
    """Tell whether a JSON text is nested at most DEPTH levels deep, without parsing it; strings do not count."""
    level = 0
    for byte in _STRING.sub(b"", text):
        level += (byte in b"[{") - (byte in b"]}")
        if level > DEPTH:
            return False
    return True


def instant(value: object) -> datetime:
    """Return the instant of a NumericDate between the years 1900 and 2200.

    Raises: ValueError, TypeError.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a NumericDate is a number")
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError("a NumericDate out of range")
    return datetime.fromtimestamp(value, UTC)


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part.encode() + b"==")
