"""Notices to the patient and the declared physician: a notice and the act that causes it are stored in one commit.

In ordinary care, the patient is told of the first access of each professional in each establishment, or of every access
where the rule profile says so. In an emergency, the opening is told, because nobody reads in that mode without it.
Source: rules G3, G6, H1 and, for the life of a space, A2, A6, A9 and A11.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from consent_rules.model import RecordState
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Basis, DirectiveKind, Mark, Obligation, PatientId, SpaceStatus
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.ceilings import entries, reached
from fhir_server.application.core.ceilings.tallies import Tallies, Tally
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.minor_confidentiality import HIDDEN_FROM_GUARDIANS
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import facts_of, visible_documents
from fhir_server.application.core.system_views import ReadingReason, SystemView, left_open
from fhir_server.deadline import demand_time
from fhir_server.domain import bodies, record_codec
from fhir_server.domain.audit.interactions import Outcome, OutcomeCode
from fhir_server.domain.audit.interactions import about as judged_by
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named, Notice, communication_of
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import type_of
from fhir_server.ports.store import Change, SpaceWrite, StoreConflict, Trace, Write
from fhir_server.registry import DOCUMENTS, REGISTRY

_REPRESENTING = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN})
_EMERGENCIES = frozenset({Basis.BREAK_GLASS, Basis.REGULATION})
_ATTEMPTS = 5

_KEPT = {
    "sealed": HIDDEN_FROM_GUARDIANS,
    "secret": Mark.INVISIBLE_PATIENT,
    "sealed-secret": Mark.NONE,
}
"""Cases of documents that not everybody on the patient's side sees, each with the mark that its documents do not have.

They are sealed from the patient, hidden from guardians ("secret"), or both. `_ways` tries the cases in this order.
"""
_UNSEEN = "unseen"


def record_access(access: Access, outcome: Outcome) -> None:
    """Store the audit event of a read and the notice that the read owes; both are durable when this returns.

    The snapshot of the access may be closed.
    Raises: Problem(UNAVAILABLE) when the notice cannot be stored; then nothing may be answered.
    """
    runtime, opened = access.runtime, access.opened
    outcome = _as_confidential(outcome, opened)
    kind = _owed(access.caller, outcome, opened)
    kind = kind if kind in {rule.kind for rule in ROWS[access.audited.event_kind].notices} else None
    is_entry = opened is not None and outcome.code == OutcomeCode.DONE and entries.is_on_declared(opened)
    if opened is None or (kind is None and not (is_entry and entries.is_new(access, opened.record))):
        _record(access, outcome)
        return
    about = judged_by(access.audited, outcome)
    key = _key(access.caller, _kept_from(runtime, opened.patient, about)) if kind else ""
    trace = audit_log.trace(runtime, access.caller, access.audited, outcome, opened.patient)
    read = _Read(access, outcome, trace, kind, key, about, is_entry)
    record, revision = opened.record, opened.space.revision
    for _ in range(_ATTEMPTS):
        change, tallies = read.change(record, revision)
        try:
            reached.commit(access, change, tallies)
        except StoreConflict:
            with runtime.ports.store.snapshot() as snapshot:
                space = snapshot.load_space(opened.patient)
            record, revision = record_of(opened.patient, space), space.revision if space else 0
        else:
            return
    raise Problem(Category.UNAVAILABLE)


def _record(access: Access, outcome: Outcome) -> None:
    """Store the audit event of a read that changes no space; look-ups that led to no care are counted with it."""
    if not access.looked_up:
        audit_log.record_outcome(access, outcome)
        return
    demand_time()
    trace = audit_log.trace(access.runtime, access.caller, access.audited, outcome, access.patient)
    reached.commit(access, Change((trace,)), {Tally.IDENTITIES: len(access.looked_up)})


@dataclass(frozen=True, slots=True)
class _Read:
    """A read that owes something: a notice of a kind, the mark of a new entry on a declared ground, or both.

    key: the name of the access in `RecordState.told`. about: ids of the documents that the read was about.
    """

    access: Access
    outcome: Outcome
    trace: Trace
    kind: NoticeKind | None
    key: str
    about: tuple[str, ...]
    is_entry: bool

    def change(self, record: RecordState, revision: int) -> tuple[Change, Tallies]:
        """Return what is to be stored for a state of the space, and what is counted.

        Raises: Problem(CONSENT_REQUIRED) when the caller's declarations are suspended.
        """
        after, tallies = record, {}
        writes: tuple[Write, ...] = ()
        if record.status is SpaceStatus.ERASED:  # erased since the read: there is nobody to tell
            return Change((self.trace,)), {}
        if self.kind and not (self.kind is NoticeKind.FIRST_ACCESS and self.key in record.told):
            writes = (Write(self._notice(record, self.kind), (0, 0)),)
            after = replace(after, told=after.told | {self.key})
        if self.is_entry and entries.is_new(self.access, record):
            reached.demand_trusted(self.access)
            until = entries.end_of(self.access, self.access.entered)
            after, tallies = entries.marked(self.access, after, until), {Tally.SPACES: 1}
        if after is record:
            return Change((self.trace,)), {}
        state = record_codec.dump(after)
        return Change((self.trace,), writes, (SpaceWrite(record.patient, revision, state),)), tallies

    def _notice(self, record: RecordState, kind: NoticeKind) -> Stored:
        notice = _of_access(self.access, self.outcome, record, kind)
        return stored(self.access.runtime, notice, confidential=self.outcome.confidential, documents=self.about)


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that is owed, as it is stored. key: the name of the access in `RecordState.told`."""

    stored: Stored
    key: str


