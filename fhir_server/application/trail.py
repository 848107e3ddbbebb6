"""Writing the trail: no answer leaves before its AuditEvent is durable (rule H3, DESIGN decision 9)."""

from collections.abc import Iterable

from fhir_server import deadline
from fhir_server.application import scoping
from fhir_server.application.runtime import Runtime
from fhir_server.application.secrecy import SIDE
from fhir_server.deadline import demand_time
from fhir_server.domain.audit import Stamp, trace_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed, Verdict
from fhir_server.domain.problem import Problem
from fhir_server.ports import Change, Trace

_WRITES = frozenset({"create", "update", "patch", "delete", "transaction"})


def trace(runtime: Runtime, caller: Caller, deed: Deed, verdict: Verdict, patient: str) -> Trace:
    """Build the trace of a deed, to be committed with the change that it tells of."""
    now = runtime.ports.clock.now()
    stamp = Stamp(runtime.ports.ids.new(), now, runtime.fhir_base, runtime.stamps.next(now))
    return Trace(trace_of(deed, verdict, caller, patient, stamp))


def record(runtime: Runtime, caller: Caller, deed: Deed, verdict: Verdict, patient: str) -> None:
    """Append the trace of a deed that changes nothing; returns when it is durable.

    Raises: StoreUnavailable or OutOfTime, in which case nothing may be answered.
    """
    demand_time()
    runtime.ports.store.commit(Change(traces=(trace(runtime, caller, deed, verdict, patient),)))


def demand_scope(
    runtime: Runtime, caller: Caller, deed: Deed, types: Iterable[str], letter: str, patient: str | None = None
) -> scoping.Limits:
    """Return what the scopes leave of a deed, or leave the trace that they leave nothing (S-060).

    It is told in the journal of the patient in context, never of one that was merely named.
    Raises: Problem(INSUFFICIENT_SCOPE).
    """
    try:
        return scoping.demand(caller, types, letter, patient)
    except Problem as problem:
        record_refusal(runtime, caller, deed, problem)
        raise


def record_refusal(runtime: Runtime, caller: Caller, deed: Deed, problem: Problem) -> None:
    """Append the trace of a deed that was refused before anything was read, for the patient in context."""
    verdict = Verdict("4", problem.category.value, secret=caller.requester.kind in SIDE)
    record(runtime, caller, deed, verdict, _in_context(runtime, caller))


def record_out_of_time(runtime: Runtime, caller: Caller, deed: Deed) -> None:
    """Append the trace of a deed that was stopped because it took too long: nothing came of it.

    A write is told to no representative: nobody has looked whether it carried a minor's secret (B10).
    """
    deadline.end()
    verdict = Verdict("8", "out-of-time", secret=deed.interaction in _WRITES or caller.requester.kind in SIDE)
    record(runtime, caller, deed, verdict, _in_context(runtime, caller))


def _in_context(runtime: Runtime, caller: Caller) -> str:
    """Return the patient in context who has a space, "" when there is none."""
    with runtime.ports.store.snapshot() as snapshot:
        return caller.launch_patient if caller.launch_patient and snapshot.load_space(caller.launch_patient) else ""
