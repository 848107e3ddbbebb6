"""Rows of the tables: the statements that select them, and how stored values become rows and are read from rows.

Tokens are stored as hashes and cannot be read back.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from consent_rules.visibility import AccessFacts, Interval, Visibility
from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.preparing import packed, unpacked
from fhir_server.adapters.sealing import ERASED
from fhir_server.adapters.sqlite.filters import Asked, Params, among, visible
from fhir_server.domain.search.criteria import AnyOf, Place, Search
from fhir_server.domain.stored import Facts, Stored, authored_of, instant, instant_or_none, micros_or_none
from fhir_server.ports.store import Location
from fhir_server.registry import TRACE

FACTS = (
    "kind, category, marks, sealed_until, owner_person, owner_organization, owner_client, documents, dates,"
    " compartment, id"
)
"""Columns with the facts, in the order that `facts_of` expects."""
_TRACE_HEAD = f"'{TRACE}', h.id, 1, 0, 0, h.updated, NULL"
_HEAD = "h.type, h.id, h.version, h.mark, h.deleted, h.updated, h.marked"
_FACTS = ", ".join(f"h.{column.strip()}" for column in FACTS.split(","))
_COMPARTMENT = [column.strip() for column in FACTS.split(",")].index("compartment")
_ROOM_BITS = 27
"""Most resources of one type in one compartment: 134 million."""
_RANGE_BITS = 36
_ROWS_FOR_AN_ID = 4
"""Rows of a compartment that are read in the time in which one id is found."""


class FactColumns(NamedTuple):
    """The facts of one resource as columns of `heads` and `trail`."""

    kind: str
    category: str
    marks: int
    sealed_until: int | None
    owner_person: str
    owner_organization: str
    owner_client: str
    documents: str | None
    dates: str | None


def columns_of(facts: Facts) -> FactColumns:
    """Return the columns for facts."""
    access = facts.access
    return FactColumns(
        access.kind,
        access.category,
        packed(access),
        micros_or_none(access.sealed_until),
        access.owner_person,
        access.owner_organization,
        access.owner_client,
        orjson.dumps(facts.documents).decode() if facts.documents else None,
        orjson.dumps(dict(facts.dates)).decode() if facts.dates else None,
    )


def facts_of(columns: tuple[Any, ...]) -> Facts:
    """Return the facts from the columns FACTS; tokens and lookup are empty."""
    kind, category, marks, sealed, person, organization, client, documents, dates, compartment, id_ = columns
    pairs = orjson.loads(dates) if dates else {}
    found: dict[str, Interval] = dict(zip(pairs, map(tuple, pairs.values()), strict=True))
    held, labels = unpacked(marks)
    access = AccessFacts(
        compartment,
        kind,
        category,
        held,
        instant_or_none(sealed),
        person,
        organization,
        client,
        id_,
        authored_of(found),
        labels,
    )
    return Facts(
        access=access,
        dates=found,
        documents=tuple(orjson.loads(documents)) if documents else (),
    )


class Head(NamedTuple):
    """The columns of one version, besides facts and body."""

    type: str
    id: str
    version: int
    mark: int
    deleted: int
    updated: int
    marked: int | None


_HEAD_WIDTH = len(Head._fields)


def stored_of(head: Head, facts: Facts, body: bytes) -> Stored:
    """Build one version."""
    return Stored(
        type=head.type,
        id=head.id,
        version=head.version,
        mark=head.mark,
        deleted=bool(head.deleted),
        last_updated=instant(head.updated),
        marked_at=instant_or_none(head.marked),
        body=body,
        facts=facts,
    )


def packed_tokens(hashes: Hashes, facts: Facts) -> bytes:
    """Return the hashes of all tokens, one after the other."""
    return b"".join(sorted(hashes.of(facts)))


def row_range(compartment: PatientId, type_: str) -> tuple[int, int]:
    """Return the first and last row number of a type in a compartment. Ranges of two compartments may be the same."""
    digest = blake2b(f"{compartment}\0{type_}".encode(), digest_size=8).digest()
    first = (int.from_bytes(digest, "big") >> (64 - _RANGE_BITS)) << _ROOM_BITS
    return first, first + (1 << _ROOM_BITS) - 1


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its values."""

    sql: str
    values: tuple[Any, ...]


