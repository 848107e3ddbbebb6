"""Writing the audit log: no answer leaves before its AuditEvent is durable (rule H3)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import msgspec

from consent_rules.vocabulary import PatientId
from fhir_server import deadline
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE, Access
from fhir_server.application.core.runtime import Runtime
from fhir_server.deadline import demand_time
from fhir_server.domain.audit.audit_event import Stamp, trace_of
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode, as_readable
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.problem import Problem
from fhir_server.domain.subscriptions.topics import EVENTFUL
from fhir_server.domain.values import Interaction
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, Trace, Write
from fhir_server.registry import AccessRule, types_under

NOTICES_LANE = "notices"
"""The lane of the outbox for notices that were stored; a message is the id of a notice."""
CHANGES_LANE = "changes"
"""The lane of the outbox for new versions of which a subscription may be told; a message is a `Changed`."""
_NOTICES = types_under(AccessRule.NOTICE)
_NEW = (0, 0)

_WRITES = frozenset(
    {Interaction.CREATE, Interaction.UPDATE, Interaction.PATCH, Interaction.DELETE, Interaction.TRANSACTION}
)


class Changed(msgspec.Struct, frozen=True):
    """A new version of a resource. is_new: whether it is the first version. at: its `lastUpdated`."""

    type: str
    id: str
    is_new: bool
    at: datetime


CHANGED = msgspec.json.Decoder(Changed)


def trace(
    runtime: Runtime, caller: Caller, audited: AuditedInteraction, outcome: Outcome, patient: PatientId | None
) -> Trace:
    """Build the audit event of an interaction, to be committed with the change that the event is about."""
    now = runtime.ports.clock.now()
    stamp = Stamp(runtime.ports.ids.new(), now, runtime.fhir_base, runtime.stamps.next(now))
    readable = as_readable(audited.event_kind, outcome)
    return Trace(trace_of(audited, readable, caller, patient, stamp), audited.event_kind, outcome.code, outcome.basis)


def commit(runtime: Runtime, *changes: Change) -> None:
    """Commit changes, several in one group, and tell the readers of events what is now durable.

    A change that stores notices puts messages about them into the outbox.

    Raises: as the store; then no reader is told.
    """
    now = runtime.ports.clock.now()
    complete = [_with_looks(runtime, _with_messages(runtime, change), now) for change in changes]
    if len(complete) == 1:
        runtime.ports.store.commit(complete[0])
    else:
        runtime.ports.store.commit_many(complete)
    for change in complete:
        tell_readers(runtime, change.traces)
        if runtime.watched and change.outbox:
            runtime.watched.note(change.outbox, now)


def _with_messages(runtime: Runtime, change: Change) -> Change:
    """Return a change that also puts a message for each new notice, and each version that a subscription may be told.

    A message says nothing but ids. A server without mail and calls puts none. A sealed notice is told when its seal
    ends.
    """
    if not runtime.tells_outside:
        return change
    changes = _changes(runtime, change) if runtime.ports.webhooks else ()
    new = (write.after for write in change.writes if write.after.type in _NOTICES and write.expected == _NEW)
    messages = tuple(
        Message(
            NOTICES_LANE,
            one.id,
            one.id.encode(),
            runtime.now(),
            one.facts.access.sealed_until,
            one.facts.access.compartment,
        )
        for one in new
    )
    more = (*messages, *changes)
    return replace(change, outbox=(*change.outbox, *more)) if more else change


def _changes(runtime: Runtime, change: Change) -> tuple[Message, ...]:
    """Return a message for each new version that a subscription may be told; the worker finds the subscriptions."""
    new = [
        write
        for write in change.writes
        if write.after.type in EVENTFUL and not write.after.deleted and write.after.version > write.expected[0]
    ]
    return tuple(_change(runtime, write) for write in new)


def _change(runtime: Runtime, write: Write) -> Message:
    after, access = write.after, write.after.facts.access
    body = msgspec.json.encode(Changed(after.type, after.id, write.expected == _NEW, after.last_updated))
    due = access.sealed_until if after.type in _NOTICES else None
    return Message(CHANGES_LANE, f"{after.id} {after.version}", body, runtime.now(), due, access.compartment)


def _with_looks(runtime: Runtime, change: Change, now: datetime) -> Change:
    """Return a change that also asks detection to look at the spaces whose accesses it audits."""
    looks = runtime.watched.messages(change, now) if runtime.watched else ()
    return replace(change, outbox=(*change.outbox, *looks)) if looks else change


def tell_readers(runtime: Runtime, stored: Iterable[Trace]) -> None:
    """Tell the readers of events about audit events that are durable: once for each event of this server."""
    for one in (each for each in stored if not each.is_told_by_others):
        for reader in runtime.event_readers:
            reader(one.kind, one.outcome, one.basis)


def record(
    runtime: Runtime, caller: Caller, audited: AuditedInteraction, outcome: Outcome, patient: PatientId | None
) -> None:
    """Store the audit event of an interaction that changes nothing; the event is durable when this returns.

    Raises: StoreUnavailable or OutOfTime, in which case nothing may be answered.
    """
    demand_time()
    commit(runtime, Change(traces=(trace(runtime, caller, audited, outcome, patient),)))


def record_outcome(access: Access, outcome: Outcome) -> None:
    """Store the audit event of a request that changes nothing, as `record`."""
    record(access.runtime, access.caller, access.audited, outcome, access.patient)


def demand_scope(
    access: Access, types: Iterable[str], letter: str, patient: PatientId | None = None
) -> smart_scopes.Limits:
    """Return the limits that the scopes set on an interaction, or audit that they do not allow it (S-060).

    The audit event belongs to the patient in context, never to a patient whom the request merely names.
    Raises: Problem(INSUFFICIENT_SCOPE).
    """
    try:
        return smart_scopes.demand(access.caller, types, letter, patient)
    except Problem as problem:
        record_refusal(access.runtime, access.caller, access.audited, problem)
        raise


@command()
def record_refusal(runtime: Runtime, caller: Caller, audited: AuditedInteraction, problem: Problem) -> None:
    """Store the audit event of an interaction that was refused before any read, for the patient in context."""
    confidential = audited.confidential or caller.requester.kind in PATIENTS_SIDE
    outcome = Outcome(OutcomeCode.REFUSED, problem.category.value, confidential=confidential, beyond=True)
    record(runtime, caller, audited, outcome, _in_context(runtime, caller))


@command()
def record_out_of_time(runtime: Runtime, caller: Caller, audited: AuditedInteraction) -> None:
    """Store the audit event of an interaction that had no effect because it took too long.

    The event of a write is hidden from representatives: nobody has checked whether the write was confidential (B10).
    """
    deadline.end()
    confidential = audited.interaction in _WRITES or caller.requester.kind in PATIENTS_SIDE
    outcome = Outcome(OutcomeCode.FAILED, "out-of-time", confidential=confidential)
    record(runtime, caller, audited, outcome, _in_context(runtime, caller))


def _in_context(runtime: Runtime, caller: Caller) -> PatientId | None:
    """Return the patient in context, None when there is none or the patient has no space."""
    with runtime.ports.store.snapshot() as snapshot:
        patient = caller.launch_patient
        return patient if patient and snapshot.load_space(patient) else None
