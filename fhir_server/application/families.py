"""Documents that replace each other: they share kind and marks, whoever filed the next version.

Source: docs/labels.md; DESIGN "hiding belongs to the document, all its versions and replacements".
"""

from dataclasses import replace

import orjson

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Mark
from fhir_server.application.system_views import ReadingReason, whole_space
from fhir_server.application.writing import Work
from fhir_server.domain import pointers
from fhir_server.domain.search import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.submission import replaced_by

_LONGEST = 1000


def token_of(root: str) -> str:
    """Return the token that every document of a family carries. root: id of its first document."""
    return f"family|{root}"


def root_of(work: Work, stored: Stored) -> str:
    """Return the id of the first document of the chain that a document belongs to."""
    current = stored
    for _ in range(_LONGEST):
        older = _replaced(work, current)
        if older is None:
            break
        current = older
    return current.id


def members(work: Work, stored: Stored) -> tuple[Stored, ...]:
    """Return all documents of the family of a document, as this work has planned them; deleted ones left out."""
    wanted = AnyOf(frozenset({token_of(root_of(work, stored))}))
    search = Search("DocumentReference", (wanted,), limit=_LONGEST)
    page = work.snapshot.find(search, whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment))
    return tuple(work.latest(row) for row in page.rows)


def align(work: Work, family: tuple[Stored, ...], like: AccessFacts) -> None:
    """Give all documents of a family the kind, category and marks of one.

    The version of a document stays: only its mark revision grows, and only when its marks change.
    """
    for stored in family:
        access = replace(
            stored.facts.access,
            kind=like.kind,
            category=like.category,
            marks=like.marks,
            sealed_until=like.sealed_until,
        )
        if access != stored.facts.access:
            work.change(stored, _marked(work, stored, access))


def _marked(work: Work, stored: Stored, access: AccessFacts) -> Stored:
    facts = replace(stored.facts, access=access)
    if access.marks == stored.facts.access.marks:
        return replace(stored, facts=facts)
    return replace(stored, facts=facts, mark=stored.mark + 1, marked_at=work.stamp)


def is_sealed(access: AccessFacts) -> bool:
    """Tell whether a document waits for its announcement."""
    return bool(access.marks & Mark.INVISIBLE_PATIENT)


def _replaced(work: Work, stored: Stored) -> Stored | None:
    """Return the document that a document says to replace; of a deleted one, its last version that had a body."""
    body = stored.body or _last_body(work, stored)
    targets = replaced_by(orjson.loads(body)) if body else []
    target = pointers.split(targets[0][1], work.runtime.fhir_base) if targets else None
    if target is None:
        return None
    return work.read_any(target[0], target[1], whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment))


def _last_body(work: Work, stored: Stored) -> bytes:
    versions = work.snapshot.history(
        stored.type, stored.id, whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment)
    )
    return next((version.body for version in versions if version.body), b"")
