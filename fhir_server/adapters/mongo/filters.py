"""A Visibility and a Search in MongoDB's filter language, with the same meaning as `admits` and `matches`.

The filters use only operators that every compatible service has; a condition that an index supports has a stage of its
own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consent_rules.visibility import Clause, Extent, Interval, Visibility, micros
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.mongo.client import Document
from fhir_server.adapters.mongo.documents import numbers
from fhir_server.adapters.preparing import LABELLED, bits_of, each_bit
from fhir_server.domain.search.criteria import AnyOf, Criterion, DateIs, DateOp, NoneOf, Search
from fhir_server.domain.stored import AUTHORED
from fhir_server.registry import TRACE

NOTHING: Document = {"_id": {"$in": []}}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Conditions on the two ends of an interval that a resource has."""

    first: Callable[[str, int], Document]
    last: Callable[[str, int], Document]
    present: Document


def any_of(conditions: Iterable[Document]) -> Document:
    """Join alternatives; without alternatives, match nothing."""
    found = list(conditions)
    if {} in found:
        return {}
    return {"$or": found} if found else NOTHING


def all_of(conditions: Iterable[Document]) -> Document:
    """Join conditions."""
    found = [condition for condition in conditions if condition]
    return {"$and": found} if found else {}


def clauses(ways: Iterable[Clause]) -> Document:
    """Return the condition that one of the clauses opens a resource by its own facts."""
    return any_of(_clause(way) for way in ways)


def visible(visibility: Visibility, documents: Iterable[str]) -> Document:
    """Return the condition that a resource is visible: by itself, or through one of the visible documents in it."""
    ways = visibility.clauses
    gathering: Document = {"gathers": True}
    return any_of(
        (
            all_of(({"gathers": False}, clauses(ways))),
            gathering | {"documents": {"$in": sorted(documents)}},
            all_of((gathering, clauses(way for way in ways if way.owned_by is not None))),
        )
    )


def about_one(ways: Iterable[Clause], documents: Iterable[str]) -> Document:
    """Return the condition that a clause opens an audit event or notice, about no document or about one of these."""
    about = any_of(({"gathers": False}, {"documents": {"$in": sorted(documents)}}))
    return all_of((clauses(ways), about))


def _clause(way: Clause) -> Document:
    terms: list[Document] = []
    if way.kinds is not None:
        terms.append({"kind": {"$in": sorted(way.kinds)}})
    if way.categories is not None:
        terms.append({"category": {"$in": sorted(way.categories)}})
    if way.closed_by:
        terms.append({"marks": {"$nin": [bit.value for bit in way.closed_by]}})
    if way.unsealed_at is not None:
        terms.append({"$or": [{"sealed_until": None}, {"sealed_until": {"$lte": micros(way.unsealed_at)}}]})
    if way.owned_by is not None:
        terms.append({"owners": {"$in": sorted(way.owned_by - {""})}})
    if way.within is not None:
        terms.append(_covered(way.within))
    terms.extend(without(_touched(extent)) for extent in way.barred)
    return all_of(terms)


def _covered(extent: Extent) -> Document:
    """Return the condition that an extent certainly covers a document."""
    terms = [_named(extent)]
    if extent.labels:
        terms.append(_labelled(extent))
    if extent.since is not None:
        terms.append(_authored("from", "$gte", extent.since))
    if extent.until is not None:
        terms.append(_authored("to", "$lte", extent.until))
    return all_of(terms)


def _touched(extent: Extent) -> Document:
    """Return the condition that an extent may cover a document; a document of unknown time may be covered."""
    terms = [_named(extent)]
    if extent.labels:
        terms.append(any_of((_labelled(extent), {"marks": {"$nin": [LABELLED]}})))
    unknown: Document = {f"dates.{name}.from": {"$exists": False} for name in AUTHORED}
    if extent.since is not None:
        terms.append(any_of((unknown, _authored("to", "$gt", extent.since))))
    if extent.until is not None:
        terms.append(any_of((unknown, _authored("from", "$lt", extent.until))))
    return all_of(terms)


def _labelled(extent: Extent) -> Document:
    return {"marks": {"$in": list(each_bit(bits_of(extent.labels)))}}


def _named(extent: Extent) -> Document:
    stated = (("id", extent.documents), ("kind", extent.kinds), ("category", extent.categories))
    return all_of({field: {"$in": sorted(values)}} for field, values in stated if values is not None)


