"""One winner on both stores under 64 concurrent attempts: states, codes that link, subjects, passkey answers."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity import franceconnect_link
from fhir_server.application.identity.accounts import Account, add_account, find_account, find_by_upstream, link
from fhir_server.application.identity.franceconnect_link import Traits
from fhir_server.oauth.login import passkeys
from fhir_server.oauth.upstream import relying
from fhir_server.oauth.upstream.metadata import ProviderError
from fhir_server.oauth.upstream.relying import Errand
from tests.oauth.conftest import query_of
from tests.oauth.stores import furnished_engine as furnished_engine  # noqa: PLC0414 - pytest finds fixtures by name
from tests.oauth.stores import ports as ports  # noqa: PLC0414
from tests.oauth.test_passkeys import Authenticator
from tests.oauth.upstream import provider_of
from tests.world import INS, World

ATTEMPTS = 64


def winners(attempt: Callable[[int], object]) -> list[object]:
    """Start all attempts at once and return what the successful ones got."""
    gate = Barrier(ATTEMPTS)

    def run(number: int) -> object:
        gate.wait(120)
        return attempt(number)

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        return [found for found in pool.map(run, range(ATTEMPTS)) if found]


def test_a_state_is_claimed_once(runtime, fake):
    provider = provider_of(fake.issuer)
    state = query_of(relying.depart(runtime, provider, "browser", Errand()))["state"]

    def claim(_: int) -> object:
        try:
            return relying.claim(runtime, provider, "browser", state)
        except ProviderError:
            return None

    assert len(winners(claim)) == 1


def test_a_code_links_once(runtime):
    id_ = World(runtime, None).open().record("ines", {
        "resourceType": "Patient", "identifier": [{"system": INS, "value": "290079999900153"}],
        "birthDate": "1990-07-14", "name": [{"family": "Lefèvre", "given": ["Inès"]}],
    })  # fmt: skip
    account = add_account(runtime, Account("ines", RequesterKind.PATIENT, f"Patient/{id_}", "Inès"), "")
    code, traits = franceconnect_link.invite(runtime, account), Traits("LEFEVRE", "INES", "1990-07-14", "")
    assert len(winners(lambda _: franceconnect_link.redeem(runtime, code, traits))) == 1


def test_a_subject_is_linked_to_one_account(runtime):
    accounts = [find_account(runtime, login) for login in ("camille", "marc")]
    won = winners(lambda number: link(runtime, accounts[number % 2], "franceconnect", "fc-race") and number % 2 + 1)
    assert len(won) == 1
    assert find_by_upstream(runtime, "franceconnect", "fc-race") == accounts[won[0] - 1]


def test_an_answer_of_a_passkey_wins_once(runtime):
    camille, key = find_account(runtime, "camille"), Authenticator()
    made = key.make(json.loads(passkeys.creation_options(runtime, camille, "make")))
    assert passkeys.keep(runtime, camille, passkeys.made(runtime, camille, "make", json.dumps(made), "key"))
    answer = json.dumps(key.use(json.loads(passkeys.request_options(runtime, camille, "use"))))
    assert len(winners(lambda _: passkeys.is_proven(runtime, camille, "use", answer))) == 1
