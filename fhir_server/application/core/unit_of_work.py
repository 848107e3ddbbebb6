"""How every write is done: one snapshot, one decision, and one commit that includes the audit event.

A command plans on a `UnitOfWork`, and `carry_out` commits the whole plan or nothing. If another commit came first, the
command is planned again. The registry operator is the software that has recorded the identity of a patient; it records
for the insurer what no patient writes.
Source: rules B3 and D4 (the insurer records representatives and declared physicians); docs/adr/0019.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from consent_rules.model import RecordState
from consent_rules.vocabulary import Action, PatientId
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import PATIENTS_SIDE, Access, Opened
from fhir_server.application.core.ceilings import reached
from fhir_server.application.core.ceilings.counted import CountedAccess
from fhir_server.application.core.ceilings.tallies import Tally
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.minor_confidentiality import (
    HIDDEN_FROM_GUARDIANS,
    documents_there,
    is_confidential,
    is_confidential_failure,
    name_what_has_a_number,
)
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import identify
from fhir_server.application.core.shown import Shown, visible_bodies
from fhir_server.application.core.system_views import ReadingReason, recorded_by
from fhir_server.deadline import demand_time
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Facts, Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import AlreadyClaimed, Change, Filters, SpaceWrite, StoreConflict, Trace, Write
from fhir_server.registry import DOCUMENTS, AccessRule, types_under

ATTEMPTS = 5

_MAY_BE_CONFIDENTIAL = types_under(AccessRule.DOCUMENT, AccessRule.DIRECTIVE)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a write, as the caller may see it.

    created: whether the resource is new. notes: warnings for the answer.
    """

    shown: Shown
    created: bool = False
    notes: tuple[Issue, ...] = ()


