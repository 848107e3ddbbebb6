"""Where the processes of one server keep their metrics: a file of numbers for each process, in one folder.

A process takes the first file that no process has and goes on counting there. So the metrics of a process that has
ended are not lost, and there are never more files than processes at once. The system frees the lock of a file when its
process ends, however it ends.
Source: docs/adr/0077-metrics-in-shared-tables.md.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock

from fhir_server.metrics.families import FAMILIES, SLOTS, Kind

_BYTES = 8
"""Of one slot: an unsigned number. The processor writes it at once, so that no reader sees half of it."""
_PREFIX = "table-"
_STARTED = 0
"""The slot that holds when the server was started, in seconds since 1970."""


class Table:
    """The metrics of this process. One lock serves all of them: it is held for two or three additions."""

    __slots__ = ("_file", "lock", "slots")

    def __init__(self, file: int) -> None:
        """Map an open file, which this process has locked; the gauges of the process that had it before become zero.

        The blocks are allocated first: a process that writes into a hole of a mapped file on a full disk is killed.
        """
        os.posix_fallocate(file, 0, SLOTS * _BYTES)
        self._file = file
        self.lock = Lock()
        self.slots = memoryview(mmap.mmap(file, SLOTS * _BYTES)).cast("Q")
        self.slots[_STARTED] = self.slots[_STARTED] or int(time.time())
        for family in FAMILIES:
            if family.kind is Kind.GAUGE:
                self.slots[family.start : family.start + family.size] = memoryview(bytes(family.size * _BYTES)).cast(
                    "Q"
                )

    def close(self) -> None:
        """Leave the file to the next process."""
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one process has counted. is_live: whether the process still runs."""

    slots: memoryview
    is_live: bool

    @property
    def started(self) -> int:
        """When the server was started, in seconds since 1970."""
        return int(self.slots[_STARTED])


def clear(folder: Path) -> None:
    """Make the folder, and remove the metrics of an earlier start; those of a process that still runs stay."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.glob(f"{_PREFIX}*"):
        with closing(os.fdopen(os.open(path, os.O_RDWR))) as file:
            if _is_locked(file.fileno()):
                path.unlink()


def take(folder: Path) -> Table:
    """Return a table in the first file that no other process has.

    Raises: OSError when the folder cannot be written, or the disk is full.
    """
    for number in count():
        file = os.open(folder / f"{_PREFIX}{number}", os.O_RDWR | os.O_CREAT, 0o600)
        if _is_locked(file):
            return Table(file)
        os.close(file)
    raise AssertionError("unreachable")


def read_all(folder: Path) -> Iterator[Counted]:
    """Return what each process of the server has counted, also those that have ended."""
    for path in sorted(folder.glob(f"{_PREFIX}*")):
        with suppress(FileNotFoundError), path.open("rb") as file:
            content = file.read()
            is_live = not _is_locked(file.fileno(), fcntl.LOCK_SH)
            if len(content) == SLOTS * _BYTES:
                yield Counted(memoryview(content).cast("Q"), is_live)


def _is_locked(file: int, how: int = fcntl.LOCK_EX) -> bool:
    """Lock a file and return True, or return False when another process has locked it."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
