"""What the operator does about the outbox: look, and try dead letters again or drop them.

Each change is audited in its commit.
"""

from collections.abc import Sequence

from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.ports.outbox import Fate, Handled, LaneState, Pending
from fhir_server.ports.store import Change

RETRY, DROP = "retry-message", "drop-message"
"""Operations, as the audit log names them."""
MOST = 1000
"""How many dead letters one command looks at."""


@query
def find(runtime: Runtime, lane: str | None = None) -> Sequence[Pending]:
    """Return the dead letters, of one lane or of all; at most MOST."""
    return runtime.ports.outbox.dead_letters(MOST, lane)


@query
def named(runtime: Runtime, lane: str, position: str) -> Pending:
    """Return one dead letter. Raises: Problem(NOT_FOUND) for one that is none, or none any more."""
    letters = find(runtime, lane) if lane else ()
    letter = next((one for one in letters if one.position == position), None)
    if letter is None:
        raise Problem(Category.NOT_FOUND)
    return letter


@query
def lanes(runtime: Runtime) -> Sequence[LaneState]:
    """Return what is in each lane: counts and instants, nothing of a message."""
    return runtime.ports.outbox.states(runtime.now())


@command(EventKind.MESSAGE_RETRIED)
def retry(runtime: Runtime, by: str, letter: Pending) -> None:
    """Have a dead letter handled again at once; its failures are counted from zero.

    Raises: MessageGone when it is no dead letter any more; StoreUnavailable.
    """
    _settle(runtime, by, RETRY, Handled(letter, None, Fate.POSTPONED))


@command(EventKind.MESSAGE_DROPPED)
def drop(runtime: Runtime, by: str, letter: Pending) -> None:
    """Remove a dead letter for ever. Raises: as `retry`."""
    _settle(runtime, by, DROP, Handled(letter, None))


def _settle(runtime: Runtime, by: str, operation: str, handled: Handled) -> None:
    audited = AuditedInteraction(Interaction.OPERATION, "", operation=operation)
    outcome = Outcome(reason=f"{handled.message.lane} {handled.message.position}")
    trace = audit_log.trace(runtime, Caller.of_operator(by), audited, outcome, None)
    audit_log.commit(runtime, Change((trace,), handled=(handled,)))