@dataclass(slots=True)
class UnitOfWork(CountedAccess):
    """One attempt at a write: an access, and what is to be stored.

    A space that the access enters may not change before the commit: else the commit fails.
    patient: whose space was entered last; a failure is audited there.
    refusals: patients in whose space a denial has been audited.
    met: every patient whom the work has found to exist, with the permit; each patient gets an audit event.
    stamp: `lastUpdated` of what is written, never earlier than that of what was read.
    coming: (type, id) of resources of the directory that the same transaction creates, before they are planned.
    """

    stamp: datetime = field(init=False)
    writes: dict[tuple[str, str], Write] = field(default_factory=dict)
    spaces: dict[PatientId, SpaceWrite] = field(default_factory=dict)
    claims: dict[str, Problem] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    records: dict[PatientId, RecordState] = field(default_factory=dict)
    refusals: set[PatientId] = field(default_factory=set)
    met: dict[PatientId, Opened] = field(default_factory=dict)
    identifying: dict[str, tuple[str, str]] = field(default_factory=dict)
    coming: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        """Take the time, and a stamp for what is written."""
        Access.__post_init__(self)
        self.stamp = self.runtime.stamps.next(self.at)

    def note_opened(self, opened: Opened) -> None:
        """Note that the caller has entered a space, and pin the space for the commit."""
        CountedAccess.note_opened(self, opened)
        self.refusals.discard(opened.patient)
        self._meet(opened)

    def note_refused(self, patient: PatientId) -> None:
        """Note that the caller was denied a space."""
        Access.note_refused(self, patient)
        self.refusals.add(patient)

    def _meet(self, opened: Opened) -> None:
        self.spaces = {pin.patient: pin for pin in opened.pins} | self.spaces
        self.met.setdefault(opened.patient, opened)

    def may_identify(self, patient: PatientId) -> bool:
        """Tell whether the caller may learn that an identifier names this patient; audit the look-up in either case.

        The look-up changes neither what this work does nor where its failure is audited.
        """
        opened = _look_up(self, patient)
        if opened is None:
            self.note_refused(patient)
            return False
        self.refused = False
        self._meet(opened)
        return True

    def names(self, *references: str) -> None:
        """Note what the interaction names besides its target; readers who may not know of these learn of no failure."""
        if references:
            self.audited = replace(self.audited, sought=tuple(dict.fromkeys((*self.audited.sought, *references))))

    def carries(self, *resources: Json) -> None:
        """Note resources that the write carries: a failure is as confidential as what they name by an identifier."""
        self.carried = (*self.carried, *resources)

    def carries_confidential(self) -> None:
        """Note that the write concerns something hidden from guardians: a failure is hidden from them too (B10)."""
        self.audited = replace(self.audited, confidential=True)

    def record(self) -> RecordState:
        """Return the decision state of the entered space, as this work has changed it."""
        return self.records.get(self.entered.patient, self.entered.record)

    def decide(self, record: RecordState) -> None:
        """Plan the new decision state of the entered space."""
        self._decide_in(self.entered.patient, record)

    def _decide_in(self, patient: PatientId, record: RecordState) -> None:
        self.records[patient] = record
        self.spaces[patient] = SpaceWrite(patient, self.met[patient].space.revision, record_codec.dump(record))

    def version(self, type_: str, id_: str, number: int, body: bytes, facts: Facts) -> Stored:
        """Return a version of a resource as this work writes it, without visibility marks of its own."""
        return Stored(
            type_, id_, number, 0, deleted=False, last_updated=self.stamp, marked_at=None, body=body, facts=facts
        )

    def put(self, after: Stored) -> None:
        """Plan a new resource; `after.body` is its whole body even if only marks or facts change."""
        key = (after.type, after.id)
        planned = self.writes.get(key)
        self.writes[key] = Write(after, planned.expected if planned else (0, 0))

    def change(self, before: Stored, after: Stored) -> None:
        """Plan a change of a resource that was read before."""
        key = (after.type, after.id)
        planned = self.writes.get(key)
        self.writes[key] = Write(after, planned.expected if planned else (before.version, before.mark))

    def next_version(self, stored: Stored) -> int:
        """Return the number of a new version: one commit makes one version, however often it changes a resource."""
        planned = self.writes.get((stored.type, stored.id))
        return (planned.expected[0] if planned else stored.version) + 1

    def next_mark(self, stored: Stored) -> int:
        """Return the number of a new revision of the marks, one for each commit."""
        planned = self.writes.get((stored.type, stored.id))
        return (planned.expected[1] if planned else stored.mark) + 1

    def latest(self, stored: Stored) -> Stored:
        """Return a resource as this work has planned it, or as it was read if nothing is planned for it."""
        planned = self.writes.get((stored.type, stored.id))
        return planned.after if planned else stored

    def read(self, type_: str, id_: str, filters: Filters) -> Stored | None:
        """Return a visible resource, as planned here or as stored; None if it is deleted or not visible."""
        found = self.read_any(type_, id_, filters)
        return None if found is None or found.deleted else found

    def read_any(self, type_: str, id_: str, filters: Filters) -> Stored | None:
        """Return a visible resource, deleted or not, as planned here or as stored."""
        planned = self.writes.get((type_, id_))
        if planned and planned.expected == (0, 0):
            return planned.after
        found = self.snapshot.read(type_, id_, filters)
        if found is None:
            return None
        self.seen.add(found.facts.access.compartment)
        self.stamp = self.runtime.stamps.after(found.last_updated, self.stamp)
        return self.latest(found)

    def is_known(self, type_: str, id_: str) -> bool:
        """Tell whether a directory resource or a person exists, or is created by this work."""
        if (type_, id_) in self.writes or (type_, id_) in self.coming:
            return True
        location = self.snapshot.locate(type_, id_)
        return location is not None and not location.deleted

    def claim(self, value: str, when_taken: Problem, identifier: tuple[str, str] | None = None) -> None:
        """Demand that a value is unique over the whole store, for ever.

        identifier: the patient's identifier that the value stands for; a patient who already has it is told.
        """
        if value in self.claims:
            raise when_taken
        self.claims[value] = when_taken
        if identifier:
            self.identifying[value] = identifier

    def send(self, message: Message) -> None:
        """Plan a message to the worker, in the same commit."""
        self.messages.append(message)

    def trace(self, audited: AuditedInteraction, touched: tuple[str, ...], reason: str = "") -> None:
        """Plan the audit event of this work in the entered space, in the same commit.

        reason: a code that describes the outcome.
        """
        outcome = self.entered.outcome(*touched, reason=reason, confidential=self._is_confidential(touched))
        self._plan_trace(audited, outcome, self.entered.patient)

    def trace_unopened(self, audited: AuditedInteraction, touched: tuple[str, ...], patient: PatientId) -> None:
        """Plan the audit event of a write that needed no decision. patient: in whose space, or NO_SPACE."""
        self._plan_trace(audited, Outcome(touched=touched), patient)

    def trace_outcome(self, outcome: Outcome) -> None:
        """Plan the audit event of the interaction itself, in the space that was entered last."""
        self._plan_trace(self.audited, outcome, self.patient)

    def _plan_trace(self, audited: AuditedInteraction, outcome: Outcome, patient: PatientId | None) -> None:
        self.traces.append(audit_log.trace(self.runtime, self.caller, audited, outcome, patient))

    def trace_meetings(self, told: frozenset[PatientId | None], secret: frozenset[PatientId] = frozenset()) -> None:
        """Plan an audit event for each patient in `met`.

        told: patients who already get another event of this work. secret: patients whose guardians get none.
        """
        for patient, opened in self.met.items():
            if patient not in told and opened.space.revision:
                outcome = opened.outcome(f"Patient/{patient}", confidential=patient in secret)
                self._plan_trace(_looked_up(patient), outcome, patient)

    def _is_confidential(self, touched: tuple[str, ...]) -> bool:
        """Tell whether all documents and Consents that the work touches are hidden from guardians (B10)."""
        named = [ref.partition("/") for ref in touched]
        planned = [self.writes.get((type_, id_)) for type_, _, id_ in named if type_ in _MAY_BE_CONFIDENTIAL]
        secrets = [write is not None and HIDDEN_FROM_GUARDIANS in write.after.facts.access.marks for write in planned]
        return bool(secrets) and all(secrets)

    def shown(self, stored: Stored, filters: Filters) -> Shown:
        """Return a planned resource as the caller may see it."""
        (body,) = visible_bodies(
            self.snapshot, (stored,), filters, frozenset(i for t, i in self.writes if t in DOCUMENTS)
        )
        seen = stored if body is stored.body else replace(stored, body=body)
        return Shown(seen, filters.of(stored.type).knows_marks(stored.facts.access))

    def planned(self) -> Change:
        """Return the change to commit, with the marks of spaces newly entered on a declaration. Raises: Problem."""
        if self.in_care or self.words:
            states = {patient: one.record for patient, one in self.met.items()} | self.records
            for entered in self.newly_entered(states).items():
                self._decide_in(*entered)
        writes = tuple(_as_written(write) for write in self.writes.values())
        spaces, claims = tuple(self.spaces.values()), tuple(self.claims)
        return Change(tuple(self.traces), writes, spaces, claims, tuple(self.messages))


