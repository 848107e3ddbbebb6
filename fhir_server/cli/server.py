"""`habilis serve` and `habilis seed`: the checks before a server says that it serves, its web server, and its end."""

import logging
import os
import signal
import socket
import sqlite3
import sys
from typing import Any

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.server.common import AbstractServer

from fhir_server import telemetry
from fhir_server.app import create_app
from fhir_server.application.identity import grant_replacement
from fhir_server.cli import keys
from fhir_server.cli.operators import opened, takes_settings
from fhir_server.metrics import tables
from fhir_server.settings.server import Settings, SettingsError

_RELAXED = (
    "demonstration: inferred rows of the matrix are accepted, professionals may sign in with a password alone "
    "(HABILIS_PROFESSIONAL_LEVEL=eidas1), and the key file lies beside the data"
)
"""What the demonstration relaxes, compared with a production server."""
_SOUND_SQLITE = (3, 51, 3)
"""The first version whose write-ahead log survives a checkpoint beside a commit (sqlite.org/wal.html#walresetbug)."""
_PATIENCE_SECONDS = 20
"""How long a stopping server waits for requests that are being answered."""
_ABOUT_THREADS = "Configuration allows spawning up to"
"""Advice of granian that does not hold: the lanes of `http/admission.py` limit concurrency, most threads only wait."""


@click.command()
@takes_settings("Serve the demonstration: load the invented people first, and give each of them a token.")
def serve(settings: Settings) -> None:
    """Serve FHIR, the authorization server and the pages. Stop the server with Ctrl-C or SIGTERM.

    Example: habilis serve --demo
    """
    settings.refuse_unsafe_serving()
    _demand_free_ports(settings)
    _stop_quietly()
    made = keys.prepare(settings)
    if settings.demo:
        _load(settings)
    os.environ.update(_as_environment(settings))
    _check_start(settings)
    if settings.metrics_port:
        tables.clear(settings.metrics_dir)
    about_demo = f"habilis: {_RELAXED}" if settings.demo else None
    serving = f"habilis: serving {settings.base_url}  (FHIR at {settings.fhir_base}; stop with Ctrl-C)"
    click.echo("\n".join(filter(None, (made, about_demo, serving))), err=True)
    _serve_until_stopped(_web_server(settings))


@click.command()
@takes_settings("Load into the data of the demonstration, with the inferred matrix.")
@click.option("--patients", type=click.IntRange(0), metavar="N", help="Load bulk data instead: how many patients.")
@click.option("--documents", type=click.IntRange(0), default=50, metavar="M", show_default=True,
              help="Bulk data: how many documents each patient has.")  # fmt: skip
def seed(settings: Settings, patients: int | None, documents: int) -> None:
    """Load the invented people, or bulk data.

    Example: habilis seed --demo
    """
    if settings.is_production:
        text = "loads invented people and software with wide rights: never on an https HABILIS_BASE_URL"
        raise SettingsError(f"habilis seed {text}; use habilis seed --demo on this machine")
    if made := keys.prepare(settings):
        click.echo(made, err=True)
    _load(settings, patients, documents)


def _load(settings: Settings, patients: int | None = None, documents: int = 0) -> None:
    """Load the demonstration, or bulk data for so many patients."""
    from seed import loading, many_patients  # noqa: PLC0415 - a server without invented people does not need them

    with opened(settings) as runtime:
        if patients:
            many_patients.load_bulk(runtime, settings.data_dir, patients, documents)
        else:
            loading.load_demonstration(runtime, settings.data_dir)


def _demand_free_ports(settings: Settings) -> None:
    """Refuse an address that another server uses: the kernel would divide the requests between the two servers."""
    _demand_free_port(settings.host, settings.port, "HABILIS_HOST and HABILIS_PORT")
    if settings.metrics_port:
        named = "HABILIS_METRICS_HOST and HABILIS_METRICS_PORT"
        _demand_free_port(settings.metrics_host, settings.metrics_port, named)


def _demand_free_port(host: str, port: int, named: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(f"{named} name an address that cannot be served: {error.strerror}") from error


def _as_environment(settings: Settings) -> dict[str, str]:
    return {
        "HABILIS_BASE_URL": settings.base_url,
        "HABILIS_DATA_DIR": str(settings.data_dir),
        "HABILIS_KEY_FILE": str(settings.key_file),
        "HABILIS_DEMO": "yes" if settings.demo else "no",
    }


def _check_start(settings: Settings) -> None:
    """Open everything that each worker will open, prove that reads and durable writes work, and close it again.

    This also ends, once, the older grants that an earlier version left beside the newest grant of an app and a person.

    Raises: SettingsError, KeyProblem, StoreUnavailable, OSError; main() turns each into one line.
    """
    with opened(settings) as runtime:
        create_app(settings, runtime)
        runtime.ports.store.check()
        grant_replacement.settle_all(runtime)
    if settings.store == "sqlite" and not settings.demo and sqlite3.sqlite_version_info < _SOUND_SQLITE:
        needed = ".".join(str(part) for part in _SOUND_SQLITE)
        telemetry.warning("sqlite_below_sound_version", found=sqlite3.sqlite_version, needed=needed)


def _web_server(settings: Settings) -> AbstractServer[Any]:
    """Build the web server.

    It speaks HTTP/1.1 only, in which a connection has one request at a time: it needs one thread for each connection.
    """
    logging.getLogger("_granian").addFilter(lambda record: not str(record.msg).startswith(_ABOUT_THREADS))
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
        workers_kill_timeout=_PATIENCE_SECONDS,
        log_level="warning",  # type: ignore[arg-type]
    )


def _serve_until_stopped(server: AbstractServer[Any]) -> None:
    """Serve; a requested stop is no failure, whichever process got the signal first.

    A signal to the whole process group ends a worker before the server does; the server then reports a failure.
    """
    try:
        server.serve()
    except SystemExit:
        if not server.interrupt_signal:
            raise


def _stop_quietly() -> None:
    """End with status 0 when the process is asked to stop before it serves; a worker that is not ready just ends.

    Otherwise a forked worker would inherit the handlers of the first process, which only note the signal.
    """
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    os.register_at_fork(after_in_child=_forget_handlers)


def _forget_handlers() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
