"""Stored values as documents, and back; tokens are stored as hashes and cannot be read back.

Documents called rows lead from a lookup token to the resources of all spaces with it, in the order of their queue.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from consent_rules.visibility import AccessFacts, micros
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.messages import SealedMessage
from fhir_server.adapters.mongo.client import Document
from fhir_server.adapters.preparing import each_bit, packed, unpacked
from fhir_server.domain import review_files
from fhir_server.domain.search.criteria import Place
from fhir_server.domain.stored import Facts, Stored, authored_of, instant, instant_or_none, micros_or_none
from fhir_server.registry import TRACE

LOCATORS = "#at"
"""The compartment under which the locators are stored, apart from the resources that they lead to."""
_OFFSET = 1 << 62
"""Makes every instant positive, so that the texts of `order` sort like the instants."""
_CHANCE_BYTES = 8

QUEUES: Mapping[str, str] = {review_files.TYPE: review_files.DUE}
"""Types that have a queue, and the date parameter that gives its order."""


def name_of(type_: str, id_: str) -> str:
    """Return the key of a resource."""
    return f"{type_}/{id_}"


def locator_name(type_: str, id_: str) -> str:
    """Return the key of the locator of a resource."""
    return f"at/{type_}/{id_}"


def locator_of(head: Document) -> Document:
    """Return the locator of a current document or audit event: it is found by the id alone, and gives the compartment.

    The field `type` has the compartment, and the order is next to it: so one index also finds all locators of a space.
    `when`, of an audit event alone, is a text of its date and id: another index finds the events of all spaces by it.
    """
    shared = {"deleted": False, "order": head["order"]}
    if head["type"] == TRACE and "date" in head["dates"]:
        shared["when"] = order_of(head["dates"]["date"]["from"], head["id"])
    return {
        "_id": locator_name(head["type"], head["id"]),
        "compartment": LOCATORS,
        "type": head["compartment"],
    } | shared


def order_of(value: int, id_: str) -> str:
    """Return one text that sorts by instant, then by id."""
    return f"{value + _OFFSET:020d}{id_}"


def place_of(order: str) -> Place:
    """Return the position that a text of `order_of` stands for."""
    digits = 20
    return Place(int(order[:digits]) - _OFFSET, order[digits:])


def numbers(hashed: list[bytes]) -> list[int]:
    """Return hashes as signed 64-bit numbers, in order."""
    return sorted(int.from_bytes(one, "big", signed=True) for one in hashed)


def head_of(stored: Stored, hashes: Hashes, body: bytes) -> Document:
    """Return the document of a current version."""
    updated = micros(stored.last_updated)
    document = {
        "_id": name_of(stored.type, stored.id),
        "compartment": stored.facts.access.compartment,
        "type": stored.type,
        "id": stored.id,
        "version": stored.version,
        "deleted": stored.deleted,
        "updated": updated,
        "order": order_of(updated, stored.id),
        "body": body,
    }
    return document | marks_of(stored) | tokens_of(stored.facts, hashes)


def marks_of(stored: Stored) -> Document:
    """Return the fields that a change of marks replaces."""
    access, marked = stored.facts.access, micros_or_none(stored.marked_at)
    return {
        "mark": stored.mark,
        "marked": marked,
        "touched": max(micros(stored.last_updated), micros(stored.last_updated) if marked is None else marked),
        "kind": access.kind,
        "category": access.category,
        "marks": list(each_bit(packed(access))),
        "sealed_until": micros_or_none(access.sealed_until),
        "owner": [access.owner_person, access.owner_organization, access.owner_client],
        "owners": sorted(access.owners),
        "documents": list(stored.facts.documents),
        "gathers": bool(stored.facts.documents),
        "dates": {param: {"from": first, "to": last} for param, (first, last) in stored.facts.dates.items()},
    }


def tokens_of(facts: Facts, hashes: Hashes) -> Document:
    """Return the fields of the tokens; `words` finds resources of the directory."""
    tokens = numbers(hashes.of(facts))
    found: Document = {"tokens": tokens, "lookup": numbers(hashes.lookup(facts.lookup))}
    if not facts.access.compartment:
        found["words"] = tokens
    return found


def facts_of(document: Document) -> Facts:
    """Return the facts of a current version; tokens and lookup are empty."""
    person, organization, client = document["owner"]
    marks, labels = unpacked(sum(document["marks"]))
    dates = {param: (bounds["from"], bounds["to"]) for param, bounds in document["dates"].items()}
    access = AccessFacts(
        document["compartment"],
        document["kind"],
        document["category"],
        marks,
        instant_or_none(document["sealed_until"]),
        person,
        organization,
        client,
        document["id"],
        authored_of(dates),
        labels,
    )
    return Facts(access, dates=dates, documents=tuple(document["documents"]))


def stored_of(head: Document, version: Document, facts: Facts, body: bytes) -> Stored:
    """Build one version: `version` gives number, deletion and instant, `head` the rest."""
    return Stored(
        type=head["type"],
        id=head["id"],
        version=version["version"],
        mark=head["mark"],
        deleted=version["deleted"],
        last_updated=instant(version["updated"]),
        marked_at=instant_or_none(head["marked"]),
        body=body,
        facts=facts,
    )


def superseded(head: Document) -> Document:
    """Return the document of a version that was replaced."""
    kept: dict[str, Any] = {field: head[field] for field in ("compartment", "version", "deleted", "updated", "body")}
    return {"_id": f"{head['_id']}/{head['version']}", "head": head["_id"]} | kept


def rows_of(head: Document) -> list[Document]:
    """Return the rows of a current version, one for each lookup token; none when it is deleted.

    token: shard key. lookup: all tokens of the resource. place: by the date of its queue, then by id.
    """
    if head["deleted"]:
        return []
    first = head["dates"].get(QUEUES.get(head["type"], ""), {"from": 0})["from"]
    shared = {name: head[name] for name in ("type", "id", "compartment", "lookup")}
    shared |= {"value": first, "place": order_of(first, head["id"])}
    return [{"_id": row_name(head, token), "token": token, **shared} for token in head["lookup"]]


def row_name(head: Document, token: int) -> str:
    """Return the key of the row of one token."""
    return f"{token}/{head['type']}/{head['id']}"


def rows_filter(head: Document) -> Document:
    """Return the filter that finds all rows of a head."""
    tokens = head["lookup"]
    return {"token": {"$in": tokens}, "_id": {"$in": [row_name(head, token) for token in tokens]}}


def message_documents(messages: Sequence[SealedMessage]) -> tuple[Document, ...]:
    """Return messages of one change as new documents.

    The position is a text of the change's instant, a random part, and the number in the change: no counter is shared.
    `order` is a text of due instant and position, so that what is ready is one range at the end of an index.
    """
    by_chance = secrets.token_hex(_CHANCE_BYTES)
    return tuple(_message_document(message, f"{by_chance}{number:04d}") for number, message in enumerate(messages))


def _message_document(message: SealedMessage, tie: str) -> Document:
    position = order_of(message.at, tie)
    return {
        "_id": message.key.hex(),
        "compartment": message.compartment,
        "lane": message.lane,
        "at": message.at,
        "due": message.due,
        "position": position,
        "order": order_of(message.due, position),
        "attempts": 0,
        "error": None,
        "dead": False,
        "body": message.body,
    }
