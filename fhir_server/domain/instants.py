"""Instants as they are stored: microseconds since 1970-01-01T00:00:00Z."""

from datetime import UTC, datetime, timedelta

from consent_rules.visibility import micros

__all__ = ["instant", "instant_or_none", "micros", "micros_or_none"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros_or_none(at: datetime | None) -> int | None:
    """Return an instant as microseconds, None for None."""
    return None if at is None else micros(at)


def instant(value: int) -> datetime:
    """Return the UTC-aware instant of microseconds."""
    return _EPOCH + timedelta(microseconds=value)


def instant_or_none(value: int | None) -> datetime | None:
    """Return the instant, None for None."""
    return None if value is None else instant(value)
