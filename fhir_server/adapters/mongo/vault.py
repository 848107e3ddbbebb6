"""The vault in MongoDB: secrets under keyed hashes of their names, with encrypted values."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pymongo
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from consent_rules.visibility import micros
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.mongo.client import BRIEF_SECONDS, Document, Session, failures_named
from fhir_server.adapters.mongo.transactions import Transactions, bounded_wait
from fhir_server.adapters.mongo.writing import demand_duplicate
from fhir_server.adapters.sealing import VAULT, Keyring, Sealed, seal, unseal
from fhir_server.domain.stored import instant_or_none, micros_or_none
from fhir_server.ports.vault import Secret


class MongoVault:
    """Secrets of the authorization server. It keeps the promises of `ports.vault.Vault`.

    No command waits longer than BRIEF_SECONDS; a write outside a transaction would wait for every open transaction.
    """

    def __init__(self, transactions: Transactions, database: Database[Document], keyring: Keyring) -> None:
        """Keep the parts; the store closes them."""
        self._transactions = transactions
        self._entries = database["vault"]
        self._keyring = keyring
        self._hashes = Hashes(keyring.index_key)

    def add(self, *entries: Secret) -> bool:
        """Store all entries if none is present."""
        if not entries:
            return True
        rows = [self._row(entry) for entry in entries]

        if len(rows) == 1:
            with self._brief():
                return self._insert_one(rows[0])
        with failures_named():
            try:
                self._transactions.run(lambda session: self._insert(rows, session))
            except BulkWriteError as error:
                demand_duplicate(error)
                return False
        return True

    def get(self, kind: str, key: str, now: datetime) -> Secret | None:
        """Return an entry that has not expired."""
        with self._brief():
            row = self._entries.find_one({"_id": self._hashes.secret(kind, key)} | _alive(now))
        return self._secret(kind, key, row) if row else None

    def get_all(self, names: Sequence[tuple[str, str]], now: datetime) -> tuple[Secret | None, ...]:
        """Return entries that have not expired, in the order asked."""
        hashes = [self._hashes.secret(kind, key) for kind, key in names]
        with self._brief():
            rows = list(self._entries.find({"_id": {"$in": hashes}} | _alive(now)))
        found = {bytes(row["_id"]): row for row in rows}
        named = zip(names, hashes, strict=True)
        return tuple(self._secret(*name, found[hashed]) if hashed in found else None for name, hashed in named)

    def take(self, kind: str, key: str, now: datetime) -> Secret | None:
        """Remove and return an entry; exactly one of several concurrent callers gets it."""
        with self._brief():
            row = self._entries.find_one_and_delete({"_id": self._hashes.secret(kind, key)} | _alive(now))
        return self._secret(kind, key, row) if row else None

    def replace(self, entry: Secret) -> bool:
        """Replace the entry of the same kind and key if its revision is still `entry.revision`."""
        row = self._row(entry)
        fields = {name: row[name] for name in ("grouped", "expires", "value")}
        where = {"_id": row["_id"], "revision": entry.revision}
        with self._brief():
            done = self._entries.update_one(where, {"$set": fields, "$inc": {"revision": 1}})
        return done.matched_count == 1

    def drop(self, kind: str, key: str) -> bool:
        """Remove an entry; tell whether it existed."""
        with self._brief():
            return self._entries.delete_one({"_id": self._hashes.secret(kind, key)}).deleted_count == 1

    def drop_group(self, group: str, kinds: Iterable[str] = ()) -> int:
        """Remove all entries of a group (of these kinds only, when given); return how many."""
        named = list(kinds)
        where: Document = {"grouped": self._hashes.group(group)} | ({"kind": {"$in": named}} if named else {})
        with failures_named():
            return self._transactions.run(lambda session: self._delete(where, session))

    def entries(self, kind: str, now: datetime, group: str | None = None) -> tuple[Secret, ...]:
        """Return all entries of a kind (and of a group) that have not expired; their keys are empty."""
        where: Document = {"kind": kind} | _alive(now)
        if group is not None:
            where["grouped"] = self._hashes.group(group) if group else None
        with self._brief():
            rows = list(self._entries.find(where))
        return tuple(self._secret(kind, "", row) for row in rows)

    def purge(self, now: datetime) -> int:
        """Remove expired entries; return how many."""
        with self._brief():
            return self._entries.delete_many({"expires": {"$lte": micros(now)}}).deleted_count

    def _insert_one(self, row: Document) -> bool:
        try:
            self._entries.insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    def _insert(self, rows: Sequence[Document], session: Session) -> None:
        with bounded_wait():
            self._entries.insert_many(rows, session=session)

    def _delete(self, where: Document, session: Session) -> int:
        with bounded_wait():
            return self._entries.delete_many(where, session=session).deleted_count

    @contextmanager
    def _brief(self) -> Iterator[None]:
        """Limit the time of commands; after a vain wait, start a search for transactions of dead processes."""
        with failures_named():
            try:
                with pymongo.timeout(BRIEF_SECONDS):
                    yield
            except PyMongoError as error:
                if error.timeout:
                    self._transactions.processes.suspect()
                raise

    def _row(self, entry: Secret) -> Document:
        hashed = self._hashes.secret(entry.kind, entry.key)
        group = entry.group.encode()
        content = len(group).to_bytes(4, "big") + group + entry.value
        return {
            "_id": hashed,
            "kind": entry.kind,
            "grouped": self._hashes.group(entry.group) if entry.group else None,
            "expires": micros_or_none(entry.expires),
            "revision": entry.revision,
            "value": seal(self._keyring.sealing(VAULT), Sealed(entry.kind, hashed.hex()), content),
        }

    def _secret(self, kind: str, key: str, row: Document) -> Secret:
        content = unseal(self._keyring.by_id, Sealed(kind, row["_id"].hex()), row["value"])
        size = int.from_bytes(content[:4], "big")
        group, value = content[4 : 4 + size].decode(), content[4 + size :]
        return Secret(kind, key, value, group, instant_or_none(row["expires"]), row["revision"])


def _alive(now: datetime) -> Document:
    return {"$or": [{"expires": None}, {"expires": {"$gt": micros(now)}}]}
