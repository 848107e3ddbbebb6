"""A parsed search: criteria over tokens and dates, an order, and the position where the next page starts.

Source: https://hl7.org/fhir/R4/search.html#prefix for the comparison of date intervals.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from consent_rules.visibility import Interval
from consent_rules.vocabulary import Mark
from fhir_server.domain.stored import Facts
from fhir_server.registry import SearchParam

DateOp = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]

DATE_OPS: Mapping[str, Callable[[Interval, Interval], bool]] = {
    "eq": lambda r, v: v[0] <= r[0] and r[1] <= v[1],
    "ne": lambda r, v: not (v[0] <= r[0] and r[1] <= v[1]),
    "gt": lambda r, v: r[1] > v[1],
    "lt": lambda r, v: r[0] < v[0],
    "ge": lambda r, v: r[1] > v[1] or r[0] >= v[0],
    "le": lambda r, v: r[0] < v[0] or r[1] <= v[1],
    "sa": lambda r, v: r[0] >= v[1],
    "eb": lambda r, v: r[1] <= v[0],
    "ap": lambda r, v: r[0] < v[1] and v[0] < r[1],
}
"""Comparison of the resource's interval with the parameter's; the stores' filters compute the same."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The resource has one of these tokens, or one of these marks that the caller may know."""

    tokens: frozenset[str]
    marks: Mark = Mark.NONE

    def matches(self, facts: Facts, *, knows_marks: bool = False) -> bool:
        """Tell whether the facts satisfy the criterion."""
        return not self.tokens.isdisjoint(facts.tokens | facts.common) or (
            knows_marks and bool(self.marks & facts.access.marks)
        )


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The resource has none of these tokens, and none of these marks that the caller may know."""

    tokens: frozenset[str]
    marks: Mark = Mark.NONE

    def matches(self, facts: Facts, *, knows_marks: bool = False) -> bool:
        """Tell whether the facts satisfy the criterion."""
        return not AnyOf(self.tokens, self.marks).matches(facts, knows_marks=knows_marks)


@dataclass(frozen=True, slots=True)
class DateIs:
    """The resource's interval for `param` compares with one of the values; a resource without a value never matches.

    The parameter "_lastUpdated" compares the instant of the last update as the caller sees it.
    """

    param: str
    any_of: tuple[tuple[DateOp, Interval], ...]

    def matches(self, facts: Facts, *, knows_marks: bool = False) -> bool:  # noqa: ARG002 - the others ask for it
        """Tell whether the facts satisfy the criterion ("_lastUpdated" is judged by the stores, not here)."""
        interval = facts.dates.get(self.param)
        return interval is not None and any(DATE_OPS[op](interval, value) for op, value in self.any_of)


Criterion = AnyOf | NoneOf | DateIs


How = Literal["contains", "begins", "text", "of-type", "above", "below", "indexed", "together"]
"""How a criterion compares values that no index knows."""


@dataclass(frozen=True, slots=True)
class Chained:
    """A resource that refers to somebody who matches a description, as in `author.family`.

    base: the parameter of the reference, "author".
    own: how the resource itself can match, by a contained resource or a logical reference.
    sought: by resource type, how somebody of that type matches the description.
    """

    base: str
    own: AnyOf
    sought: tuple[tuple[str, AnyOf], ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A criterion that is evaluated on the values of one parameter.

    values: alternatives as plain text; folded for "contains", "begins" and "text". triples: alternatives of "of-type",
        as (system, code, value). criteria: alternatives of "indexed" and "together", each a criterion for the
        parameter, or one for each component.
    narrowed: a criterion that the index can answer and that every match meets; None when there is none from which every
        reader may learn.
    """

    param: SearchParam
    how: How
    values: tuple[str, ...] = ()
    triples: tuple[tuple[str, str, str], ...] = ()
    criteria: tuple[tuple[Criterion, ...], ...] = ()
    narrowed: AnyOf | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One key that a search sorts by: "_lastUpdated", "_id", or a parameter of the type."""

    name: str
    param: SearchParam | None
    descending: bool


@dataclass(frozen=True, slots=True)
class Place:
    """The last row of a page: its sort value (microseconds) and id; the next page starts after it.

    rank: what the row is sorted by, as bytes, in a search that a store does not sort.
    backward: the page ends before this row instead of starting after it; a store never receives it.
    """

    value: int
    id: str
    rank: bytes = b""
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A search of one type inside one compartment, which comes from the Visibility of the search.

    sort: "_lastUpdated" or a date parameter of the type. Ties are sorted by id, in the same direction; a missing value
        counts as 0.
    limit: rows of a page, 0 when only the count is wanted.
    after: the row after which the page starts.
    ids: restrict to these ids, None for no restriction.
    gone: whether deleted resources match too.
    chained: descriptions of other resources, which the use case turns into criteria. examined: criteria that the use
        case evaluates on what the store finds. order: what it sorts by, instead of `sort` and `descending`. A store
        never receives any of these.
    """

    type: str
    criteria: tuple[Criterion, ...] = ()
    chained: tuple[Chained, ...] = ()
    ids: frozenset[str] | None = None
    sort: str = "_lastUpdated"
    descending: bool = True
    limit: int = 20
    after: Place | None = None
    gone: bool = False
    examined: tuple[Examined, ...] = ()
    order: tuple[Order, ...] = ()
