"""Failures are counted by account, client and address; nobody closes a name to its owner (requirement 43)."""

import re
from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from fhir_server import worker
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind, hash_secret, register
from fhir_server.oauth.base.options import Options, Throttle, of_settings
from fhir_server.settings.server import Settings, SettingsError
from tests.holds import holds
from tests.oauth.conftest import (
    BASE,
    PASSWORD,
    SECRET,
    Person,
    assertion,
    backend,
    csrf_of,
    query_of,
    redeem,
    request_for,
)
from tests.oauth.steps import BREAK_GLASS, code_now, events_of

HERE, THERE = "198.51.100.1", "203.0.113.2"
FORWARDED = {"HABILIS_FORWARDED_HEADER": "Forwarded"}


@pytest.fixture
def options() -> Options:
    return Options(throttle=Throttle(failures=3, per_address=20, everywhere=6))


def from_address(app, address: str):
    web = app.test_client()
    web.environ_base["REMOTE_ADDR"] = address
    return web


def guess(app, address: str, secret: str = "wrong") -> int:
    header = {"Authorization": f"Basic {b64encode(f'web:{secret}'.encode()).decode()}"}
    return redeem(from_address(app, address), "x", headers=header, client_id=None).status_code


def test_43_who_fails_for_a_client_gets_429_and_the_client_itself_never_does(app):
    assert [guess(app, HERE) for _ in range(4)] == [401, 401, 401, 429]
    assert guess(app, HERE, SECRET) == 400  # authenticated; only the code is wrong
    assert guess(app, THERE, SECRET) == 400


def test_43_a_secret_is_taken_whatever_strangers_send_in_its_name(app):
    assert [guess(app, f"203.0.113.{n}") for n in range(12)] == [401] * 12
    assert guess(app, HERE, SECRET) == 400


def test_43_a_key_is_taken_whatever_strangers_send_in_its_name(app, clock):
    junk = [backend(from_address(app, f"198.51.100.{n % 4}"), assertion(clock, exp=0, jti=str(n))) for n in range(24)]
    assert {answer.status_code for answer in junk} == {401, 429}
    assert backend(from_address(app, "198.51.100.1"), assertion(clock, jti="own")).status_code == 200


def test_43_a_public_client_is_not_closed_by_what_is_sent_in_its_name(app):
    code = query_of(Person(app).authorize())["code"]
    for number in range(24):
        redeem(from_address(app, f"203.0.113.{number % 8}"), "x", client_id="app", client_secret="junk")
    assert redeem(from_address(app, "203.0.113.1"), code).status_code == 200


@pytest.mark.parametrize("name", ["nobody-{}", "web", "ehr"])
def test_43_junk_of_an_address_costs_the_sign_ins_of_others_there_nothing(app, name):
    web = from_address(app, HERE)
    for number in range(25):
        junk = redeem(web, "x", client_id=name.format(number), client_secret="junk")
    assert junk.status_code == 429
    assert [sign_in(app, HERE, login) for login in ("camille", "marc")] == [303, 303]


def test_43_an_address_that_fails_for_many_clients_gets_429(app):
    web = from_address(app, HERE)
    answers = [redeem(web, "x", client_id=f"nobody-{number}").status_code for number in range(21)]
    assert answers == [401] * 20 + [429]
    assert redeem(web, "x", client_id="nobody-22").headers["Retry-After"] == "900"
    assert redeem(from_address(app, THERE), "x", client_id="nobody-1").status_code == 401


def test_a_failure_beyond_the_limit_stores_nothing_more(app, runtime):
    web = from_address(app, HERE)
    for _ in range(4):
        guess(app, HERE)
    before = len(events_of(runtime))
    assert [redeem(web, "x", client_id="web", client_secret="y").status_code for _ in range(5)] == [429] * 5
    assert len(events_of(runtime)) == before


def sign_in(app, address: str, login: str = "camille", password: str = PASSWORD, browser: str = "") -> int:
    """Sign in to one's own pages, with a fresh browser or with one that has a cookie."""
    person = Person(app)
    person.web.environ_base["REMOTE_ADDR"] = address
    if browser:
        person.web.set_cookie("__Host-browser", browser, domain="habilis.example", secure=True)
    csrf = csrf_of(person.get("/login").text)
    return person.post("/login", {"csrf": csrf, "login": login, "password": password}).status_code


def test_43_a_login_is_counted_by_account_and_address(app):
    assert [sign_in(app, HERE, password="x") for _ in range(4)] == [422, 422, 422, 429]
    assert sign_in(app, HERE) == 429
    assert sign_in(app, THERE) == 303


@pytest.mark.parametrize("spelt", [" camille", "camille ", "CAMILLE", "\tCamille\n", "camille\u00a0"])
def test_43_every_spelling_of_a_login_is_counted_as_one(app, spelt):
    assert [sign_in(app, HERE, spelt, "x") for _ in range(3)] == [422, 422, 422]
    assert sign_in(app, HERE, "camille", "x") == 429


