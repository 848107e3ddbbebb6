"""Breakers: somebody who reaches ceilings on several days, or whom several patients contest, is suspended.

The declarations of a suspended subject open no further space.

What was reached is kept in the vault for as long as it counts. Only a request that a ceiling refuses, a contest, and an
officer's decision call this module.
Source: docs/adr/0085-breakers-and-registered-exceptions.md (V13).
"""

from dataclasses import dataclass
from datetime import datetime

import orjson

from consent_rules.visibility import micros
from fhir_server.application.core import audit_log
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import CaseKind, case_id, grows_by
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.stored import instant
from fhir_server.domain.supervision import BreakerCause, Suspension
from fhir_server.domain.values import Interaction
from fhir_server.ports.counters import CeilingReached
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Change, Trace
from fhir_server.ports.vault import Secret, put_unless_held

BY = "Habilis"
FOLLOW = "follow"
"""Kind of the messages that have the worker bring a suspension in line with the cases."""
CASES_LANE = "cases"
"""The lane of the outbox for cases that the worker opens; a message says about whom, by which rule and how often."""
EMERGENCIES_LANE = "emergencies"
"""The lane for emergency openings, which the worker counts by establishment."""
_DAY, _CALL, _CLEARED = "ceiling-day", "officer-called", "word-cleared"


def note_reached(runtime: Runtime, reached: CeilingReached) -> None:
    """Note that a subject has reached a ceiling today: one case a day, and a suspension after too many days."""
    subject, ceilings = reached.count.subject, runtime.profile.ceilings
    call_officer(runtime, subject, reached.limit.name)
    if _times(runtime, _DAY, subject, f"{runtime.now():%Y-%m-%d}") >= ceilings.breaker_days:
        _suspend_for_ceilings(runtime, subject)


def suspend_for_contests(runtime: Runtime, declarer: str) -> None:
    """Suspend somebody whose declarations enough patients contest. declarer: a reference."""
    most = runtime.profile.ceilings.breaker_contests
    _suspend(runtime, declarer, BreakerCause.CONTESTS, f"declarations contested by {most} patients")


def end_for_contests(runtime: Runtime, suspension: Suspension) -> None:
    """End a suspension for which too few contests still count; ceilings that were reached may begin a new one."""
    supervising.end(runtime, suspension, "too few contests stand")
    if len(_entries(runtime, _DAY, suspension.subject)) >= runtime.profile.ceilings.breaker_days:
        _suspend_for_ceilings(runtime, suspension.subject)


@command(EventKind.CEILING_REACHED)
def call_officer(runtime: Runtime, subject: str, ceiling: str) -> None:
    """Record that a subject has reached a ceiling and have the worker open a case, one for each ceiling and day.

    The audit event, too, is stored once for each ceiling and day. Each further time counts in the case, as `grows_by`
    says.
    """
    now = runtime.now()
    more = grows_by(runtime.meetings.add(subject, ceiling, now.date()))
    if more:
        until = runtime.profile.ceilings.breaker_window.after(now)
        is_first = runtime.ports.vault.add(Secret(_CALL, f"{subject} {ceiling} {now:%Y-%m-%d}", b"", expires=until))
        traces = (trace_of(runtime, subject, ceiling),) if is_first else ()
        message = _report(runtime, _Report("ceiling", subject, ceiling, more))
        audit_log.commit(runtime, Change(traces, outbox=(message,)))


def trace_of(runtime: Runtime, subject: str, rule: str) -> Trace:
    """Return the audit event by which the server records that a subject has reached a ceiling or a suspension."""
    audited = AuditedInteraction(Interaction.OPERATION, "", target=subject, operation="reach-ceiling")
    return audit_log.trace(runtime, Caller.of_server(), audited, Outcome(reason=rule), None)


def emergency_message(runtime: Runtime, place: str) -> Message:
    """Return the message that an emergency opening puts in its commit. place: establishment, or software without one.

    It names no person and no patient.
    """
    at, name = runtime.now(), runtime.ports.ids.new()
    said = orjson.dumps({"place": place, "at": micros(at), "name": name}, option=orjson.OPT_SORT_KEYS)
    return Message(EMERGENCIES_LANE, name, said, at)


