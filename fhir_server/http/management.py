"""The management port: shows the metrics of a server to its operator, at an address of its own.

One process of the server listens; when that process ends, another takes over. The port has one address and takes no
data. It is no part of the application, so no route leads from the public port to it.
Source: docs/operations.md, "Metrics"; docs/adr/0077-metrics-in-shared-tables.md.
"""

import fcntl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore, Thread, Timer
from typing import Any

from fhir_server import telemetry

PATH = "/metrics"
_PLACES = 4
"""Clients at once; the connection of any other is closed."""
_PATIENCE_SECONDS = 2
_WHOLE_SECONDS = 5.0
"""For one client: each read has its own time limit, and a client may send one byte for each read."""
_RETRY_SECONDS = 1

Page = Callable[[str], tuple[str, bytes]]
"""Takes the `Accept` of a request; returns the media type and the text."""


def open_port(address: tuple[str, int], turn: Path, page: Page) -> None:
    """Listen from a thread, as soon as no other process of the server does.

    turn: a file that is locked by the process that listens.
    """
    Thread(target=_serve, args=(address, turn, page), name="management", daemon=True).start()


def _serve(address: tuple[str, int], turn: Path, page: Page) -> None:
    with turn.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system frees it when the process that listens has ended
        with _listening(address, page) as server:
            server.serve_forever()


def _listening(address: tuple[str, int], page: Page) -> "ManagementServer":
    """Return a server at an address, as soon as no other program holds the address."""
    is_told = False
    while True:
        try:
            return ManagementServer(address, page)
        except OSError:
            if not is_told:
                telemetry.alarm("management_port_unavailable")
            is_told = True
            time.sleep(_RETRY_SECONDS)


class ManagementServer(ThreadingMixIn, TCPServer):
    """A server for few clients, each on a thread."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], page: Page) -> None:
        """Listen.

        Raises: OSError.
        """
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self._places = BoundedSemaphore(_PLACES)
        super().__init__(address, partial(_Handler, page))

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Answer on a thread, or close the connection when all places are taken."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Answer within a time, then give the place to the next client."""
        limit = Timer(_WHOLE_SECONDS, _cut, (request,))
        limit.daemon = True
        limit.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            limit.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as the base class has it
        """Log a defect; a client that goes away or says nothing is no defect."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            telemetry.alarm("defect", error)


def _cut(connection: socket) -> None:
    """Cut a connection, so that whoever reads from it goes on."""
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request, after which the connection ends."""

    timeout = _PATIENCE_SECONDS

    def __init__(self, page: Page, request: socket, client_address: Any, server: ManagementServer) -> None:  # noqa: ANN401 - as the base class has it
        self._page = page
        super().__init__(request, client_address, server)

    def do_GET(self) -> None:
        """Answer the metrics."""
        if self.path != PATH:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")
            return
        self._answer(HTTPStatus.OK, *self._page(self.headers.get("Accept", "")))

    def _refuse(self) -> None:
        """Answer that nothing but GET is offered; the body of the request is not read."""
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"only GET\n")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815 - names of http.server

    def _answer(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
        self.send_response(status)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        for name, value in (("Content-Type", media_type), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return the name of the program, without the version of Python."""
        return "habilis"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as the base class has it
        """Write nothing: the metrics are read every few seconds."""