def strangers_fail_for(app, login: str) -> None:
    for number in range(8):
        sign_in(app, f"203.0.113.{number}", login, "x")
    assert sign_in(app, "203.0.113.99", login) == 429  # closed to what is new


def test_43_a_known_browser_and_a_known_address_sign_in_whatever_strangers_send(app):
    assert sign_in(app, HERE, browser="b" * 43) == 303
    strangers_fail_for(app, "camille")
    assert sign_in(app, THERE, browser="b" * 43) == 303  # the browser, elsewhere
    assert sign_in(app, HERE) == 303  # the address, in another browser


def test_43_colleagues_behind_one_address_do_not_close_it_to_who_signed_in_there(app):
    assert sign_in(app, HERE) == 303
    for number in range(25):
        sign_in(app, HERE, f"colleague-{number}", "x")
    assert sign_in(app, HERE, "marc") == 429  # never seen here
    assert sign_in(app, HERE) == 303


def test_43_a_known_browser_has_a_limit_too(app):
    assert sign_in(app, HERE, browser="b" * 43) == 303
    tries = [sign_in(app, THERE, password="x", browser="b" * 43) for _ in range(4)]
    assert tries == [422, 422, 422, 429]


def test_43_the_cookie_of_a_browser_stays_and_is_no_session(app):
    person = Person(app)
    cookie = next(c for c in person.get("/login").headers.getlist("Set-Cookie") if "browser" in c)
    assert "Max-Age=7776000" in cookie
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.1", "198.51.100.1", True),
        ("198.51.100.1", "198.51.100.2", False),
    ],
)
def test_43_an_ipv6_network_of_64_bits_counts_as_one_address(app, one, other, together):
    for _ in range(3):
        guess(app, one)
    assert (guess(app, other) == 429) is together


def break_glass(app, clock, address: str, password: str = PASSWORD) -> str:
    """Go from the request for an emergency access to the page after the second factor; return its step."""
    person = Person(app, "luc", code=code_now(clock))
    person.web.environ_base["REMOTE_ADDR"] = address
    asked = person.ask(client_id="pro", scope=BREAK_GLASS)
    where = urlsplit(asked.headers["Location"]).path
    for step, given in (
        ("login", {"login": "luc", "password": password}),
        ("second-factor", {"code": code_now(clock)}),
    ):
        page = person.get(where)
        answer = person.post(where, {"csrf": csrf_of(page.text), "step": step} | given)
        if answer.status_code != 303:
            return f"{step} {answer.status_code}"
    return re.search(r'name="step" value="([^"]+)"', person.get(where).text)[1]


def test_an_emergency_is_signed_in_to_when_everything_else_is_throttled(app, clock):
    strangers_fail_for(app, "luc")
    for number in range(25):
        sign_in(app, HERE, f"nobody-{number}", "x")
        redeem(from_address(app, HERE), "x", client_id="pro", client_secret="junk")
    assert sign_in(app, HERE, "luc") == 429
    assert break_glass(app, clock, HERE) == "patient"


def test_failures_in_emergencies_are_counted_too(app, clock):
    tries = [break_glass(app, clock, HERE, "x") for _ in range(4)]
    assert tries == ["login 422"] * 3 + ["login 429"]
    assert sign_in(app, HERE, "luc") == 303  # each has a budget of its own


@holds("IUA-102")
def test_introspection_answers_a_resource_server_whatever_tokens_strangers_send_to_it(app, clock):
    token = backend(app.test_client(), assertion(clock, iss="rs", sub="rs")).get_json()["access_token"]
    header = {"Authorization": f"Bearer {token}"}

    def ask(asked: str) -> tuple[int, bool]:
        found = from_address(app, HERE).post("/oauth/introspect", data={"token": asked}, headers=header, base_url=BASE)
        return found.status_code, found.get_json()["active"]

    assert [ask("guessed") for _ in range(30)] == [(200, False)] * 30
    assert ask(token) == (200, True)


ODD_IDS = ["app-one.two_three", "urn:app:1", "a b", "app%2Done", "a+b", "über"]


@holds("RFC 6749")
@pytest.mark.parametrize("name", ODD_IDS)
def test_basic_credentials_are_percent_decoded(app, runtime, name):
    """RFC 6749 2.3.1: openid-client and others encode what RFC 3986 does not reserve, too."""
    callback = ("https://app.example/cb",)
    register(
        runtime,
        Client(
            name, "Odd", ClientKind.PATIENT_APP, callback, "openid", AuthMethod.BASIC, secret_hash=hash_secret(SECRET)
        ),
    )
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    header = {"Authorization": f"Basic {b64encode(f'{encoded}:{SECRET}'.encode()).decode()}"}
    wanted = request_for(client_id=name, scope="openid")
    assert app.test_client().post("/oauth/par", data=wanted, headers=header, base_url=BASE).status_code == 201


def test_basic_credentials_that_are_not_encoded_are_understood(app):
    assert guess(app, HERE, SECRET) == 400


