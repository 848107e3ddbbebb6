"""Failures are counted by account, client and address; nobody closes a name to its owner (requirement 43)."""

from base64 import b64encode
from dataclasses import replace

import pytest

from fhir_server.oauth.options import Options, Throttle, of_settings
from fhir_server.oauth.tidying import tidy
from fhir_server.settings import Settings, SettingsError
from tests.oauth.conftest import BASE, PASSWORD, SECRET, Person, assertion, backend, csrf_of, redeem

HERE, THERE = "198.51.100.1", "203.0.113.2"


@pytest.fixture
def options() -> Options:
    return Options(throttle=Throttle(failures=3, per_address=20, everywhere=6, introspections=30))


def from_address(app, address: str):
    web = app.test_client()
    web.environ_base["REMOTE_ADDR"] = address
    return web


def guess(app, address: str, secret: str = "wrong") -> int:
    header = {"Authorization": f"Basic {b64encode(f'web:{secret}'.encode()).decode()}"}
    return redeem(from_address(app, address), "x", headers=header, client_id=None).status_code


def test_43_who_fails_for_a_client_closes_it_for_their_own_address_only(app):
    assert [guess(app, HERE) for _ in range(4)] == [401, 401, 401, 429]
    assert guess(app, THERE, SECRET) == 400  # authenticated; only the code is wrong


def test_43_a_client_that_fails_from_many_addresses_is_closed_to_all(app):
    assert [guess(app, f"203.0.113.{n}") for n in range(7)] == [401] * 6 + [429]
    assert guess(app, HERE, SECRET) == 429


def test_43_a_client_is_counted_under_the_name_that_it_claims(app, clock):
    for number in range(3):
        assert backend(from_address(app, HERE), assertion(clock, exp=0, jti=str(number))).status_code == 401
    assert backend(from_address(app, HERE), assertion(clock, jti="4")).status_code == 429
    assert backend(from_address(app, HERE), assertion(clock, iss="rs", sub="rs", jti="5")).status_code == 200
    assert guess(app, HERE, SECRET) == 400


def test_43_an_address_that_fails_for_many_names_is_closed(app):
    web = from_address(app, HERE)
    answers = [redeem(web, "x", client_id=f"nobody-{number}").status_code for number in range(21)]
    assert answers == [401] * 20 + [429]
    assert redeem(web, "x", client_id="nobody-22").headers["Retry-After"] == "900"
    assert redeem(from_address(app, THERE), "x", client_id="nobody-1").status_code == 401


def test_43_a_login_is_counted_by_account_and_address(app):
    def login(address: str, password: str) -> int:
        person = Person(app)
        person.web.environ_base["REMOTE_ADDR"] = address
        csrf = csrf_of(person.get("/login").text)
        return person.post("/login", {"csrf": csrf, "login": "camille", "password": password}).status_code

    assert [login(HERE, "x") for _ in range(4)] == [422, 422, 422, 429]
    assert login(HERE, PASSWORD) == 429
    assert login(THERE, PASSWORD) == 303


def test_43_introspection_of_unknown_tokens_is_counted_by_client_and_address(app, clock):
    token = backend(app.test_client(), assertion(clock, iss="rs", sub="rs")).get_json()["access_token"]

    def ask(address: str) -> int:
        web, header = from_address(app, address), {"Authorization": f"Bearer {token}"}
        return web.post("/oauth/introspect", data={"token": "guessed"}, headers=header, base_url=BASE).status_code

    assert [ask(HERE) for _ in range(31)] == [200] * 30 + [429]
    assert ask(THERE) == 200
    assert guess(app, HERE, SECRET) == 400  # a resource server's address is not closed by tokens that have expired


def test_43_failures_are_counted_again_after_each_window(app, clock):
    for _ in range(3):
        assert [guess(app, HERE) for _ in range(4)] == [401, 401, 401, 429]
        clock.advance(minutes=16)


def test_what_has_expired_is_removed_once_an_hour(web, runtime, clock):
    for number in range(3):
        assert backend(web, assertion(clock, jti=str(number))).status_code == 200
    assert not tidy(runtime)
    clock.advance(hours=1, minutes=1)
    assert tidy(runtime)
    assert runtime.ports.vault.purge(clock.now()) == 0
    assert not tidy(runtime)


def test_the_settings_of_the_environment_are_the_options():
    digest = "0" * 64
    settings = Settings.from_environment(
        {
            "HABILIS_REGISTRATION": "yes", "HABILIS_REGISTRATION_TOKENS": f"{digest}, {'1' * 64}",
            "HABILIS_THROTTLE_FAILURES": "4", "HABILIS_THROTTLE_ADDRESS_FAILURES": "9",
            "HABILIS_THROTTLE_INTROSPECTIONS": "77", "HABILIS_THROTTLE_MINUTES": "2",
            "HABILIS_TRUSTED_PROXIES": "10.0.0.0/24, ::1",
            "HABILIS_MTLS_HEADER": "Client-Cert",
        }
    )  # fmt: skip
    options = of_settings(settings)
    assert options.registration
    assert options.initial_tokens == (digest, "1" * 64)
    assert options.certificates
    throttle = options.throttle
    assert (throttle.failures, throttle.per_address, throttle.everywhere) == (4, 9, 40)
    assert throttle.window.total_seconds() == 120
    assert throttle.introspections == 77
    assert replace(of_settings(Settings.from_environment({}))) == Options()


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HABILIS_REGISTRATION": "yes"}, "HABILIS_REGISTRATION_TOKENS"),
        ({"HABILIS_REGISTRATION_TOKENS": "plain"}, "HABILIS_REGISTRATION_TOKENS"),
        ({"HABILIS_TRUSTED_PROXIES": "proxy.example"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_TRUSTED_PROXIES": "0.0.0.0/0"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_MTLS_HEADER": "Client-Cert"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_MTLS_HEADER": "a b", "HABILIS_TRUSTED_PROXIES": "::1"}, "HABILIS_MTLS_HEADER"),
        ({"HABILIS_PROFESSIONAL_LEVEL": "strong"}, "HABILIS_PROFESSIONAL_LEVEL"),
    ],
)
def test_an_unsafe_setting_of_the_authorization_server_refuses_to_start(environment, named):
    with pytest.raises(SettingsError, match=named):
        Settings.from_environment(environment)