def carry_out(runtime: Runtime, caller: Caller, audited: AuditedInteraction, plan: Callable[[UnitOfWork], T]) -> T:
    """Plan on one snapshot and commit; plan again when something changed meanwhile.

    Raises: every Problem of the plan, after auditing it; the problem of a claim that is taken;
    Problem(VERSION_CONFLICT) when other commits come first too often. Then only the audit event is stored.
    OutOfTime before the commit: then nothing is stored at all.
    """
    tried = 0
    while True:
        tried += 1
        demand_time()
        with runtime.ports.store.snapshot() as snapshot:
            work = UnitOfWork(runtime, caller, audited, snapshot)
            try:
                result = plan(work)
            except Problem as problem:
                _trace_failure(work, problem)
                raise
        demand_time()
        try:
            work.trace_meetings(frozenset(trace.event.facts.access.compartment for trace in work.traces))
            reached.commit(work, work.planned(), work.counted(work.writes.values()))
        except StoreConflict as conflict:
            if tried < ATTEMPTS:
                continue
            raise _trace_lost(work) from conflict
        except AlreadyClaimed as taken:
            refused = work.claims[taken.claim]
            _meet_holder(work, taken.claim)
            _trace_taken(work, refused)
            raise refused from taken
        return result


def _trace_failure(work: UnitOfWork, problem: Problem) -> None:
    """Record the failed work and the patients whose data it touched, on its open snapshot.

    `open_record` has recorded a refusal already.
    """
    work.traces.clear()
    for patient in dict.fromkeys((work.patient, *work.met)):
        name_what_has_a_number(work, patient)
    if not work.refused:
        is_on_side = work.caller.requester.kind in PATIENTS_SIDE  # their event must not tell them what exists
        about = () if is_on_side else documents_there(work.snapshot, work.patient, work.audited.sought)
        confidential, reason = is_confidential_failure(work), problem.category.value
        work.trace_outcome(Outcome(OutcomeCode.REFUSED, reason, confidential=confidential, about=about))
    told = work.refusals if work.refused else {*work.refusals, work.patient}
    secret = {patient for patient in work.met if is_confidential(work, patient)}
    work.trace_meetings(frozenset(told), frozenset(secret))
    _append(work)


