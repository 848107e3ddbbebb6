"""Erasing a whole space from MongoDB, in batches; a later call continues where one stopped.

The keys are destroyed before the first batch, so the remaining data cannot be decrypted. A mark on the decision state
then stops changes that were decided earlier: each change names the revision of its decision.
Entries of the audit log keep id, hash and encrypted body, so that the ledger can still be verified; they belong to no
space any more, and say nothing else. A transaction removes them and writes them anew, because the compartment is the
shard key.
Each step may be done twice. A step that the server did not answer is repeated some times before the erasure gives up.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import sleep
from typing import TypeVar

import pymongo
from pymongo import DeleteOne
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError

from consent_rules.vocabulary import PatientId
from fhir_server.adapters.mongo.changes import ReadyChange
from fhir_server.adapters.mongo.client import Document, Session
from fhir_server.adapters.mongo.documents import LOCATORS, locator_name, rows_filter
from fhir_server.adapters.mongo.transactions import TRANSIENT, Landed, Transactions
from fhir_server.adapters.mongo.writing import Writing
from fhir_server.adapters.sealing import ERASED
from fhir_server.ports.store import OutcomeUnknown, StoreUnavailable
from fhir_server.registry import TRACE

T = TypeVar("T")

BATCH = 300
"""Audit events in one transaction, with three changes each: MongoDB advises at most a thousand changes."""
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before a step without an answer is repeated: an election takes about ten."""
_READING_SECONDS = 600.0
"""How long reading the audit log may take: nobody waits for an erasure as for a page."""
_NOBODY = "#nobody"
"""A compartment that is always empty."""
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

    def __init__(self, database: Database[Document], transactions: Transactions, compartment: PatientId) -> None:
        """Keep the parts."""
        self._database = database
        self._transactions = transactions
        self._compartment = compartment
        self._of_space: Document = {"compartment": compartment}

    def demand_rights(self) -> None:
        """Check, before anything is destroyed, for the right that an erasure needs: to remove entries of the audit log.

        Raises: PyMongoError when the account of this server lacks it.
        """
        self._database["trail"].delete_one({"_id": "", "compartment": _NOBODY})

    def empty(self) -> None:
        """Remove all resources with all their versions; remove the space from its audit events."""
        space = {"_id": self._compartment, "compartment": self._compartment}
        fence = {"$set": {"erasing": True}, "$inc": {"revision": 1}}
        self._in_transaction(lambda session: self._database["spaces"].update_one(space, fence, session=session))
        while _resumed(self._remove_heads) or _resumed(self._remove_versions) or _resumed(self._remove_messages):
            pass
        for first, last in _resumed(self._batches_of_trail):
            self._in_transaction(partial(self._forget, first, last))

    def finish(self, claims: Iterable[bytes], change: ReadyChange, landed: Landed) -> None:
        """Remove the decision state and some unique values, and apply a change, in one transaction.

        landed: tells whether that is done. Others may soon use the freed values, so they must not be freed twice.
        """
        freed = list(claims)

        def work(session: Session) -> None:
            if freed:
                self._database["claims"].delete_many({"_id": {"$in": freed}}, session=session)
            space = {"_id": self._compartment, "compartment": self._compartment}
            self._database["spaces"].delete_one(space, session=session)
            Writing(self._database, session).apply((change,))

        self._transactions.run(work, landed)

    def _remove_heads(self) -> int:
        """Remove some resources. Locators and rows go first, so that after a crash none leads to a removed resource."""
        heads = self._database["heads"]
        found = list(heads.find(self._of_space, dict.fromkeys(_HEAD_FIELDS, 1)).limit(BATCH))
        for head in found:
            if head["lookup"]:
                self._database["lookups"].delete_many(rows_filter(head))
        self._remove("heads", LOCATORS, [locator_name(head["type"], head["id"]) for head in found])
        return self._remove("heads", self._compartment, [head["_id"] for head in found])

    def _remove_versions(self) -> int:
        return self._remove_all("versions")

    def _remove_messages(self) -> int:
        return self._remove_all("outbox")

    def _remove_all(self, name: str) -> int:
        found = self._database[name].find(self._of_space, {"_id": 1}).limit(BATCH)
        return self._remove(name, self._compartment, [one["_id"] for one in found])

    def _batches_of_trail(self) -> Sequence[tuple[str, str]]:
        """Return the first and last position of each batch of the present audit events.

        The locators give them: they are small, and one index has everything that is needed.
        """
        locators = self._database["trail"].find(self._locators(), {"_id": 0, "order": 1})
        with pymongo.timeout(_READING_SECONDS):
            places = sorted(locator["order"] for locator in locators)
        return [(places[n], places[min(n + BATCH, len(places)) - 1]) for n in range(0, len(places), BATCH)]

    def _forget(self, first: str, last: str, session: Session) -> None:
        """Remove adjacent audit events and their locators; add them again without a space."""
        trail = self._database["trail"]
        between = {"order": {"$gte": first, "$lte": last}}
        where = self._of_space | {"type": TRACE, "deleted": False} | between
        entries = list(trail.find(where, session=session))
        trail.delete_many(self._locators() | between, session=session)
        if not entries:
            return
        if trail.delete_many(where, session=session).deleted_count != len(entries):
            raise StoreUnavailable("the trail of this space has changed while it was erased: erase it again")
        trail.insert_many([entry | _FORGOTTEN for entry in entries], session=session)

    def _in_transaction(self, work: Callable[[Session], object]) -> None:
        _resumed(lambda: self._transactions.run(work))

    def _remove(self, name: str, compartment: str, ids: Sequence[str]) -> int:
        """Remove documents in one command, each by its whole key, so that no query planner can choose a worse index."""
        if ids:
            self._database[name].bulk_write([DeleteOne({"_id": id_, "compartment": compartment}) for id_ in ids])
        return len(ids)

    def _locators(self) -> Document:
        return {"compartment": LOCATORS, "type": self._compartment, "deleted": False}


def _resumed(step: Callable[[], T]) -> T:
    """Do a step; repeat it after a pause while no answer tells how it ended."""
    for pause in PAUSES:
        try:
            return step()
        except (OutcomeUnknown, PyMongoError) as error:
            if not _is_unanswered(error):
                raise
        sleep(pause)
    return step()


def _is_unanswered(error: OutcomeUnknown | PyMongoError) -> bool:
    if isinstance(error, OutcomeUnknown | ConnectionFailure):
        return True
    return error.timeout or error.has_error_label(TRANSIENT)
