"""Searching one type: finds the space, what the caller sees there, one page, and the count of what is visible.

Source: https://hl7.org/fhir/R4/http.html#search; IHE MHD ITI-66 and ITI-67, IHE PCF 5.8.3.1 (totals after filtering).
"""

from dataclasses import dataclass, replace

from consent_rules.visibility import DIRECTORY
from consent_rules.vocabulary import NO_SPACE, Action, PatientId, RequesterKind
from fhir_server.application.core import access_notices, audit_log, smart_scopes
from fhir_server.application.core.access import (
    NOTHING_SEEN,
    OF_THE_SPACE,
    Access,
    KnownFilters,
    Opened,
    action_of,
)
from fhir_server.application.core.enforcement_point import (
    has_no_other_ground,
    judge_again,
    open_record,
    open_unnamed,
)
from fhir_server.application.core.minor_confidentiality import documents_behind, is_confidential_failure
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import recorded_queries
from fhir_server.application.reading.event_redaction import ReaderFilters
from fhir_server.application.reading.joining.chained_search import Chains
from fhir_server.application.reading.joining.includes import Includes
from fhir_server.application.reading.joining.joins import JoinFilters, Joins
from fhir_server.application.reading.paging import examining, pages
from fhir_server.application.reading.read import NOBODY, outcome_of, present
from fhir_server.application.reading.seen_criteria import judged
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.directory import identity_traits
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Place, Search
from fhir_server.domain.search.joins import Included, Join, types_joined
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Filters
from fhir_server.registry import DOCUMENTS, PATIENT, AccessRule, ResourceType

_LED_TO = frozenset({recorded_queries.BY_IDENTIFIER, recorded_queries.BY_JOIN})
"""A search that names one of these found all that it shows by what it named."""
COUNT_CAP = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One search as parsed from a request.

    patient: id named by `patient` or `subject`. identifier: its (system, value) instead.
    total: whether to count. query: method, URL and headers as sent, for the audit log.
    including: by which references more resources come with a page. joins: chains, `_has` and `_list`.
    kind: what happened, where the search is a part of something else; None for a search.
    """

    search: Search
    patient: PatientId | None = None
    identifier: tuple[str, str] | None = None
    total: bool = True
    query: str = ""
    including: tuple[Included, ...] = ()
    joins: tuple[Join, ...] = ()
    kind: EventKind | None = None
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what is visible. total: None when it was not asked for or is above the cap.

    next, previous: the positions of the neighbouring pages, None when there is none.
    included: what comes with the resources of the page, as far as it is visible.
    """

    shown: tuple[Shown, ...]
    total: int | None
    next: Place | None
    patient: PatientId | None
    included: tuple[Shown, ...] = ()
    previous: Place | None = None


@query
def find(runtime: Runtime, caller: Caller, row: ResourceType, wanted: Wanted) -> Found:
    """Return one page of the visible resources of a type.

    Raises: Problem(INSUFFICIENT_SCOPE) before any data is read; CONSENT_REQUIRED or FORBIDDEN from the decision;
    MALFORMED when no patient is named and none follows from the token.
    """
    sought = tuple(f"{row.name}/{id_}" for id_ in sorted(wanted.search.ids or ()) if row.name in OF_THE_SPACE)
    sought = tuple(dict.fromkeys((*sought, *recorded_queries.named(wanted.query))))
    transaction = row.transactions.get(Interaction.SEARCH, "")
    audited = AuditedInteraction(
        Interaction.SEARCH,
        row.name,
        transaction,
        query=wanted.query,
        operation=wanted.operation,
        sought=sought,
        kind=wanted.kind,
    )
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        joined = types_joined(wanted.joins) if wanted.joins else ()
        for type_ in (row.name, *joined):
            audit_log.demand_scope(access, (type_,), "s")
        filters = _enter(access, row, wanted)
        opened, wanted = access.opened, _resolved(access, row, wanted)
        found = _page(access, wanted, filters)
        if opened and row.access is AccessRule.IDENTITY and has_no_other_ground(access, opened):
            found = replace(found, shown=_as_traits(found.shown, wanted.search))
        elif access.looked_up and opened and _is_in_care(access, opened):
            access.looked_up.clear()  # the space is open to the caller: only other look-ups are counted
        if wanted.including:
            beside = Includes(access, JoinFilters(access, row, ("s", "r"))).beside(found.shown, wanted.including)
            found = replace(found, included=beside)
        met = opened is None or filters is not NOTHING_SEEN  # an audit event must not tell the caller whose id it is
        confidential = opened is not None and not met and is_confidential_failure(access)
        outcome = outcome_of(opened, (*found.shown, *found.included), found=met)
        about, beyond = _about(access, found.shown, found.included), _shows_more(access, found.shown)
        outcome = replace(outcome, confidential=confidential, about=about, beyond=beyond)
    access_notices.record_access(access, outcome)
    return found


