"""The provider upstream is down (P6.4): what was obtained works to its end, nothing new is minted, and it is noticed.

The provider is a real server on a port of this machine, and is really stopped.
"""

import pytest
import structlog
from structlog.testing import capture_logs

from fhir_server import telemetry
from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import ACCESS
from tests.factories import settings_in
from tests.oauth.conftest import BASE, query_of, redeem
from tests.oauth.steps import events_of
from tests.oauth.upstream import Fake, Visitor, helene, provider_of, start
from tests.world import World

SCOPE = "openid __break-glass launch/patient patient/DocumentReference.rs"
EMERGENCY = {
    "reason": "unconscious",
    "explanation": "on the road",
    "confirmed": "yes",
    "capacity": "role:PractitionerRole/martin-1",
    "identifier": "284039999900148",
}


class Upstream:
    """A provider that can be stopped."""

    def __init__(self, clock):
        self.fake = Fake(now=lambda: int(clock.now().timestamp()))
        self.server = start(self.fake)
        self.runs = True

    def stop(self):
        if self.runs:
            self.server.shutdown()
            self.server.server_close()
        self.runs = False


@pytest.fixture
def upstream(clock):
    made = Upstream(clock)
    yield made
    made.stop()


@pytest.fixture
def app(runtime, upstream, tmp_path):
    helene(runtime)
    settings = settings_in(tmp_path, BASE, providers=(provider_of(upstream.fake.issuer),))
    return create_app(settings, runtime)


@pytest.fixture(autouse=True)
def world(runtime) -> World:
    """Let there be a patient to be found."""
    return World(runtime, None).open()


@pytest.fixture
def logged(monkeypatch):
    """The lines of the log; the logger is a new one, for the first test has settled where that of before writes."""
    monkeypatch.setattr(telemetry, "_log", structlog.get_logger("habilis"))
    with capture_logs() as lines:
        yield lines


def declare(app, upstream):
    """Declare an emergency in a browser of one's own; return the token response."""
    visitor = Visitor(app, upstream.fake, **EMERGENCY)
    where = visitor.begin(scope=SCOPE)
    back = visitor.walk(visitor.come_back(visitor.leave(where)))
    return redeem(app.test_client(), query_of(back)["code"], client_id="desk").get_json()


def read(app, world, token):
    path = f"/fhir/DocumentReference?patient={world.ids['camille']}"
    return app.test_client().get(path, headers={"Authorization": f"Bearer {token}"}, base_url=BASE).status_code


def tokens(runtime):
    return len(runtime.ports.vault.entries(ACCESS, runtime.ports.clock.now()))


def reasons(runtime):
    return [event.get("outcomeDesc") for event in events_of(runtime) if event["outcome"] == "4"]


def alarms(logged):
    return [line["log_level"] for line in logged if line["event"] == "provider_unreachable"]


def test_an_emergency_token_works_to_its_end_and_is_not_renewed(app, world, upstream, clock):
    """P6.4."""
    body = declare(app, upstream)
    upstream.stop()
    assert read(app, world, body["access_token"]) == 200
    assert "refresh_token" not in body
    clock.advance(seconds=body["expires_in"] - 1)
    assert read(app, world, body["access_token"]) == 200
    clock.advance(seconds=1)
    assert read(app, world, body["access_token"]) == 401


def test_no_new_one_is_minted_for_who_comes_now(app, upstream, runtime, logged):
    """P6.4: nothing is known of the provider, so the browser goes nowhere."""
    upstream.stop()
    before = tokens(runtime)
    visitor = Visitor(app, upstream.fake, **EMERGENCY)
    where = visitor.begin(scope=SCOPE)
    answer = visitor.get("/login/with/psc", interaction=where.rpartition("/")[2])
    assert answer.status_code == 400
    assert "does not answer now" in answer.text or "ne répond pas" in answer.text
    assert tokens(runtime) == before
    assert not visitor.is_in()
    assert "upstream-unreachable" in reasons(runtime)
    assert alarms(logged) == ["error"]


def test_no_new_one_is_minted_for_who_was_on_the_way(app, upstream, runtime, logged):
    """P6.4: the browser had left for the provider, which goes down before it vouches for anybody."""
    visitor = Visitor(app, upstream.fake, **EMERGENCY)
    where = visitor.begin(scope=SCOPE)
    asked = visitor.leave(where)
    before = tokens(runtime)
    upstream.stop()
    assert visitor.come_back(asked).status_code == 400
    assert tokens(runtime) == before
    assert not visitor.is_in()
    assert reasons(runtime) == ["upstream-unreachable"]
    assert alarms(logged) == ["error"]


def test_a_session_of_before_does_not_stand_in_for_the_card(app, upstream, runtime, clock):
    """P6.4, G8: an emergency needs a login of the last five minutes, and the provider cannot give one."""
    visitor = Visitor(app, upstream.fake, **EMERGENCY)
    where = visitor.begin(scope=SCOPE)
    visitor.walk(visitor.come_back(visitor.leave(where)))
    clock.advance(minutes=6)
    upstream.stop()
    before = tokens(runtime)
    where = visitor.begin(scope=SCOPE)
    assert 'name="step" value="login"' in visitor.get(where).text
    assert visitor.get("/login/with/psc", interaction=where.rpartition("/")[2]).status_code == 400
    assert tokens(runtime) == before
