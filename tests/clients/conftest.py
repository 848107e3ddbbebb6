"""The server on a real port with a patient who has documents, for an integrator's day with real clients."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fhir_server.adapters import opening
from fhir_server.app import create_app
from tests.factories import settings_in
from tests.live import free_port, serving
from tests.world import World


@dataclass(frozen=True)
class Day:
    """What a script of a day is given. base: the FHIR address. patient: id. tokens: by name. submission: a file."""

    base: str
    patient: str
    tokens: dict[str, str]
    submission: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a script reads from its environment."""
        tokens = {"KEEPER": "keeper", "SOFTWARE": "chu-ehr", "PATIENT": "camille"}
        given = {f"TOKEN_{name}": self.tokens[who] for name, who in tokens.items()}
        return given | {"SUBMISSION": str(self.submission)}


@pytest.fixture
def day(tmp_path) -> Iterator[Day]:
    base = f"http://localhost:{free_port()}"
    settings = settings_in(tmp_path, base)
    opening.create_keys(settings.key_file)
    app = create_app(settings)
    world = World(app.extensions["habilis.runtime"], app.test_client()).open()
    world.publish()
    submission = tmp_path / "submission.json"
    submission.write_text(json.dumps(world.bundle()))
    with serving(app, base):
        yield Day(f"{base}/fhir", world.ids["camille"], world.tokens, submission)
    world.runtime.ports.store.close()