def _resolved(access: Access, row: ResourceType, wanted: Wanted) -> Wanted:
    """Return the search with its joins resolved and its references judged, in the entered space or the directory."""
    opened, search = access.opened, wanted.search
    if opened:
        filters = opened.within(access.caller, "s")
        search = Chains(access, filters).resolved(search) if search.chained else search
        search = judged(access.snapshot, search, ReaderFilters(access))
    if wanted.joins and (opened or row.access is AccessRule.DIRECTORY):
        search = Joins(access, JoinFilters(access, row)).resolved(search, wanted.joins)
    return wanted if search is wanted.search else replace(wanted, search=search)


def _is_in_care(access: Access, opened: Opened) -> bool:
    """Tell whether a space is open to the caller on a ground of care, not only for their own events and notices."""
    permitted = opened if opened.permit.grade is not None else judge_again(access, opened, Action.CONSULT)
    return isinstance(permitted, Opened) and permitted.permit.grade is not None


def _about(access: Access, shown: tuple[Shown, ...], beside: tuple[Shown, ...]) -> tuple[str, ...]:
    """Return the ids of the documents that a search named: by id, by a resource about them, or by an identifier.

    Documents that it found by a join, or that came along, count too, except where what was shown of them contains a
    name from the search. So a search that names a sealed document does not hide from the patient that it has shown
    other documents.
    """
    audited = access.audited
    if not audited.sought:
        return ()
    found = {item.reference: (*item.about, *_itself(item)) for item in (*beside, *shown)}
    behind = [id_ for name in audited.sought for id_ in found.get(name, ())]
    others = documents_behind(access.snapshot, access.patient, (name for name in audited.sought if name not in found))
    if recorded_queries.BY_IDENTIFIER in audited.sought:
        behind += [id_ for item in shown for id_ in found[item.reference]]
    led_to = (*shown, *beside) if recorded_queries.BY_JOIN in audited.sought else beside
    behind += [id_ for item in led_to if not _names_one(access, item) for id_ in found[item.reference]]
    return tuple(dict.fromkeys((*behind, *others)))


def _shows_more(access: Access, shown: tuple[Shown, ...]) -> bool:
    """Tell whether a search that names something also showed resources to which nothing that it named has led.

    A body shows no name of what the caller does not see, so the result does not depend on whether such a thing exists.
    """
    sought = access.audited.sought
    if not sought or not _LED_TO.isdisjoint(sought):
        return False
    return not all(_names_one(access, item) for item in shown)


def _names_one(access: Access, item: Shown) -> bool:
    """Tell whether a body holds the id of something that the search named."""
    return any(name.partition("/")[2].encode() in item.stored.body for name in access.audited.sought)


def _itself(item: Shown) -> tuple[str, ...]:
    return (item.stored.id,) if item.stored.type in DOCUMENTS else ()


def _enter(access: Access, row: ResourceType, wanted: Wanted) -> Filters:
    """Find the space to search, enter it, and return what the search may see."""
    if row.access is AccessRule.DIRECTORY:
        limits = smart_scopes.demand(access.caller, (row.name,), "s", NO_SPACE)
        return KnownFilters({row.name: smart_scopes.narrow(DIRECTORY, limits)})
    if row.access is AccessRule.IDENTITY:
        patient, action = _sought_patient(access, wanted)
        return _enter_unnamed(access, row, patient, action)
    patient = _named_patient(access, wanted)
    if not patient:
        return _enter_by_ids(access, row, wanted)
    limits = audit_log.demand_scope(access, (row.name,), "s", patient)
    opened = open_record(access, patient, action_of(row))
    return opened.within(access.caller, "s", {row.name: limits})


def _named_patient(access: Access, wanted: Wanted) -> PatientId | None:
    """Return the id of the patient whom the request or the token names."""
    caller = access.caller
    if wanted.patient:
        return wanted.patient
    if wanted.identifier:
        return access.identify(*wanted.identifier) or NOBODY
    if wanted.search.ids is not None:
        return None
    if caller.launch_patient:
        return caller.launch_patient
    if caller.requester.kind is RequesterKind.PATIENT:
        return PatientId(caller.requester.person.partition("/")[2])
    raise Problem.of(Category.MALFORMED, "name the patient with `patient` or `patient.identifier`", code="required")