def test_basic_credentials_of_two_spellings_are_counted_as_one_name(app):
    for number in range(4):
        named = "web" if number % 2 else "%77eb"
        header = {"Authorization": f"Basic {b64encode(f'{named}:wrong'.encode()).decode()}"}
        answer = redeem(from_address(app, HERE), "x", headers=header, client_id=None)
    assert answer.status_code == 429


def test_43_failures_are_counted_again_after_each_window(app, clock):
    for _ in range(3):
        assert [guess(app, HERE) for _ in range(4)] == [401, 401, 401, 429]
        clock.advance(minutes=16)


def test_what_has_expired_is_removed_now_and_then(web, runtime, clock):
    for number in range(3):
        assert backend(web, assertion(clock, jti=str(number))).status_code == 200
    worker.build(runtime).work_once()
    clock.advance(hours=1, minutes=1)
    worker.build(runtime).work_once()
    assert runtime.ports.vault.purge(clock.now()) == 0


def test_the_settings_of_the_environment_are_the_options():
    digest = "0" * 64
    settings = Settings.from_environment(
        {
            "HABILIS_REGISTRATION": "yes", "HABILIS_REGISTRATION_TOKENS": f"{digest}, {'1' * 64}",
            "HABILIS_THROTTLE_FAILURES": "4", "HABILIS_THROTTLE_ADDRESS_FAILURES": "9",
            "HABILIS_THROTTLE_MINUTES": "2",
            "HABILIS_TRUSTED_PROXIES": "10.0.0.0/24, ::1",
            "HABILIS_FORWARDED_HEADER": "Forwarded", "HABILIS_MTLS_HEADER": "ClientCert",
        }
    )  # fmt: skip
    options = of_settings(settings)
    assert options.registration
    assert options.initial_tokens == (digest, "1" * 64)
    assert options.certificates
    throttle = options.throttle
    assert (throttle.failures, throttle.per_address, throttle.everywhere) == (4, 9, 40)
    assert throttle.window.total_seconds() == 120
    assert replace(of_settings(Settings.from_environment({}))) == Options()


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HABILIS_REGISTRATION": "yes"}, "HABILIS_REGISTRATION_TOKENS"),
        ({"HABILIS_REGISTRATION_TOKENS": "plain"}, "HABILIS_REGISTRATION_TOKENS"),
        ({"HABILIS_TRUSTED_PROXIES": "proxy.example"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_TRUSTED_PROXIES": "0.0.0.0/0"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_MTLS_HEADER": "Client-Cert"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_TRUSTED_PROXIES": "none, ::1"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_MTLS_HEADER": "ClientCert", "HABILIS_TRUSTED_PROXIES": "none"}, "HABILIS_TRUSTED_PROXIES"),
        ({"HABILIS_MTLS_HEADER": "a b", "HABILIS_TRUSTED_PROXIES": "::1"}, "HABILIS_MTLS_HEADER"),
        ({"HABILIS_TRUSTED_PROXIES": "::1"}, "HABILIS_FORWARDED_HEADER"),
        ({"HABILIS_TRUSTED_PROXIES": "::1", "HABILIS_FORWARDED_HEADER": "X-Real-IP"}, "HABILIS_FORWARDED_HEADER"),
        ({"HABILIS_TRUSTED_PROXIES": "::1", "HABILIS_FORWARDED_HEADER": "X-Forwarded-For"}, "DROP_UNDERSCORES"),
        (
            {
                "HABILIS_TRUSTED_PROXIES": "::1",
                "HABILIS_FORWARDED_HEADER": "Forwarded",
                "HABILIS_MTLS_HEADER": "Client-Cert",
            },
            "DROP_UNDERSCORES",
        ),
        ({"HABILIS_PROFESSIONAL_LEVEL": "strong"}, "HABILIS_PROFESSIONAL_LEVEL"),
    ],
)
def test_an_unsafe_setting_of_the_authorization_server_refuses_to_start(environment, named):
    with pytest.raises(SettingsError, match=named):
        Settings.from_environment(environment)


def test_a_server_on_an_https_address_must_know_which_proxies_it_has():
    served = {"HABILIS_BASE_URL": "https://sante.example"}
    with pytest.raises(SettingsError, match="HABILIS_TRUSTED_PROXIES must name the proxies"):
        Settings.from_environment(served).refuse_unsafe_serving()
    for said in ({"HABILIS_TRUSTED_PROXIES": "none"}, {"HABILIS_TRUSTED_PROXIES": "::1", **FORWARDED}):
        Settings.from_environment(served | said).refuse_unsafe_serving()
    Settings.from_environment({}).refuse_unsafe_serving()  # this machine, by http


def test_dashed_names_are_taken_when_the_proxies_drop_their_twins():
    named = {"HABILIS_TRUSTED_PROXIES": "::1", "HABILIS_PROXIES_DROP_UNDERSCORES": "yes"}
    named |= {"HABILIS_FORWARDED_HEADER": "X-Forwarded-For", "HABILIS_MTLS_HEADER": "Client-Cert"}
    found = Settings.from_environment(named).proxies
    assert (found.address_header, found.certificate_header) == ("X-Forwarded-For", "Client-Cert")
