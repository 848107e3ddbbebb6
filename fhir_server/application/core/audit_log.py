"""Writing the audit log: no answer leaves before its AuditEvent is durable (rule H3, DESIGN decision 9)."""

from collections.abc import Iterable

from fhir_server import deadline
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.minor_confidentiality import SIDE
from fhir_server.application.core.runtime import Runtime
from fhir_server.deadline import demand_time
from fhir_server.domain.audit.audit_event import Stamp, trace_of
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Problem
from fhir_server.ports.store import Change, Trace

_WRITES = frozenset({"create", "update", "patch", "delete", "transaction"})


def trace(runtime: Runtime, caller: Caller, audited: AuditedInteraction, outcome: Outcome, patient: str) -> Trace:
    """Build the trace of an interaction, to be committed with the change that it tells of."""
    now = runtime.ports.clock.now()
    stamp = Stamp(runtime.ports.ids.new(), now, runtime.fhir_base, runtime.stamps.next(now))
    return Trace(trace_of(audited, outcome, caller, patient, stamp))


def record(runtime: Runtime, caller: Caller, audited: AuditedInteraction, outcome: Outcome, patient: str) -> None:
    """Append the trace of an interaction that changes nothing; returns when it is durable.

    Raises: StoreUnavailable or OutOfTime, in which case nothing may be answered.
    """
    demand_time()
    runtime.ports.store.commit(Change(traces=(trace(runtime, caller, audited, outcome, patient),)))


def demand_scope(
    runtime: Runtime,
    caller: Caller,
    audited: AuditedInteraction,
    types: Iterable[str],
    letter: str,
    patient: str | None = None,
) -> smart_scopes.Limits:
    """Return what the scopes leave of an interaction, or leave the trace that they leave nothing (S-060).

    It is told in the journal of the patient in context, never of one that was merely named.
    Raises: Problem(INSUFFICIENT_SCOPE).
    """
    try:
        return smart_scopes.demand(caller, types, letter, patient)
    except Problem as problem:
        record_refusal(runtime, caller, audited, problem)
        raise


def record_refusal(runtime: Runtime, caller: Caller, audited: AuditedInteraction, problem: Problem) -> None:
    """Append the trace of an interaction that was refused before anything was read, for the patient in context."""
    outcome = Outcome("4", problem.category.value, confidential=caller.requester.kind in SIDE)
    record(runtime, caller, audited, outcome, _in_context(runtime, caller))


def record_out_of_time(runtime: Runtime, caller: Caller, audited: AuditedInteraction) -> None:
    """Append the trace of an interaction that was stopped because it took too long: nothing came of it.

    A write is told to no representative: nobody has looked whether it carried a minor's secret (B10).
    """
    deadline.end()
    outcome = Outcome("8", "out-of-time", confidential=audited.interaction in _WRITES or caller.requester.kind in SIDE)
    record(runtime, caller, audited, outcome, _in_context(runtime, caller))


def _in_context(runtime: Runtime, caller: Caller) -> str:
    """Return the patient in context who has a space, "" when there is none."""
    with runtime.ports.store.snapshot() as snapshot:
        return caller.launch_patient if caller.launch_patient and snapshot.load_space(caller.launch_patient) else ""
