"""Erasing a whole space from the SQLite file, inside the writer's transaction.

Entries of the audit log keep position, hash, id and encrypted body, so that the ledger can still be verified; they
belong to no space any more, and say nothing else.
"""

from collections.abc import Iterable
from sqlite3 import Connection

from consent_rules.vocabulary import PatientId
from fhir_server.adapters.hashing import TOKEN_BYTES
from fhir_server.adapters.sealing import ERASED
from fhir_server.adapters.sqlite.tables import row_range

_HEADS = "SELECT row, lookup FROM heads WHERE row BETWEEN ? AND ? AND compartment = ?"
_FORGET_TRACES = f"""UPDATE trail SET compartment = '{ERASED}', kind = '', category = '', marks = 0,
    sealed_until = NULL, owner_person = '', owner_organization = '', owner_client = '',
    documents = NULL, dates = NULL, tokens = x''
    WHERE compartment = ?"""


def erase(connection: Connection, compartment: PatientId, types: Iterable[str], claims: Iterable[bytes]) -> None:
    """Remove the resources of these types with all versions; messages, decision state and some unique values."""
    for type_ in types:
        for row, lookup in connection.execute(_HEADS, (*row_range(compartment, type_), compartment)).fetchall():
            _remove(connection, row, lookup)
    connection.execute("DELETE FROM outbox WHERE compartment = ?", (compartment,))
    connection.execute("DELETE FROM spaces WHERE patient = ?", (compartment,))
    connection.executemany("DELETE FROM claims WHERE hash = ?", [(claim,) for claim in claims])
    connection.execute(_FORGET_TRACES, (compartment,))


def _remove(connection: Connection, row: int, lookup: bytes) -> None:
    hashes = [lookup[start : start + TOKEN_BYTES] for start in range(0, len(lookup), TOKEN_BYTES)]
    connection.executemany("DELETE FROM lookup WHERE hash = ? AND row = ?", [(hashed, row) for hashed in hashes])
    for table in ("versions", "bodies", "heads"):
        connection.execute(f"DELETE FROM {table} WHERE row = ?", (row,))
