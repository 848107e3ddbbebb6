"""Facts of care: what a third party recorded of a patient's care, such as an admission or a document for a reader.

A fact names an establishment or professionals for a period. It opens nothing: it supports what one of them declares
(V1). Facts are few and end by themselves, because every decision loads them.
Source: statements V1 and V10 of docs/rules.md; docs/adr/0092-admissions.md.
"""

from dataclasses import replace

from consent_rules.consents.recording import tidied
from consent_rules.model import Directive, RecordState
from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain.problem import Category, Problem


def put(work: UnitOfWork, fact: Directive) -> None:
    """Plan a fact in the entered space, in place of an earlier one with the same id; facts that have ended are dropped.

    Raises: Problem(BUSINESS_RULE) when the space holds as many as it may.
    """
    record = present(work)
    others = [one for one in record.directives if one.kind is DirectiveKind.CARE and one.id != fact.id]
    if len(others) >= work.runtime.profile.facts_of_care:
        text = "the space holds as many facts of care as it may; end one that is over"
        raise Problem.of(Category.BUSINESS_RULE, text, code="too-many-facts-of-care")
    work.decide(record.with_directive(fact))


def put_if_room(work: UnitOfWork, fact: Directive) -> None:
    """Plan a fact in place of the same recorder's earlier fact about the same parties; nothing when the space is full.

    So nothing is refused because a fact has no room.
    """
    record = present(work)
    kept = tuple(
        one
        for one in record.directives
        if one.kind is not DirectiveKind.CARE or (one.recorder, one.actors) != (fact.recorder, fact.actors)
    )
    if sum(one.kind is DirectiveKind.CARE for one in kept) < work.runtime.profile.facts_of_care:
        work.decide(replace(record, directives=kept).with_directive(fact))


def drop(work: UnitOfWork, id_: str) -> None:
    """Plan the end of a fact."""
    work.decide(present(work).without(id_))


def present(work: UnitOfWork) -> RecordState:
    """Return the decision state of the entered space without facts that have ended."""
    return tidied(work.record(), work.at, work.runtime.profile)


def is_in_care_of(work: UnitOfWork, establishment: str) -> bool:
    """Tell whether a fact says now that the patient is, or will be, in the care of an establishment."""
    facts = (one for one in present(work).directives if one.kind is DirectiveKind.CARE)
    return any(establishment in fact.actors for fact in facts)
