"""What the databases of the MongoDB store contain before a start creates anything, and the mark in them."""

from pathlib import Path

from pymongo.database import Database

from fhir_server.adapters.installation import Part, Parts, contents_part
from fhir_server.adapters.mongo.client import Document, failures_named
from fhir_server.adapters.sealing import INDEX
from fhir_server.ports.store import StoreUnavailable

_HOLDS = ("heads", "trail", "vault", "spaces")
_MARK = {"_id": "installation"}


def look(data: Database[Document], keys: Database[Document], contents: Path) -> Parts:
    """Inspect the parts of an installation without creating any of them.

    Raises: StoreUnavailable, also when a database with a mark lacks a collection.
    """
    with failures_named():
        names = frozenset(data.list_collection_names())
        mark = _mark(data)
        for name in _HOLDS if mark else ():
            if name not in names:
                raise StoreUnavailable(f"collection {name} of database {data.name} is missing: put back a backup")
        held = [name for name in _HOLDS if not mark and data[name].estimated_document_count()]
        filed = "heads" in held and data["heads"].find_one({"type": "Binary"}, ["_id"]) is not None
        used = keys["keys"].find_one({"name": {"$ne": INDEX}}, ["_id"]) is not None
        return Parts(
            Part(f"database {data.name}", mark, bool(held)),
            Part(f"database {keys.name}", _mark(keys), used),
            contents_part(contents),
            filed,
        )


def keep_mark(database: Database[Document], mark: str) -> str:
    """Store a mark unless there is one; return the stored mark."""
    with failures_named():
        database["meta"].update_one(_MARK, {"$setOnInsert": {"mark": mark}}, upsert=True)
        return _mark(database)


def _mark(database: Database[Document]) -> str:
    found = database["meta"].find_one(_MARK)
    return str(found["mark"]) if found else ""
