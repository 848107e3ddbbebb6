"""A Visibility and a Search as SQL, with the same meaning as `admits` and `matches`.

The row to decide about has the alias `h`. Values are always bound. `params` gives each value one numbered placeholder.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import orjson

from consent_rules.visibility import Clause, Extent, Interval, Visibility, micros
from consent_rules.vocabulary import Mark
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.judging import UNGATHERING, about_waiting, sorted_ways
from fhir_server.adapters.preparing import LABELLED, bits_of
from fhir_server.adapters.sqlite.joins import FEW, has_one_of
from fhir_server.domain.search.criteria import AnyOf, Criterion, DateIs, DateOp, NoneOf, Search
from fhir_server.domain.stored import AUTHORED
from fhir_server.registry import DOCUMENTS, TRACE

Value = str | int | bytes
_OWNERS = ("owner_person", "owner_organization", "owner_client")
_DOCUMENTS = ", ".join(f"'{name}'" for name in sorted(DOCUMENTS))
_NAMED = 3
"""So many values have a placeholder each: SQLite compares them quicker than it reads an array of them."""
_GROUP = 200
"""Alternatives in one group of ORs: SQLite limits the depth of an expression to 1,000."""

_DATE_SQL: dict[DateOp, str] = {
    "eq": "{v0} <= {r0} AND {r1} <= {v1}",
    "ne": "NOT ({v0} <= {r0} AND {r1} <= {v1})",
    "gt": "{r1} > {v1}",
    "lt": "{r0} < {v0}",
    "ge": "{r1} > {v1} OR {r0} >= {v0}",
    "le": "{r0} < {v0} OR {r1} <= {v1}",
    "sa": "{r0} >= {v1}",
    "eb": "{r1} <= {v0}",
    "ap": "{r0} < {v1} AND {v0} < {r1}",
}


class Params:
    """Values of one statement; equal values share one placeholder."""

    def __init__(self) -> None:
        """Start empty."""
        self._places: dict[Value, int] = {}

    def add(self, value: Value) -> str:
        """Return the placeholder of a value."""
        return f"?{self._places.setdefault(value, len(self._places) + 1)}"

    def list(self, values: Iterable[Value]) -> str:
        """Return the placeholders of several values, separated by commas."""
        return ", ".join(self.add(value) for value in sorted(values))

    @property
    def values(self) -> tuple[Value, ...]:
        """All values in the order of their placeholders."""
        return tuple(self._places)


def any_of(terms: Iterable[str]) -> str:
    """Join alternatives, in groups so that the expression stays flat; without alternatives, return false."""
    found = list(terms)
    while len(found) > _GROUP:
        found = [_either(found[start : start + _GROUP]) for start in range(0, len(found), _GROUP)]
    return _either(found) if found else "0"


def _either(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def visible(type_: str, visibility: Visibility, params: Params) -> str:
    """Return the condition that a resource of a type is visible: by itself, or through the documents in it."""
    # with this literal SQLite can use the partial index of the directory
    compartment = params.add(visibility.compartment) if visibility.compartment else "''"
    if type_ in UNGATHERING:
        return f"h.compartment = {compartment} AND {_by_what_it_is_about(visibility, params)}"
    own = clauses(visibility.clauses, "h", params)
    gathered = any_of((owned_only(visibility.clauses, params), _one_document(visibility, params)))
    return f"h.compartment = {compartment} AND (CASE WHEN h.documents IS NULL THEN {own} ELSE {gathered} END)"


def clauses(ways: Iterable[Clause], alias: str, params: Params) -> str:
    """Return the condition that one of the clauses opens a row by its own facts."""
    return any_of([_clause(way, alias, params) for way in ways])


def owned_only(ways: Iterable[Clause], params: Params) -> str:
    """Return the condition that a clause about the caller's own deposits opens the row."""
    return clauses((way for way in ways if way.owned_by is not None), "h", params)


