"""The vault in the SQLite file: secrets under keyed hashes of their names, with encrypted values."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from consent_rules.visibility import micros
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.sealing import VAULT, Keyring, Sealed, seal, unseal
from fhir_server.adapters.sqlite.store import Database
from fhir_server.domain.stored import instant_or_none, micros_or_none
from fhir_server.ports.vault import Secret

_ALIVE = "(expires IS NULL OR expires > ?)"
_COLUMNS = "key, value, expires, revision"
_ONE = f"SELECT {_COLUMNS} FROM vault WHERE kind = ? AND key = ? AND {_ALIVE}"
_INSERT = (
    "INSERT INTO vault (kind, key, grouped, expires, revision, value) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class _Taken(Exception):
    """Undoes a write because one of its entries exists already."""


class SqliteVault:
    """Secrets of the authorization server. It keeps the promises of `ports.vault.Vault`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        """Keep the parts; the store closes them."""
        self._database = database
        self._keyring = keyring
        self._hashes = Hashes(keyring.index_key)

    def add(self, *entries: Secret) -> bool:
        """Store all entries if none is present."""
        rows = [self._row(entry) for entry in entries]

        def insert(connection: Connection) -> None:
            for row in rows:
                if not connection.execute(_INSERT, row).rowcount:
                    raise _Taken

        try:
            self._database.writer.run(insert)
        except _Taken:
            return False
        return True

    def get(self, kind: str, key: str, now: datetime) -> Secret | None:
        """Return an entry that has not expired."""
        return self.get_all(((kind, key),), now)[0]

    def get_all(self, names: Sequence[tuple[str, str]], now: datetime) -> tuple[Secret | None, ...]:
        """Return entries that have not expired, in the order asked."""
        at = micros(now)
        hashes = [self._hashes.secret(kind, key) for kind, key in names]
        values = [value for (kind, _), hashed in zip(names, hashes, strict=True) for value in (kind, hashed, at)]
        with self._database.readers.lend() as connection:
            rows = connection.execute(" UNION ALL ".join([_ONE] * len(names)), values).fetchall()
        found = {row[0]: row for row in rows}
        named = zip(names, hashes, strict=True)
        return tuple([self._secret(*name, found[hashed]) if hashed in found else None for name, hashed in named])

    def take(self, kind: str, key: str, now: datetime) -> Secret | None:
        """Remove and return an entry; exactly one of several concurrent callers gets it."""
        statement = f"DELETE FROM vault WHERE kind = ? AND key = ? AND {_ALIVE} RETURNING {_COLUMNS}"
        values = (kind, self._hashes.secret(kind, key), micros(now))
        rows = self._database.writer.run(lambda connection: connection.execute(statement, values).fetchall())
        return self._secret(kind, key, rows[0]) if rows else None

    def replace(self, entry: Secret) -> bool:
        """Replace the entry of the same kind and key if its revision is still `entry.revision`."""
        kind, key, grouped, expires, _, value = self._row(entry)
        values = (grouped, expires, value, kind, key, entry.revision)
        return (
            self._change(
                "UPDATE vault SET grouped = ?, expires = ?, value = ?, revision = revision + 1"
                " WHERE kind = ? AND key = ? AND revision = ?",
                values,
            )
            == 1
        )

    def drop(self, kind: str, key: str) -> bool:
        """Remove an entry; tell whether it existed."""
        return self._change("DELETE FROM vault WHERE kind = ? AND key = ?", (kind, self._hashes.secret(kind, key))) == 1

    def drop_group(self, group: str, kinds: Iterable[str] = ()) -> int:
        """Remove all entries of a group (of these kinds only, when given); return how many."""
        named = tuple(kinds)
        among = f" AND kind IN ({', '.join('?' * len(named))})" if named else ""
        return self._change(f"DELETE FROM vault WHERE grouped = ?{among}", (self._hashes.group(group), *named))

    def entries(self, kind: str, now: datetime, group: str | None = None) -> tuple[Secret, ...]:
        """Return all entries of a kind (and of a group) that have not expired; their keys are empty."""
        among = "" if group is None else " AND grouped IS ?"
        values = () if group is None else (self._hashes.group(group) if group else None,)
        with self._database.readers.lend() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM vault WHERE kind = ? AND {_ALIVE}{among}", (kind, micros(now), *values)
            ).fetchall()
        return tuple(self._secret(kind, "", row) for row in rows)

    def purge(self, now: datetime) -> int:
        """Remove expired entries; return how many."""
        return self._change("DELETE FROM vault WHERE expires <= ?", (micros(now),))

    def _change(self, statement: str, values: tuple[Any, ...]) -> int:
        return self._database.writer.run(lambda connection: connection.execute(statement, values).rowcount)

    def _row(self, entry: Secret) -> tuple[Any, ...]:
        hashed = self._hashes.secret(entry.kind, entry.key)
        group = entry.group.encode()
        content = len(group).to_bytes(4, "big") + group + entry.value
        sealed = seal(self._keyring.sealing(VAULT), Sealed(entry.kind, hashed.hex()), content)
        grouped = self._hashes.group(entry.group) if entry.group else None
        return entry.kind, hashed, grouped, micros_or_none(entry.expires), entry.revision, sealed

    def _secret(self, kind: str, key: str, row: tuple[Any, ...]) -> Secret:
        hashed, sealed, expires, revision = row
        content = unseal(self._keyring.by_id, Sealed(kind, hashed.hex()), sealed)
        size = int.from_bytes(content[:4], "big")
        group, value = content[4 : 4 + size].decode(), content[4 + size :]
        return Secret(kind, key, value, group, instant_or_none(expires), revision)
