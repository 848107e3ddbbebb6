"""Histories: the versions of one resource, of one type or of one space, within a window of time, page by page.

A history shows what the caller sees today: whoever may not see a resource now sees neither a version of it nor that it
was deleted. Each page is decided and read anew.

Source: https://hl7.org/fhir/R4/http.html#history; docs/adr/0112-histories-of-types-and-spaces.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consent_rules.visibility import DIRECTORY, Interval, micros
from consent_rules.vocabulary import NO_SPACE, PatientId, RequesterKind
from fhir_server.application.core import access_notices, audit_log, smart_scopes
from fhir_server.application.core.access import Access, KnownFilters, action_of
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import read
from fhir_server.deadline import demand_time
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import DateIs, Place, Search
from fhir_server.domain.search.dates import LATEST
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Filters
from fhir_server.registry import REGISTRY, AccessRule, ResourceType

MOST_CHANGED = 1000
"""Resources that one history of a type or space looks at, whatever the page shows."""
OF_SPACES = tuple(
    row
    for row in REGISTRY.values()
    if Interaction.HISTORY in row.interactions and row.access is not AccessRule.DIRECTORY
)
"""The types of a patient's space that have versions."""
_RANKS = {name: number for number, name in enumerate(REGISTRY)}
_MOST_TYPES = 32
"""The place of a version must fit into 64 bits until the year 10000."""
assert len(_RANKS) <= _MOST_TYPES  # noqa: S101 - a registry that grows beyond this must not start


@dataclass(frozen=True, slots=True)
class Window:
    """Which versions are wanted.

    since: the first instant of a version, in microseconds. at: the versions that were current at some time in this
    interval. count: versions of a page, 0 when only the total is wanted. after: the last version of the page before.
    """

    since: int | None = None
    at: Interval | None = None
    count: int = 0
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """One page of a history, newest first. total: versions within the window, on all pages."""

    shown: tuple[Shown, ...]
    total: int
    next: Place | None = None


@query
def of_resource(runtime: Runtime, caller: Caller, row: ResourceType, id_: str, window: Window) -> Versions:
    """Return one page of the versions of a resource. Raises: as `read.history`."""
    return _page(_within(read.history(runtime, caller, row, id_), window), window)


@query
def of_types(
    runtime: Runtime, caller: Caller, rows: tuple[ResourceType, ...], window: Window, named: PatientId | None
) -> Versions:
    """Return one page of the versions of all resources of some types: of the directory, or of one patient's space.

    named: the patient whose space is asked, None for the one of the token or the patient who asks.
    Raises: Problem(INSUFFICIENT_SCOPE); MALFORMED when no patient is named and none follows from the token; TOO_COSTLY
    when more resources than `MOST_CHANGED` have changed since the window began; CONSENT_REQUIRED or FORBIDDEN from the
    decision.
    """
    audited = AuditedInteraction(Interaction.HISTORY, rows[0].name if len(rows) == 1 else "")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        filters = _enter(access, rows, named)
        found = [version for row in rows for version in _of_type(access, row, filters, window)]
        page = _page(found, window)
        outcome = read.outcome_of(access.opened, page.shown)
    access_notices.record_access(access, outcome)
    return page


def _enter(access: Access, rows: tuple[ResourceType, ...], named: PatientId | None) -> Filters:
    """Enter the directory or the space, and return what is visible there of types that the scopes allow to search."""
    caller = access.caller
    if all(row.access is AccessRule.DIRECTORY for row in rows):
        limits = {row.name: audit_log.demand_scope(access, (row.name,), "s", NO_SPACE) for row in rows}
        return KnownFilters({name: smart_scopes.narrow(DIRECTORY, found) for name, found in limits.items()})
    patient = named or caller.launch_patient
    if not patient and caller.requester.kind is RequesterKind.PATIENT:
        patient = PatientId(caller.requester.person.partition("/")[2])
    if not patient:
        raise Problem.of(Category.MALFORMED, "name the patient with `patient`", code="required")
    if len(rows) == 1:
        audit_log.demand_scope(access, (rows[0].name,), "s", patient)
    return open_record(access, patient, action_of(rows[0])).within(caller, "s")


def _of_type(access: Access, row: ResourceType, filters: Filters, window: Window) -> Iterator[Shown]:
    """Yield the versions within the window of the visible resources of a type, deleted ones included."""
    since = () if window.since is None else (DateIs("_lastUpdated", (("ge", (window.since, LATEST)),)),)
    search = Search(row.name, since, limit=MOST_CHANGED, gone=True)
    page = access.snapshot.find(search, filters)
    if page.next is not None:
        text = f"more than {MOST_CHANGED} resources have changed; ask for a shorter time with `_since`"
        raise Problem.of(Category.TOO_COSTLY, text, code="_since")
    most = read.versions_shown(access, row)
    for head in page.rows:
        demand_time()
        alone = head.version == 1 or most == 1
        versions = (head,) if alone else access.snapshot.history(head.type, head.id, filters)[:most]
        yield from _within(read.present(access, versions, filters), window)


def _within(versions: Iterable[Shown], window: Window) -> Iterator[Shown]:
    """Yield the versions of one resource, newest first, that are within the window."""
    end = LATEST
    for version in versions:
        start = _instant(version)
        is_late = window.since is None or start >= window.since
        if is_late and (window.at is None or (start < window.at[1] and end > window.at[0])):
            yield version
        end = start


def _page(versions: Iterable[Shown], window: Window) -> Versions:
    ordered = sorted(versions, key=_place, reverse=True)
    after = window.after
    left = [one for one in ordered if after is None or _place(one) < (after.value, after.id)]
    page = tuple(left[: window.count])
    following = Place(*_place(page[-1])) if page and len(left) > len(page) else None
    return Versions(page, len(ordered), following)


def _place(version: Shown) -> tuple[int, str]:
    """Return the place of a version in a history: by instant, then by type, so that only ties of a type go by id."""
    return _instant(version) * _MOST_TYPES + _RANKS[version.stored.type], version.stored.id


def _instant(version: Shown) -> int:
    return micros(bodies.last_updated(version.stored, knows_marks=version.knows_marks))
