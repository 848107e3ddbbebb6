"""Everything of one space that single searches would show the caller: in pages, each on one permit and one snapshot.

A page walks through the parts of the space, one search each: the parts of a type are told apart by the parameter that
says when the care took place. What the caller may not search is left out, as if it were not there.
Source: https://hl7.org/fhir/R4/patient-operation-everything.html; docs/adr/0115-everything-of-a-space.md.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from consent_rules.visibility import NOTHING, Interval, Visibility
from consent_rules.vocabulary import NO_SPACE, Action, PatientId, RequesterKind
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, OF_THE_SPACE, Access, action_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import read, walk
from fhir_server.application.reading.filters_by_type import FiltersByType
from fhir_server.application.reading.walk import BEGINNING, Step
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import DateIs, Search
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Filters
from fhir_server.registry import PATIENT, REGISTRY, TRACE, ResourceType

_AT_ONCE = 200
"""How many directory entries one query looks up."""


def _is_part(row: ResourceType) -> bool:
    of_space = row.name == PATIENT or (row.name in OF_THE_SPACE and row.name != TRACE)
    return of_space and Interaction.SEARCH in row.interactions


_ROWS = tuple(row for row in REGISTRY.values() if _is_part(row))
TYPES = tuple(row.name for row in _ROWS)
"""The types that the operation returns, in this order; the journal is left out, because each page adds to it."""
DIRECTORY_TYPES = tuple(IN_DIRECTORY.by_type)
"""The types whose entries come with a page that refers to them."""
_ENTRY = re.compile(rf'"reference":"(?:[^"]*/)?({"|".join(DIRECTORY_TYPES)})/([A-Za-z0-9\-.]{{1,64}})"'.encode())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call asks for.

    start, end: bounds of the date of care, as intervals of microseconds; types without such a date are always returned.
    since: resources changed then or later. types: empty for all. count: resources of a page, 1 or more.
    """

    start: Interval | None = None
    end: Interval | None = None
    since: Interval | None = None
    types: frozenset[str] = frozenset()
    count: int = 20
    step: Step = BEGINNING
    sent: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page. included: the directory entries to which it refers. next: None on the last page."""

    patient: PatientId
    shown: tuple[Shown, ...]
    included: tuple[Shown, ...]
    next: Step | None


@query
def everything(runtime: Runtime, caller: Caller, patient: PatientId, wanted: Wanted) -> Found:
    """Return one page of what the caller sees of a space.

    patient: "" for the patient in context. The token needs the scope to read the Patient; what it may not search is
    left out.
    Raises: Problem(NOT_FOUND), the same for an unknown patient and for one whose space the caller may not enter;
    MALFORMED when no patient is named and none is in context.
    """
    patient = patient or _in_context(caller)
    target, sent = f"{PATIENT}/{patient}", wanted.sent
    audited = AuditedInteraction(Interaction.OPERATION, PATIENT, target=target, query=sent, operation="everything")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        by_id = read.enter_by_id(access, REGISTRY[PATIENT])
        found = _page(access, wanted) if snapshot.read(PATIENT, patient, by_id) else None
        outcome = _outcome(access, found)
    read.record_unless_refused(access, outcome)
    if found is None:
        raise read.not_found()
    return found


def _in_context(caller: Caller) -> PatientId:
    if caller.launch_patient:
        return caller.launch_patient
    if caller.requester.kind is RequesterKind.PATIENT:
        return PatientId(caller.requester.person.partition("/")[2])
    raise Problem.of(Category.MALFORMED, f"name the patient: `{PATIENT}/[id]/$everything`", code="required")


class AllFilters(FiltersByType):
    """What single searches of each type would show the caller: by the action and the scope that each search needs."""

    def _filter(self, type_: str) -> Visibility:
        if type_ in IN_DIRECTORY.by_type:
            return IN_DIRECTORY.of(type_) if self._may_search(type_) else NOTHING
        row, entered = REGISTRY.get(type_), self.access.entered
        action = action_of(row) if row else Action.CONSULT
        seen = entered if action is Action.CONSULT else self._allowed(entered, action)
        return seen.within(self.access.caller, "s").of(type_) if seen else NOTHING

    def _may_search(self, type_: str) -> bool:
        try:
            smart_scopes.demand(self.access.caller, (type_,), "s", NO_SPACE)
        except Problem:
            return False
        return True


def _outcome(access: Access, found: Found | None) -> Outcome:
    """Return the outcome; the event of a page is about no document, like that of a search that names nothing."""
    if found is None:
        return read.outcome_by_id(access, ())
    return replace(read.outcome_of(access.opened, found.shown), beyond=True)


def _page(access: Access, wanted: Wanted) -> Found:
    filters = AllFilters(access)
    page = walk.page(access, filters, _parts(wanted), wanted.step, wanted.count)
    included = tuple(_entries(access, filters, page.shown, wanted))
    return Found(access.entered.patient, page.shown, included, page.next)


def _parts(wanted: Wanted) -> list[Search]:
    """Return the searches through which pages walk, in order; a cursor counts them, so the order is part of it."""
    rows = [row for row in _ROWS if not wanted.types or row.name in wanted.types]
    changed = (DateIs("_lastUpdated", (("ge", wanted.since),)),) if wanted.since else ()
    return [
        Search(row.name, (*changed, *of_time))
        for row in rows
        for of_time in walk.of_care(row, wanted.start, wanted.end)
    ]


def _entries(access: Access, filters: Filters, shown: Iterable[Shown], wanted: Wanted) -> Iterator[Shown]:
    """Yield the directory entries to which a page refers, by the references that it still shows."""
    for type_, ids in sorted(entries_named(shown).items()):
        if wanted.types and type_ not in wanted.types:
            continue
        ordered = sorted(ids)
        for start in range(0, len(ordered), _AT_ONCE):
            some = frozenset(ordered[start : start + _AT_ONCE])
            rows = access.snapshot.find(Search(type_, ids=some, limit=len(some)), filters).rows
            yield from read.present(access, rows, filters)


def entries_named(shown: Iterable[Shown]) -> dict[str, set[str]]:
    """Return the ids of the directory entries to which resources refer, by type."""
    named: dict[str, set[str]] = {}
    for item in shown:
        for type_, id_ in _ENTRY.findall(item.stored.body):
            named.setdefault(type_.decode(), set()).add(id_.decode())
    return named