def one(type_: str, id_: str) -> Statement:
    """Select the current version of a resource: head (the columns of `Head`), facts, encrypted body."""
    if type_ == TRACE:
        return Statement(f"SELECT {_TRACE_HEAD}, {_FACTS}, h.body FROM trail AS h WHERE h.id = ?1", (id_,))
    sql = (
        f"SELECT {_HEAD}, {_FACTS}, b.body FROM heads AS h JOIN bodies AS b USING (row) WHERE h.type = ?1 AND h.id = ?2"
    )
    return Statement(sql, (type_, id_))


def older(type_: str, id_: str) -> Statement:
    """Select the superseded versions, newest first: version, deleted, updated, encrypted body."""
    sql = (
        "SELECT v.version, v.deleted, v.updated, v.body FROM heads AS h JOIN versions AS v USING (row)"
        " WHERE h.type = ?1 AND h.id = ?2 ORDER BY v.version DESC"
    )
    return Statement(sql, (type_, id_))


def having(type_: str, hashes: list[bytes], limit: int) -> Statement:
    """Select (compartment, id) of the resources that have all these lookup tokens."""
    others = " ".join(
        f"AND EXISTS (SELECT 1 FROM lookup WHERE hash = ?{number} AND row = h.row AND listed)"
        for number in range(4, 3 + len(hashes))
    )
    sql = (
        "SELECT h.compartment, h.id FROM lookup AS l CROSS JOIN heads AS h USING (row)"
        f" WHERE l.hash = ?3 AND l.listed AND h.type = ?1 AND h.deleted = 0 {others} ORDER BY h.id LIMIT ?2"
    )
    return Statement(sql, (type_, limit, *hashes))


def queue(type_: str, hashed: bytes, date: str, limit: int, after: Place) -> Statement:
    """Select (compartment, id, value) of the resources of all spaces that have a lookup token, by a date."""
    value = "coalesce(json_extract(h.dates, ?3), 0)"
    sql = (
        f"SELECT h.compartment, h.id, {value} FROM lookup AS l CROSS JOIN heads AS h USING (row)"
        " WHERE l.hash = ?1 AND l.listed AND h.type = ?2 AND h.deleted = 0"
        f" AND ({value}, h.id) > (?5, ?6) ORDER BY {value}, h.id LIMIT ?4"
    )
    return Statement(sql, (hashed, type_, f'$."{date}"[0]', limit, after.value, after.id))


def last_row(compartment: PatientId, type_: str) -> Statement:
    """Select the last row of a type in a compartment."""
    return Statement("SELECT max(row) FROM heads WHERE row BETWEEN ? AND ?", row_range(compartment, type_))


def is_small(compartment: PatientId, type_: str, last: int | None, ids: int) -> bool:
    """Tell whether it is quicker to go through all rows of a type in a compartment than to find so many ids.

    The rows lie side by side; each id is a descent into the index of all ids of the store, to a page of its own.
    last: the last row, as `last_row` selects it.
    """
    return last is not None and last - row_range(compartment, type_)[0] < _ROWS_FOR_AN_ID * ids


def page(search: Search, visibility: Visibility, hashes: Hashes, *, through: bool = False) -> Statement:
    """Select one row more than a page: sort value, head, facts, encrypted body.

    through: go through all rows of the type in the compartment, even to find ids.
    """
    asked = Asked(search, visibility, hashes, Params(), through)
    direction = "DESC" if search.descending else "ASC"
    value = asked.order_value()
    source, where = _matching(asked)
    order = f"ORDER BY {value} {direction}, h.id {direction} LIMIT {asked.params.add(search.limit + 1)}"
    if search.type == TRACE:
        sql = f"SELECT {value}, {_TRACE_HEAD}, {_FACTS}, h.body FROM {source} WHERE {where} {order}"
        return Statement(sql, asked.params.values)
    inner = f"SELECT h.row AS row, {value} AS value FROM {source} WHERE {where} {order}"
    sql = (
        f"SELECT m.value, {_HEAD}, {_FACTS}, b.body FROM ({inner}) AS m CROSS JOIN heads AS h USING (row)"
        f" CROSS JOIN bodies AS b USING (row) ORDER BY m.value {direction}, h.id {direction}"
    )
    return Statement(sql, asked.params.values)


