"""Counting, from anywhere in the server. While no table is set, nothing is counted and nothing costs time.

The table belongs to the process, as the log does: metrics are about a whole server, and parts of it that know nothing
of each other count in the same table.
"""

from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from consent_rules.vocabulary import Basis
from fhir_server import telemetry
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.metrics import tables
from fhir_server.metrics.families import (
    AT_THE_DOOR,
    BOUNDS,
    CHANGES,
    COMMIT_SECONDS,
    DECISIONS,
    EVENTS,
    FAILED_COMMITS,
    FAILURES,
    NONE,
    REFUSALS,
    REQUEST_SECONDS,
    REQUESTS,
    SYNC_SECONDS,
    WAIT_SECONDS,
    WAITING,
    WORKER_RUNS,
    WRITER_QUEUE,
    LaneName,
    Outcome,
    Run,
)
from fhir_server.metrics.tables import Table

_MICROS = 1_000_000
_SUM = len(BOUNDS) + 1
"""Where a histogram keeps the sum, after its buckets."""
_LEAST_FAILURE = 400
_DECIDED = {(basis, ended): DECISIONS.slot(basis, ended) for basis in (*Basis, NONE) for ended in Outcome}
_HAPPENED = {(kind, ended): EVENTS.slot(kind, ended) for kind in EventKind for ended in Outcome}
_table: Table | None = None


@dataclass(frozen=True, slots=True)
class RequestKind:
    """The slots of one kind of request, found once. answers: by the first digit of the status; seconds: how long."""

    answers: tuple[int, ...]
    seconds: int

    @classmethod
    def of(cls, interaction: str, type_: str) -> "RequestKind":
        """Find the slots of an interaction and a resource type."""
        answers = tuple(REQUESTS.slot(interaction, type_, f"{digit}xx") for digit in range(10))
        return cls(answers, REQUEST_SECONDS.slot(interaction))


def begin(folder: Path) -> bool:
    """Count into a table in a folder from now on; return False when there is no room.

    A process that cannot count serves all the same: the metrics are not the audit log.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        into(tables.take(folder))
    except OSError as error:
        telemetry.alarm("metrics_unavailable", error)
        return False
    return True


def into(table: Table | None) -> None:
    """Count in this table from now on; None stops counting."""
    global _table  # noqa: PLW0603 - one table for each process
    _table = table


def answered(kind: RequestKind, status: int, seconds: float) -> None:
    """Count an answer. seconds: from when the request got its turn until the answer."""
    table = _table
    if table is None:
        return
    slots, first = table.slots, kind.seconds
    with table.lock:
        slots[kind.answers[status // 100]] += 1
        slots[first + bisect_left(BOUNDS, seconds)] += 1
        slots[first + _SUM] += int(seconds * _MICROS)
    if status >= _LEAST_FAILURE:
        _add(FAILURES.slot(str(status)))


def refused(category: str) -> None:
    """Count a request whose answer shows this category."""
    if _table is not None:
        _add(REFUSALS.slot(category))


def refused_at_the_door(status: int) -> None:
    """Count a request that is refused before its turn."""
    if _table is not None:
        _add(AT_THE_DOOR.slot(str(status)))


def waits(lane: LaneName, change: int) -> None:
    """Count a request that begins to wait (1) or waits no longer (-1)."""
    if _table is not None:
        _add(WAITING.slot(lane), change)


def waited(lane: LaneName, seconds: float) -> None:
    """Count a request that had to wait for its turn."""
    _observe(WAIT_SECONDS.slot(lane), seconds)


def happened(kind: EventKind, outcome: OutcomeCode, basis: Basis | None) -> None:
    """Count an audited event. The ground counts only for what was permitted, because a refusal has no ground."""
    table = _table
    if table is None:
        return
    is_done = outcome is OutcomeCode.DONE
    ended = Outcome.DONE if is_done else Outcome.REFUSED
    decision = _DECIDED[basis if is_done and basis else NONE, ended]
    with table.lock:
        table.slots[decision] += 1
        table.slots[_HAPPENED[kind, ended]] += 1


def worked(run: Run) -> None:
    """Count what the worker did."""
    if _table is not None:
        _add(WORKER_RUNS.slot(run))


def queued(changes: int) -> None:
    """State how many changes wait for the writer now."""
    table = _table
    if table is not None:
        table.slots[WRITER_QUEUE.start] = changes


def committed(changes: int, seconds: float, sync: float | None = None) -> None:
    """Count a transaction with so many changes. sync: how long its sync took, None where nobody can tell."""
    table = _table
    if table is None:
        return
    slots, whole, part = table.slots, COMMIT_SECONDS.start, SYNC_SECONDS.start
    with table.lock:
        slots[CHANGES.start] += changes
        slots[whole + bisect_left(BOUNDS, seconds)] += 1
        slots[whole + _SUM] += int(seconds * _MICROS)
        if sync is not None:
            slots[part + bisect_left(BOUNDS, sync)] += 1
            slots[part + _SUM] += int(sync * _MICROS)


def not_committed() -> None:
    """Count a transaction that the store did not confirm."""
    _add(FAILED_COMMITS.start)


def _add(slot: int, amount: int = 1) -> None:
    table = _table
    if table is not None:
        with table.lock:
            table.slots[slot] += amount


def _observe(first: int, seconds: float) -> None:
    table = _table
    if table is not None:
        with table.lock:
            table.slots[first + bisect_left(BOUNDS, seconds)] += 1
            table.slots[first + _SUM] += int(seconds * _MICROS)
