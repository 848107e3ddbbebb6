"""Taking a whole space out of MongoDB, in batches that any later call goes on with.

The keys are gone before the first batch, so that what is still there opens no more. A mark on the decision state then
fences off whoever decided before: each change names the revision that it decided on.
Entries of the trail keep id, leaf and sealed body, so that the ledger can still be proven; they belong to no space any
more, and say nothing else. They are removed and written anew in one transaction: the compartment is the shard key.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import pymongo
from pymongo import DeleteOne
from pymongo.database import Database

from fhir_server.adapters.keyring import ERASED
from fhir_server.adapters.mongo.changes import ReadyChange
from fhir_server.adapters.mongo.client import Document, Session
from fhir_server.adapters.mongo.documents import LOCATORS, locator_name
from fhir_server.adapters.mongo.lookups import rows_filter
from fhir_server.adapters.mongo.transactions import Transactions
from fhir_server.adapters.mongo.writing import Writing
from fhir_server.ports import StoreUnavailable

BATCH = 300
"""Entries of the trail in one transaction, each three changes: MongoDB advises a thousand changes at most."""
_READING_SECONDS = 600.0
"""How long one batch may be looked for: nobody waits for an erasure as for a page."""
_NOBODY = "#nobody"
"""A compartment in which nothing ever is."""
_HEAD_FIELDS = ("type", "id", "lookup")
_FORGOTTEN: Document = {
    "compartment": ERASED,
    "kind": "",
    "category": "",
    "marks": [],
    "sealed_until": None,
    "owner": ["", "", ""],
    "owners": [],
    "documents": [],
    "gathers": False,
    "dates": {},
    "tokens": [],
    "lookup": [],
}


class Erasure:
    """The erasure of one space."""

    def __init__(self, database: Database[Document], transactions: Transactions, compartment: str) -> None:
        """Keep the parts."""
        self._database = database
        self._transactions = transactions
        self._compartment = compartment
        self._of_space: Document = {"compartment": compartment}

    def demand_rights(self) -> None:
        """Ask for the right that an erasure needs before anything is destroyed: to remove entries from the trail.

        Raises: PyMongoError when the account of this server lacks it.
        """
        self._database["trail"].delete_one({"_id": "", "compartment": _NOBODY})

    def empty(self) -> None:
        """Remove all resources with all their versions; let the trail forget whom it was about."""
        space = {"_id": self._compartment, "compartment": self._compartment}
        fence = {"$set": {"erasing": True}, "$inc": {"revision": 1}}
        self._transactions.run(lambda session: self._database["spaces"].update_one(space, fence, session=session))
        while self._remove_heads() or self._remove_versions():
            pass
        for batch in self._trail_in_batches():
            self._transactions.run(partial(self._forget, batch))

    def finish(self, claims: Iterable[bytes], change: ReadyChange) -> None:
        """Remove the decision state and some unique values, and apply a change, in one transaction."""
        freed = list(claims)

        def work(session: Session) -> None:
            if freed:
                self._database["claims"].delete_many({"_id": {"$in": freed}}, session=session)
            space = {"_id": self._compartment, "compartment": self._compartment}
            self._database["spaces"].delete_one(space, session=session)
            Writing(self._database, session).apply((change,))

        self._transactions.run(work)

    def _remove_heads(self) -> int:
        """Remove some resources: first what leads to them, so that a crash leaves nothing that leads nowhere."""
        heads = self._database["heads"]
        found = list(heads.find(self._of_space, dict.fromkeys(_HEAD_FIELDS, 1)).limit(BATCH))
        for head in found:
            if head["lookup"]:
                self._database["lookups"].delete_many(rows_filter(head))
        self._remove("heads", LOCATORS, [locator_name(head["type"], head["id"]) for head in found])
        return self._remove("heads", self._compartment, [head["_id"] for head in found])

    def _remove_versions(self) -> int:
        found = self._database["versions"].find(self._of_space, {"_id": 1}).limit(BATCH)
        return self._remove("versions", self._compartment, [version["_id"] for version in found])

    def _trail_in_batches(self) -> Iterator[list[Document]]:
        """Give the entries that are there now. They never change, so that they are read outside the transactions."""
        trail = self._database["trail"]
        with pymongo.timeout(_READING_SECONDS):
            newest = trail.find_one(self._of_trail(), {"order": 1}, sort=[("order", -1)])
        until = self._of_trail() | {"order": {"$lte": newest["order"] if newest else ""}}
        entries = trail.find(until, batch_size=BATCH).sort("order", 1)
        while True:
            with pymongo.timeout(_READING_SECONDS):
                batch = list(islice(entries, BATCH))
            if not batch:
                return
            yield batch

    def _forget(self, entries: Sequence[Document], session: Session) -> None:
        """Remove neighbours in the index with their locators; add them again under no space."""
        trail = self._database["trail"]
        between = {"deleted": False, "order": {"$gte": entries[0]["order"], "$lte": entries[-1]["order"]}}
        trail.delete_many({"compartment": LOCATORS, "type": self._compartment} | between, session=session)
        if trail.delete_many(self._of_trail() | between, session=session).deleted_count != len(entries):
            raise StoreUnavailable("the trail of this space has changed while it was erased: erase it again")
        trail.insert_many([entry | _FORGOTTEN for entry in entries], session=session)

    def _remove(self, name: str, compartment: str, ids: Sequence[str]) -> int:
        """Remove documents in one command, each by its whole key: no planner can choose a worse index."""
        if not ids:
            return 0
        removals = [DeleteOne({"_id": id_, "compartment": compartment}) for id_ in ids]
        return self._database[name].bulk_write(removals).deleted_count

    def _of_trail(self) -> Document:
        return self._of_space | {"type": "AuditEvent", "deleted": False}
