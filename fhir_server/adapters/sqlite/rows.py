"""Stored values as rows, and back. Tokens are stored as hashes and cannot be read back."""

from typing import Any, NamedTuple

import orjson

from consent_rules.visibility import AccessFacts, Interval
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.packing import packed, unpacked
from fhir_server.domain.stored import Facts, Stored, authored_of, instant, instant_or_none, micros_or_none

FACTS = (
    "kind, category, marks, sealed_until, owner_person, owner_organization, owner_client, documents, dates,"
    " compartment, id"
)
"""Columns with the facts, in the order that `facts_of` expects."""


class FactColumns(NamedTuple):
    """The facts of one resource as columns of `heads` and `trail`."""

    kind: str
    category: str
    marks: int
    sealed_until: int | None
    owner_person: str
    owner_organization: str
    owner_client: str
    documents: str | None
    dates: str | None


def columns_of(facts: Facts) -> FactColumns:
    """Return the columns for facts."""
    access = facts.access
    return FactColumns(
        access.kind,
        access.category,
        packed(access),
        micros_or_none(access.sealed_until),
        access.owner_person,
        access.owner_organization,
        access.owner_client,
        orjson.dumps(facts.documents).decode() if facts.documents else None,
        orjson.dumps(dict(facts.dates)).decode() if facts.dates else None,
    )


def facts_of(columns: tuple[Any, ...]) -> Facts:
    """Return the facts from the columns FACTS; tokens and lookup are empty."""
    kind, category, marks, sealed, person, organization, client, documents, dates, compartment, id_ = columns
    pairs = orjson.loads(dates) if dates else {}
    found: dict[str, Interval] = dict(zip(pairs, map(tuple, pairs.values()), strict=True))
    held, labels = unpacked(marks)
    access = AccessFacts(
        compartment,
        kind,
        category,
        held,
        instant_or_none(sealed),
        person,
        organization,
        client,
        id_,
        authored_of(found),
        labels,
    )
    return Facts(
        access=access,
        dates=found,
        documents=tuple(orjson.loads(documents)) if documents else (),
    )


class Head(NamedTuple):
    """The columns of one version, besides facts and body."""

    type: str
    id: str
    version: int
    mark: int
    deleted: int
    updated: int
    marked: int | None


def stored_of(head: Head, facts: Facts, body: bytes) -> Stored:
    """Build one version."""
    return Stored(
        type=head.type,
        id=head.id,
        version=head.version,
        mark=head.mark,
        deleted=bool(head.deleted),
        last_updated=instant(head.updated),
        marked_at=instant_or_none(head.marked),
        body=body,
        facts=facts,
    )


def packed_tokens(hashes: Hashes, facts: Facts) -> bytes:
    """Return the hashes of all tokens, one after the other."""
    return b"".join(sorted(hashes.tokens(facts.access.compartment, facts.tokens)))
