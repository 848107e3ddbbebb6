"""What an anonymous request to the authorization endpoint leaves behind: little, for a while, and only so much.

Nobody is kept from an emergency by what others begin.
"""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from fhir_server import worker
from fhir_server.oauth.base.options import Options, of_settings
from fhir_server.settings.server import Settings
from tests.oauth.conftest import BASE, PASSWORD, Person, csrf_of, request_for
from tests.oauth.steps import BREAK_GLASS, code_now, events_of
from tests.oauth.upstream import provider_of

HERE, THERE = "198.51.100.1", "203.0.113.2"
BEGUN = 4


@pytest.fixture
def options() -> Options:
    said = {"HABILIS_THROTTLE_SIGN_INS": str(BEGUN), "HABILIS_THROTTLE_ADDRESS_FAILURES": "6"}
    return replace(of_settings(Settings.from_environment(said)), providers=(provider_of("http://127.0.0.1:9"),))


def at(app, address: str, login: str = "camille", **choices: str) -> Person:
    person = Person(app, login, **choices)
    person.web.environ_base["REMOTE_ADDR"] = address
    return person


def kept(runtime) -> int:
    """Return how many entries a sign-in in progress may have left."""
    kinds = ("interaction", "par", "upstream-state")
    return sum(len(runtime.ports.vault.entries(kind, runtime.ports.clock.now())) for kind in kinds)


def error_of(answer) -> str:
    return urlsplit(answer.headers["Location"]).query.partition("error=")[2].partition("&")[0]


def test_strangers_leave_so_many_conversations_at_one_address_and_no_more(app, runtime):
    answers = [at(app, HERE).ask() for _ in range(BEGUN + 3)]
    assert [error_of(answer) for answer in answers] == [""] * BEGUN + ["temporarily_unavailable"] * 3
    assert "state=st-1" in answers[-1].headers["Location"]
    assert kept(runtime) == BEGUN
    assert at(app, THERE).authorize().startswith("https://app.example/cb?code=")


def test_they_are_forgotten_after_a_while_and_removed_by_the_worker(app, runtime, clock):
    for _ in range(BEGUN):
        at(app, HERE).ask()
    clock.advance(minutes=16)
    assert at(app, HERE).ask().headers["Location"].startswith(BASE)
    assert kept(runtime) == 1
    worker.build(runtime).work_once()
    assert runtime.ports.vault.purge(clock.now()) == 0


def test_a_browser_in_which_somebody_has_signed_in_is_not_counted_with_strangers(app):
    person = at(app, HERE)
    assert "code=" in person.authorize()
    person.web.delete_cookie("__Host-session", domain="habilis.example")
    for _ in range(BEGUN + 1):
        at(app, HERE).ask()
    assert "code=" in person.authorize()


def test_a_known_browser_has_a_count_too(app):
    person = at(app, HERE)
    person.authorize()
    person.web.delete_cookie("__Host-session", domain="habilis.example")
    assert [error_of(person.ask()) for _ in range(BEGUN + 1)] == [""] * BEGUN + ["temporarily_unavailable"]


def test_who_is_signed_in_is_not_counted(app):
    person = at(app, HERE)
    person.authorize()
    assert [error_of(person.ask()) for _ in range(BEGUN + 2)] == [""] * (BEGUN + 2)


EMERGENCY = {"client_id": "pro", "scope": BREAK_GLASS}


def test_an_emergency_is_begun_whatever_others_have_begun(app, clock):
    for _ in range(BEGUN + 2):
        at(app, HERE).ask()
        at(app, HERE).ask(**EMERGENCY)
    person = at(app, HERE, "luc")
    where = urlsplit(person.ask(**EMERGENCY).headers["Location"]).path
    clock.advance(minutes=2, seconds=50)
    answered = person.post(where, {"csrf": csrf_of(person.get(where).text), "step": "login", "login": "luc",
                                   "password": PASSWORD})  # fmt: skip
    assert answered.status_code == 303
    given = {"csrf": csrf_of(person.get(where).text), "step": "second-factor", "code": code_now(clock)}
    assert person.post(where, given).status_code == 303
    clock.advance(minutes=10)
    assert person.get(where).status_code == 200  # signed in: kept as long as any other


def test_emergencies_beyond_the_count_are_kept_for_three_minutes_only(app, runtime, clock):
    for _ in range(BEGUN + 5):
        at(app, HERE).ask(**EMERGENCY)
    assert kept(runtime) == BEGUN + 5
    clock.advance(minutes=3, seconds=1)
    assert kept(runtime) == BEGUN


def test_silent_requests_of_strangers_leave_nothing(app, runtime):
    assert error_of(at(app, HERE).ask(prompt="none")) == "login_required"
    assert kept(runtime) == 0


LONG = {
    "scope": "patient/DocumentReference.rs " * 300, "nonce": "n" * 9000, "login_hint": "h" * 9000, "state": "s" * 9000,
    "anything": "x" * 9000,
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_request_that_is_too_long_is_refused_and_leaves_nothing(app, runtime, name):
    answer = at(app, HERE).ask(**{name: LONG[name]})
    assert error_of(answer) == "invalid_request"
    assert "8192" in answer.headers["Location"]
    assert kept(runtime) == 0


def test_what_a_request_leaves_is_no_longer_than_twice_the_limit(app, runtime):
    at(app, HERE).ask(nonce="n" * 2000, login_hint="h" * 2000, scope="patient/DocumentReference.rs " * 120)
    (entry,) = runtime.ports.vault.entries("interaction", runtime.ports.clock.now())
    assert len(entry.value) < 2 * 8192


def test_a_pushed_request_of_a_public_client_is_counted_and_bounded(app, runtime):
    def push(**changes: str):
        return at(app, HERE).post("/oauth/par", request_for(**changes))

    assert push(anything="x" * 9000).get_json()["error"] == "invalid_request"
    assert [push().status_code for _ in range(BEGUN + 1)] == [201] * BEGUN + [429]
    assert push(**EMERGENCY).status_code == 201
    assert kept(runtime) == BEGUN + 1


def test_returns_from_a_provider_that_nobody_left_for_fill_no_trail(app, runtime):
    before = len(events_of(runtime))
    answers = [at(app, HERE).get("/login/with/psc/callback", state=f"s{n}", code="x").status_code for n in range(9)]
    assert answers == [400] * 6 + [429] * 3
    assert len(events_of(runtime)) == before + 6