@dataclass(frozen=True, slots=True)
class _Report:
    """What the worker makes a case of.

    times: by how much the case is to grow. case: id of the case, None for the case of today.
    """

    kind: str
    who: str
    rule: str
    times: int = 1
    case: str | None = None


def _report(runtime: Runtime, told: _Report) -> Message:
    """Return the message from which the worker makes a case for the officer."""
    at, name = runtime.now(), runtime.ports.ids.new()
    said = {"kind": told.kind, "who": told.who, "rule": told.rule, "at": micros(at), "times": told.times}
    body = orjson.dumps(said | ({"case": told.case} if told.case else {}), option=orjson.OPT_SORT_KEYS)
    return Message(CASES_LANE, name, body, at)


@command(EventKind.WORD_RESUMED)
def resume(runtime: Runtime, subject: str, by: str | Caller, reason: str) -> None:
    """End a suspension, and forget what counts against the subject: the officer has decided.

    Raises: as `supervising.resume`.
    """
    supervising.resume(runtime, subject, by, reason)
    _forget(runtime, subject)


def end_as_decided(runtime: Runtime, suspension: Suspension, reason: str) -> None:
    """End exactly this suspension, as the officer has decided, and forget what counts against the subject.

    It forgets first: if the process dies in between, the suspension ends when this is done again.
    """
    _forget(runtime, suspension.subject)
    supervising.end(runtime, suspension, reason)


def cleared_at(runtime: Runtime, subject: str) -> datetime | None:
    """Return after which instant contests count against a subject: the officer decided earlier ones; None for all."""
    entry = runtime.ports.vault.get(_CLEARED, subject, runtime.now())
    return instant(int(entry.value)) if entry else None


def follow_message(runtime: Runtime, subject: str) -> Message:
    """Return the message that has the worker bring a suspension in line with the cases, should this process die."""
    said = orjson.dumps({"kind": FOLLOW, "who": subject}, option=orjson.OPT_SORT_KEYS)
    return Message(CASES_LANE, f"{FOLLOW} {subject}", said, runtime.now())


def _forget(runtime: Runtime, subject: str) -> None:
    vault = runtime.ports.vault
    vault.drop_group(_group(_DAY, subject))
    vault.drop(_CLEARED, subject)
    vault.add(Secret(_CLEARED, subject, str(micros(runtime.now())).encode()))


def _suspend_for_ceilings(runtime: Runtime, subject: str) -> None:
    days = runtime.profile.ceilings.breaker_days
    _suspend(runtime, subject, BreakerCause.CEILINGS, f"ceilings reached on {days} days")


def _suspend(runtime: Runtime, subject: str, cause: BreakerCause, reason: str) -> None:
    """Suspend a subject who is not suspended. The report comes first, so that no suspension is without its case.

    Processes that suspend at the same time report one case: its id is computed, anew after each decision.
    """
    if supervising.is_suspended(runtime, subject):
        return
    now, cleared, rule = runtime.now(), cleared_at(runtime, subject), f"suspended-for-{cause}"
    case = case_id(runtime.cursor_key, CaseKind.BREAKER, subject, f"{rule} {micros(cleared) if cleared else 0}", now)
    message = _report(runtime, _Report("breaker", subject, rule, case=case))
    audit_log.commit(runtime, Change((trace_of(runtime, subject, rule),), outbox=(message,)))
    supervising.begin(runtime, Suspension(subject, now, BY, reason, cause, case))


def _times(runtime: Runtime, kind: str, subject: str, once: str) -> int:
    """Note something, once for each name `once`; return how many such entries count against the subject now."""
    until = runtime.profile.ceilings.breaker_window.after(runtime.now())
    entry = Secret(kind, f"{subject} {once}", b"", _group(kind, subject), until)
    put_unless_held(runtime.ports.vault, entry, runtime.now())
    return len(_entries(runtime, kind, subject))


def _entries(runtime: Runtime, kind: str, subject: str) -> tuple[Secret, ...]:
    return runtime.ports.vault.entries(kind, runtime.now(), _group(kind, subject))


def _group(kind: str, subject: str) -> str:
    return f"{kind} {subject}"
