"""Rows that lead from a lookup token to the resources of all spaces that have it, in the order of their queue."""

from collections.abc import Mapping

from fhir_server.adapters.mongo.client import Document
from fhir_server.adapters.mongo.documents import order_of
from fhir_server.domain import reviews

QUEUES: Mapping[str, str] = {reviews.TYPE: reviews.DUE}
"""Types that stand in a queue, and the date parameter by which they stand there."""


def rows_of(head: Document) -> list[Document]:
    """Return the rows of a head, one for each lookup token; none when it is deleted.

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
