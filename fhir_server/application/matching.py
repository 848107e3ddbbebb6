"""What is stored already: found by a condition in the caller's view, or by an identifier that the caller files again.

Source: https://hl7.org/fhir/R4/http.html#ccreate, #cupdate and #trules (conditional interactions).
"""

from collections.abc import Iterable

from consent_rules.visibility import DIRECTORY, NOTHING, Visibility
from consent_rules.vocabulary import Action
from fhir_server.application import scoping
from fhir_server.application.consultation import VIEWS
from fhir_server.application.finding import identify
from fhir_server.application.system_views import ReadingReason, whole_space
from fhir_server.application.writing import Work
from fhir_server.domain import tokens
from fhir_server.domain.conditions import Condition
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.registry import AccessRule, ResourceType

_MATCHES_JUDGED = 50


def ids(work: Work, row: ResourceType, condition: Condition, action: Action, letter: str) -> tuple[str, ...]:
    """Return the ids of the resources that meet a condition, as far as the caller sees them.

    action: for which a space is entered. letter: of the interaction in the SMART scope, as "c" for create.
    """
    wanted = tokens.identifier_key("identifier", condition.system, condition.value)
    patient = condition.patient or work.caller.launch_patient
    if condition.patient_identifier:
        patient = identify(work.snapshot, *condition.patient_identifier)
    found = work.snapshot.compartments_with(row.name, wanted, _MATCHES_JUDGED)
    if row.access in VIEWS and row.access is not AccessRule.IDENTITY:
        work.names(*(f"{row.name}/{id_}" for _, id_ in found))  # a failure is as secret as what it would have matched
    if row.access is not AccessRule.DIRECTORY and (patient or condition.patient_identifier):
        view = _view(work, row, patient, action, letter) if patient else NOTHING
        page = work.snapshot.find(Search(row.name, (AnyOf(wanted),), limit=_MATCHES_JUDGED), view)
        return tuple(sorted(stored.id for stored in page.rows))
    seen: list[str] = []
    for compartment in sorted({place for place, _ in found}):
        there = {id_ for place, id_ in found if place == compartment}
        seen.extend(work.snapshot.visible_ids(row.name, there, _view(work, row, compartment, action, letter)))
    return tuple(sorted(seen))


def only(found: Iterable[str]) -> str:
    """Return the one match of a condition, "" when there is none.

    Raises: Problem(MULTIPLE_MATCHES).
    """
    ids = tuple(found)
    if len(ids) > 1:
        raise Problem(Category.MULTIPLE_MATCHES)
    return ids[0] if ids else ""


def identified(work: Work, type_: str, identifier: tuple[str, str], compartment: str) -> tuple[Stored, ...]:
    """Return the resources of one space that have an identifier, whoever may see them.

    System-level (docs/threat-model.md): tells only whether this very caller has filed the same before.
    """
    wanted = tokens.identifier_key("identifier", *identifier)
    everywhere = work.snapshot.compartments_with(type_, wanted, _MATCHES_JUDGED)  # far quicker than a look at the space
    if len(everywhere) < _MATCHES_JUDGED and compartment not in {place for place, _ in everywhere}:
        return ()
    return work.snapshot.find(
        Search(type_, (AnyOf(wanted),), limit=_MATCHES_JUDGED), whole_space(ReadingReason.OWN_FILINGS, compartment)
    ).rows


def _view(work: Work, row: ResourceType, compartment: str, action: Action, letter: str) -> Visibility:
    """Return what the caller sees of a type in one space, nothing when it may not be entered."""
    if row.access is AccessRule.DIRECTORY:
        return DIRECTORY
    try:
        limits = scoping.demand(work.caller, (row.name,), letter, compartment)
    except Problem:
        return NOTHING
    opened = work.enter_unnamed(compartment, action)
    return scoping.narrow(opened.sees(VIEWS[row.access]), limits) if opened else NOTHING