def _by_what_it_is_about(visibility: Visibility, params: Params) -> str:
    """Return the condition that a clause opens the row, which is about no document or about a visible one."""
    freely, of_seen, of_waiting = sorted_ways(visibility)
    if not (of_seen or of_waiting):
        return clauses(freely, "h", params)
    terms = [clauses(freely, "h", params)] if freely else []
    if of_seen:
        terms.append(_about_one(of_seen, _a_document(visibility.documents, params, "1"), params))
    if of_waiting:
        one = _a_document(about_waiting(visibility).clauses, params, "d.deleted = 0")
        terms.append(_about_one(of_waiting, one, params))
    return any_of(terms)


def _about_one(ways: Iterable[Clause], document: str, params: Params) -> str:
    """Return the condition that a clause opens a row about no document, or about one that meets a condition."""
    return f"({clauses(ways, 'h', params)} AND (h.documents IS NULL OR {document}))"


def _one_document(visibility: Visibility, params: Params) -> str:
    return _a_document(visibility.clauses, params, "d.deleted = 0")


def _a_document(ways: Iterable[Clause], params: Params, condition: str) -> str:
    """Return the condition that one document of the row meets a condition and is visible by one of these clauses."""
    return (
        "EXISTS (SELECT 1 FROM json_each(h.documents) AS named CROSS JOIN heads AS d"
        f" WHERE d.type IN ({_DOCUMENTS}) AND d.id = named.value AND {condition}"
        f" AND d.compartment = h.compartment AND {clauses(ways, 'd', params)})"
    )


def _clause(way: Clause, alias: str, params: Params) -> str:
    terms = []
    if way.kinds is not None:
        terms.append(among(f"{alias}.kind", way.kinds, params))
    if way.categories is not None:
        terms.append(among(f"{alias}.category", way.categories, params))
    if way.closed_by:
        terms.append(f"{alias}.marks & {params.add(int(way.closed_by))} = 0")
    if way.unsealed_at is not None:
        limit = params.add(micros(way.unsealed_at))
        terms.append(f"({alias}.sealed_until IS NULL OR {alias}.sealed_until <= {limit})")
    if way.owned_by is not None:
        owners = way.owned_by - {""}
        terms.append(any_of(_among_few(f"{alias}.{column}", owners, params) for column in _OWNERS))
    if way.within is not None:
        terms.append(_extent(way.within, alias, params, certainly=True))
    if way.barred:
        terms.append(f"NOT {any_of(_extent(extent, alias, params, certainly=False) for extent in way.barred)}")
    return f"({' AND '.join(terms)})" if terms else "1"


def _extent(extent: Extent, alias: str, params: Params, *, certainly: bool) -> str:
    """Return the condition that an extent covers a document: certainly (`covers`), or possibly (`touches`)."""
    terms = [
        among(f"{alias}.{column}", values, params)
        for column, values in (("id", extent.documents), ("kind", extent.kinds), ("category", extent.categories))
        if values is not None
    ]
    if extent.labels:
        bears = f"{alias}.marks & {params.add(bits_of(extent.labels))} <> 0"
        terms.append(bears if certainly else f"({bears} OR {alias}.marks & {params.add(LABELLED)} = 0)")
    first, last = _authored(alias, 0), _authored(alias, 1)
    since, until = (first, last) if certainly else (last, first)
    operators, unknown = ((">=", "<="), 0) if certainly else ((">", "<"), 1)
    for bound, operator, value in ((since, operators[0], extent.since), (until, operators[1], extent.until)):
        if value is not None:
            terms.append(f"coalesce({bound} {operator} {params.add(value)}, {unknown})")
    return f"({' AND '.join(terms)})" if terms else "1"


def _authored(alias: str, bound: int) -> str:
    """Return the expression for one end of the time in which a document was written."""
    places = ", ".join(f"json_extract({alias}.dates, '$.{name}[{bound}]')" for name in AUTHORED)
    return f"coalesce({places})"


def _among_few(column: str, values: frozenset[str], params: Params) -> str:
    return f"{column} IN ({params.list(values)})" if values else "0"


