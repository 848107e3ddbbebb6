"""Choices about single documents: the documents are those that the caller sees, and all that replace them.

Source: R.1111-49 of the French public health code (rules E1, E2); docs/consents.md, "A document for some only".
"""

from dataclasses import replace

from consent_rules.labels import SECRET
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, View
from fhir_server.application import families
from fhir_server.application.enforcement import Opened
from fhir_server.application.system_views import ReadingReason, whole_space
from fhir_server.application.writing import Work
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored


def resolved(work: Work, opened: Opened, said: tuple[Directive, ...], root: str) -> tuple[Directive, ...]:
    """Return choices in which every document stands for its whole family.

    root: of expressions. Raises: Problem(BUSINESS_RULE) for a document that the caller does not see, known or not, and
    for one that is withheld by name from its own depositor, who keeps reading it.
    """
    return tuple(_resolved(work, opened, directive, root) for directive in said)


def inherited(work: Work, opened: Opened, older: str, newer: str) -> None:
    """Let every choice about a document hold for the one that replaces it."""
    record = work.record(opened)
    inheriting = record.inheriting(older, newer)
    if inheriting != record:
        work.decide(opened, inheriting)


def are_secret(work: Work, patient: str, said: tuple[Directive, ...]) -> bool:
    """Tell whether a choice names a minor's secret, and so is one: representatives see neither (B10)."""
    named = {id_ for directive in said for id_ in directive.documents or ()}
    found = (
        work.read("DocumentReference", id_, whole_space(ReadingReason.CONFIDENTIALITY, patient))
        for id_ in sorted(named)
    )
    return any(stored is not None and SECRET in stored.facts.access.marks for stored in found)


def keep_secret(work: Work, opened: Opened, document: str) -> None:
    """Make every choice that names a document a secret, now that the document is one; its version stays."""
    patient = opened.space.patient
    for id_ in {d.id for d in work.record(opened).directives if d.documents is not None and document in d.documents}:
        stored = work.read("Consent", id_, whole_space(ReadingReason.CONFIDENTIALITY, patient))
        if stored is not None and SECRET not in stored.facts.access.marks:
            access = replace(stored.facts.access, marks=stored.facts.access.marks | SECRET)
            facts = replace(stored.facts, access=access)
            work.change(stored, replace(stored, facts=facts, mark=stored.mark + 1, marked_at=work.stamp))


def _resolved(work: Work, opened: Opened, directive: Directive, root: str) -> Directive:
    if directive.documents is None:
        return directive
    found = [_named(work, opened, id_, root) for id_ in sorted(directive.documents)]
    _demand_no_depositor(directive, found, root)
    ids = frozenset(member.id for stored in found for member in families.members(work, stored))
    return replace(directive, documents=ids | directive.documents)


def _named(work: Work, opened: Opened, id_: str, root: str) -> Stored:
    found = work.read("DocumentReference", id_, opened.sees(View.DOCUMENTS))
    if found is None:
        text = "the document is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision", "unknown-document")
    return found


def _demand_no_depositor(directive: Directive, found: list[Stored], root: str) -> None:
    owners = frozenset[str]().union(*(stored.facts.access.owners for stored in found))
    if directive.kind is DirectiveKind.WITHHELD and directive.actors & owners:
        text = "a depositor keeps reading what was deposited; it cannot be withheld by name from whoever did"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision", "depositor")
