"""Pages of a search after the first, in either direction: the rows as the caller sees them, and their neighbours.

A page is judged anew each time: a link back to an earlier page may show less than that page once did.

Source: https://hl7.org/fhir/R4/http.html#paging.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consent_rules.visibility import micros
from fhir_server.application.core.access import Access
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.read import present
from fhir_server.domain import bodies
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.ports.store import Filters


@dataclass(frozen=True, slots=True)
class Turned:
    """One page. next, previous: the positions of its neighbours, None when there is none."""

    shown: tuple[Shown, ...]
    next: Place | None = None
    previous: Place | None = None


def turned(access: Access, search: Search, filters: Filters) -> Turned:
    """Return the page after the row `search.after`, or the page before it."""
    if not search.limit or search.after is None:
        return Turned(())
    if search.after.backward:
        return _before(access, search, filters)
    page = access.snapshot.find(search, filters)
    shown = present(access, page.rows, filters)
    return Turned(shown, page.next, _first(shown, search))


def _before(access: Access, search: Search, filters: Filters) -> Turned:
    """Read in the other direction from the first row of the page after, and turn the rows round."""
    page = access.snapshot.find(replace(search, descending=not search.descending), filters)
    shown = present(access, page.rows[::-1], filters)
    return Turned(shown, _place_of(shown[-1:], search), _backward(page.next))


def _first(shown: Sequence[Shown], search: Search) -> Place | None:
    return _backward(_place_of(shown[:1], search))


def _backward(place: Place | None) -> Place | None:
    return replace(place, backward=True) if place else None


def _place_of(shown: Sequence[Shown], search: Search) -> Place | None:
    """Return the position of a row in the order of a store; None for no row."""
    for item in shown:
        stored = item.stored
        if search.sort == "_lastUpdated":
            return Place(micros(bodies.last_updated(stored, knows_marks=item.knows_marks)), stored.id)
        return Place(stored.facts.dates.get(search.sort, (0, 0))[0], stored.id)
    return None
