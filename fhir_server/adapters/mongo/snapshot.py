"""Reads from one moment of the MongoDB store: a read-only transaction."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from consent_rules.visibility import Interval, Visibility
from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.judging import UNGATHERING, Meets, about, about_waiting, is_visible, sorted_ways
from fhir_server.adapters.mongo.client import READ_MS, Document, failures_named
from fhir_server.adapters.mongo.documents import (
    LOCATORS,
    QUEUES,
    facts_of,
    locator_name,
    name_of,
    numbers,
    order_of,
    place_of,
    stored_of,
)
from fhir_server.adapters.mongo.filters import Asked, about_one, all_of, any_of, clauses, visible, without
from fhir_server.adapters.mongo.moment import Moment
from fhir_server.adapters.sealing import ERASED, SPACE, KeyGone, Keyring, Sealed, unseal
from fhir_server.domain.search.criteria import Place, Search
from fhir_server.domain.stored import Stored
from fhir_server.ports.store import Filters, Location, Page, Queued, Space
from fhir_server.registry import DOCUMENTS, TRACE


def _stretch(search: Search, span: Interval, looks: int) -> list[Document]:
    """Return the stages that read one locator more than may be looked at, in the order of the events."""
    when = {"$gte": order_of(span[0], ""), "$lt": order_of(span[1], "")}
    if search.after:
        when |= {"$lt" if search.descending else "$gt": order_of(search.after.value, search.after.id)}
    return [
        {"$match": {"compartment": LOCATORS, "when": when}},
        {"$sort": {"when": -1 if search.descending else 1}},
        {"$limit": looks + 1},
    ]


def _compartments(locators: Iterable[Document]) -> Document:
    return {"$in": sorted({locator["type"] for locator in locators})}


def _has(tokens: list[int], hashed: list[bytes]) -> bool:
    return any(number in tokens for number in numbers(hashed))


_WITHOUT_TOKENS: Document = {"$project": {"tokens": 0, "lookup": 0, "words": 0}}


class MongoSnapshot:
    """Reads from one moment. It keeps the promises of `ports.store.Snapshot`.

    Every filter names the shard key. A located resource is remembered, so that reading it needs no second query.
    """

    def __init__(self, database: Database[Document], moment: Moment, hashes: Hashes, keyring: Keyring) -> None:
        """Keep the parts; the moment has begun."""
        self._database = database
        self._moment = moment
        self._hashes = hashes
        self._keyring = keyring
        self._located: dict[str, Document] = {}
        self._documents: dict[tuple[Visibility, bool], frozenset[str]] = {}

    def load_space(self, patient: PatientId) -> Space | None:
        """Return the decision state of a patient's space."""
        found = self._one(self._database["spaces"], {"_id": patient, "compartment": patient})
        if found is None or found["revision"] == 0:
            return None
        revision = found["revision"]
        if found.get("erasing"):
            return Space(patient, revision, b"")
        try:
            state = unseal(self._keyring.by_id, Sealed(SPACE, patient, revision), found["state"])
        except KeyGone:
            state = b""
        return Space(patient, revision, state)

    def patients(self, after: PatientId, limit: int) -> tuple[PatientId, ...]:
        """Return the ids of the patients who have a space, sorted by id."""
        where = {"_id": {"$gt": after}, "compartment": {"$gt": after}, "revision": {"$gt": 0}}
        stages: list[Document] = [{"$match": where}, {"$sort": {"_id": 1}}, {"$limit": limit}, {"$project": {"_id": 1}}]
        return tuple(row["_id"] for row in self._run(self._database["spaces"], stages))

    def locate(self, type_: str, id_: str) -> Location | None:
        """Return the compartment of a resource for any caller."""
        at = {"_id": locator_name(type_, id_), "compartment": LOCATORS}
        locator = self._one(self._heads(type_), at)
        found = self._located_in(type_, id_, locator["type"]) if locator else None
        return Location(found["compartment"], found["deleted"]) if found else None

    def compartments_with(self, type_: str, tokens: frozenset[str], limit: int) -> tuple[tuple[PatientId, str], ...]:
        """Return (compartment, id) of the current resources that have all these lookup tokens."""
        if not tokens:
            return ()
        hashed = numbers(self._hashes.lookup(tokens))
        stages: list[Document] = [
            {"$match": {"token": hashed[0], "type": type_}},
            {"$match": {"lookup": {"$all": hashed}}},
            {"$sort": {"id": 1}},
            {"$limit": limit},
            {"$project": {"compartment": 1, "id": 1}},
        ]
        return tuple((row["compartment"], row["id"]) for row in self._run(self._database["lookups"], stages))

    def queue(self, type_: str, token: str, date: str, limit: int, after: Place | None) -> tuple[Queued, ...]:
        """Return the current resources of all spaces that have a lookup token, in the order of the index."""
        if QUEUES.get(type_) != date:
            raise ValueError(f"{type_} stands in no queue by {date}")
        (hashed,) = numbers(self._hashes.lookup((token,)))
        where: Document = {"token": hashed, "type": type_}
        if after:
            where["place"] = {"$gt": order_of(after.value, after.id)}
        stages: list[Document] = [{"$match": where}, {"$sort": {"place": 1}}, {"$limit": limit}]
        rows = self._run(self._database["lookups"], stages)
        return tuple(Queued(row["compartment"], row["id"], row["value"]) for row in rows)

    def read(self, type_: str, id_: str, filters: Filters) -> Stored | None:
        """Return the current version when it is visible."""
        head = self._head(type_, id_, filters.of(type_))
        return self._opened(head, head) if head else None

    def read_version(self, type_: str, id_: str, version: int, filters: Filters) -> Stored | None:
        """Return one version, judged by the current facts."""
        return next((stored for stored in self.history(type_, id_, filters) if stored.version == version), None)

    def history(self, type_: str, id_: str, filters: Filters) -> tuple[Stored, ...]:
        """Return all versions, newest first, judged by the current facts."""
        head = self._head(type_, id_, filters.of(type_))
        if not head:
            return ()
        older = self._older(head) if head["version"] > 1 else ()
        return (self._opened(head, head), *(self._opened(head, version) for version in older))

    def find(self, search: Search, filters: Filters) -> Page:
        """Return one page of the visible current resources that match."""
        visibility = filters.of(search.type)
        if not search.limit or not visibility.clauses:
            return Page((), None)
        rows = list(self._ordered(Asked(search, visibility, self._hashes)))
        rows.sort(key=lambda row: (row["value"], row["id"]), reverse=search.descending)
        page = rows[: search.limit]
        following = Place(page[-1]["value"], page[-1]["id"]) if len(rows) > search.limit else None
        return Page(tuple(self._readable(page)), following)

    def find_everywhere(self, search: Search, span: Interval, filters: Filters, looks: int) -> Page:
        """Return one page of the visible audit events that match, of all spaces and outside any space."""
        places, met, rest = self._everywhere(search, span, filters, looks)
        kept = met[: search.limit]
        following = place_of(places[kept[-1]]["when"]) if kept and len(met) > search.limit else rest
        at = {"compartment": _compartments(places[name] for name in kept), "_id": {"$in": kept}}
        whole = {row["_id"]: row for row in self._find(self._heads(TRACE), at, [])} if kept else {}
        return Page(tuple(self._readable(whole[name] for name in kept)), following)

    def count_everywhere(self, search: Search, span: Interval, filters: Filters, looks: int) -> int | None:
        """Return how many events `find_everywhere` would find in all."""
        _, met, rest = self._everywhere(replace(search, after=None), span, filters, looks)
        return None if rest else len(met)

    def _everywhere(
        self, search: Search, span: Interval, filters: Filters, looks: int
    ) -> tuple[Mapping[str, Document], list[str], Place | None]:
        """Return the locators that were looked at, by name; the names that match; and where to go on."""
        visibility = filters.of(search.type)
        if not (visibility.everywhere and visibility.clauses):
            return {}, [], None
        found = self._run(self._heads(TRACE), _stretch(search, span, looks))
        places = {row["_id"].partition("/")[2]: row for row in found[:looks]}
        named = {"compartment": _compartments(places.values()), "_id": {"$in": [*places]}, "deleted": False}
        shown = clauses(sorted_ways(visibility)[0])
        stages: list[Document] = [{"$match": named}, *([{"$match": shown}] if shown else []), {"$project": {"body": 0}}]
        meets = Meets(search.criteria, self._hashes, _has)
        met = {row["_id"] for row in self._run(self._heads(TRACE), stages) if meets(facts_of(row), row["tokens"])}
        rest = place_of(found[looks - 1]["when"]) if len(found) > looks else None
        return places, [name for name in places if name in met], rest

    def locate_all(self, type_: str, ids: Iterable[str]) -> Mapping[str, PatientId]:
        """Return the compartment of each of these ids that a resource has or had, for any caller."""
        names = {locator_name(type_, id_): id_ for id_ in ids}
        at = {"_id": {"$in": sorted(names)}, "compartment": LOCATORS}
        return {names[row["_id"]]: row["type"] for row in self._find(self._heads(type_), at, [])}

    def count(self, search: Search, filters: Filters, cap: int) -> int | None:
        """Return how many visible resources match, None above the cap."""
        visibility = filters.of(search.type)
        if not visibility.clauses:
            return 0
        asked = Asked(search, visibility, self._hashes)
        stages = [*self._matching(asked), {"$limit": cap + 1}, {"$count": "found"}]
        found: int = next((row["found"] for row in self._run(self._heads(search.type), stages)), 0)
        return found if found <= cap else None

    def matching_ids(self, search: Search, filters: Filters, cap: int) -> frozenset[str] | None:
        """Return the ids of the visible resources that match, None above the cap."""
        visibility = filters.of(search.type)
        if not visibility.clauses:
            return frozenset()
        stages = [
            *self._matching(Asked(search, visibility, self._hashes)),
            {"$limit": cap + 1},
            {"$project": {"id": 1}},
        ]
        rows = self._run(self._heads(search.type), stages)
        return frozenset(row["id"] for row in rows) if len(rows) <= cap else None

    def visible_ids(
        self,
        type_: str,
        ids: Iterable[str],
        filters: Filters,
        gone: bool = False,  # noqa: FBT001, FBT002
    ) -> frozenset[str]:
        """Return which of the ids are visible current resources; gone: include deleted ones."""
        return self._seen_among(type_, ids, filters.of(type_), gone=gone)

    def _seen_among(self, type_: str, ids: Iterable[str], visibility: Visibility, *, gone: bool) -> frozenset[str]:
        asked = frozenset(ids)
        if not asked or not visibility.clauses:
            return frozenset()
        search = Asked(Search(type_, ids=asked), visibility, self._hashes, gone)
        stages = [*self._matching(search), {"$project": {"id": 1}}]
        return frozenset(row["id"] for row in self._run(self._heads(type_), stages))

    def _ordered(self, asked: Asked) -> Iterator[Document]:
        """Yield the first rows of a page, each with its sort value.

        By last update it needs two queries when the caller may know some marks, because a change of marks is an update
        of those rows only.
        """
        if asked.search.sort != "_lastUpdated":
            yield from self._sorted(asked, {"$ifNull": [f"$dates.{asked.search.sort}.from", 0]})
            return
        knowing = asked.knowing()
        if knowing is None:
            yield from self._by_update(asked)
        else:
            yield from self._sorted(asked, "$touched", knowing)
            yield from self._by_update(asked, without(knowing))

    def _by_update(self, asked: Asked, also: Document | None = None) -> Iterator[Document]:
        """Read in the order of the index."""
        search, sign = asked.search, -1 if asked.search.descending else 1
        stages = self._matching(asked, also)
        if search.after:
            place = order_of(search.after.value, search.after.id)
            stages[0]["$match"]["order"] = {"$lt" if search.descending else "$gt": place}
        stages += [{"$sort": {"order": sign}}, {"$limit": search.limit + 1}, _WITHOUT_TOKENS]
        for row in self._run(self._heads(search.type), stages):
            yield row | {"value": row["updated"]}

    def _sorted(self, asked: Asked, value: Any, also: Document | None = None) -> Iterator[Document]:  # noqa: ANN401 - an expression
        search, sign = asked.search, -1 if asked.search.descending else 1
        stages: list[Document] = [*self._matching(asked, also), {"$addFields": {"value": value}}]
        if search.after:
            beyond = "$lt" if search.descending else "$gt"
            tie = {"value": search.after.value, "id": {beyond: search.after.id}}
            stages.append({"$match": {"$or": [{"value": {beyond: search.after.value}}, tie]}})
        stages += [{"$sort": {"value": sign, "id": sign}}, {"$limit": search.limit + 1}, _WITHOUT_TOKENS]
        yield from self._run(self._heads(search.type), stages)

    def _matching(self, asked: Asked, also: Document | None = None) -> list[Document]:
        """Return the stages that keep the matching rows: first the conditions that an index supports, then the rest."""
        visibility = asked.visibility
        if asked.search.type not in UNGATHERING:
            seen = visible(visibility, self._visible_documents(visibility))
        else:
            seen = self._by_what_it_is_about(visibility)
        rest = all_of((seen, *asked.criteria(), also or {}))
        return [{"$match": asked.indexed()}, *([{"$match": rest}] if rest else [])]

    def _by_what_it_is_about(self, visibility: Visibility) -> Document:
        freely, of_seen, of_waiting = sorted_ways(visibility)
        terms = [clauses(freely)] if freely or not (of_seen or of_waiting) else []
        if of_seen:
            terms.append(about_one(of_seen, self._visible_documents(about(visibility), gone=True)))
        if of_waiting:
            terms.append(about_one(of_waiting, self._visible_documents(about_waiting(visibility))))
        return any_of(terms)

    def _visible_documents(self, visibility: Visibility, *, gone: bool = False) -> frozenset[str]:
        """Return the ids of all visible documents of a space, also deleted ones when `gone`; the directory has none."""
        if not visibility.compartment:
            return frozenset()
        if (visibility, gone) not in self._documents:
            found: set[str] = set()
            for document in DOCUMENTS:
                asked = Asked(Search(document), visibility, self._hashes, gone)
                stages = [*self._matching(asked), {"$project": {"id": 1}}]
                found |= {row["id"] for row in self._run(self._heads(document), stages)}
            self._documents[visibility, gone] = frozenset(found)
        return self._documents[visibility, gone]

    def _head(self, type_: str, id_: str, visibility: Visibility) -> Document | None:
        head = self._located_in(type_, id_, visibility.compartment)
        return head if head and is_visible(type_, facts_of(head), visibility, self._seen_among) else None

    def _located_in(self, type_: str, id_: str, compartment: PatientId) -> Document | None:
        """Return the current document of a resource in its compartment; None when it does not exist, or is erased."""
        name = name_of(type_, id_)
        known = self._located.get(name)
        if known is None and compartment != ERASED:
            known = self._one(self._heads(type_), {"_id": name, "compartment": compartment})
            if known:
                self._located[name] = known
        return known if known and known["compartment"] == compartment else None

    def _older(self, head: Document) -> list[Document]:
        where = {"compartment": head["compartment"], "head": head["_id"]}
        return self._find(self._database["versions"], where, [("version", -1)])

    def _readable(self, rows: Iterable[Document]) -> Iterator[Stored]:
        """Decrypt rows; a row whose key another process is destroying counts as erased."""
        for row in rows:
            with suppress(KeyGone):
                yield self._opened(row, row)

    def _opened(self, head: Document, version: Document) -> Stored:
        name = Sealed(head["type"], head["id"], version["version"])
        body = b"" if version["deleted"] else unseal(self._keyring.by_id, name, version["body"])
        return stored_of(head, version, facts_of(head), body)

    def _heads(self, type_: str) -> Collection[Document]:
        return self._database["trail" if type_ == TRACE else "heads"]

    def _one(self, collection: Collection[Document], where: Document) -> Document | None:
        return next(iter(self._find(collection, where, [])), None)

    def _find(self, collection: Collection[Document], where: Document, sort: list[tuple[str, int]]) -> list[Document]:
        with failures_named():
            return self._moment.ask(
                lambda session: list(collection.find(where, sort=sort or None, session=session, max_time_ms=READ_MS))
            )

    def _run(self, collection: Collection[Document], stages: list[Document]) -> list[Document]:
        with failures_named():
            return self._moment.ask(
                lambda session: list(collection.aggregate(stages, session=session, maxTimeMS=READ_MS))
            )
