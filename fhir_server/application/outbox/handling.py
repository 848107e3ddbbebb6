"""Handling the messages of a lane under a lease: what becomes of each is committed with what its handler wants."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from fhir_server import telemetry
from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox.lanes import NOTHING, Lane, Later
from fhir_server.metrics import counting
from fhir_server.metrics.families import Run
from fhir_server.ports.outbox import Fate, Handled, Lease, Pending
from fhir_server.ports.store import Change, LeaseLost, MessageGone, StoreConflict

_ATTEMPTS = 5
"""How often a handler is asked again because something else was written meanwhile."""


def handle_some(runtime: Runtime, lane: Lane, lease: Lease, messages: Sequence[Pending]) -> None:
    """Handle messages with one commit; if it fails, each with a commit of its own."""
    if len(messages) > 1:
        with suppress(Exception):  # it occurs again when each message is handled alone
            _commit(runtime, lane, *(_attempt(runtime, lane, lease, message) for message in messages))
            return
    for message in messages:
        with suppress(MessageGone):
            _handle(runtime, lane, lease, message)


def _handle(runtime: Runtime, lane: Lane, lease: Lease, message: Pending) -> None:
    """Handle one message; ask the handler again when something else was written meanwhile.

    Raises: LeaseLost, MessageGone, StoreUnavailable.
    """
    failure: Exception = StoreConflict()
    for _ in range(_ATTEMPTS):
        try:
            _commit(runtime, lane, _attempt(runtime, lane, lease, message))
        except (LeaseLost, MessageGone):
            raise
        except StoreConflict as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, this message must not stop the others
            failure = error
            break
        else:
            return
    _commit(runtime, lane, Change((), handled=(_failed(runtime, lane, lease, message, failure),)))


def _commit(runtime: Runtime, lane: Lane, *changes: Change) -> None:
    """Commit, and count for the metrics what became of the last message of each change."""
    audit_log.commit(runtime, *changes)
    for change in changes:
        own = change.handled[-1]
        if own.fate is Fate.DEAD:
            counting.worked(Run.DEAD)
        elif own.attempts > own.message.attempts:
            counting.worked(Run.FAILED)
        elif lane.every:
            counting.worked(Run.DONE)


def _attempt(runtime: Runtime, lane: Lane, lease: Lease, message: Pending) -> Change:
    """Ask the handler; return its change with what becomes of the message."""
    change = NOTHING
    try:
        change = lane.handle(runtime, message)
        handled = Handled(message, lease)
        if lane.every:
            handled = replace(handled, fate=Fate.POSTPONED, due=runtime.now() + lane.every)
    except Later as later:
        handled = Handled(message, lease, Fate.POSTPONED, later.due, message.attempts, message.error)
    except Exception as error:  # noqa: BLE001 - whatever it is, this message must not stop the others
        handled = _failed(runtime, lane, lease, message, error)
    return replace(change, handled=(*change.handled, handled))


def _failed(runtime: Runtime, lane: Lane, lease: Lease, message: Pending, error: Exception) -> Handled:
    failures, kind = message.attempts + 1, type(error).__name__
    if failures >= lane.tries and not lane.every:
        telemetry.lane_alarm("dead_letter", lane.name, failures, error)
        return Handled(message, lease, Fate.DEAD, None, failures, kind)
    telemetry.lane_alarm("message_failed", lane.name, failures, error)
    due = runtime.now() + lane.pause(failures)
    return Handled(message, lease, Fate.POSTPONED, due, failures, kind)
