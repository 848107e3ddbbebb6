"""A disk without room, on a server as a process of its own: status and readiness say so, and say when it is over.

Every process of the server is forbidden to let a file grow, which is what a full disk does to it.
"""

import resource
import time
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.live import HOST, Live, running

pytestmark = pytest.mark.live
PATIENCE = 20.0
SMALL = 1
"""Bytes: neither the store nor the log of the server can write anything."""


def status(server, path):
    with closing(HTTPConnection(HOST, server.port, timeout=10)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def limit(server, size):
    for pid in server.processes():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def becomes(server, path, expected):
    """Ask until the answer is the one expected, for a while."""
    until = time.monotonic() + PATIENCE
    while (found := status(server, path)) != expected and time.monotonic() < until:
        time.sleep(0.1)
    return found == expected


def test_a_full_disk_is_told_and_so_is_its_end(tmp_path):
    server = Live(tmp_path / "data")
    server.data_dir.mkdir()
    with running(server):
        for size, expected in ((resource.RLIM_INFINITY, 200), (SMALL, 503), (resource.RLIM_INFINITY, 200)):
            limit(server, size)
            assert [path for path in ("/health/ready", "/status") if not becomes(server, path, expected)] == []
