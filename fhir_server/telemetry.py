"""Logging: one JSON line for each request, with keys from a closed list, never an identity trait or a secret.

The log is for operators. It is not the audit log.
"""

import logging
import sys
from contextlib import suppress
from contextvars import ContextVar
from io import StringIO

import structlog

_KEYS = frozenset(
    {
        "request_id",
        "client_id",
        "method",
        "route",
        "status",
        "category",
        "interaction",
        "basis",
        "duration_ms",
        "lane",
        "attempts",
        "lag_seconds",
        "dead_letters",
        "count",
        "error",
        "where",
        "found",
        "needed",
        "schema",
        "step",
        "event",
        "level",
        "timestamp",
    }
)
_noted: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)
_log = structlog.get_logger("habilis")


class _StandardError(StringIO):
    """The current standard error at each line, because a running program may replace it.

    A line that cannot be written, because the disk is full, stops no request: the log is not the audit log.
    """

    def write(self, text: str) -> int:
        """Write to the current standard error."""
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the current standard error."""
        with suppress(OSError):
            sys.stderr.flush()


def configure(level: str = "INFO") -> None:
    """Write JSON lines to standard error from `level` on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known_keys,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),
        cache_logger_on_first_use=True,
    )


def begin() -> None:
    """Forget the facts of the request before."""
    _noted.set({})


def note(**facts: str) -> None:
    """Keep facts for the log line of this request."""
    noted = _noted.get()
    if noted is not None:
        noted.update(facts)


def request_line(**facts: str | float) -> None:
    """Write the log line of a request."""
    _log.info("request", **{**(_noted.get() or {}), **facts})


def migrated(schema: int, step: str) -> None:
    """Write a line about one step of a migration. schema: the number of the store's schema after it."""
    _log.info("store_migrated", schema=schema, step=step)


def warning(event: str, **facts: str) -> None:
    """Write a line that an operator should read at some time."""
    _log.warning(event, **facts)


def lane_alarm(event: str, lane: str, attempts: int, error: Exception) -> None:
    """Write a line about a message of the outbox that has failed. attempts: how often."""
    _log.error(event, lane=lane, attempts=attempts, error=type(error).__name__, where=_where(error))


def outbox_waits(lag_seconds: int, dead_letters: int) -> None:
    """Write a line about the whole outbox: how long its oldest message is ready, and how many dead letters wait."""
    _log.error("outbox_waits", lag_seconds=lag_seconds, dead_letters=dead_letters)


def alarm(event: str, error: Exception | None = None) -> None:
    """Write a line that an operator must read: the class and place of an error, never its text."""
    facts = {}
    if error is not None:
        facts["error"] = type(error).__name__
        facts["where"] = _where(error)
    _log.error(event, **facts)


def _where(error: Exception) -> str:
    step = error.__traceback__
    if step is None:
        return ""
    while step.tb_next is not None:
        step = step.tb_next
    return f"{step.tb_frame.f_globals.get('__name__', '')}:{step.tb_lineno}"


def _only_known_keys(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    return {name: value for name, value in event.items() if name in _KEYS}
