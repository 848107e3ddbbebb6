"""A running server for tests: the real SQLite store in a temporary folder, a clock that stands still until moved."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, sync_playwright

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.settings.server import Settings
from seed.book import Demonstration
from seed.loading import load_demonstration
from tests.engines import MongoServer
from tests.factories import settings_in
from tests.world import World, client_of

hypothesis_settings.register_profile("habilis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("habilis")  # a busy machine breaks no law

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class FixedClock:
    """A clock that only the test moves."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def advance(self, **amount: float) -> None:
        self.at += timedelta(**amount)


SLOW_FIRST = ("maven", "live", "npm", "browser", "mongo")
"""Marks of tests that wait for other programs, the longest first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files whose tests wait for other programs first: a run ends with short ones in every process."""
    ranks: dict[str, int] = {}
    for item in items:
        rank = next((place for place, mark in enumerate(SLOW_FIRST) if item.get_closest_marker(mark)), len(SLOW_FIRST))
        ranks[item.location[0]] = min(rank, ranks.get(item.location[0], rank))
    items.sort(key=lambda item: ranks[item.location[0]])


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, "http://localhost:8080")


@pytest.fixture
def runtime(settings: Settings, clock: FixedClock) -> Iterator[Runtime]:
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    yield replace(served, ports=replace(served.ports, clock=clock))
    served.ports.store.close()


@pytest.fixture
def web(settings: Settings, runtime: Runtime) -> FlaskClient:
    return client_of(settings, runtime)


@dataclass(frozen=True)
class Loaded:
    """The demonstration on a server that the tests of one module share; they only read."""

    web: FlaskClient
    runtime: Runtime
    people: Demonstration

    def get(self, path: str, who: str = "camille", **headers: str):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.web.get(f"/fhir/{path}", headers=sent | {"Authorization": f"Bearer {self.people.tokens[who]}"})


@pytest.fixture(scope="session")
def loaded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a loaded demonstration, to be copied: loading takes as long as a hundred requests."""
    folder = tmp_path_factory.mktemp("loaded")
    settings = demonstration_in(folder)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    load_demonstration(served, folder)
    served.ports.store.close()
    return folder


def demonstration_in(folder: Path) -> Settings:
    """Return the settings of a server of the demonstration in a folder."""
    return Settings(
        "http://localhost:8080", folder, folder / "keys.json", demo=True, log_level="ERROR", request_rates=False
    )


@pytest.fixture(scope="module")
def demo(loaded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = Path(shutil.copytree(loaded_once, tmp_path_factory.mktemp("demo") / "data"))
    settings = demonstration_in(folder)
    served = build_runtime(settings)
    people = load_demonstration(served, folder)
    yield Loaded(create_app(settings, served).test_client(), served, people)
    served.ports.store.close()


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """The one server of MongoDB's protocol of a run; its process starts when a test asks for its address."""
    server = MongoServer(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture
def world(settings: Settings, runtime: Runtime) -> World:
    """The world in which documents are published, hidden and read."""
    return World(runtime, client_of(settings, runtime)).open()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one browser of a run: its driver bears no second one in the same thread."""
    found = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), "")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
