"""A real server behind a proxy: addresses and certificates that the proxy hands on, and those that nobody should."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
import requests

from fhir_server.adapters.system import SystemClock
from fhir_server.application.identity.clients import change, find
from tests.engines import SqliteEngine
from tests.factories import runtime_on
from tests.holds import holds
from tests.live import Live, free_port, running
from tests.oauth.conftest import ASSERTION, assertion, furnish
from tests.oauth.test_proxies import OTHER, OURS, sent

pytestmark = pytest.mark.live
HEADER = "ClientCert"
CLOCK = SystemClock()


def serve(folder, **settings: str) -> Iterator[Live]:
    engine = SqliteEngine(folder)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    furnish(engine.ports, base)
    runtime = runtime_on(engine.ports, base)
    change(runtime, replace(find(runtime, "ehr"), certificate_bound=True))
    live = Live(folder / "data", port, settings | {"HABILIS_KEY_FILE": str(engine.key_file)})
    with running(live):
        yield live
    engine.close()


@pytest.fixture(scope="module")
def behind(tmp_path_factory) -> Iterator[Live]:
    """The proxy is whoever calls from this machine."""
    folder = tmp_path_factory.mktemp("behind")
    named = {"HABILIS_TRUSTED_PROXIES": "127.0.0.1", "HABILIS_FORWARDED_HEADER": "Forwarded"}
    named |= {"HABILIS_MTLS_HEADER": HEADER, "HABILIS_THROTTLE_FAILURES": "3"}
    yield from serve(folder, **named)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Iterator[Live]:
    """Nobody is a proxy."""
    yield from serve(tmp_path_factory.mktemp("bare"), HABILIS_THROTTLE_FAILURES="3")


def ask(server: Live, client: str = "ehr", headers: dict[str, str] | None = None, **claims: object):
    where = f"{server.base_url}/oauth/token"
    signed = assertion(CLOCK, iss=client, sub=client, aud=where, jti=str(uuid4()), **claims)
    form = {"grant_type": "client_credentials", "scope": "system/DocumentReference.rs"}
    form |= {"client_assertion_type": ASSERTION, "client_assertion": signed}
    return requests.post(where, data=form, headers=headers, timeout=60)


def test_a_certificate_that_the_proxy_hands_on_binds_the_token(behind):
    token = ask(behind, headers={HEADER: sent(OURS)}).json()["access_token"]
    status = []
    for certificate in ({HEADER: sent(OURS)}, {HEADER: sent(OTHER)}, {}):
        headers = {"Authorization": f"Bearer {token}"} | certificate
        found = requests.get(f"{behind.base_url}/fhir/DocumentReference/none", headers=headers, timeout=60)
        status.append(found.status_code)
    assert status == [404, 401, 401]


def test_without_the_setting_the_header_is_nothing(bare):
    refused = ask(bare, headers={HEADER: sent(OURS)})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "twin", ["Client_Cert", "Client-Cert", "CLIENT_CERT", "Client_cert", "ClientCert_", "_ClientCert"]
)
def test_no_other_spelling_of_the_header_hands_on_a_certificate(behind, twin):
    """The certificate of a bound client is public: with a stolen token it must not do."""
    token = ask(behind, headers={HEADER: sent(OURS)}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", twin: sent(OURS)}
    assert (
        requests.get(f"{behind.base_url}/fhir/DocumentReference/none", headers=headers, timeout=60).status_code == 401
    )


def failures(server: Live, address: str, **headers: str) -> list[int]:
    """Fail as one client, each time as if from an address."""
    named = {"Forwarded": f"for={address}"} | headers
    return [ask(server, "rs", named, exp=0).status_code for _ in range(4)]


def test_the_address_that_the_proxy_names_is_throttled_and_no_other(behind):
    assert failures(behind, "198.51.100.1") == [401, 401, 401, 429]
    assert failures(behind, "198.51.100.2")[0] == 401
    assert ask(behind, "rs", {"Forwarded": "for=198.51.100.1"}).status_code == 200  # a proven key


TWINS = ["X_Forwarded_For", "X-Forwarded-For", "Forwarded_", "_Forwarded"]


@holds("AC46")
@pytest.mark.parametrize("twin", TWINS)
def test_no_other_spelling_of_the_header_changes_the_address(behind, twin):
    """A client that could choose its address would have a budget without end, and the trail would believe it."""
    address = f"198.51.100.{100 + TWINS.index(twin)}"
    answers = [
        ask(behind, "rs", {"Forwarded": f"for={address}", twin: f"for=203.0.113.{n}, 203.0.113.{n}"}, exp=0).status_code
        for n in range(4)
    ]
    assert answers == [401, 401, 401, 429]


def test_a_forwarded_address_does_not_help_who_comes_without_a_proxy(bare):
    assert failures(bare, "198.51.100.1") == [401, 401, 401, 429]
    assert ask(bare, "rs", {"Forwarded": "for=198.51.100.2"}, exp=0).status_code == 429
