"""Suspending what somebody declares, and registering other ceilings: by the operator, dated, with a reason.

All of it is one entry beside the tokens, so that the look-up before every request also finds it, in every process.
Source: docs/adr/0085-breakers-and-registered-exceptions.md (V12, V13).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain import supervision
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.supervision import (
    CEILINGS,
    NO_SUPERVISION,
    RegisteredException,
    Supervision,
    Suspension,
)
from fhir_server.ports.vault import SWITCH, Secret

NAME = (SWITCH, "supervision")
"""Kind and key of the vault's entry, which exists once anything has been set."""


@query
def find(runtime: Runtime) -> Supervision:
    """Return what is set now."""
    entry = runtime.ports.vault.get(*NAME, runtime.now())
    return supervision.load(entry.value) if entry else NO_SUPERVISION


def is_suspended(runtime: Runtime, subject: str) -> bool:
    """Tell whether a subject is suspended."""
    return any(one.subject == subject for one in find(runtime).suspensions)


@command(EventKind.WORD_SUSPENDED)
def suspend(runtime: Runtime, subject: str, by: str, reason: str) -> None:
    """Let no declaration of a subject open another space, from the next request on.

    Raises: ValueError without a reason; StoreUnavailable, and then nothing is changed.
    """
    _demand_reason(reason)
    operator_acts.record(runtime, by, "suspend-word", what=subject, reason=reason)
    suspension = Suspension(subject, runtime.now(), by, reason)
    _change(runtime, lambda before: before.with_suspension(suspension))


def resume(runtime: Runtime, subject: str, by: str, reason: str) -> None:
    """End a suspension. Raises: as `suspend`."""
    _demand_reason(reason)
    operator_acts.record(runtime, by, "resume-word", what=subject, reason=reason)
    _change(runtime, lambda before: before.without(subject))


@command(EventKind.EXCEPTION_REGISTERED)
def register(runtime: Runtime, wanted: RegisteredException) -> None:
    """Register other numbers for a subject, from the next request on; everybody may read them, without the subject.

    Raises: ValueError without a reason, a role or a known ceiling; StoreUnavailable.
    """
    _demand_reason(wanted.reason)
    unknown = sorted(set(wanted.numbers) - CEILINGS)
    if unknown or not wanted.numbers or not wanted.role.strip():
        raise ValueError(f"no such ceiling: {unknown[0]}" if unknown else "name the role and at least one ceiling")
    operator_acts.record(runtime, wanted.by, "register-exception", what=wanted.subject, reason=_said(wanted))
    dated = replace(wanted, since=runtime.now())
    _change(runtime, lambda before: before.with_exception(dated))


@command(EventKind.EXCEPTION_ENDED)
def end_exception(runtime: Runtime, subject: str, by: str, reason: str) -> None:
    """End the registered exception of a subject. Raises: as `suspend`."""
    _demand_reason(reason)
    operator_acts.record(runtime, by, "end-exception", what=subject, reason=reason)
    _change(runtime, lambda before: before.without(subject, exceptions=True))


def _said(wanted: RegisteredException) -> str:
    numbers: Mapping[str, int] = wanted.numbers
    return f"{', '.join(f'{name}={most}' for name, most in sorted(numbers.items()))}: {wanted.reason}"


def _demand_reason(reason: str) -> None:
    if not reason.strip():
        raise ValueError("say why: --reason TEXT")


def _change(runtime: Runtime, change: Callable[[Supervision], Supervision]) -> None:
    vault, is_done = runtime.ports.vault, False
    while not is_done:
        entry = vault.get(*NAME, runtime.now())
        if entry is None:
            is_done = vault.add(Secret(*NAME, supervision.dump(change(NO_SUPERVISION))))
        else:
            is_done = vault.replace(replace(entry, value=supervision.dump(change(supervision.load(entry.value)))))
