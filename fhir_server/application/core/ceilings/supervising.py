"""Suspending what somebody declares, and registering other ceilings: dated, with a reason, by officer or operator.

All of it is one entry beside the tokens, so that the look-up before every request also finds it, in every process.
Source: docs/adr/0085-breakers-and-registered-exceptions.md (V12, V13).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain import supervision
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.supervision import (
    CEILINGS,
    NO_SUPERVISION,
    OF_EVERYBODY,
    RegisteredException,
    Supervision,
    Suspension,
)
from fhir_server.ports.vault import SWITCH, Secret

NAME = (SWITCH, "supervision")
"""Kind and key of the vault's entry, which exists once anything has been set."""


@query
def find(runtime: Runtime) -> Supervision:
    """Return the suspensions and registered exceptions that are set now."""
    entry = runtime.ports.vault.get(*NAME, runtime.now())
    return supervision.load(entry.value) if entry else NO_SUPERVISION


@query
def is_suspended(runtime: Runtime, *subjects: str) -> bool:
    """Tell whether one of these subjects is suspended."""
    return any(one.subject in subjects for one in find(runtime).suspensions)


@command(EventKind.WORD_SUSPENDED)
def suspend(runtime: Runtime, subject: str, by: str | Caller, reason: str) -> None:
    """Let no declaration of a subject open another space, from the next request on.

    It takes the place of a suspension that began by itself, and ends only by `breakers.resume`.
    by: the operator's name, or the officer.
    Raises: ValueError without a reason; StoreUnavailable, and then nothing is changed.
    """
    _demand_reason(reason)
    caller = _caller(by)
    operator_acts.record_of(runtime, caller, "suspend-word", subject, reason)
    suspension = Suspension(subject, runtime.now(), caller.granted.display or caller.requester.person, reason)
    _change(runtime, lambda before: before.with_suspension(suspension))


def begin(runtime: Runtime, suspension: Suspension) -> None:
    """Begin a suspension on behalf of the server, unless the subject is suspended already. Raises: as `suspend`."""
    operator_acts.record_of(runtime, Caller.of_server(), "suspend-word", suspension.subject, suspension.reason)
    _change(runtime, lambda before: before.begun(suspension))


def end(runtime: Runtime, suspension: Suspension, reason: str) -> None:
    """End exactly this suspension on behalf of the server, and no other of its subject. Raises: as `suspend`."""
    operator_acts.record_of(runtime, Caller.of_server(), "resume-word", suspension.subject, reason)
    _change(runtime, lambda before: before.ended(suspension))


def resume(runtime: Runtime, subject: str, by: str | Caller, reason: str) -> None:
    """End a suspension. Raises: as `suspend`."""
    _demand_reason(reason)
    operator_acts.record_of(runtime, _caller(by), "resume-word", subject, reason)
    _change(runtime, lambda before: before.without(subject))


@command(EventKind.EXCEPTION_REGISTERED)
def register(runtime: Runtime, wanted: RegisteredException) -> None:
    """Register other ceilings for a subject, from the next request on; everybody may read the numbers, not for whom.

    Raises: ValueError without a reason, a role or a known ceiling; StoreUnavailable.
    """
    _demand_reason(wanted.reason)
    _demand_numbers(wanted.numbers)
    if not wanted.role.strip():
        raise ValueError("name the role")
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


def _caller(by: str | Caller) -> Caller:
    return by if isinstance(by, Caller) else Caller.of_operator(by)


def _demand_numbers(numbers: Mapping[str, int]) -> None:
    if not numbers:
        raise ValueError("name at least one ceiling")
    for name, most in sorted(numbers.items()):
        if name not in CEILINGS:
            raise ValueError(f"no such ceiling: {name}")
        if name in OF_EVERYBODY:
            raise ValueError(f"{name} is the same for everybody; set it in the rule profile")
        if most < 1:
            raise ValueError(f"{name} must be at least 1; `habilis suspend` stops what somebody declares")


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
