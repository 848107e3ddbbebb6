"""The audit events of all spaces by their time: first a bounded stretch of the index, then what is visible of it.

The index has no entry for an erased space. Each statement after the first takes positions that the first has found.
"""

from collections.abc import Iterable

import orjson

from consent_rules.visibility import Interval, Visibility
from fhir_server.adapters.judging import sorted_ways
from fhir_server.adapters.sqlite.filters import Params, clauses
from fhir_server.adapters.sqlite.tables import FACTS, Statement
from fhir_server.domain.search.criteria import Search
from fhir_server.registry import TRACE

_WHEN = """json_extract(h.dates, '$."date"[0]')"""
"""The date of an event, written as in the index `trail_by_time`, so that SQLite uses that index."""
_FACTS = ", ".join(f"h.{column.strip()}" for column in FACTS.split(","))


def stretch(search: Search, span: Interval, looks: int) -> Statement:
    """Select (position, value, id) of one event more than may be looked at, in order."""
    params = Params()
    sign, direction = ("<", "DESC") if search.descending else (">", "ASC")
    where = f"{_WHEN} >= {params.add(span[0])} AND {_WHEN} < {params.add(span[1])}"
    if search.after:
        where += f" AND ({_WHEN}, h.id) {sign} ({params.add(search.after.value)}, {params.add(search.after.id)})"
    sql = (
        f"SELECT h.position, {_WHEN}, h.id FROM trail AS h INDEXED BY trail_by_time"
        f" WHERE h.dates IS NOT NULL AND {where}"
        f" ORDER BY {_WHEN} {direction}, h.id {direction} LIMIT {params.add(looks + 1)}"
    )
    return Statement(sql, params.values)


def visible(positions: Iterable[int], visibility: Visibility) -> Statement:
    """Select (position, tokens, facts) of those events that are visible."""
    params = Params()
    among = _among(positions, params)
    shown = clauses(sorted_ways(visibility)[0], "h", params)
    return Statement(f"SELECT h.position, h.tokens, {_FACTS} FROM trail AS h WHERE {among} AND {shown}", params.values)


def bodies(positions: Iterable[int]) -> Statement:
    """Select (position, head, facts, encrypted body) of these events."""
    params = Params()
    among = _among(positions, params)
    head = f"'{TRACE}', h.id, 1, 0, 0, h.updated, NULL"
    return Statement(f"SELECT h.position, {head}, {_FACTS}, h.body FROM trail AS h WHERE {among}", params.values)


def located(type_: str, ids: Iterable[str]) -> Statement:
    """Select (id, compartment) of these ids."""
    params = Params()
    table = "trail AS h" if type_ == TRACE else "heads AS h"
    of_type = "1" if type_ == TRACE else f"h.type = {params.add(type_)}"
    wanted = params.add(orjson.dumps(sorted(ids)).decode())
    sql = f"SELECT h.id, h.compartment FROM {table} WHERE {of_type} AND h.id IN (SELECT value FROM json_each({wanted}))"
    return Statement(sql, params.values)


def has(tokens: bytes, hashed: list[bytes]) -> bool:
    """Tell whether packed tokens hold one of these hashes."""
    return any(one in tokens for one in hashed)


def _among(positions: Iterable[int], params: Params) -> str:
    wanted = params.add(orjson.dumps(list(positions)).decode())
    return f"h.position IN (SELECT value FROM json_each({wanted}))"
