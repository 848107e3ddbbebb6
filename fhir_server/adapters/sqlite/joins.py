"""Many values at once: a join leaves hundreds of references, of which a row must have one.

SQLite limits the depth of an expression, and looking for each value in each row costs their product. One function of
the connection splits the tokens of a row and compares them with the set of all values; the statement stays flat.

Source: https://www.sqlite.org/limits.html#max_expr_depth; https://www.sqlite.org/appfunc.html.
"""

from collections.abc import Iterable
from functools import lru_cache
from sqlite3 import Connection
from typing import Protocol

from fhir_server.adapters.hashing import TOKEN_BYTES

FEW = 12
"""Up to so many values a row is searched for each of them, which is quicker."""
_NAME = "has_one_of"


class _Params(Protocol):
    def add(self, value: bytes) -> str:
        """Return the placeholder of a value."""


def has_one_of(column: str, hashed: Iterable[bytes], params: _Params) -> str:
    """Return the condition that a column of packed tokens has one of these hashes: one value of the statement."""
    return f"{_NAME}({column}, {params.add(b''.join(sorted(hashed)))})"


def register(connection: Connection) -> None:
    """Let a connection answer `has_one_of`."""
    connection.create_function(_NAME, 2, _has_one_of, deterministic=True)


def _has_one_of(held: bytes, wanted: bytes) -> bool:
    return not _cut(wanted).isdisjoint(held[place : place + TOKEN_BYTES] for place in range(0, len(held), TOKEN_BYTES))


@lru_cache(maxsize=8)
def _cut(packed: bytes) -> frozenset[bytes]:
    """Split packed tokens; the result is kept, because each row of a statement asks for the same tokens."""
    return frozenset(packed[place : place + TOKEN_BYTES] for place in range(0, len(packed), TOKEN_BYTES))
