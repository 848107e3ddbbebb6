"""A plugin of pytest that writes down every answer of the tests' web clients, test by test.

    pytest -p tests.golden.recorder --golden FILE -m "not mongo and not live and not browser" tests/scenarios tests/http

A test whose requests come from several threads, or are drawn by chance, is left out: its order is not its own.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.golden.frozen import CLOCK, freeze
from tests.golden.normal import Normal
from tests.golden.recording import Record


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", type=Path, help="file for the record of all answers")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--golden"):
        if config.getoption("numprocesses", None):
            raise pytest.UsageError("--golden records one process: leave out -n")
        config.pluginmanager.register(Recorder(config.getoption("--golden")), "habilis-golden")


class Recorder:
    """Writes down what is answered while a test runs; what its fixtures ask is left out."""

    def __init__(self, file: Path) -> None:
        self.file, self.record = file, Record()
        self.test = ""
        self.left_out: set[str] = set()

    def pytest_sessionstart(self) -> None:
        true_open = FlaskClient.open

        def recording(client: FlaskClient, *arguments: object, **more: object) -> TestResponse:
            answer = true_open(client, *arguments, **more)
            self._heard(answer)
            return answer

        FlaskClient.open = recording

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        freeze("tests")
        CLOCK.reset()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        freeze("tests")
        self.test, self.record.normal = item.nodeid, Normal({})
        self.record.begin(item.nodeid, names="")
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            self.left_out.add(item.nodeid)
        try:
            return (yield)
        finally:
            self.test = ""

    def pytest_sessionfinish(self) -> None:
        found = self.record.sections
        self.record.sections = {
            name: found[name] for name in sorted(found) if found[name] and name not in self.left_out
        }
        self.record.save(self.file)

    def _heard(self, answer: TestResponse) -> None:
        if threading.current_thread() is not threading.main_thread():
            self.left_out.add(self.test)
        elif self.test:
            asked = answer.request
            query = asked.query_string.decode("utf-8", "replace")
            path = f"{asked.path}?{query}" if query else asked.path
            self.record.answer(f"{asked.method} {path}", answer)
