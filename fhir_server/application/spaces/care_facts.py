"""Facts of care: what a third party recorded of a patient's care, such as an admission or a document for a reader.

A fact names an establishment or professionals for a period. It opens nothing: it supports what one of them declares
(V1). Facts are few and end by themselves, because every decision loads them.
Source: statements V1 and V10 of docs/rules.md; docs/adr/0092-admissions.md.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from consent_rules.consents.recording import tidied
from consent_rules.model import Directive, RecordState
from consent_rules.vocabulary import DirectiveKind, Proof
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain.problem import Category, Problem

_STAYS = frozenset({Proof.ADMISSION, Proof.APPOINTMENT})
_NEVER = datetime.max.replace(tzinfo=UTC)


def put(work: UnitOfWork, fact: Directive) -> None:
    """Plan a fact in the entered space, in place of an earlier one with the same id; facts that have ended are dropped.

    Raises: Problem(BUSINESS_RULE) when the space is full, and nobody else recorded at least two more of its facts than
    the recorder.
    """
    record = present(work)
    after = _with_room(record.without(fact.id), fact, work.runtime.profile.facts_of_care)
    if after is None:
        text = "the space holds as many facts of care as it may; end one that is over"
        raise Problem.of(Category.BUSINESS_RULE, text, code="too-many-facts-of-care")
    work.decide(after)


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
    after = _with_room(replace(record, directives=kept), fact, work.runtime.profile.facts_of_care)
    if after is not None:
        work.decide(after)


def _with_room(record: RecordState, fact: Directive, most: int) -> RecordState | None:
    """Return the state with one more fact, None when there is no room for it.

    In a full space, whoever recorded the most facts loses the one that ends first, so that nobody keeps others out.
    """
    held = [one for one in record.directives if one.kind is DirectiveKind.CARE]
    if len(held) >= most:
        shares = Counter(one.recorder for one in held)
        largest = max(shares.values())
        if shares[fact.recorder] >= largest - 1:
            return None
        giving = [one for one in held if shares[one.recorder] == largest]
        record = record.without(min(giving, key=lambda one: (one.end or _NEVER, one.id)).id)
    return record.with_directive(fact)


def drop(work: UnitOfWork, id_: str) -> None:
    """Plan the end of a fact."""
    work.decide(present(work).without(id_))


def present(work: UnitOfWork) -> RecordState:
    """Return the decision state of the entered space without facts that have ended."""
    return tidied(work.record(), work.at, work.runtime.profile)


def stays_in(work: UnitOfWork, establishment: str) -> frozenset[str]:
    """Return the ids of the stays by which the patient is now, or will be, in the care of an establishment.

    Facts of another kind, such as a document that was sent to the establishment, are no stays.
    """
    facts = (one for one in present(work).directives if one.kind is DirectiveKind.CARE and one.proof in _STAYS)
    return frozenset(fact.id for fact in facts if establishment in fact.actors)
