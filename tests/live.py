"""The server on a port, mostly as a process of its own: for tests that measure it, kill it, or come as strangers."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import make_server

HOST = "127.0.0.1"
_COMMAND = ("-c", "import sys; from fhir_server.cli import main; sys.exit(main())")
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(app: Flask, base_url: str) -> Iterator[None]:
    """Serve an application from a thread of this process, at an address whose port is free."""
    where = urlsplit(base_url)
    server = make_server(where.hostname, where.port, app, threaded=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Live:
    """One server on a data directory; it may be started, killed and started again on the same address.

    program: what Python runs; the words of the command follow.
    """

    data_dir: Path
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    program: Sequence[str] = _COMMAND
    process: subprocess.Popen[bytes] | None = None
    started_after: float = 0.0

    @property
    def base_url(self) -> str:
        """The address of the server."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server's commands."""
        return {
            **os.environ,
            "HABILIS_DATA_DIR": str(self.data_dir),
            "HABILIS_PORT": str(self.port),
            "HABILIS_BASE_URL": self.base_url,
            "HABILIS_ACCEPT_INFERRED_MATRIX": "yes",
            "HABILIS_LOG_LEVEL": "error",
            "HABILIS_REQUEST_RATES": "no",
            **self.settings,
        }

    def command(self, *arguments: str) -> None:
        """Run one of the server's commands to its end."""
        subprocess.run([sys.executable, *self.program, *arguments], env=self.environment, check=True)

    def start(self, *arguments: str) -> None:
        """Start the server and wait until it answers; started_after says how many seconds that took."""
        began = time.perf_counter()
        log = (self.data_dir.parent / f"server-{self.port}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "serve", *arguments],
                env=self.environment,
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server has ended: {Path(log.name).read_text(encoding='utf-8')[-2000:]}")
            if time.perf_counter() - began > 120:
                raise TimeoutError("the server does not answer")
            time.sleep(0.02)
        self.started_after = time.perf_counter() - began

    def _answers(self) -> bool:
        try:
            with closing(HTTPConnection(HOST, self.port, timeout=2)) as connection:
                connection.request("GET", "/fhir/metadata")
                return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def processes(self) -> list[int]:
        """Return the processes of the running server."""
        leader = self.process.pid if self.process else 0
        return [pid for pid in _all_processes() if _group(pid) == leader]

    def cpu_seconds(self) -> float:
        """Return the processor time that all its processes have used."""
        return sum(_cpu_seconds(pid) for pid in self.processes())

    def memory_bytes(self) -> int:
        """Return the memory of all its processes; a page that they share counts once."""
        return sum(_memory_bytes(pid) for pid in self.processes())


@contextmanager
def running(server: Live, *arguments: str) -> Iterator[Live]:
    """Start a server for a while."""
    server.start(*arguments)
    try:
        yield server
    finally:
        server.stop()


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _memory_bytes(pid: int) -> int:
    """Return the proportional set size: what is shared is divided by the number of those who share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def until(is_so: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds. Raises: TimeoutError."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.01)
