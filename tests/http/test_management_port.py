"""The management port: shows the metrics of all processes, whichever of them ends, and nothing else."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fhir_server import telemetry
from fhir_server.http.management import ManagementServer
from fhir_server.metrics import counting, exposition, tables
from tests.live import HOST, Live, free_port, running, until
from tests.metrics import counting_in, scraped, series, shown

REFUSED = "habilis_refusals_total"
_ANOTHER = """
import sys, time
from pathlib import Path
from fhir_server.metrics import counting, tables
from fhir_server.metrics.families import LaneName
counting.into(tables.take(Path(sys.argv[1])))
counting.refused("not-found")
counting.waits(LaneName.FHIR, 1)
print("counted", flush=True)
time.sleep(600)
"""
"""Another process: counts a refusal and a request that waits, and goes on running."""


@pytest.fixture
def port(tmp_path):
    """Return a management port, and the folder whose metrics it shows."""
    with counting_in(tmp_path / "metrics") as folder:
        server = ManagementServer((HOST, 0), partial(exposition.written, folder, dict))
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
        server.server_close()


def _ask(port, method, path, **headers):
    connection = HTTPConnection(HOST, port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


@pytest.mark.parametrize("path", ["/", "/status", "/fhir/metadata", "/metrics/", "/metrics?name[]=up"])
def test_another_path_is_refused(port, path):
    answer, body = _ask(port, "GET", path)
    assert (answer.status, body) == (404, "not found\n")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_refused(port, method):
    answer, _ = _ask(port, method, "/metrics")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_a_method_that_http_does_not_know_is_refused(port):
    assert _ask(port, "BREW", "/metrics")[0].status == 501


def test_openmetrics_is_answered_to_whoever_asks_for_it(port):
    answer, body = _ask(port, "GET", "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    names = {family.name for family in text_string_to_metric_families(body)}
    assert {"habilis_requests", "habilis_commit_seconds", "habilis_build_info", "process_start_time_seconds"} <= names


def test_clients_that_say_nothing_take_no_place_for_long(port):
    silent = [socket.create_connection((HOST, port)) for _ in range(20)]
    try:
        assert scraped(port)
    finally:
        for one in silent:
            one.close()


def test_clients_that_send_a_byte_now_and_then_take_no_place_for_long(port):
    """Each byte ends a wait for the next one, but the whole request has a time limit too."""
    slow = [socket.create_connection((HOST, port)) for _ in range(4)]

    def is_answered():
        for one in slow:
            with suppress(OSError):
                one.send(b"x")
        try:
            return _ask(port, "GET", "/metrics")[0].status == 200
        except OSError:
            return False

    try:
        assert not is_answered()
        until(is_answered)
    finally:
        for one in slow:
            one.close()


@pytest.fixture
def another(tmp_path):
    """Return a folder in which another process counts, and that process."""
    folder = tmp_path / "metrics"
    tables.clear(folder)
    process = subprocess.Popen([sys.executable, "-c", _ANOTHER, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"counted\n"
    yield folder, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_metrics_of_several_processes_add_up(another):
    folder, _ = another
    with counting_in(folder):
        counting.refused("not-found")
        seen = shown(folder)
    assert (seen[series(REFUSED, category="not-found")], seen["habilis_processes"]) == (2, 2)


def test_a_killed_process_leaves_its_counters_and_no_gauge(another):
    folder, process = another
    waiting = series("habilis_requests_waiting", lane="fhir")
    assert shown(folder)[waiting] == 1
    process.kill()
    process.wait()
    seen = shown(folder)
    assert (seen[series(REFUSED, category="not-found")], seen[waiting], seen["habilis_processes"]) == (1, 0, 0)
    with counting_in(folder):
        counting.refused("not-found")
        seen = shown(folder)
    assert (seen[series(REFUSED, category="not-found")], seen[waiting]) == (2, 0)
    assert len(list(folder.glob("table-*"))) == 1


def test_a_new_start_forgets_what_ended_processes_counted(another):
    folder, process = another
    tables.clear(folder)
    assert shown(folder)[series(REFUSED, category="not-found")] == 1
    process.kill()
    process.wait()
    tables.clear(folder)
    assert series(REFUSED, category="not-found") not in shown(folder)


def test_a_process_that_cannot_count_goes_on(capsys):
    telemetry.configure("ERROR")
    assert not counting.begin(Path("/proc/none"))
    assert "metrics_unavailable" in capsys.readouterr().err


@pytest.mark.live
def test_all_workers_are_shown_and_nothing_is_lost_when_they_are_replaced(tmp_path):
    metrics = free_port()
    server = Live(tmp_path / "data", settings={"HABILIS_WORKERS": "2", "HABILIS_METRICS_PORT": str(metrics)})
    asked = series("habilis_requests_total", interaction="read", type="Patient", status="4xx")
    server.data_dir.mkdir()
    with running(server):
        until(lambda: scraped(metrics)["habilis_processes"] == 2)
        for number in range(40):
            assert _ask(server.port, "GET", f"/fhir/Patient/{number}")[0].status == 401
        before = scraped(metrics)
        assert (before[asked], before[series(REFUSED, category="unauthenticated")]) == (40, 40)
        assert _ask(server.port, "GET", "/metrics")[0].status == 404
        workers = set(server.processes()) - {server.process.pid}
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: workers.isdisjoint(server.processes()))
        until(lambda: scraped(metrics)["habilis_processes"] == 2)
        assert _ask(server.port, "GET", "/fhir/Patient/1")[0].status == 401
        after = scraped(metrics)
        assert after[asked] == 41
        assert [name for name, value in before.items() if name.endswith("_total") and after[name] < value] == []


@pytest.mark.live
def test_without_a_setting_there_is_no_port(tmp_path):
    server = Live(tmp_path / "data")
    server.data_dir.mkdir()
    with running(server):
        listening = _listening_ports(server.processes())
    assert listening == {server.port}
    assert not list(server.data_dir.glob("metrics-*"))


def _listening_ports(processes):
    """Return the ports on which processes listen, as the kernel lists them."""
    sockets = {str(path.readlink()) for pid in processes for path in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    rows = [line.split() for line in lines]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