def total(search: Search, visibility: Visibility, hashes: Hashes, cap: int, *, through: bool = False) -> Statement:
    """Select the number of matches, at most one more than the cap. through: as in `page`."""
    asked = Asked(search, visibility, hashes, Params(), through)
    source, where = _matching(asked, everything=True)
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {source} WHERE {where} LIMIT {asked.params.add(cap + 1)})"
    return Statement(sql, asked.params.values)


def matching(search: Search, visibility: Visibility, hashes: Hashes, cap: int, *, through: bool = False) -> Statement:
    """Select the ids of the matches, at most one more than the cap. through: as in `page`."""
    asked = Asked(search, visibility, hashes, Params(), through)
    source, where = _matching(asked, everything=True)
    return Statement(f"SELECT h.id FROM {source} WHERE {where} LIMIT {asked.params.add(cap + 1)}", asked.params.values)


def seen_among(
    type_: str, ids: frozenset[str], visibility: Visibility, *, gone: bool = False, through: bool = False
) -> Statement:
    """Select those ids that are visible. gone: include deleted ones. through: as in `page`."""
    params = Params()
    named = among("h.id", ids, params)
    seen = f"{named} AND {visible(type_, visibility, params)}"
    if type_ == TRACE:
        return Statement(f"SELECT h.id FROM trail AS h WHERE {seen}", params.values)
    table, place = _through(visibility.compartment, type_, params) if through else ("heads AS h", "1")
    present = "1" if gone else "h.deleted = 0"
    sql = f"SELECT h.id FROM {table} WHERE {place} AND h.type = {params.add(type_)} AND {present} AND {seen}"
    return Statement(sql, params.values)


def split(row: tuple[Any, ...]) -> tuple[Head, Facts, bytes]:
    """Split a selected row into head, facts and encrypted body."""
    return Head(*row[:_HEAD_WIDTH]), facts_of(row[_HEAD_WIDTH:-1]), row[-1]


def location(row: tuple[Any, ...]) -> Location | None:
    """Return where the resource of a selected row is, None for an audit event of an erased space."""
    head, facts = Head(*row[:_HEAD_WIDTH]), row[_HEAD_WIDTH:-1]
    compartment = facts[_COMPARTMENT]
    return None if compartment == ERASED else Location(compartment, bool(head.deleted))


def _matching(asked: Asked, *, everything: bool = False) -> tuple[str, str]:
    """Return the source of the rows `h`, and the condition of a match."""
    params, search = asked.params, asked.search
    where = asked.conditions() if everything else f"{asked.conditions()} AND {asked.after()}"
    if search.type == TRACE:
        return "trail AS h", where
    present = "1" if search.gone else "h.deleted = 0"
    where = f"h.type = {params.add(search.type)} AND {present} AND {where}"
    if asked.visibility.compartment == "":
        return _directory(asked), where
    if search.ids is not None and not asked.through:
        return "heads AS h", where
    table, place = _through(asked.visibility.compartment, search.type, params)
    return table, f"{place} AND {where}"


def _through(compartment: PatientId, type_: str, params: Params) -> tuple[str, str]:
    """Return the table, and the condition of a row to lie among those of a type in a compartment."""
    first, last = row_range(compartment, type_)
    return "heads AS h NOT INDEXED", f"h.row BETWEEN {params.add(first)} AND {params.add(last)}"


def _directory(asked: Asked) -> str:
    """Return the directory rows to search: those with a token, when the search has one."""
    wanted = [c.tokens for c in asked.search.criteria if isinstance(c, AnyOf) and c.tokens]
    if not wanted or asked.search.ids is not None:
        return "heads AS h"
    longest = max(wanted, key=lambda tokens: min(map(len, tokens)))  # fewer resources have a longer token
    places = asked.params.list(asked.hashes.lookup(sorted(longest)))
    source = f"SELECT DISTINCT l.row AS row FROM lookup AS l WHERE l.hash IN ({places})"
    return f"({source}) CROSS JOIN heads AS h USING (row)"
