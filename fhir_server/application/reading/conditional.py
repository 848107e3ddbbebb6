"""Conditional interactions and references: finds what meets a condition in the caller's view; hidden means unknown.

Source: https://hl7.org/fhir/R4/http.html#ccreate, #cupdate and #trules (conditional interactions and references).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from consent_rules.vocabulary import Action, PatientId, RequesterKind
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, NOTHING_SEEN, OF_THE_SPACE
from fhir_server.application.core.enforcement_point import open_record, open_unnamed
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.reading import decoys
from fhir_server.application.reading.event_redaction import ReaderFilters
from fhir_server.application.reading.read import NOBODY
from fhir_server.application.reading.seen_criteria import judged
from fhir_server.domain import conditional_requests
from fhir_server.domain.conditional_requests import Condition, Criteria
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.ports.store import Filters
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, ResourceType

_MATCHES_JUDGED = 50
View = Callable[[PatientId], Filters]
"""What the caller may change of a type in one space: nothing where the scopes or the decision deny it."""


def match(work: UnitOfWork, row: ResourceType, wanted: Criteria, view: View) -> str:
    """Return the id of the one resource that meets the criteria of a write, "" when the caller sees none.

    A resource that the caller may not change does not count, and costs as much to look for as one that does not exist.
    Raises: Problem(MULTIPLE_MATCHES); MALFORMED when the criteria name neither an identifier, nor ids, nor a patient;
    INSUFFICIENT_SCOPE for criteria beside `identifier` and `_id` when the token may not search; UNSUPPORTED for such
    criteria from a professional in a patient's space: the patient would be told of the first access by a search, but
    not of a write that fails.
    """
    if wanted.others:
        smart_scopes.demand(work.caller, (row.name,), "s")
        if row.name in OF_THE_SPACE and work.caller.requester.kind is RequesterKind.PROFESSIONAL:
            text = "a professional names what to write by `identifier=system|value` or `_id`, and searches for the rest"
            raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
    if row.access is AccessRule.DIRECTORY:
        return only_match(_met_in(work, row, wanted, IN_DIRECTORY))
    places = _places(work, row, wanted)
    found: list[str] = []
    for place in places:
        filters = view(place)
        decoys.remember(work.runtime, place, work.audited)
        found += _met_in(work, row, wanted, filters) if filters is not NOTHING_SEEN else ()
    if not places:
        decoys.look_elsewhere(work, Action.CONSULT)
    return only_match(found)


def _places(work: UnitOfWork, row: ResourceType, wanted: Criteria) -> tuple[PatientId, ...]:
    """Return the spaces in which to look: the one that is named, or those that hold the identifier or the ids."""
    if row.access is not AccessRule.IDENTITY:
        patient = _patient_named(work, wanted)
        if patient:
            return (patient,)
    if wanted.number:
        known = work.snapshot.compartments_with(row.name, wanted.number.tokens, _MATCHES_JUDGED)
    elif wanted.ids:
        located = [(work.snapshot.locate(row.name, id_), id_) for id_ in sorted(wanted.ids)[:_MATCHES_JUDGED]]
        known = tuple((place.compartment, id_) for place, id_ in located if place)
    else:
        text = "name the patient, or the resource by `identifier=system|value` or `_id`"
        raise Problem.of(Category.MALFORMED, text, code="required")
    if row.name in OF_THE_SPACE:
        work.names(*(f"{row.name}/{id_}" for _, id_ in known))  # a failure is as confidential as the matches
    return tuple(sorted({place for place, _ in known}))


def _patient_named(work: UnitOfWork, wanted: Criteria) -> PatientId | None:
    """Return the patient whom the criteria or the token name, or who asks; None when nobody is named."""
    if wanted.patient_identifier:
        return work.identify(*wanted.patient_identifier) or NOBODY
    caller = work.caller
    if wanted.patient or caller.launch_patient or wanted.number or wanted.ids:
        return wanted.patient or caller.launch_patient
    own = caller.requester.kind is RequesterKind.PATIENT
    return PatientId(caller.requester.person.partition("/")[2]) if own else None


def _met_in(work: UnitOfWork, row: ResourceType, wanted: Criteria, filters: Filters) -> tuple[str, ...]:
    search = Search(row.name, wanted.all, ids=wanted.ids, limit=2)
    if row.access is not AccessRule.DIRECTORY and work.opened is not None:
        search = judged(work.snapshot, search, ReaderFilters(work))
    return tuple(stored.id for stored in work.snapshot.find(search, filters).rows)


def matching_ids(
    work: UnitOfWork, row: ResourceType, condition: Condition, action: Action, letter: str
) -> tuple[str, ...]:
    """Return the ids of the resources that meet a condition, as far as the caller sees them.

    action: the action for entering a space. letter: the interaction's letter in a SMART scope, such as "c" for create.
    """
    wanted = tokens.identifier_key("identifier", condition.system, condition.value)
    patient = condition.patient or work.caller.launch_patient
    if condition.patient_identifier:
        patient = work.identify(*condition.patient_identifier)
    found = work.snapshot.compartments_with(row.name, wanted, _MATCHES_JUDGED)
    if row.name in OF_THE_SPACE:
        work.names(*(f"{row.name}/{id_}" for _, id_ in found))  # a failure is as confidential as the matches
    if row.access is not AccessRule.DIRECTORY and (patient or condition.patient_identifier):
        filters = _enter(work, row, patient, action, letter) if patient else NOTHING_SEEN
        page = work.snapshot.find(Search(row.name, (AnyOf(wanted),), limit=_MATCHES_JUDGED), filters)
        return tuple(sorted(stored.id for stored in page.rows))
    seen: list[str] = []
    for compartment in sorted({place for place, _ in found}):
        there = {id_ for place, id_ in found if place == compartment}
        seen.extend(work.snapshot.visible_ids(row.name, there, _enter(work, row, compartment, action, letter)))
    return tuple(sorted(seen))


def only_match(found: Iterable[str]) -> str:
    """Return the one match of a condition, "" when there is none.

    Raises: Problem(MULTIPLE_MATCHES).
    """
    ids = tuple(found)
    if len(ids) > 1:
        raise Problem(Category.MULTIPLE_MATCHES)
    return ids[0] if ids else ""


def with_identifier(
    work: UnitOfWork, type_: str, identifier: tuple[str, str], compartment: PatientId
) -> tuple[Stored, ...]:
    """Return the resources of one space that have an identifier, whoever may see them.

    System-level (docs/threat-model.md): it serves only to tell whether this caller has filed the same before.
    """
    wanted = tokens.identifier_key("identifier", *identifier)
    everywhere = work.snapshot.compartments_with(type_, wanted, _MATCHES_JUDGED)  # quicker than a search of the space
    if len(everywhere) < _MATCHES_JUDGED and compartment not in {place for place, _ in everywhere}:
        return ()
    return work.snapshot.find(
        Search(type_, (AnyOf(wanted),), limit=_MATCHES_JUDGED), whole_space(ReadingReason.OWN_FILINGS, compartment)
    ).rows


def _enter(work: UnitOfWork, row: ResourceType, compartment: PatientId, action: Action, letter: str) -> Filters:
    """Return what the caller sees of a type in one space, nothing when the caller may not enter."""
    if row.access is AccessRule.DIRECTORY:
        return IN_DIRECTORY
    try:
        limits = smart_scopes.demand(work.caller, (row.name,), letter, compartment)
    except Problem:
        return NOTHING_SEEN
    opened = open_unnamed(work, compartment, action)
    return opened.within(work.caller, letter, {row.name: limits}) if opened else NOTHING_SEEN


def is_conditional(reference: str) -> bool:
    """Tell whether a reference is of the form `Type?criteria`."""
    type_, found, _ = reference.partition("?")
    return bool(found) and type_.isalpha()


def conditional_names(
    work: UnitOfWork, sent: Iterable[tuple[str, Json]], patient: PatientId | None = None
) -> dict[str, str]:
    """Return the literal reference for each conditional reference in a resource.

    sent: the references of the resource, each with its FHIRPath. patient: the patient in whose space the caller files;
    documents are looked up there.
    Raises: Problem(BUSINESS_RULE) when a reference matches nothing in the caller's view, MULTIPLE_MATCHES when it
    matches more than one resource.
    """
    names: dict[str, str] = {}
    for expression, reference in sent:
        literal = reference["reference"]
        if is_conditional(literal) and literal not in names:
            names[literal] = resolve(work, literal, f"{expression}.reference", patient)
    return names


def resolve(work: UnitOfWork, conditional: str, expression: str, patient: PatientId | None = None) -> str:
    """Return the literal reference for one conditional reference; see `conditional_names`."""
    type_, _, query = conditional.partition("?")
    condition = conditional_requests.parse(query, expression)
    row = REGISTRY.get(type_)
    if row is None:
        raise Problem.of(Category.BUSINESS_RULE, f"`{type_}` is not offered here", expression, "unknown-reference")
    if type_ == PATIENT:
        return f"{PATIENT}/{_known(patient_with_identifier(work, condition.system, condition.value), expression)}"
    if patient:
        condition = replace(condition, patient=patient, patient_identifier=None)
        ids = matching_ids(work, row, condition, Action.DEPOSIT, "c")
    else:
        ids = matching_ids(work, row, condition, Action.CONSULT, "r")
    if len(ids) > 1:
        text = "the conditional reference matches more than one resource"
        raise Problem.of(Category.MULTIPLE_MATCHES, text, expression)
    return f"{type_}/{_known(ids[0] if ids else '', expression)}"


def refuse_as_unknown(work: UnitOfWork, type_: str, action: Action) -> None:
    """Refuse a caller who may not write for unknown patients, with the same answer as for a known patient (AC20).

    Raises: Problem(INSUFFICIENT_SCOPE), FORBIDDEN or CONSENT_REQUIRED, as for a patient who is known.
    """
    smart_scopes.demand(work.caller, (type_,), "c", NOBODY)
    open_record(work, NOBODY, action)
    work.patient, work.opened = None, None
    work.spaces.pop(NOBODY, None)
    work.met.pop(NOBODY, None)


def patient_with_identifier(work: UnitOfWork, system: str, value: str) -> PatientId | None:
    """Return the id of the patient whom an identifier names, None when there is none whom the caller may look up.

    The look-up is audited in the patient's space, whether the write succeeds or fails.
    """
    found = work.identify(system, value)
    return found if found and work.may_identify(found) else None


def unknown_reference(expression: str) -> Issue:
    """Return the fault of a reference to something that the caller does not see: always the same."""
    return Issue("the reference names nothing that is known here", expression, "unknown-reference")


def _known(id_: str | None, expression: str) -> str:
    if not id_:
        raise Problem(Category.BUSINESS_RULE, unknown_reference(expression))
    return id_
