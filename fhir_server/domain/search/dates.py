"""FHIR dates, instants and periods as half-open intervals of microseconds.

A value covers all instants that it may mean: `2026-03` is a whole month. A date, and a time without a zone, which only
a search may send, are read in UTC.

Source: https://hl7.org/fhir/R4/datatypes.html#dateTime and https://hl7.org/fhir/R4/search.html#date.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, get_args

from consent_rules.visibility import Interval
from fhir_server.domain.search.criteria import DateOp

EARLIEST = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z, and the start of a period that has none."""
LATEST = 253_402_300_800_000_000
"""10000-01-01T00:00:00Z, and the end of a period that has none."""

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 86_400 * _SECOND
_EPOCH = date(1970, 1, 1).toordinal()
_START = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_TIME = re.compile(
    r"(?P<year>\d{4})(-(?P<month>0[1-9]|1[0-2])(-(?P<day>0[1-9]|[12]\d|3[01])"
    r"(T(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)(:(?P<second>[0-5]\d|60)(\.(?P<fraction>\d{1,30}))?)?"
    r"(?P<zone>Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)?)?)?)?",
    re.ASCII,
)
_PREFIXES: tuple[DateOp, ...] = get_args(DateOp)


def instant_of(micros: int) -> datetime:
    """Return the instant of a bound of an interval; a bound beyond the calendar becomes the last instant."""
    return _START + timedelta(microseconds=min(micros, LATEST - 1))


def interval_of(value: str) -> Interval:
    """Return the interval of a stored date, dateTime or instant.

    Raises: ValueError when it is not one; R4 requires seconds and a zone with a time.
    """
    match = _match(value)
    if match["hour"] and not (match["second"] and match["zone"]):
        message = "a time needs seconds and a zone"
        raise ValueError(message)
    return _interval(match)


@cache
def start_of_year(year: int) -> int:
    """Return the first instant of a year, 1 to 10000, in microseconds."""
    return _month(year * 12)


def period_of(period: Mapping[str, Any]) -> Interval:
    """Return the interval of a Period; a missing bound is infinite, the end includes its whole precision.

    Raises: ValueError when a bound is no date, or the end lies before the start.
    """
    low = interval_of(str(period["start"]))[0] if "start" in period else EARLIEST
    high = interval_of(str(period["end"]))[1] if "end" in period else LATEST
    if high <= low:
        message = "a period ends before it starts"
        raise ValueError(message)
    return low, high


def hull(a: Interval, b: Interval) -> Interval:
    """Return the smallest interval that covers both."""
    return min(a[0], b[0]), max(a[1], b[1])


def searched(value: str) -> tuple[DateOp, Interval]:
    """Return prefix and interval of a search value such as `ge2026-03-02T09:00`.

    A blank in place of the zone's sign is read as `+`, which form encoding turns into a blank. `ap` widens the interval
    by its own length on both sides.

    Raises: ValueError when the value is no date.
    """
    prefix = next((op for op in _PREFIXES if value.startswith(op)), None)
    bare = value[2:] if prefix else value
    low, high = _interval(_match(re.sub(r"(T[\d:.]+) (\d\d:\d\d)$", r"\1+\2", bare)))
    op = prefix or "eq"
    if op == "ap":
        low, high = max(EARLIEST, 2 * low - high), min(LATEST, 2 * high - low)
    return op, (low, high)


def _match(value: str) -> re.Match[str]:
    match = _DATE_TIME.fullmatch(value)
    if match is None or match["year"] == "0000":
        message = "not a date of the form YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz"
        raise ValueError(message)
    return match


def _interval(match: re.Match[str]) -> Interval:
    if not match["day"]:
        return _calendar(int(match["year"]), match["month"])
    low = _midnight(date(int(match["year"]), int(match["month"]), int(match["day"])))
    if not match["hour"]:
        return low, low + _DAY
    low += int(match["hour"]) * 60 * _MINUTE + int(match["minute"]) * _MINUTE + int(match["second"] or 0) * _SECOND
    low -= _offset(match["zone"])
    if not match["second"]:
        return low, low + _MINUTE
    fraction = (match["fraction"] or "")[:6]
    low += int(fraction.ljust(6, "0"))
    return low, low + 10 ** (6 - len(fraction))


def _calendar(year: int, month: str | None) -> Interval:
    """Return a whole year or a whole month."""
    first = int(month or 1)
    months = year * 12 + first - 1 + (1 if month else 12)
    return _midnight(date(year, first, 1)), _month(months)


def _month(months: int) -> int:
    year, month = divmod(months, 12)
    return LATEST if year > 9999 else _midnight(date(year, month + 1, 1))  # noqa: PLR2004 - the last year of ISO 8601


def _midnight(day: date) -> int:
    return (day.toordinal() - _EPOCH) * _DAY


def _offset(zone: str | None) -> int:
    if zone in (None, "Z"):
        return 0
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(zone[1:3]) * 60 + int(zone[4:6])) * _MINUTE
