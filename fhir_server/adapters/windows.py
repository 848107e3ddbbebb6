"""A counter as bytes: how much was counted in each sixtieth of its shortest window; both stores share this arithmetic.

A slot counts as long as any of its instants lies in the window. So a window never holds more than its limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from struct import iter_unpack, pack

from consent_rules.visibility import micros
from fhir_server.domain.stored import instant
from fhir_server.ports.counters import CeilingReached, Count, Limit

_SLOTS = 60
_ROW = ">qI"
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Counter:
    """What a store keeps of a counter. slots: packed (start, amount); expires: when nothing counts any longer."""

    slots: bytes
    expires: int


def counted(slots: bytes, count: Count) -> Counter:
    """Return a counter after one more count.

    Raises: CeilingReached.
    """
    at, width = micros(count.at), _width(count)
    longest = max(_length(limit) for limit in count.limits)
    held = {start: amount for start, amount in iter_unpack(_ROW, slots) if start + width > at - longest}
    for limit in count.limits:
        _demand(held, limit, count, width)
    own = at - at % width
    held[own] = held.get(own, 0) + count.amount
    kept = b"".join(pack(_ROW, *slot) for slot in sorted(held.items()))
    return Counter(kept, max(held) + width + longest)


def _demand(held: Mapping[int, int], limit: Limit, count: Count, width: int) -> None:
    length, at = _length(limit), micros(count.at)
    inside = sorted(slot for slot in held.items() if slot[0] + width > at - length)
    excess = sum(amount for _, amount in inside) + count.amount - limit.most
    if excess <= 0:
        return
    for start, amount in inside:
        excess -= amount
        if excess <= 0:
            raise CeilingReached(limit, count, instant(start + width + length))
    raise CeilingReached(limit, count, count.at + limit.span)


def _width(count: Count) -> int:
    return min(_length(limit) for limit in count.limits) // _SLOTS


def _length(limit: Limit) -> int:
    return limit.span // _MICROSECOND