def among(column: str, values: frozenset[str], params: Params) -> str:
    """Return the condition that a column has one of many values.

    More than `_NAMED` are one value of the statement, so that SQLite need not compile a statement for each number.
    """
    if len(values) <= _NAMED:
        return _among_few(column, values, params)
    return f"{column} IN (SELECT value FROM json_each({params.add(_as_json(values))}))"


@lru_cache(maxsize=256)
def _as_json(values: frozenset[str]) -> str:
    return orjson.dumps(sorted(values)).decode()


@dataclass(frozen=True, slots=True)
class Asked:
    """One search for one visibility, to be made into SQL. through: go through a compartment, even to find ids."""

    search: Search
    visibility: Visibility
    hashes: Hashes
    params: Params
    through: bool = False

    def conditions(self) -> str:
        """Return the condition of a match, including the visibility."""
        terms = [visible(self.search.type, self.visibility, self.params)]
        if self.search.ids is not None:
            terms.append(among("h.id", self.search.ids, self.params))
        terms.extend(self._criterion(criterion) for criterion in self.search.criteria)
        return " AND ".join(terms)

    def order_value(self) -> str:
        """Return the expression of the value that rows are sorted by."""
        return (
            self.seen_update()
            if self.search.sort == "_lastUpdated"
            else f"coalesce({self._date(self.search.sort, 0)}, 0)"
        )

    def after(self) -> str:
        """Return the condition that a row comes after the last row of the page before."""
        place = self.search.after
        if place is None:
            return "1"
        sign = "<" if self.search.descending else ">"
        return f"({self.order_value()}, h.id) {sign} ({self.params.add(place.value)}, {self.params.add(place.id)})"

    def seen_update(self) -> str:
        """Return the expression for the last update; a change of marks counts only if the caller may know the marks."""
        if self.search.type == TRACE:
            return "h.updated"
        knowing = [way for way in self.visibility.clauses if way.knows_marks]
        if not knowing:
            return "h.updated"
        knows = clauses(knowing, "h", self.params)
        return f"(CASE WHEN h.marked > h.updated AND {knows} THEN h.marked ELSE h.updated END)"

    def _criterion(self, criterion: Criterion) -> str:
        match criterion:
            case AnyOf():
                return any_of([*self._has(criterion.tokens), *self._marked(criterion.marks)])
            case NoneOf():
                return f"NOT {any_of([*self._has(criterion.tokens), *self._marked(criterion.marks)])}"
            case DateIs():
                return self._date_is(criterion)

    def _has(self, tokens: frozenset[str]) -> list[str]:
        hashed = self.hashes.tokens(self.visibility.compartment, sorted(tokens))
        if len(hashed) > FEW:
            return [has_one_of("h.tokens", hashed, self.params)]
        return [f"instr(h.tokens, {self.params.add(token)})" for token in hashed]

    def _marked(self, marks: Mark) -> list[str]:
        """Return the condition that the row has one of these marks and the caller may know it; nothing when never."""
        knowing = [way for way in self.visibility.clauses if way.knows_marks]
        if not (marks and knowing):
            return []
        return [f"(h.marks & {self.params.add(int(marks))} <> 0 AND {clauses(knowing, 'h', self.params)})"]

    def _date_is(self, criterion: DateIs) -> str:
        if criterion.param == "_lastUpdated":
            first = self.seen_update()
            last = f"({first} + 1)"
        else:
            first, last = self._date(criterion.param, 0), self._date(criterion.param, 1)
        compared = any_of(self._compared(op, first, last, value) for op, value in criterion.any_of)
        return f"coalesce({compared}, 0)"

    def _compared(self, op: DateOp, first: str, last: str, value: Interval) -> str:
        # a value that no placeholder stands for would be one too many for SQLite
        named = {name: end for name, end in zip(("v0", "v1"), value, strict=True) if f"{{{name}}}" in _DATE_SQL[op]}
        places = {name: self.params.add(end) for name, end in named.items()}
        return f"({_DATE_SQL[op].format(r0=first, r1=last, **places)})"

    def _date(self, param: str, bound: int) -> str:
        path = self.params.add(f'$."{param}"[{bound}]')
        return f"json_extract(h.dates, {path})"
