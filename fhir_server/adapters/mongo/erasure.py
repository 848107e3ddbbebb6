"""Taking a whole space out of MongoDB, inside one transaction.

Entries of the trail keep id, leaf and sealed body, so that the ledger can still be proven; they belong to no space any
more, and say nothing else. They are written anew: the compartment is the shard key, which many at once cannot change.
"""

from collections.abc import Iterable

from pymongo.database import Database

from fhir_server.adapters.keyring import ERASED
from fhir_server.adapters.mongo.client import Document, Session

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


def erase(database: Database[Document], session: Session, compartment: str, claims: Iterable[bytes]) -> None:
    """Remove all resources with all their versions, the decision state, and some unique values."""
    of_space = {"compartment": compartment}
    for name in ("heads", "versions"):
        database[name].delete_many(of_space, session=session)
    database["spaces"].delete_one({"_id": compartment}, session=session)
    for claim in claims:
        database["claims"].delete_one({"_id": claim}, session=session)
    trail = database["trail"]
    kept = [entry | _FORGOTTEN for entry in trail.find(of_space, session=session)]
    if kept:
        trail.delete_many(of_space, session=session)
        trail.insert_many(kept, session=session)
