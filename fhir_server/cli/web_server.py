"""The web server of `habilis serve`: granian, with as many threads as the application's front can use."""

import logging
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.server.common import AbstractServer

from fhir_server.cli.starting import PATIENCE_SECONDS
from fhir_server.settings.server import Settings

_ABOUT_THREADS = "Configuration allows spawning up to"


def web_server(settings: Settings) -> AbstractServer[Any]:
    """Build the web server.

    It speaks HTTP/1.1 only, in which a connection has one request at a time: it needs one thread for each connection.
    """
    logging.getLogger("_granian").addFilter(_is_no_advice_on_threads)
    return Granian(
        target="fhir_server.app:served_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=settings.workers,
        blocking_threads=settings.limits.connections,
        backpressure=settings.limits.connections,
        log_access=False,
        workers_kill_timeout=PATIENCE_SECONDS,
        log_level="warning",  # type: ignore[arg-type]
    )


def _is_no_advice_on_threads(record: logging.LogRecord) -> bool:
    """Drop the advice to limit concurrency: the lanes of `http/admission.py` do that, and most threads only wait."""
    return not str(record.msg).startswith(_ABOUT_THREADS)
