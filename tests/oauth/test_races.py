"""One winner: codes, refresh tokens, assertions, pushed requests and proofs under 64 concurrent attempts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from fhir_server.application import app_authorization as grants
from tests.oauth.conftest import Person, assertion, backend, query_of, redeem, request_for, tokens_for
from tests.oauth.test_token_requirements import OFFLINE, refresh

ATTEMPTS = 64


def at_once(act: Callable[[], int]) -> list[int]:
    """Do the same 64 times at the same moment."""
    start = Barrier(ATTEMPTS)

    def one(_: int) -> int:
        start.wait()
        return act()

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        return list(pool.map(one, range(ATTEMPTS)))


def test_a_code_has_one_winner_and_its_replay_ends_the_grant(app, runtime):
    code = query_of(Person(app).authorize())["code"]
    tokens: list[str] = []

    def attempt() -> int:
        answer = redeem(app.test_client(), code)
        if answer.status_code == 200:
            tokens.append(answer.get_json()["access_token"])
        return answer.status_code

    assert sorted(at_once(attempt)) == [200] + [400] * (ATTEMPTS - 1)
    assert grants.find_access(runtime, tokens[0]) is None


def test_a_refresh_token_has_one_winner_and_its_reuse_ends_the_grant(app, runtime):
    token = tokens_for(app, scope=OFFLINE)["refresh_token"]
    alive: list[str] = []

    def attempt() -> int:
        answer = refresh(app.test_client(), token)
        if answer.status_code == 200:
            alive.append(answer.get_json()["access_token"])
        return answer.status_code

    assert sorted(at_once(attempt)) == [200] + [400] * (ATTEMPTS - 1)
    assert grants.find_access(runtime, alive[0]) is None


def test_an_assertion_has_one_winner(app, clock):
    signed = assertion(clock, jti="race")
    answers = at_once(lambda: backend(app.test_client(), signed).status_code)
    assert answers.count(200) == 1
    assert set(answers) <= {200, 401, 429}


def test_a_pushed_request_has_one_winner(app):
    pushed = app.test_client().post("/oauth/par", data=request_for(), base_url="https://habilis.example")
    address = pushed.get_json()["request_uri"]

    def attempt() -> int:
        return Person(app).get("/oauth/authorize", client_id="app", request_uri=address).status_code

    assert sorted(at_once(attempt)) == [303] + [400] * (ATTEMPTS - 1)


def test_a_revocation_beats_every_token_that_is_being_made(app, runtime):
    first = tokens_for(app, scope=OFFLINE)
    grant = grants.find_access(runtime, first["access_token"]).grant
    made: list[str] = []
    turn = iter(range(ATTEMPTS))

    def attempt() -> int:
        if next(turn) % 8 == 7:
            grants.revoke_grant(runtime, grant.id)
            return 0
        made.append(grants.issue_access(runtime, grant)[0])
        return 1

    at_once(attempt)
    assert [token for token in made if grants.find_access(runtime, token)] == []
