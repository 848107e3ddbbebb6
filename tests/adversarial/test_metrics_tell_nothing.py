"""What is hidden counts like what does not exist: whoever reads the metrics learns no more than whoever asked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fhir_server.http import request_metrics
from fhir_server.metrics import counting
from tests.adversarial import doors
from tests.adversarial.doors import UNKNOWN, Door
from tests.adversarial.test_every_door import secrets, stage  # noqa: F401 - fixtures
from tests.metrics import Counted, counting_in, grown
from tests.world import World


@pytest.fixture
def counted(secrets: World, tmp_path) -> Iterator[World]:  # noqa: F811 - a fixture
    """Let the server of a world with secrets count."""
    app = secrets.web.application
    secrets.runtime = replace(secrets.runtime, event_readers=(counting.happened,))
    app.extensions["habilis.runtime"] = secrets.runtime
    observers = app.extensions["habilis.observers"]
    request_metrics.install(app)
    with counting_in(tmp_path / "metrics"):
        yield secrets
    observers.pop()


@pytest.mark.parametrize("who", ["martin", "parent"])
def test_a_secret_id_counts_as_an_unknown_id_at_every_door(counted, tmp_path, who):
    def knock(door: Door, type_: str, id_: str) -> Counted:
        path = door[1].removeprefix("/fhir").replace("<id_>", id_).replace("<version>", "1")
        body, mime = doors.body_for(door, type_, id_)
        sent = (body, mime) if mime else ()
        return grown(tmp_path / "metrics", lambda: counted.send(who, door[0], path, *sent))

    different, nothing = [], 0
    for door, type_ in doors.by_id():
        if (who, door[1]) in doors.KNOWN:
            continue
        pair = knock(door, type_, UNKNOWN), knock(door, type_, counted.ids[f"secret-{type_}"])
        different += [(door, pair)] if pair[0] != pair[1] else []
        nothing += not pair[0]
    assert different == []
    assert not nothing
