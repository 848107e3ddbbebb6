"""Replacement chains: documents that replace one another share their marks, and a directive about one covers all.

The patient's default "all hidden" also hides the documents that are already filed; the patient can then show single
documents again.
Source: R.1111-49 of the French public health code (rules E1, E2, E12 and E17); docs/consents.md, "A document for some
only"; IHE MHD 4.2, `relatesTo`.
"""

from collections.abc import Iterator
from dataclasses import replace

import orjson

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS
from consent_rules.model import Directive
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import DirectiveKind, Mark, PatientId
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain import references
from fhir_server.domain.documents.submission import replaced_by
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.registry import DOCUMENTS

_LONGEST = 1000

_AT_ONCE = 500


def token_of(root: str) -> str:
    """Return the search token that every document of a replacement chain has. root: id of its first document."""
    return f"family|{root}"


def root_of(work: UnitOfWork, stored: Stored) -> str:
    """Return the id of the first document of the chain that a document belongs to."""
    current = stored
    for _ in range(_LONGEST):
        older = _replaced(work, current)
        if older is None:
            break
        current = older
    return current.id


def members(work: UnitOfWork, stored: Stored) -> tuple[Stored, ...]:
    """Return all documents of a document's replacement chain, as this work has planned them, without deleted ones."""
    wanted = AnyOf(frozenset({token_of(root_of(work, stored))}))
    search = Search("DocumentReference", (wanted,), limit=_LONGEST)
    page = work.snapshot.find(search, whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment))
    return tuple(work.latest(row) for row in page.rows)


def align(work: UnitOfWork, family: tuple[Stored, ...], like: AccessFacts) -> None:
    """Give all documents of a replacement chain the kind, category and marks of one document.

    The version of a document stays the same: only its mark revision grows, and only when its marks change.
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


def _marked(work: UnitOfWork, stored: Stored, access: AccessFacts) -> Stored:
    facts = replace(stored.facts, access=access)
    if access.marks == stored.facts.access.marks:
        return replace(stored, facts=facts)
    return replace(stored, facts=facts, mark=work.next_mark(stored), marked_at=work.stamp)


def is_sealed(access: AccessFacts) -> bool:
    """Tell whether a document has the mark that seals it from the patient."""
    return bool(access.marks & Mark.INVISIBLE_PATIENT)


def _replaced(work: UnitOfWork, stored: Stored) -> Stored | None:
    """Return the document that a document says to replace; a deleted document says so in its last body."""
    body = stored.body or _last_body(work, stored)
    targets = replaced_by(orjson.loads(body)) if body else []
    target = references.split(targets[0][1], work.runtime.fhir_base) if targets else None
    if target is None:
        return None
    return work.read_any(target[0], target[1], whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment))


def _last_body(work: UnitOfWork, stored: Stored) -> bytes:
    versions = work.snapshot.history(
        stored.type, stored.id, whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment)
    )
    return next((version.body for version in versions if version.body), b"")


def resolved(work: UnitOfWork, said: tuple[Directive, ...], root: str) -> tuple[Directive, ...]:
    """Return the directives with every document extended to its whole replacement chain.

    root: the FHIRPath of the Consent. Raises: Problem(BUSINESS_RULE) for a document that the caller does not see, known
    or not, and for a directive that withholds a document by name from its own depositor.
    """
    return tuple(_resolved(work, directive, root) for directive in said)


def inherited(work: UnitOfWork, older: str, newer: str) -> None:
    """Let every directive about a document also cover the document that replaces it."""
    record = work.record()
    inheriting = record.inheriting(older, newer)
    if inheriting != record:
        work.decide(inheriting)


def are_confidential(work: UnitOfWork, patient: PatientId, said: tuple[Directive, ...]) -> bool:
    """Tell whether a Consent names a document hidden from guardians; then guardians do not see the Consent (B10)."""
    named = {id_ for directive in said for id_ in directive.documents or ()}
    found = (
        work.read("DocumentReference", id_, whole_space(ReadingReason.CONFIDENTIALITY, patient))
        for id_ in sorted(named)
    )
    return any(stored is not None and HIDDEN_FROM_GUARDIANS in stored.facts.access.marks for stored in found)


def keep_confidential(work: UnitOfWork, document: str) -> None:
    """Hide from guardians every Consent that names this document, which is now hidden from them; the versions stay."""
    patient = work.entered.patient
    for id_ in {d.id for d in work.record().directives if d.documents is not None and document in d.documents}:
        stored = work.read("Consent", id_, whole_space(ReadingReason.CONFIDENTIALITY, patient))
        if stored is not None and HIDDEN_FROM_GUARDIANS not in stored.facts.access.marks:
            access = replace(stored.facts.access, marks=stored.facts.access.marks | HIDDEN_FROM_GUARDIANS)
            facts = replace(stored.facts, access=access)
            work.change(stored, replace(stored, facts=facts, mark=work.next_mark(stored), marked_at=work.stamp))


def _resolved(work: UnitOfWork, directive: Directive, root: str) -> Directive:
    if directive.documents is None:
        return directive
    found = [_named(work, id_, root) for id_ in sorted(directive.documents)]
    _demand_no_depositor(directive, found, root)
    ids = frozenset(member.id for stored in found for member in members(work, stored))
    return replace(directive, documents=ids | directive.documents)


def _named(work: UnitOfWork, id_: str, root: str) -> Stored:
    found = work.read("DocumentReference", id_, work.entered)
    if found is None:
        text = "the document is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision", "unknown-document")
    return found


def _demand_no_depositor(directive: Directive, found: list[Stored], root: str) -> None:
    owners = frozenset[str]().union(*(stored.facts.access.owners for stored in found))
    if directive.kind is DirectiveKind.WITHHELD and directive.actors & owners:
        text = "a document cannot be withheld by name from its depositor"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision", "depositor")


def hide_present(work: UnitOfWork, patient: PatientId) -> None:
    """Plan the mark MASQUE_PS for every document of a space; the versions stay the same, as with every mark."""
    for stored in _documents(work, patient):
        access = stored.facts.access
        if Mark.MASQUE_PS not in access.marks:
            facts = replace(stored.facts, access=replace(access, marks=access.marks | Mark.MASQUE_PS))
            work.change(stored, replace(stored, facts=facts, mark=work.next_mark(stored), marked_at=work.stamp))


def _documents(work: UnitOfWork, patient: PatientId) -> Iterator[Stored]:
    """Yield the documents of a space: those that this work has planned and those that are stored."""
    planned = [write.after for (type_, _), write in work.writes.items() if type_ in DOCUMENTS]
    yield from (stored for stored in planned if not stored.deleted and stored.facts.access.compartment == patient)
    seen = {stored.id for stored in planned}
    for type_ in DOCUMENTS:
        search: Search | None = Search(type_, limit=_AT_ONCE)
        while search:
            page = work.snapshot.find(search, whole_space(ReadingReason.HIDING_ALL, patient))
            yield from (row for row in page.rows if row.id not in seen)
            search = replace(search, after=page.next) if page.next else None
