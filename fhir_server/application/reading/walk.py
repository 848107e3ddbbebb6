"""A walk through several searches of one space as one list in pages: each search is a part of it.

A page begins where the one before ended, in the same part or a later one; the parts come in an order that does not
change. All parts are read through the filters of one caller.
Source: docs/adr/0115-everything-of-a-space.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from consent_rules.visibility import Interval
from fhir_server.application.core.access import Access
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import read
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import Criterion, DateIs, NoneOf, Place, Search
from fhir_server.ports.store import Filters
from fhir_server.registry import ResourceType


@dataclass(frozen=True, slots=True)
class Step:
    """Where a page starts: the number of a part, and the place in it after which it starts, None for its beginning."""

    part: int = 0
    after: Place | None = None


BEGINNING = Step()


@dataclass(frozen=True, slots=True)
class Page:
    """What one page shows, and where the next page starts; None after the last page."""

    shown: tuple[Shown, ...]
    next: Step | None


def page(access: Access, filters: Filters, parts: Sequence[Search], first: Step, count: int) -> Page:
    """Return one page of at most `count` resources, 1 or more. The `limit` and `after` of the parts have no effect."""
    shown: list[Shown] = []
    for number in range(first.part, len(parts)):
        left = count - len(shown)
        after = first.after if number == first.part else None
        found = access.snapshot.find(replace(parts[number], limit=left or 1, after=after), filters)
        if not left and found.rows:  # the page is full, and this part has something for the next one
            return Page(tuple(shown), Step(number))
        if left:
            shown += read.present(access, found.rows, filters)
        if found.next:
            return Page(tuple(shown), Step(number, found.next))
    return Page(tuple(shown), None)


def of_care(row: ResourceType, start: Interval | None, end: Interval | None) -> Iterator[tuple[Criterion, ...]]:
    """Yield the criteria of a type's parts: one for each parameter that may say when the care took place.

    start, end: bounds in microseconds. A type without such parameters is one part, whatever the bounds.
    """
    if not row.care_dates or not (start or end):
        yield ()
        return
    for number, name in enumerate(row.care_dates):
        bounds = [DateIs(name, (("ge", start),))] if start else []
        bounds += [DateIs(name, (("le", end),))] if end else []
        missing = [NoneOf(frozenset({tokens.present(before)})) for before in row.care_dates[:number]]
        yield (*missing, *bounds)
