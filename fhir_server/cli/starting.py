"""The checks before a server says that it serves, and the end of a server: one line for the operator, no traceback."""

import os
import signal
import sqlite3
import sys
from textwrap import shorten
from types import FrameType
from typing import Protocol

from fhir_server import telemetry
from fhir_server.app import build_runtime, create_app
from fhir_server.application.identity import grant_replacement
from fhir_server.ports.store import StoreUnavailable
from fhir_server.settings.server import Settings

SOUND_SQLITE = (3, 51, 3)
"""The first version whose write-ahead log survives a checkpoint beside a commit (sqlite.org/wal.html#walresetbug)."""

PATIENCE_SECONDS = 20
"""How long a stopping server waits for requests that are being answered."""
_LINE = 400
"""Longest line of an error, in characters: a database driver describes its whole topology."""


class Server(Protocol):
    """A web server that serves until it is asked to stop. interrupt_signal: whether it was asked."""

    interrupt_signal: bool

    def serve(self) -> None:
        """Serve requests; may raise SystemExit at the end."""


def check_start(settings: Settings) -> None:
    """Open everything that each worker will open, prove that reads and durable writes work, and close it again.

    This also ends, once, the older grants that an earlier version left beside the newest grant of an app and a person.

    Raises: SettingsError, KeyProblem, StoreUnavailable, OSError; main() turns each into one line.
    """
    served = build_runtime(settings)
    try:
        create_app(settings, served)
        served.ports.store.check()
        grant_replacement.settle_all(served)
    finally:
        served.ports.store.close()
    if settings.store == "sqlite" and not settings.demo:
        warn_of_library()


def warn_of_library() -> None:
    """Write one line to the log when SQLite is older than the first version without the bug."""
    if sqlite3.sqlite_version_info < SOUND_SQLITE:
        sound = ".".join(str(part) for part in SOUND_SQLITE)
        telemetry.warning("sqlite_below_sound_version", found=sqlite3.sqlite_version, needed=sound)


def stop_quietly() -> None:
    """End with status 0 when the process is asked to stop before it serves; a worker that is not ready just ends.

    Otherwise a forked worker would inherit the handlers of the first process, which only note the signal.
    """
    signal.signal(signal.SIGTERM, _stop)
    os.register_at_fork(after_in_child=_forget_handlers)


def serve_until_stopped(server: Server) -> int:
    """Serve; return 0 after a requested stop, whichever process got the signal first.

    A signal to the whole process group ends a worker before the server does; the server then reports a failure.
    """
    try:
        server.serve()
    except SystemExit:
        if not server.interrupt_signal:
            raise
    return 0


def line_of(error: Exception) -> str:
    """Put an error into one line."""
    if isinstance(error, OSError) and not isinstance(error, StoreUnavailable):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return shorten(str(error), _LINE, placeholder=" …")


def _forget_handlers() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
