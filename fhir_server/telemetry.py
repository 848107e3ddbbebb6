"""Logging: one JSON line for each request, with keys from a closed list; never an identity trait or a secret.

The log serves operators. It is not the trail.
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
        "method",
        "route",
        "status",
        "category",
        "interaction",
        "basis",
        "duration_ms",
        "count",
        "error",
        "where",
        "found",
        "needed",
        "event",
        "level",
        "timestamp",
    }
)
_noted: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)
_log = structlog.get_logger("habilis")


class _StandardError(StringIO):
    """Standard error as it is at each line: whoever runs the program may replace it.

    A line that cannot be written, because the log's disk is full, stops no request: the log is not the trail.
    """

    def write(self, text: str) -> int:
        """Write to what is standard error now."""
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Let the line out."""
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
    """Forget what was noted for the request before."""
    _noted.set({})


def note(**facts: str) -> None:
    """Keep facts for the line of this request."""
    noted = _noted.get()
    if noted is not None:
        noted.update(facts)


def request_line(**facts: str | float) -> None:
    """Write the one line of a request."""
    _log.info("request", **{**(_noted.get() or {}), **facts})


def warning(event: str, **facts: str) -> None:
    """Write a line that somebody should look at some day."""
    _log.warning(event, **facts)


def alarm(event: str, error: Exception | None = None) -> None:
    """Write a line that somebody must look at: the class and place of an error, never its text."""
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
