"""Breakers: who reaches ceilings on several days, or is contested by several patients, opens nothing by declarations.

What was reached is kept in the vault for as long as it counts. Only contests and refused requests come here.
Source: docs/adr/0085-breakers-and-registered-exceptions.md (V13).
"""

import orjson

from consent_rules.visibility import micros
from consent_rules.vocabulary import PatientId
from fhir_server.application.core import audit_log
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import grows_by
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction
from fhir_server.ports.counters import CeilingReached
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, Trace
from fhir_server.ports.vault import Secret

BY = "Habilis"
CASES_LANE = "cases"
"""The lane of the outbox for cases that the worker opens; a message says about whom, by which rule and how often."""
EMERGENCIES_LANE = "emergencies"
"""The lane for emergency openings, which the worker counts by establishment."""
_DAY, _CONTEST, _CALL = "ceiling-day", "contested-by", "officer-called"


def note_reached(runtime: Runtime, reached: CeilingReached) -> None:
    """Note that a subject has reached a ceiling today: one case a day, and a suspension after too many days."""
    subject, ceilings = reached.count.subject, runtime.profile.ceilings
    call_officer(runtime, subject, reached.limit.name)
    if _times(runtime, _DAY, subject, f"{runtime.now():%Y-%m-%d}") >= ceilings.breaker_days:
        _suspend(runtime, subject, f"ceilings reached on {ceilings.breaker_days} days")


def note_contested(runtime: Runtime, declarer: str, patient: PatientId) -> None:
    """Note that a patient contests a declaration; patients are counted, not declarations. declarer: a reference."""
    most = runtime.profile.ceilings.breaker_contests
    if _times(runtime, _CONTEST, declarer, patient) >= most:
        _suspend(runtime, declarer, f"declarations contested by {most} patients")


@command(EventKind.CEILING_REACHED)
def call_officer(runtime: Runtime, subject: str, ceiling: str) -> None:
    """Record that a subject has reached a ceiling and have the worker open a case, one for each ceiling and day.

    The audit event is stored once for these, too. Each further time counts in the case, as `grows_by` says.
    """
    now = runtime.now()
    more = grows_by(runtime.meetings.add(subject, ceiling, now.date()))
    if more:
        until = runtime.profile.ceilings.breaker_window.after(now)
        is_first = runtime.ports.vault.add(Secret(_CALL, f"{subject} {ceiling} {now:%Y-%m-%d}", b"", expires=until))
        traces = (trace_of(runtime, subject, ceiling),) if is_first else ()
        audit_log.commit(runtime, Change(traces, outbox=(_report(runtime, "ceiling", subject, ceiling, more),)))


def trace_of(runtime: Runtime, subject: str, rule: str) -> Trace:
    """Return the audit event of the server that a subject has reached something."""
    audited = AuditedInteraction(Interaction.OPERATION, "", target=subject, operation="reach-ceiling")
    return audit_log.trace(runtime, Caller.of_server(), audited, Outcome(reason=rule), None)


def emergency_message(runtime: Runtime, place: str) -> Message:
    """Return the message that an emergency opening puts in its commit. place: establishment, or software without one.

    It names no person and no patient.
    """
    at, name = runtime.now(), runtime.ports.ids.new()
    said = orjson.dumps({"place": place, "at": micros(at), "name": name}, option=orjson.OPT_SORT_KEYS)
    return Message(EMERGENCIES_LANE, name, said, at)


def _report(runtime: Runtime, kind: str, subject: str, rule: str, times: int = 1) -> Message:
    """Return the message of which the worker makes the officer's case. times: how often it is to be counted."""
    at, name = runtime.now(), runtime.ports.ids.new()
    said = {"kind": kind, "who": subject, "rule": rule, "at": micros(at), "times": times}
    return Message(CASES_LANE, name, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), at)


@command(EventKind.WORD_RESUMED)
def resume(runtime: Runtime, subject: str, by: str, reason: str) -> None:
    """End a suspension, and forget what counts against the subject: the officer has decided.

    Raises: as `supervising.resume`.
    """
    supervising.resume(runtime, subject, by, reason)
    for kind in (_DAY, _CONTEST):
        runtime.ports.vault.drop_group(_group(kind, subject))


def _suspend(runtime: Runtime, subject: str, reason: str) -> None:
    if not supervising.is_suspended(runtime, subject):
        supervising.suspend(runtime, subject, BY, reason)
        rule = "declared-word-suspended"
        message = _report(runtime, "breaker", subject, rule)
        audit_log.commit(runtime, Change((trace_of(runtime, subject, rule),), outbox=(message,)))


def _times(runtime: Runtime, kind: str, subject: str, once: str) -> int:
    """Note something once; return how much counts against the subject now."""
    now, vault = runtime.now(), runtime.ports.vault
    until, group = runtime.profile.ceilings.breaker_window.after(now), _group(kind, subject)
    vault.add(Secret(kind, f"{subject} {once}", b"", group, until))
    return len(vault.entries(kind, now, group))


def _group(kind: str, subject: str) -> str:
    return f"{kind} {subject}"
