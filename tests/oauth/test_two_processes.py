"""Two server processes on one store: exactly one winner of 64, and what one has ended is over in the other at once.

Abuse cases AC21 (going on with a live token), AC22 (racing a revocation) and AC36 (replays).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from joserfc.jwk import ECKey

from fhir_server.adapters.system import SystemClock
from fhir_server.oauth.resource.dpop import hash_of
from tests.engines import ENGINES, make_engine
from tests.holds import holds
from tests.live import Live, free_port, running
from tests.oauth.conftest import ASSERTION, VERIFIER, Person, assertion, csrf_of, furnish, query_of, request_for
from tests.oauth.steps import OFFLINE, proof

pytestmark = pytest.mark.live
ATTEMPTS = 64
CLOCK = SystemClock()
CALLBACK = "https://app.example/cb"


@dataclass
class Pair:
    """Both servers: they speak for one base, and each has an address of its own."""

    base: str
    servers: tuple[str, str]

    def post(self, server: int, path: str, headers: dict[str, str] | None = None, **form: str) -> requests.Response:
        """Post a form to one of the two."""
        return requests.post(f"{self.servers[server]}{path}", data=form, headers=headers, timeout=60)

    def get(self, server: int, path: str, headers: dict[str, str]) -> requests.Response:
        return requests.get(f"{self.servers[server]}{path}", headers=headers, timeout=60)

    def redeem(self, server: int, code: str, headers: dict[str, str] | None = None) -> requests.Response:
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": "app"}
        return self.post(server, "/oauth/token", headers, code=code, code_verifier=VERIFIER, **form)

    def refresh(self, server: int, token: str) -> requests.Response:
        return self.post(server, "/oauth/token", grant_type="refresh_token", refresh_token=token, client_id="app")

    def knows(self, server: int, token: str) -> bool:
        """Tell whether a server takes an access token now."""
        return self.get(server, "/oauth/userinfo", {"Authorization": f"Bearer {token}"}).status_code == 200

    def tokens(self, **asked: str) -> dict[str, str]:
        """Walk the whole flow: the pages on the first server, the code on the second."""
        code = query_of(Human(self, 0).authorize(aud=f"{self.base}/fhir", **asked))["code"]
        answer = self.redeem(1, code)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found

    def at_once(self, act: Callable[[int], int]) -> list[int]:
        """Do the same 64 times at the same moment, half of them on each server."""
        start = Barrier(ATTEMPTS)

        def one(number: int) -> int:
            start.wait(120)
            return act(number % 2)

        with ThreadPoolExecutor(ATTEMPTS) as pool:
            return list(pool.map(one, range(ATTEMPTS)))


class Human(Person):
    """Somebody in a browser that talks to one of the servers, whatever address the pages name."""

    def __init__(self, pair: Pair, server: int, login: str = "camille", **choices: str) -> None:
        self.web = requests.Session()
        self.address, self.base = pair.servers[server], pair.base
        self.login, self.choices, self.pages, self.unticked = login, choices, [], set()

    def get(self, path: str, **query: str) -> requests.Response:
        return self.web.get(f"{self.address}{path}", params=query, allow_redirects=False, timeout=60)

    def post(self, path: str, data: dict[str, object]) -> requests.Response:
        return self.web.post(f"{self.address}{path}", data=data, allow_redirects=False, timeout=60)


@pytest.fixture(scope="module", params=ENGINES)
def pair(request, tmp_path_factory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    engine = make_engine(request.param, request, folder)
    base = f"http://127.0.0.1:{(port := free_port())}"
    furnish(engine.ports, base)
    settings = {
        "HABILIS_BASE_URL": base, "HABILIS_KEY_FILE": str(engine.key_file), "HABILIS_THROTTLE_FAILURES": "5",
        "HABILIS_THROTTLE_ADDRESS_FAILURES": "60000",
    }  # fmt: skip
    if request.param == "mongo":
        uri, name = engine.place.uri, engine.place.database
        settings |= {"HABILIS_STORE": "mongodb", "HABILIS_MONGODB_URI": uri, "HABILIS_MONGODB_DATABASE": name}
    first, second = Live(folder / "data", port, settings), Live(folder / "data", settings=settings)
    with running(first), running(second):
        yield Pair(base, (first.base_url, second.base_url))
    engine.close()


def test_a_code_has_at_most_one_winner_in_both_and_its_replay_ends_the_grant_in_both(pair):
    code = query_of(Human(pair, 0).authorize(aud=f"{pair.base}/fhir"))["code"]
    won: list[str] = []

    def attempt(server: int) -> int:
        answer = pair.redeem(server, code)
        if answer.status_code == 200:
            won.append(answer.json()["access_token"])
        return answer.status_code

    answers = pair.at_once(attempt)
    assert answers.count(200) <= 1  # none when a replay ended the grant before the winner had its tokens
    assert answers.count(400) == ATTEMPTS - len(won)
    assert not [token for token in won for server in (0, 1) if pair.knows(server, token)]


def test_a_refresh_token_has_at_most_one_winner_in_both_and_its_reuse_ends_the_grant_in_both(pair):
    token = pair.tokens(scope=OFFLINE)["refresh_token"]
    won: list[str] = []

    def attempt(server: int) -> int:
        answer = pair.refresh(server, token)
        if answer.status_code == 200:
            won.append(answer.json()["access_token"])
        return answer.status_code

    answers = pair.at_once(attempt)
    assert answers.count(200) <= 1  # none when a replay ended the grant before the winner had its tokens
    assert answers.count(400) == ATTEMPTS - len(won)
    assert not [token for token in won for server in (0, 1) if pair.knows(server, token)]


def test_a_pushed_request_has_one_winner_in_both(pair):
    wanted = request_for(aud=f"{pair.base}/fhir")
    address = pair.post(0, "/oauth/par", **wanted).json()["request_uri"]

    def attempt(server: int) -> int:
        return Human(pair, server).get("/oauth/authorize", client_id="app", request_uri=address).status_code

    assert sorted(pair.at_once(attempt)) == [303] + [400] * (ATTEMPTS - 1)


def test_a_proof_has_one_winner_in_both(pair):
    key = ECKey.generate_key("P-256")
    code = query_of(Human(pair, 1).authorize(aud=f"{pair.base}/fhir"))["code"]
    first = proof(CLOCK, key, url=f"{pair.base}/oauth/token", jti="first")
    token = pair.redeem(0, code, {"DPoP": first}).json()["access_token"]
    shown = proof(CLOCK, key, "GET", f"{pair.base}/oauth/userinfo", ath=hash_of(token), jti="race")
    headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
    answers = pair.at_once(lambda server: pair.get(server, "/oauth/userinfo", headers).status_code)
    assert sorted(answers) == [200] + [401] * (ATTEMPTS - 1)


def test_an_assertion_has_one_winner_in_both_and_the_failures_close_the_client_in_neither(pair):
    signed = signed_by("rs", pair)
    answers = pair.at_once(lambda server: backend(pair, server, signed))
    assert answers.count(200) == 1
    assert set(answers) <= {200, 401, 429}
    assert answers.count(401) >= 5
    assert [backend(pair, server, signed_by("rs", pair)) for server in (0, 1)] == [200, 200]
    assert [backend(pair, server, signed_by("ehr", pair)) for server in (0, 1)] == [200, 200]


@holds("AC21")
def test_a_revocation_in_one_holds_in_the_other_at_the_next_request(pair):
    body = pair.tokens(scope=OFFLINE)
    assert [pair.knows(server, body["access_token"]) for server in (0, 1)] == [True, True]
    pair.post(0, "/oauth/revoke", token=body["refresh_token"], client_id="app")
    assert not pair.knows(1, body["access_token"])
    assert pair.refresh(1, body["refresh_token"]).status_code == 400


def test_a_rotation_in_one_holds_in_the_other_at_the_next_request(pair):
    first = pair.tokens(scope=OFFLINE)
    second = pair.refresh(0, first["refresh_token"]).json()
    third = pair.refresh(1, second["refresh_token"])
    assert third.status_code == 200
    assert pair.refresh(1, first["refresh_token"]).status_code == 400
    assert not pair.knows(0, third.json()["access_token"])
    assert pair.refresh(0, third.json()["refresh_token"]).status_code == 400


def test_an_app_that_a_person_ends_on_the_page_of_one_is_over_in_the_other(pair):
    person = Human(pair, 0)
    code = query_of(person.authorize(aud=f"{pair.base}/fhir", scope=OFFLINE))["code"]
    token = pair.redeem(1, code).json()["access_token"]
    assert pair.knows(1, token)
    person.address = pair.servers[1]
    page = person.get("/account/apps").text
    for path in sorted({part.split('"')[0] for part in page.split('action="')[1:] if "/account/apps/" in part[:40]}):
        assert person.post(urlsplit(path).path, {"csrf": csrf_of(page)}).status_code == 303
    assert not pair.knows(0, token)


def test_passwords_that_are_guessed_at_one_close_the_account_at_the_other(pair):
    def guess(server: int) -> int:
        person = Human(pair, server)
        form = {"csrf": csrf_of(person.get("/login").text), "login": "marc", "password": "guessed"}
        return person.post("/login", form).status_code

    assert [guess(turn % 2) for turn in range(7)] == [422] * 5 + [429, 429]


def signed_by(client: str, pair: Pair) -> str:
    """Sign a fresh assertion of a client."""
    where = f"{pair.base}/oauth/token"
    return assertion(CLOCK, iss=client, sub=client, aud=where, jti=str(uuid4()))


def backend(pair: Pair, server: int, signed: str) -> int:
    form = {"client_assertion_type": ASSERTION, "client_assertion": signed, "scope": "system/DocumentReference.rs"}
    return pair.post(server, "/oauth/token", grant_type="client_credentials", **form).status_code
