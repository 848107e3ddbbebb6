"""The references of a Consent: a Consent that names an unknown person or thing is refused, with the element.

Such a Consent would let the patient believe that somebody gets or loses access.
Source: https://hl7.org/fhir/R4/consent.html (actor, performer, organization, source); docs/consents.md, "Actors".
"""

from collections.abc import Iterator

from fhir_server.application.core.access import IN_DIRECTORY, Opened
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.reading import conditional
from fhir_server.domain import references
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.ports.store import Filters
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, ResourceType

Named = tuple[str, str, str]
"""(expression, type, id) of one reference."""

_ELEMENTS = ("performer", "organization", "sourceReference", "provision")


def demand_known(work: UnitOfWork, consent: Json, root: str) -> None:
    """Refuse a Consent with a literal reference to something that the caller may not know; skip contained resources.

    root: of expressions. `replacement_chain.resolved` checks the documents that `provision.data` names.
    Raises: Problem(BUSINESS_RULE) naming every such reference, hidden and unknown ones alike.
    """
    named = list(_named(work, consent, root))
    known = {type_: _known(work, type_, _ids(named, type_)) for type_ in {type_ for _, type_, _ in named}}
    faults = [conditional.unknown_reference(expression) for expression, type_, id_ in named if id_ not in known[type_]]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _named(work: UnitOfWork, consent: Json, root: str) -> Iterator[Named]:
    for element in _ELEMENTS:
        if element not in consent:
            continue
        for expression, reference in references.references_in(consent[element], f"{root}.{element}"):
            literal = str(reference["reference"])
            if literal.startswith("#") or ".data[" in expression:
                continue
            yield (f"{expression}.reference", *(references.split(literal, work.runtime.fhir_base) or ("", literal)))


def _ids(named: list[Named], type_: str) -> frozenset[str]:
    return frozenset(id_ for _, other, id_ in named if other == type_)


def _known(work: UnitOfWork, type_: str, ids: frozenset[str]) -> frozenset[str]:
    """Return which ids of a type the caller may name: in the directory, in this space, or in the caller's view."""
    if type_ == PATIENT:
        return ids & {work.entered.patient}
    if type_ == "CareTeam":
        return ids & {team.reference.partition("/")[2] for team in work.entered.record.teams}
    filters = _filters_for(REGISTRY[type_], work.entered) if type_ in REGISTRY else None
    if filters is None:
        return frozenset()
    planned = {id_ for kind, id_ in work.writes if kind == type_}
    return (ids & planned) | work.snapshot.visible_ids(type_, ids, filters)


def _filters_for(row: ResourceType, opened: Opened) -> Filters | None:
    """Return what a Consent may name of a type, None for a type of which it may name nothing."""
    if row.of_person:
        return whole_space(ReadingReason.PERSONS_NAMED, opened.patient)
    if row.access is AccessRule.DIRECTORY:
        return IN_DIRECTORY
    return opened if row.access in {AccessRule.DOCUMENT, AccessRule.DIRECTIVE} else None
