"""How many people a carer follows, counted over all spaces (B13).

A carer is known again in another space by an identifier; one who has none is not counted there.
"""

from collections.abc import Iterator

import orjson

from consent_rules.model import Directive
from consent_rules.recording import may_follow
from consent_rules.vocabulary import DirectiveKind, Reason
from fhir_server.application.enforcement import record_of
from fhir_server.application.system_views import ReadingReason, whole_space
from fhir_server.application.writing import Work
from fhir_server.domain import tokens
from fhir_server.domain.problem import Category, Problem

_SAME_PERSON = 100
"""Entries of one person that are looked at: more than anybody has relatives."""


def demand_few_followed(work: Work, directive: Directive, patient: str, root: str) -> None:
    """Refuse to let a carer in who follows as many other people as may be.

    patient: id of the holder who lets the carer in. root: of expressions.
    System-level: it reads who is a carer in other spaces, and tells the holder no more than that the number is
    reached. Two holders who name the same carer at the same instant are both let through.
    Raises: Problem(BUSINESS_RULE).
    """
    if directive.kind is not DirectiveKind.CARER:
        return
    for carer in sorted(directive.actors):
        if not may_follow(len(_followed(work, carer, patient)), work.runtime.profile):
            text = "this carer follows as many people as may be"
            raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.provision.actor", Reason.TOO_MANY_CARERS)


def _followed(work: Work, carer: str, patient: str) -> set[str]:
    """Return the ids of the other patients who have named the same person their carer, now or for later."""
    return {
        other
        for other, entry in _entries(work, carer, patient)
        if any(
            said.kind is DirectiveKind.CARER and entry in said.actors and (said.end is None or work.at < said.end)
            for said in record_of(other, work.snapshot.load_space(other)).directives
        )
    }


def _entries(work: Work, carer: str, patient: str) -> Iterator[tuple[str, str]]:
    """Yield (patient, reference) of the entries of the same person in other spaces."""
    stored = work.read("RelatedPerson", carer.partition("/")[2], whole_space(ReadingReason.PERSONS_NAMED, patient))
    for identifier in orjson.loads(stored.body).get("identifier", []) if stored else []:
        key = tokens.identifier_key("identifier", identifier.get("system", ""), identifier.get("value", ""))
        for other, id_ in work.snapshot.compartments_with("RelatedPerson", key, _SAME_PERSON):
            if other != patient:
                yield other, f"RelatedPerson/{id_}"