def of_change(access: Access, outcome: Outcome, opened: Opened, about: tuple[str, ...]) -> Owed | None:
    """Return the notice that is owed when the answer to a change shows documents, None when no notice is owed.

    opened: with a permit to consult. about: ids of the documents that the answer shows.
    """
    runtime = access.runtime
    outcome = _as_confidential(outcome, opened)
    kind = _owed(access.caller, outcome, opened)
    key = _key(access.caller, _kept_from(runtime, opened.patient, about)) if kind else ""
    if kind is None or (kind is NoticeKind.FIRST_ACCESS and key in opened.record.told):
        return None
    notice = _of_access(access, outcome, opened.record, kind)
    return Owed(stored(runtime, notice, confidential=outcome.confidential, documents=about), key)


def _as_confidential(outcome: Outcome, opened: Opened | None) -> Outcome:
    """Mark a read as confidential when only Consents that a minor hides from guardians gave access (B10)."""
    if opened is None or outcome.confidential:
        return outcome
    return outcome if opened.told else replace(outcome, confidential=True)


def _owed(caller: Caller, outcome: Outcome, opened: Opened | None) -> NoticeKind | None:
    """Return the kind of notice that a read owes, None when it owes none."""
    if opened is None or outcome.code != OutcomeCode.DONE or opened.permit.basis in _EMERGENCIES:
        return None
    owed = opened.permit.obligations
    if Obligation.NOTIFY_FIRST_ACCESS in owed and _key(caller, "") not in opened.record.told:
        return NoticeKind.FIRST_ACCESS
    return NoticeKind.ACCESS if Obligation.NOTIFY_PATIENT in owed else None


def _kept_from(runtime: Runtime, patient: PatientId, about: tuple[str, ...]) -> str:
    """Return the most open case of `_KEPT` among the documents of an access; "" when everybody may see one of them.

    Documents that do not exist are a case of their own: nobody is told of a search for them alone. The first access is
    told once in each case: persons who may not learn of an access are still told of the first one that they may learn
    of.
    """
    if not about:
        return ""
    at = runtime.ports.clock.now()
    with runtime.ports.store.snapshot() as snapshot:
        for kept, view in _ways(patient, at):
            if visible_documents(snapshot, about, view, gone=True):
                return kept
    return _UNSEEN


def _ways(patient: PatientId, at: datetime) -> Iterator[tuple[str, SystemView]]:
    """Yield each case with a view that shows its documents, the most open case first."""
    yield "", left_open(ReadingReason.CONFIDENTIALITY, patient, HIDDEN_FROM_GUARDIANS, unsealed_at=at)
    for kept, mark in _KEPT.items():
        yield kept, left_open(ReadingReason.CONFIDENTIALITY, patient, mark)


def _key(caller: Caller, kept: str) -> str:
    """Return a name for an access: two accesses with the same name count as one.

    kept: what `_kept_from` says of who may not see the documents of the access, "" when everybody may.
    """
    name = f"{caller.requester.person} {caller.requester.organization}"
    return f"{name} {kept}" if kept else name


def has_been_told(caller: Caller, record: RecordState) -> bool:
    """Tell whether the patient's side has been told of an access by this person in this establishment."""
    return any(_key(caller, kept) in record.told for kept in ("", *_KEPT, _UNSEEN))


def _of_access(access: Access, outcome: Outcome, record: RecordState, kind: NoticeKind) -> Notice:
    who, where = parties(access.caller)
    documents = tuple(ref for ref in outcome.touched if type_of(ref) in DOCUMENTS)
    recipients = holders(record, confidential=outcome.confidential)
    return Notice(kind, record.patient, access.runtime.now(), recipients, who, where, documents)


def parties(caller: Caller) -> tuple[Named, Named | None]:
    """Return the person who acts, and the establishment of the practice situation."""
    requester = caller.requester
    where = Named(requester.organization, caller.granted.organization_display) if requester.organization else None
    return Named(requester.person, caller.granted.display), where


def holders(record: RecordState, *, confidential: bool) -> tuple[str, ...]:
    """Return the patient and the representatives; only the patient for something confidential (B10)."""
    named = (d.actors for d in record.directives if d.kind in _REPRESENTING)
    related = frozenset[str]() if confidential else frozenset[str]().union(*named)
    return (f"Patient/{record.patient}", *sorted(related))


def stored(
    runtime: Runtime,
    notice: Notice,
    *,
    physician: str = "",
    confidential: bool = False,
    documents: tuple[str, ...] = (),
) -> Stored:
    """Return a notice as it is stored; a notice of a later instant is sealed until then.

    physician: reference of the declared physician to whom the notice is addressed. documents: ids of the documents that
    the notice is about; its reader must see one of them.
    """
    id_, now = runtime.ports.ids.new(), runtime.ports.clock.now()
    access = AccessFacts(
        compartment=notice.patient,
        kind=notice.kind.value,
        marks=HIDDEN_FROM_GUARDIANS if confidential else Mark.NONE,
        sealed_until=notice.at if notice.at > now else None,
        owner_person=physician,
    )
    stamp = runtime.stamps.next(now)
    body = bodies.stamped(communication_of(notice), id_, 1, stamp)
    facts = replace(facts_of(orjson.loads(body), access, REGISTRY["Communication"]), documents=documents)
    return Stored("Communication", id_, 1, 0, deleted=False, last_updated=stamp, marked_at=None, body=body, facts=facts)