def _enter_by_ids(access: Access, row: ResourceType, wanted: Wanted) -> Filters:
    """Search by `_id` alone: take the first space in which the caller sees one of the ids, and ignore other spaces."""
    ids = sorted(wanted.search.ids or ())
    located = (access.snapshot.locate(row.name, id_) for id_ in ids)
    for patient in dict.fromkeys(place.compartment for place in located if place):
        filters = _enter_unnamed(access, row, patient, action_of(row))
        if access.snapshot.visible_ids(row.name, ids, filters):
            return filters
    return NOTHING_SEEN


def _enter_unnamed(access: Access, row: ResourceType, patient: PatientId | None, action: Action) -> Filters:
    """Enter the space of an id or identifier; nothing is visible where the scopes or the decision deny access."""
    try:
        limits = smart_scopes.demand(access.caller, (row.name,), "s", patient)
    except Problem:
        return NOTHING_SEEN
    opened = open_unnamed(access, patient, action) if patient else None
    return opened.within(access.caller, "s", {row.name: limits}) if opened else NOTHING_SEEN


def _sought_patient(access: Access, wanted: Wanted) -> tuple[PatientId | None, Action]:
    """Return whom a search for a Patient names: by the exact identifier or id, or the caller's own patient.

    A professional who joins anything to a patient, or searches by more than the identity traits, asks to consult.
    """
    caller, search = access.caller, wanted.search
    exact = _exact_identifier(search)
    if exact is not None:
        found = access.snapshot.compartments_with(PATIENT, exact.tokens, 2)
        access.looked_up["", min(exact.tokens)] = PatientId(found[0][1]) if len(found) == 1 else None
        is_professional = caller.requester.kind is RequesterKind.PROFESSIONAL
        joins = bool(wanted.joins or wanted.including)
        asks_more = is_professional and (joins or not identity_traits.are_asked_alone(search, exact))
        return (PatientId(found[0][1]) if len(found) == 1 else None), Action.CONSULT if asks_more else Action.IDENTIFY
    if search.ids is not None and len(search.ids) == 1:
        return PatientId(next(iter(search.ids))), Action.CONSULT
    own = caller.launch_patient or PatientId(caller.requester.person.partition("/")[2])
    if caller.launch_patient or caller.requester.kind is RequesterKind.PATIENT:
        return own, Action.CONSULT
    raise Problem.of(Category.MALFORMED, "name the patient with `identifier=system|value` or `_id`", code="required")


def _as_traits(shown: tuple[Shown, ...], search: Search) -> tuple[Shown, ...]:
    """Return patients with their identity traits alone, for a caller who may only look them up (I8)."""
    exact = _exact_identifier(search)
    sought = exact.tokens if exact else frozenset[str]()
    bodies = (identity_traits.traits_of(item.stored.body, sought) for item in shown)
    return tuple(
        replace(item, stored=replace(item.stored, body=body)) for item, body in zip(shown, bodies, strict=True)
    )


def _exact_identifier(search: Search) -> AnyOf | None:
    """Return the criterion that names somebody by one identifier with its system, None when there is none."""
    return next((c for c in search.criteria if isinstance(c, AnyOf) and _is_exact_identifier(c.tokens)), None)


def _is_exact_identifier(wanted: frozenset[str]) -> bool:
    exact = (token.startswith("identifier|") and "|*" not in token for token in wanted)
    return len(wanted) == 1 and all(exact) and wanted != {tokens.present("identifier")}


def _page(access: Access, wanted: Wanted, filters: Filters) -> Found:
    search, snapshot = wanted.search, access.snapshot
    if search.examined or search.order:
        page, matches = examining.turned(access, search, filters)
        return Found(page.shown, matches if wanted.total else None, page.next, access.patient, previous=page.previous)
    if search.after:
        page = pages.turned(access, search, filters)
    else:
        rows = snapshot.find(search, filters) if search.limit else None
        page = pages.Turned(present(access, rows.rows, filters), rows.next) if rows else pages.Turned(())
    total = None
    if wanted.total:
        is_all = search.limit and page.next is None and search.after is None
        total = len(page.shown) if is_all else snapshot.count(search, filters, COUNT_CAP)
    return Found(page.shown, total, page.next, access.patient, previous=page.previous)
