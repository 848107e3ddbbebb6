"""The demonstration on a stage of its own: loaded once, copied for each test, asked over HTTP in process."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.settings.server import Settings
from seed import choices
from seed.book import Demonstration
from seed.cards import HIDE
from seed.loading import load_demonstration

BASE = "http://127.0.0.1:8080"


@dataclass
class Stage:
    """The loaded demonstration and a way to ask it."""

    demo: Demonstration
    runtime: Runtime
    web: FlaskClient

    def ask(
        self, who: str, method: str, path: str, body: object = None, media: str = "application/fhir+json"
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.demo.tokens[who]}"}
        data = body if isinstance(body, str) or body is None else self.web.application.json.dumps(body)
        return self.web.open(f"/fhir/{path}", method=method, data=data, content_type=media, headers=headers)

    def search(self, who: str, of: str = "camille", more: str = "") -> TestResponse:
        return self.ask(
            who, "GET", f"DocumentReference?patient={self.demo.patients[of]}&status=current&_count=100{more}"
        )

    def keys(self, who: str, of: str = "camille") -> set[str]:
        """Return the keys of the documents that somebody finds; the search must succeed."""
        answer = self.search(who, of)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        names = {id_: key for key, id_ in self.demo.documents.items()}
        return {names[entry["resource"]["id"]] for entry in answer.json.get("entry", ())}

    def read(self, who: str, key: str) -> TestResponse:
        return self.ask(who, "GET", f"DocumentReference/{self.demo.documents[key]}")

    def hide(self, key: str, who: str = "camille") -> TestResponse:
        path = f"DocumentReference/{self.demo.documents[key]}"
        return self.ask(who, "PATCH", path, HIDE, "application/json-patch+json")

    def choose(self, who: str, consent: dict) -> str:
        answer = self.ask(who, "POST", "Consent", consent)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json["id"]

    def block(self, professional: str) -> str:
        return self.choose("camille", choices.block(self.demo, "camille", professional))

    def withdraw(self, consent: str) -> TestResponse:
        resource = self.ask("camille", "GET", f"Consent/{consent}").json
        return self.ask("camille", "PUT", f"Consent/{consent}", resource | {"status": "inactive"})


def settings_in(folder: Path) -> Settings:
    return Settings(BASE, folder, folder / "keys.json", demo=True, log_level="ERROR", request_rates=False)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demonstration")
    opening.create_keys(folder / "keys.json")
    served = build_runtime(settings_in(folder))
    load_demonstration(served, folder)
    served.ports.store.close()
    return folder


@pytest.fixture
def copied(loaded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(loaded, tmp_path / "data"))


@pytest.fixture
def stage(copied: Path) -> Iterator[Stage]:
    settings = settings_in(copied)
    served = build_runtime(settings)
    demo = load_demonstration(served, copied)
    yield Stage(replace(demo), served, create_app(settings, served).test_client())
    served.ports.store.close()