def _trace_lost(work: UnitOfWork) -> Problem:
    """Record work that gave up because other commits always came first, on a new snapshot; return what to raise."""
    lost = Problem(Category.VERSION_CONFLICT)
    with work.runtime.ports.store.snapshot() as work.snapshot:
        _trace_failure(work, lost)
    return lost


def _trace_taken(work: UnitOfWork, problem: Problem) -> None:
    """Record work that asked for a unique value that is taken; its snapshot is closed.

    No representative is told: what has the value, or had it until it was deleted, may be a minor's secret (B10).
    """
    work.traces.clear()
    work.trace_outcome(Outcome(OutcomeCode.REFUSED, problem.category.value, confidential=True))
    work.trace_meetings(frozenset({*work.refusals, work.patient}))
    _append(work)


def _append(work: UnitOfWork) -> None:
    """Store the audit events of work that failed, with what it has looked up and the spaces that it has seen.

    The answer tells something of what the work saw, so that counts like a read; what is hidden or unknown does not.
    Raises: as `reached.commit`; Problem(CONSENT_REQUIRED) when the caller's declarations are suspended.
    """
    entered = work.newly_seen({patient: one.record for patient, one in work.met.items()})
    spaces = tuple(SpaceWrite(one, work.met[one].space.revision, record_codec.dump(entered[one])) for one in entered)
    tallies = work.outside_care(()) | {Tally.SPACES: len(spaces)}
    if not work.traces and not any(tallies.values()):
        return
    demand_time()
    change = Change(tuple(work.traces))
    try:
        reached.commit(work, replace(change, spaces=spaces), tallies)
    except StoreConflict:  # a space has changed meanwhile: the entry is counted and leaves no mark
        reached.commit(work, change, tallies)


def _meet_holder(work: UnitOfWork, claim: str) -> None:
    """Note the patient whose identifier the caller wanted to give to somebody else, so that the patient is told."""
    identifier = work.identifying.get(claim)
    with work.runtime.ports.store.snapshot() as snapshot:
        patient = identify(snapshot, *identifier) if identifier else None
        again = Access(work.runtime, work.caller, work.audited, snapshot)
        opened = _look_up(again, patient) if patient else None
    if opened:
        work.met.setdefault(opened.patient, opened)


def _look_up(access: Access, patient: PatientId) -> Opened | None:
    """Enter a space only to learn that an identifier names its patient; audit a denial and return None.

    The denial is as confidential as the request that needs the look-up.
    """
    asked = access.audited
    looked_up = replace(_looked_up(patient), sought=asked.sought, confidential=asked.confidential)
    return open_unnamed(access.beside(looked_up), patient, Action.IDENTIFY)


def _looked_up(patient: PatientId) -> AuditedInteraction:
    return AuditedInteraction(Interaction.READ, "Patient", target=f"Patient/{patient}")


def _as_written(write: Write) -> Write:
    """Leave out the body when the version stays the same: then only marks and facts change."""
    if write.after.deleted or write.after.version != write.expected[0]:
        return write
    return replace(write, after=replace(write.after, body=b""))


def is_registry_operator(work: UnitOfWork, patient: PatientId) -> bool:
    """Tell whether this software has recorded the patient's identity; uses only facts, which outlive erased keys."""
    requester = work.caller.requester
    own = frozenset({requester.client, requester.organization} - {""})
    recorded = recorded_by(ReadingReason.OWN_RECORDS, patient, own)
    return bool(work.snapshot.visible_ids("Patient", (patient,), recorded))