def _authored(end: str, operator: str, value: int) -> Document:
    """Return a condition on one end of the time in which a document was written, from the first date that it has."""
    ways: list[Document] = []
    absent: list[Document] = []
    for name in AUTHORED:
        ways.append(all_of((*absent, {f"dates.{name}.{end}": {operator: value}})))
        absent.append({f"dates.{name}.{end}": {"$exists": False}})
    return any_of(ways)


@dataclass(frozen=True, slots=True)
class Asked:
    """One search for one visibility, to be made into conditions. gone: also of deleted resources."""

    search: Search
    visibility: Visibility
    hashes: Hashes
    gone: bool = False

    def indexed(self) -> Document:
        """Return the part of the condition that an index supports."""
        search = self.search
        where: Document = {"compartment": self.visibility.compartment, "type": search.type, "deleted": False}
        if self.gone or search.gone:
            where["deleted"] = {"$in": [False, True]}
        if search.ids is not None:
            where["_id"] = {"$in": [f"{search.type}/{id_}" for id_ in sorted(search.ids)]}
        elif self.visibility.compartment == "":
            wanted = [c.tokens for c in search.criteria if isinstance(c, AnyOf) and c.tokens]
            if wanted:  # fewer resources have a longer token
                where["words"] = {"$in": self._hashed(max(wanted, key=lambda tokens: min(map(len, tokens))))}
        return where

    def criteria(self) -> list[Document]:
        """Return the conditions of the criteria."""
        return [self._criterion(criterion) for criterion in self.search.criteria]

    def knowing(self) -> Document | None:
        """Return the condition that the caller may know the marks of a resource, None when the caller never may."""
        ways = [way for way in self.visibility.clauses if way.knows_marks]
        return clauses(ways) if ways and self.search.type != TRACE else None

    def _criterion(self, criterion: Criterion) -> Document:
        match criterion:
            case AnyOf():
                return self._has(criterion)
            case NoneOf():
                return without(self._has(AnyOf(criterion.tokens, criterion.marks)))
            case DateIs(param="_lastUpdated"):
                return self._last_updated(criterion)
            case DateIs():
                return any_of(_compared(op, _dated(criterion.param), value) for op, value in criterion.any_of)

    def _has(self, criterion: AnyOf) -> Document:
        """Return the condition for one of the tokens, or one of the marks that the caller may know."""
        named: Document = {"tokens": {"$in": self._hashed(criterion.tokens)}}
        knowing = self.knowing() if criterion.marks else None
        if knowing is None:
            return named
        marked = {"marks": {"$in": list(each_bit(int(criterion.marks)))}}
        return any_of((named, all_of((marked, knowing))))

    def _last_updated(self, criterion: DateIs) -> Document:
        updated = any_of(_compared(op, _instant("updated"), value) for op, value in criterion.any_of)
        knowing = self.knowing()
        if knowing is None:
            return updated
        touched = any_of(_compared(op, _instant("touched"), value) for op, value in criterion.any_of)
        return any_of((all_of((knowing, touched)), all_of((without(knowing), updated))))

    def _hashed(self, tokens: frozenset[str]) -> list[int]:
        return numbers(self.hashes.tokens(self.visibility.compartment, tokens))


def without(condition: Document) -> Document:
    """Return the opposite of a condition."""
    return {"$nor": [condition]} if condition else NOTHING


def _dated(param: str) -> Bounds:
    first, last = f"dates.{param}.from", f"dates.{param}.to"
    return Bounds(
        lambda operator, value: {first: {operator: value}},
        lambda operator, value: {last: {operator: value}},
        {first: {"$exists": True}},
    )


def _instant(field: str) -> Bounds:
    """Treat an instant as the interval that ends one microsecond later."""
    exclusive = {"$gt": "$gte", "$lte": "$lt"}
    return Bounds(
        lambda operator, value: {field: {operator: value}},
        lambda operator, value: {field: {exclusive[operator]: value}},
        {},
    )


def _compared(op: DateOp, r: Bounds, value: Interval) -> Document:
    low, high = value
    within = all_of((r.first("$gte", low), r.last("$lte", high)))
    comparisons: dict[DateOp, Document] = {
        "eq": within,
        "ne": all_of((r.present, without(within))),
        "gt": r.last("$gt", high),
        "lt": r.first("$lt", low),
        "ge": any_of((r.last("$gt", high), r.first("$gte", low))),
        "le": any_of((r.first("$lt", low), r.last("$lte", high))),
        "sa": r.first("$gte", high),
        "eb": r.last("$lte", low),
        "ap": all_of((r.first("$lt", high), r.last("$gt", low))),
    }
    return comparisons[op]
