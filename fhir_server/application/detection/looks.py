"""The lane of detection: two looks at each hour in which a space was read, and what they lead to.

The first look follows the hour and judges conduct; the second comes when evidence has had its time to arrive. A hit
opens a case, and the patient is told, once in a while, of an access that nothing explains. All of it is stored in the
commit that removes the message: a worker that dies in between looks again.
Source: statements V19 to V22 (docs/rules-index.csv); docs/adr/0094.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from consent_rules.lifecycle import status_at
from consent_rules.model import RecordState
from consent_rules.rule_profile import Detection
from consent_rules.vocabulary import NO_SPACE, PatientId, SpaceStatus
from fhir_server.application.cases.opening import open_case
from fhir_server.application.core import notices_owed
from fhir_server.application.core.minor_confidentiality import hidden_facts
from fhir_server.application.core.runtime import DETECTION_LANE, Runtime, message_for
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.detection import directory_traits, space_trail
from fhir_server.application.detection.memory import Actor, Memory, SpaceMemory
from fhir_server.application.detection.space_trail import Entered, SpaceTrail
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import Outcome, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import Case, CaseKind
from fhir_server.domain.detection.conduct import DAY
from fhir_server.domain.detection.explaining import doubt_of, explain
from fhir_server.domain.detection.facts import Doubt, Hit, Traits
from fhir_server.domain.detection.judging import Holder, at_once, settled, unexpected
from fhir_server.domain.detection.reasons import REASONS
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.notices import Named
from fhir_server.domain.values import Json
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change, SpaceWrite

_SAME_CASE = 30 * DAY
"""Hours in which the same thing adds nothing to the case that it has opened."""
_ENDED = frozenset({SpaceStatus.CLOSED, SpaceStatus.SUSPENDED})


def look(runtime: Runtime, message: Pending) -> Change:
    """Look at one hour of one space. Raises: StoreConflict when another worker has looked meanwhile."""
    body: Json = orjson.loads(message.body)
    patient, hour = PatientId(message.compartment or ""), int(body["hour"])
    with runtime.ports.store.snapshot() as snapshot:
        space = snapshot.load_space(patient)
        if space is None or not space.state:
            return NOTHING
        audited = interaction_of(EventKind.ACCESS_UNEXPLAINED, target=f"Patient/{patient}")
        work = UnitOfWork(runtime, Caller.of_server(), audited, snapshot)
        work.patient = patient
        record = _without_hidden_facts(work, record_codec.load(space.state))
        looking = _Look(work, Memory(runtime), record, hour)
        looking.settled() if body["settled"] else looking.first()
        looking.memory.keep()
        if work.writes:
            work.spaces.setdefault(patient, SpaceWrite(patient, space.revision))
        return work.planned()


def _without_hidden_facts(work: UnitOfWork, record: RecordState) -> RecordState:
    """Return the state without facts of which not everybody may know: no alert depends on them (V22)."""
    hidden = hidden_facts(work.snapshot, record, work.at)
    return replace(record, directives=tuple(one for one in record.directives if one.id not in hidden))


@dataclass(slots=True)
class _Look:
    """One look. hour: number of the hour since 1970."""

    work: UnitOfWork
    memory: Memory
    record: RecordState
    hour: int

    @property
    def _detection(self) -> Detection:
        return self.work.runtime.profile.detection

    @property
    def _start(self) -> datetime:
        return datetime.fromtimestamp(self.hour * 3600, UTC)

    def first(self) -> None:
        """Note the accesses of the hour, judge conduct, and plan the second look."""
        trail = self._trail()
        holder = self._holder()
        for one in trail.of_hour(self.hour):
            access = one.access
            actor = self.memory.actor(access.person, access.where)
            known = actor.conduct, self.memory.peers(access.profession, access.where)
            around = trail.around(one, self._detection)
            for hit in at_once(access, around, holder, known, self._detection):
                self._open(hit, actor, one)
            self._unexpected(one, doubt_of(explain(access, around)), actor, is_settled=False)
        due = self._start + timedelta(hours=1) + self._detection.settles.exact
        self.work.send(message_for(self.record.patient, self.hour, self.work.at, due))

    def settled(self) -> None:
        """Judge what is left unexplained, and tell the patient of it."""
        trail = self._trail()
        entered = trail.of_hour(self.hour)
        holder, _ = directory_traits.of_holder(self.work.runtime, self.work.snapshot, self.record.patient)
        for one in entered:
            around = trail.around(one, self._detection)
            actor = self.memory.actor(one.access.person, one.access.where)
            people = self._with_rare_names(one.access.person, holder)
            doubt = doubt_of(explain(one.access, around))
            self._unexpected(one, doubt, actor, is_settled=True)
            hit = settled(one.access, around, people, actor.conduct, self._detection)
            if hit:
                self._open(hit, actor, one)
            if doubt is Doubt.FULL and not (one.access.refused or one.access.emergency):
                self._tell(one)  # of an emergency the patient has been told already, and it is reviewed

    def _trail(self) -> SpaceTrail:
        end = self._start + timedelta(hours=1)
        span = self._start - self._detection.evidence.exact, max(end, self.work.at) + timedelta(minutes=1)
        return space_trail.read(self.work.snapshot, self.record, self.record.patient, span, self.work.at)

    def _holder(self) -> Holder:
        traits, stem = directory_traits.of_holder(self.work.runtime, self.work.snapshot, self.record.patient)
        for name in traits.names:
            self.memory.name(name).note(self.record.patient, self._detection.rare_name)
        status = status_at(self.record, self.work.at, self.work.runtime.profile)
        is_over = self.record.deceased or status in _ENDED
        return Holder(stem, self.record.since if is_over else None)

    def _with_rare_names(self, person: str, holder: Traits) -> tuple[Traits, Traits]:
        actor = directory_traits.of_professional(self.work.runtime, self.work.snapshot, person)
        shared = actor.names & holder.names
        rare = frozenset(name for name in shared if self.memory.name(name).is_rare(self._detection.rare_name))
        return replace(actor, rare_names=rare), replace(holder, rare_names=rare)

    def _unexpected(self, one: Entered, doubt: Doubt, actor: Actor, *, is_settled: bool) -> None:
        space = self.memory.space(self.record.patient)
        known = actor.conduct, space.strangers
        hit = unexpected(one.access, doubt, known, self._detection, is_settled=is_settled)
        if hit:
            self._open(hit, space, one)

    def _open(self, hit: Hit, about: Actor | SpaceMemory, one: Entered) -> None:
        """Open a case, unless the same thing has opened one lately; its id is remembered, so that it is stored once."""
        key = hit.space or hit.rule.value
        id_, opened = about.cases.get(key, ("", self.hour - _SAME_CASE))
        if opened <= self.hour - _SAME_CASE:
            id_, opened = self.work.runtime.ports.ids.new(), self.hour
            lately = {name: case for name, case in about.cases.items() if case[1] > self.hour - _SAME_CASE}
            about.cases = lately | {key: (id_, opened)}
        patient = self.record.patient if hit.space else NO_SPACE
        due = self.work.at + (hit.due - hit.at)
        case = Case(
            id_, CaseKind.DETECTION, patient, self.work.at, due, hit.rule.value, hit.person, hit.evidence,
            events=(one.event,) if hit.space else (), display=one.display if hit.person else None,
            reason=REASONS[hit.rule],
        )  # fmt: skip
        if opened == self.hour:
            open_case(self.work, case)

    def _tell(self, one: Entered) -> None:
        """Plan the notice to the patient, unless one was given lately."""
        space, weekly = self.memory.space(self.record.patient), self._detection.told.exact
        if space.told is not None and self.hour - space.told < weekly.total_seconds() // 3600:
            return
        space.told = self.hour
        named = Named(one.access.person, one.display)
        notice = notices_owed.of_unexplained(self.work, self.record, named, one.access.at)
        self.work.trace_outcome(Outcome(touched=(f"Communication/{notice}",)))


LANE = Lane(DETECTION_LANE, look)
