"""One winner on both stores: codes, refresh tokens, assertions, pushed requests, proofs under 64 concurrent attempts.

Replays (AC36) and revocations (AC22) included; tests/oauth/test_two_processes.py does the same through two processes.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from time import monotonic, sleep

import pytest
from joserfc.jwk import ECKey

from fhir_server.application.identity import access_tokens, grants
from fhir_server.oauth.authorize import interactions
from fhir_server.oauth.base.options import Options, Throttle
from fhir_server.oauth.base.wire import Context, Received
from fhir_server.oauth.login import throttle
from fhir_server.oauth.resource.dpop import hash_of
from fhir_server.ports.store import StoreUnavailable
from tests.holds import holds
from tests.oauth.conftest import BASE, Person, assertion, backend, csrf_of, query_of, redeem, request_for, tokens_for
from tests.oauth.steps import OFFLINE, consent_page, proof, refresh
from tests.oauth.stores import furnished_engine as furnished_engine  # noqa: PLC0414 - pytest finds fixtures by name
from tests.oauth.stores import ports as ports  # noqa: PLC0414

ATTEMPTS = 64


@pytest.fixture
def options() -> Options:
    """Do not throttle: who loses a race is no attacker, and the store is shared by these tests."""
    return Options(throttle=Throttle(failures=10_000, per_address=10_000, everywhere=10_000))


def at_once(act: Callable[[], int]) -> list[int]:
    """Do the same 64 times at the same moment; whoever is answered 503 comes again, because nothing was done then."""
    start, ends = Barrier(ATTEMPTS), monotonic() + 180

    def one(_: int) -> int:
        start.wait(120)
        while (status := answered(act)) == 503:
            assert monotonic() < ends
            sleep(random.uniform(0.05, 0.5))
        return status

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        return list(pool.map(one, range(ATTEMPTS)))


def answered(act: Callable[[], int]) -> int:
    try:
        return act()
    except StoreUnavailable:
        return 503


def test_a_code_has_at_most_one_winner_and_its_replay_ends_the_grant(app, runtime):
    code = query_of(Person(app).authorize())["code"]
    tokens: list[str] = []

    def attempt() -> int:
        answer = redeem(app.test_client(), code)
        if answer.status_code == 200:
            tokens.append(answer.get_json()["access_token"])
        return answer.status_code

    answers = at_once(attempt)
    assert answers.count(200) <= 1  # none when a replay ended the grant before the winner had its tokens
    assert answers.count(400) == ATTEMPTS - len(tokens)
    assert not [token for token in tokens if access_tokens.find_access(runtime, token)]


@holds("AC36")
def test_a_refresh_token_has_at_most_one_winner_and_its_reuse_ends_the_grant(app, runtime):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    alive: list[str] = []

    def attempt() -> int:
        answer = refresh(app.test_client(), token)
        if answer.status_code == 200:
            alive.append(answer.get_json()["access_token"])
        return answer.status_code

    answers = at_once(attempt)
    assert answers.count(200) <= 1  # none when a replay ended the grant before the winner had its tokens
    assert answers.count(400) == ATTEMPTS - len(alive)
    assert not [token for token in alive if access_tokens.find_access(runtime, token)]


def test_an_assertion_has_one_winner(app, clock):
    signed = assertion(clock, jti="race")
    answers = at_once(lambda: backend(app.test_client(), signed).status_code)
    assert sorted(answers) == [200] + [401] * (ATTEMPTS - 1)


def test_a_proof_has_one_winner(app, clock):
    key = ECKey.generate_key("P-256")
    code = query_of(Person(app).authorize())["code"]
    token = redeem(app.test_client(), code, headers={"DPoP": proof(clock, key, jti="first")}).get_json()["access_token"]
    shown = proof(clock, key, "GET", f"{BASE}/oauth/userinfo", ath=hash_of(token), jti="race")
    headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
    answers = at_once(lambda: app.test_client().get("/oauth/userinfo", headers=headers, base_url=BASE).status_code)
    assert sorted(answers) == [200] + [401] * (ATTEMPTS - 1)


def test_a_consent_is_given_once(app):
    person, where, page = consent_page(app)
    answer = {"csrf": csrf_of(page), "step": "consent", "decision": "allow", "scope": ["patient/DocumentReference.rs"]}
    cookies = person.web._cookies

    def attempt() -> int:
        browser = app.test_client()
        browser._cookies = dict(cookies)
        sent = browser.post(where, data=answer, base_url=BASE)
        return int("code=" in sent.headers.get("Location", ""))

    assert sum(at_once(attempt)) == 1


def test_a_conversation_takes_one_answer_of_two(app, runtime):
    asked = Person(app).ask()
    held = runtime.ports.vault.entries(interactions.KIND, runtime.ports.clock.now())
    assert asked.status_code == 303
    found = next(interactions._DECODER.decode(entry.value) for entry in held)
    assert sum(at_once(lambda: int(interactions.finish(runtime, found)))) == 1


def test_every_failure_is_counted_or_the_door_is_closed(runtime):
    context = Context(runtime, Options(throttle=Throttle(failures=10)), Received("POST", BASE, address="192.0.2.77"))
    raced = throttle.Attempt(throttle.ACCOUNT, "raced")
    at_once(lambda: int(throttle.failed(context, raced) is None))
    with pytest.raises(throttle.TooManyFailuresError):
        throttle.check(context, raced)


def test_a_pushed_request_has_one_winner(app):
    pushed = app.test_client().post("/oauth/par", data=request_for(), base_url=BASE)
    address = pushed.get_json()["request_uri"]

    def attempt() -> int:
        return Person(app).get("/oauth/authorize", client_id="app", request_uri=address).status_code

    assert sorted(at_once(attempt)) == [303] + [400] * (ATTEMPTS - 1)


@holds("AC22")
def test_a_revocation_beats_every_token_that_is_being_made(app, runtime):
    first = tokens_for(app, scope=OFFLINE)
    grant = access_tokens.find_access(runtime, first["access_token"]).grant
    made: list[str] = []
    turn = count()

    def attempt() -> int:
        if next(turn) % 8 == 7:
            grants.revoke_grant(runtime, grant.id)
            return 0
        made.append(access_tokens.issue_access(runtime, grant)[0])
        return 1

    at_once(attempt)
    assert [token for token in made if access_tokens.find_access(runtime, token)] == []
