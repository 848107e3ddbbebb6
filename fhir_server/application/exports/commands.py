"""What a caller does with an export: ask for it, look at it, fetch its files page by page, and end it.

Every call is in the audit log before it is answered; a job that is not the caller's is answered as an unknown one.
Source: https://hl7.org/fhir/uv/bulkdata/export.html; docs/adr/0120-exports-are-plans.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from consent_rules.vocabulary import Action, PatientId, RequesterKind
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import Access, Opened, action_of
from fhir_server.application.core.enforcement_point import judge, judge_again
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.exports import jobs, leaving, planning
from fhir_server.application.exports.jobs import Asked, Job
from fhir_server.application.reading import search
from fhir_server.application.reading.read import not_found
from fhir_server.application.reading.search import Found, Wanted
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.search.criteria import Place
from fhir_server.ports.store import Change
from fhir_server.registry import PATIENT, ResourceType
from fhir_server.settings import limits

PAGE_ROWS = 200
"""Resources of one page of a file: as many as a page of a search has at most."""
_CLOSED = frozenset({Category.CONSENT_REQUIRED, Category.FORBIDDEN})
_SIDE = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})
_FULL_SECONDS = 60


class ExportStopped(Exception):
    """A file ends early: the token was revoked, or the server is locked down. What is missing was never sent."""


@command(EventKind.EXPORT_ASKED)
def begin(runtime: Runtime, caller: Caller, asked: Asked) -> Job:
    """Store an export and put the message by which the worker plans it.

    Raises: Problem(FORBIDDEN) for who never exports, INSUFFICIENT_SCOPE, TOO_MANY with too many exports at once,
    NOT_FOUND for a group that is not the caller's establishment.
    """
    audited = interaction_of(EventKind.EXPORT_ASKED)
    try:
        leaving.demand(caller)
        _demand_scopes(caller, asked)
        if asked.establishment and asked.establishment != caller.requester.organization:
            raise not_found()
        asked = _within_own(caller, asked)
        _demand_few(runtime, caller)
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise
    now = runtime.now()
    expires = now + timedelta(hours=limits.in_force().export_hours)
    scopes = str(caller.scopes)
    job = Job(runtime.ports.ids.new(), jobs.owner_of(caller), caller.granted, scopes, asked, now, expires)
    jobs.store(runtime, job)
    trace = audit_log.trace(runtime, caller, audited, Outcome(), None)
    audit_log.commit(runtime, Change((trace,), outbox=(planning.message_of(runtime, planning.Step(job.id)),)))
    return job


@query
def has_scope(caller: Caller, type_: str) -> bool:
    """Tell whether the token may search a type."""
    try:
        smart_scopes.demand(caller, (type_,), "s", caller.launch_patient)
    except Problem:
        return False
    return True


def _demand_scopes(caller: Caller, asked: Asked) -> None:
    missing = [part.type for part in asked.parts if not has_scope(caller, part.type)]
    if missing or not asked.parts:
        text = f"the token holds no scope to search {'/'.join(missing) or 'any type that is exported'}"
        raise Problem.of(Category.INSUFFICIENT_SCOPE, text)


def _within_own(caller: Caller, asked: Asked) -> Asked:
    """Return what is asked; for the patient's side, limited to the space of the token's patient.

    Raises: Problem(MALFORMED) when a representative's token names no patient.
    """
    if caller.requester.kind not in _SIDE:
        return asked
    own = caller.launch_patient
    if own is None and caller.requester.kind is RequesterKind.PATIENT:
        own = PatientId(caller.requester.person.partition("/")[2])
    if own is None:
        raise Problem.of(Category.MALFORMED, "a representative exports with a token for one patient", code="required")
    return replace(asked, only=(own,) if asked.only is None or own in asked.only else ())


def _demand_few(runtime: Runtime, caller: Caller) -> None:
    most = limits.in_force().exports
    if jobs.count(runtime, jobs.owner_of(caller)) >= most:
        issue = Issue(f"you have {most} exports already; end one of them", code="too-many-exports")
        raise Problem(Category.TOO_MANY, issue, retry_after=_FULL_SECONDS)


@query
def look_at(runtime: Runtime, caller: Caller, id_: str) -> Job:
    """Return a job of the caller.

    Raises: Problem(NOT_FOUND), TOO_MANY when a job that is not ready is asked for too often.
    """
    audited = interaction_of(EventKind.EXPORT_LOOKED_AT)
    job = _own(runtime, caller, audited, id_)
    if not job.is_planned:
        _recording(runtime, caller, audited, lambda: jobs.note_poll(runtime, job))
    audit_log.record(runtime, caller, audited, Outcome(), None)
    return job


@command(EventKind.EXPORT_ENDED)
def end(runtime: Runtime, caller: Caller, id_: str) -> None:
    """End a job: its plan is removed, and its id is unknown from then on.

    Raises: Problem(NOT_FOUND).
    """
    audited = interaction_of(EventKind.EXPORT_ENDED)
    job = _own(runtime, caller, audited, id_)
    audit_log.record(runtime, caller, audited, Outcome(), None)
    jobs.drop(runtime, job)


@query
def slice_of(runtime: Runtime, caller: Caller, id_: str, number: int) -> tuple[Job, int, tuple[PatientId, ...]]:
    """Return a job, the number of the part that a file holds, and the spaces of the file.

    Raises: Problem(NOT_FOUND), the same for an unknown job, the job of somebody else and an unknown file; FORBIDDEN.
    """
    audited = interaction_of(EventKind.EXPORT_FETCHED)
    _recording(runtime, caller, audited, lambda: leaving.demand(caller))
    job = _own(runtime, caller, audited, id_)
    part, position = divmod(number, job.slices) if job.slices else (len(job.asked.parts), 0)
    spaces = jobs.slice_of(runtime, job, position) if job.is_planned and part < len(job.asked.parts) else None
    if spaces is None:
        problem = not_found()
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise problem
    audit_log.record(runtime, caller, audited, Outcome(), None)
    return job, part, spaces


def _own(runtime: Runtime, caller: Caller, audited: AuditedInteraction, id_: str) -> Job:
    job = jobs.find(runtime, id_)
    if job is None or job.owner != jobs.owner_of(caller):
        problem = not_found()
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise problem
    return job


def _recording(runtime: Runtime, caller: Caller, audited: AuditedInteraction, demanded: Callable[[], None]) -> None:
    """Call the check `demanded`; when it refuses, store the audit event of the refusal."""
    try:
        demanded()
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise


@dataclass(frozen=True, slots=True)
class Guards:
    """What is asked while a file is sent. goes_on: before each page, whether the caller's token still holds.

    before_more: called before each page but the first of a search: it waits until the caller may do one more search.
    """

    goes_on: Callable[[], bool]
    before_more: Callable[[], None]


@dataclass(slots=True)
class File:
    """One file of a job while it is sent. row: its type. searches: whose results are joined. spaces: taken from.

    left_out: how many searches were refused.
    """

    runtime: Runtime
    caller: Caller
    job: Job
    row: ResourceType
    searches: Sequence[Wanted]
    spaces: Sequence[PatientId]
    guards: Guards
    left_out: int = field(default=0)

    def pages(self) -> Iterator[tuple[Shown, ...]]:
        """Yield page after page of what a search would show now; each one is in the audit log before it is yielded.

        Raises: ExportStopped; Problem as a search of the type does.
        """
        for space in self.spaces:
            sent: set[str] = set()
            for wanted in self.searches:
                for page in self._of_space(space, wanted):
                    fresh = tuple(item for item in page if item.reference not in sent)
                    sent.update(item.reference for item in fresh)
                    yield fresh

    def finish(self) -> None:
        """Note in the job how many searches were refused: the manifest says so from then on."""
        if self.left_out:
            jobs.change(self.runtime, self.job.id, lambda held: replace(held, left_out=self._most(held)))

    def _most(self, held: Job) -> int:
        return max(held.left_out, self.left_out)

    def _of_space(self, space: PatientId, wanted: Wanted) -> Iterator[tuple[Shown, ...]]:
        after: Place | None = None
        while True:
            if after is not None:
                self.guards.before_more()
            if not self.guards.goes_on():
                raise ExportStopped
            found = self._page(_in(self.row, space, wanted, after))
            if found is None:
                return
            yield found.shown
            after = found.next
            if after is None:
                return

    def _page(self, wanted: Wanted) -> Found | None:
        """Return a page, None when the caller may take nothing of the type from the space now."""
        if not may_take(self.runtime, self.caller, self.row, wanted):
            return None
        try:
            return search.find(self.runtime, self.caller, self.row, wanted)
        except Problem as problem:  # the audit log of the space has the refusal
            if problem.category not in _CLOSED:
                raise
            self.left_out += 1
            return None


def may_take(runtime: Runtime, caller: Caller, row: ResourceType, wanted: Wanted) -> bool:
    """Tell whether to search a space for an export; a space that refuses is searched, so that the refusal is audited.

    A space that the caller would newly enter is not searched, nor one where the permit shows nothing of the type.
    """
    if wanted.patient is None:
        return False
    audited = AuditedInteraction(interaction_of(EventKind.DATA_EXPORTED).interaction, row.name)
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        opened = judge(access, wanted.patient, Action.CONSULT)
        if not isinstance(opened, Opened):
            return True
        asked = judge_again(access, opened, action_of(row))
        if not (isinstance(asked, Opened) and leaving.may_leave(access, opened)):
            return False
        return bool(asked.within(caller, "s").of(row.name).clauses)


def _in(row: ResourceType, space: PatientId, wanted: Wanted, after: Place | None) -> Wanted:
    """Return a search in one space, from one position on, without a count."""
    ids = wanted.search.ids
    if row.name == PATIENT:
        ids = frozenset({space}) & (ids if ids is not None else frozenset({space}))
    asked = replace(wanted.search, ids=ids, limit=PAGE_ROWS, after=after)
    return replace(wanted, search=asked, patient=space, total=False, kind=EventKind.DATA_EXPORTED)
