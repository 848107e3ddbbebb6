"""Searching the audit log of all spaces at once, and what belongs to no space: for auditors, within a stated time.

One decision gives the filter, the store applies it to a bounded stretch of time, and one audit event tells of each page
and names the patients whose events it showed.
Source: IHE ITI-81 (https://profiles.ihe.net/ITI/TF/Volume2/ITI-81.html), 3.81.4.1.2: `date` is required;
docs/adr/0118-searching-the-audit-log-of-all-spaces.md.
"""

from collections.abc import Sequence
from datetime import timedelta

from consent_rules.model import Deny
from consent_rules.visibility import Interval, micros
from consent_rules.vocabulary import NO_SPACE, Action, RequesterKind
from fhir_server.application.core import audit_log, enforcement_point
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.joining.chained_search import Chains
from fhir_server.application.reading.read import NOBODY, present
from fhir_server.application.reading.search import Found, Wanted
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Criterion, DateIs, DateOp
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Filters
from fhir_server.registry import PATIENT, AccessRule, ResourceType
from fhir_server.settings import limits

DATE, UPDATED = "date", "_lastUpdated"


@query
def is_asked(caller: Caller, row: ResourceType, wanted: Wanted) -> bool:
    """Tell whether an auditor searches the audit log and names neither a patient nor an event."""
    names_one = wanted.patient or wanted.identifier or wanted.search.ids is not None or caller.launch_patient
    return row.access is AccessRule.TRACE and caller.requester.kind is RequesterKind.AUDITOR and not names_one


@query
def find(runtime: Runtime, caller: Caller, row: ResourceType, wanted: Wanted) -> Found:
    """Return one page of the audit events of all spaces that match, and audit this once.

    Raises: Problem(INSUFFICIENT_SCOPE); FORBIDDEN for anybody but an auditor; MALFORMED without a bounded `date`;
    UNSUPPORTED for a parameter that this search does not take; TOO_COSTLY for a count of too many events.
    """
    audited = AuditedInteraction(Interaction.SEARCH, row.name, query=wanted.query)
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        limits_of_scope = audit_log.demand_scope(access, (row.name,), "s", NOBODY)
        access.opened = opened = _open(access)
        filters = opened.within(caller, "s", {row.name: limits_of_scope})
        try:
            found = _page(access, wanted, filters)
        except Problem as problem:
            audit_log.record_refusal(runtime, caller, audited, problem)
            raise
    audit_log.record_outcome(access, opened.outcome(*_patients(found.shown)))
    return found


def _open(access: Access) -> Opened:
    answer = enforcement_point.judge(access, NO_SPACE, Action.READ_ALL_TRACES)
    if isinstance(answer, Deny):
        enforcement_point.refuse(access, answer, None)
        raise enforcement_point.problem_of(answer, access.caller)
    return answer


def _page(access: Access, wanted: Wanted, filters: Filters) -> Found:
    looks = limits.in_force().trail_events
    _demand_supported(wanted)
    search = Chains(access, filters).resolved(wanted.search)
    span = _span(access, search.criteria)
    page = access.snapshot.find_everywhere(search, span, filters, looks) if search.limit else None
    rows, following = (page.rows, page.next) if page else ((), None)
    total = len(rows) if page and following is None and search.after is None else None
    if total is None and wanted.total:
        total = access.snapshot.count_everywhere(search, span, filters, looks)
    if total is None and not search.limit:
        text = f"the named time holds more than {looks} events, too many to count: name a shorter one with `date`"
        raise Problem.of(Category.TOO_COSTLY, text, code=DATE)
    return Found(present(access, rows, filters), total if wanted.total else None, following, None)


def _patients(shown: Sequence[Shown]) -> list[str]:
    """Return the references of the patients whose events a page shows, each once."""
    spaces = (item.stored.facts.access.compartment for item in shown)
    return [f"{PATIENT}/{space}" for space in dict.fromkeys(spaces) if space]


def _demand_supported(wanted: Wanted) -> None:
    if wanted.joins or wanted.including:
        text = "over all spaces, nothing is joined: name a patient for `_has`, `_include` and other chains"
        raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
    if wanted.search.examined or wanted.search.order:
        text = "over all spaces, nothing is compared one by one: name a patient for this modifier or this `_sort`"
        raise Problem.of(Category.UNSUPPORTED, text, code="not-supported")
    if any(isinstance(criterion, DateIs) and criterion.param == UPDATED for criterion in wanted.search.criteria):
        raise Problem.of(Category.UNSUPPORTED, "over all spaces, name the time with `date`", code=UPDATED)


def _span(access: Access, criteria: Sequence[Criterion]) -> Interval:
    """Return the time in which the events of a search happened; it ends now when the search names no end.

    Raises: Problem(MALFORMED) without a beginning, and for a longer time than the operator allows.
    """
    days = limits.in_force().trail_days
    dated = [criterion for criterion in criteria if isinstance(criterion, DateIs) and criterion.param == DATE]
    bounds = [_bounds(criterion) for criterion in dated]
    begins = [first for first, _ in bounds if first is not None]
    ends = [last for _, last in bounds if last is not None]
    if not begins:
        text = (
            f"name a time of at most {days} days with `date`, such as date=ge2026-11-01&date=lt2026-12-01; or a patient"
        )
        raise Problem.of(Category.MALFORMED, text, code="required")
    begin, end = max(begins), min([*ends, micros(access.at) + 1])
    if end - begin > timedelta(days=days) // timedelta(microseconds=1):
        raise Problem.of(Category.MALFORMED, f"`date` names a time of more than {days} days", code=DATE)
    return begin, max(begin, end)


def _bounds(criterion: DateIs) -> tuple[int | None, int | None]:
    """Return between which instants a criterion may hold; None where it names no bound."""
    each = [_bounds_of(op, value) for op, value in criterion.any_of]
    begins, ends = [first for first, _ in each], [last for _, last in each]
    return (
        None if None in begins else min(first for first in begins if first is not None),
        None if None in ends else max(last for last in ends if last is not None),
    )


def _bounds_of(op: DateOp, value: Interval) -> tuple[int | None, int | None]:
    if op in {"eq", "ap"}:
        return value
    if op in {"ge", "gt", "sa"}:
        return value[0], None
    return (None, value[1]) if op in {"le", "lt", "eb"} else (None, None)
