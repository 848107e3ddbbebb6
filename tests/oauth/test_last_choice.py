"""What a person chose last for an app holds for every token of it: scopes, days, one grant, one card.

On both stores, over HTTP.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import orjson
import pytest

from consent_rules.vocabulary import Purpose
from fhir_server.application.identity import grant_replacement
from fhir_server.application.identity.access_tokens import find_access, issue_access
from fhir_server.application.identity.accounts import Grantee, find_account
from fhir_server.application.identity.clients import find
from fhir_server.application.identity.grants import (
    GRANT,
    Grant,
    draft_grant,
    find_grant,
    grants_of,
    revoke_person,
    store_grant,
)
from fhir_server.oauth.granted.records import REFRESH
from fhir_server.ports.vault import Secret
from tests.oauth.conftest import BASE, Person, csrf_of, query_of, redeem
from tests.oauth.steps import refresh
from tests.oauth.stores import furnished_engine, ports  # noqa: F401 - fixtures

WIDE = "openid offline_access launch/patient patient/DocumentReference.rs patient/Binary.r"
APPROVALS = 8


@pytest.fixture(autouse=True)
def alone(runtime) -> None:
    """Leave nothing of the tests before in the shared store."""
    revoke_person(runtime, subject(runtime))


def subject(runtime, login: str = "camille") -> str:
    return find_account(runtime, login).subject


def in_force(runtime) -> tuple[Grant, ...]:
    return grants_of(runtime, subject(runtime))


def agree(app, person: Person | None = None, *, days: str = "365", without: str = "", **asked: str) -> dict:
    """Walk through the pages and return the token response."""
    person = person or Person(app)
    person.choices = {"without": without}
    walked, take = person.answer, person.post
    person.post = lambda path, data: take(path, data | ({"days": days} if data.get("step") == "consent" else {}))
    where = person.authorize(**{"scope": WIDE} | asked)
    person.answer, person.post = walked, take
    answer = redeem(app.test_client(), query_of(where)["code"])
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def silently(person: Person, **asked: str) -> dict[str, str]:
    return query_of(person.ask(prompt="none", **{"scope": WIDE} | asked).headers["Location"])


def test_the_days_chosen_last_hold_for_tokens_of_before_and_for_silent_ones(app, runtime, clock):
    person = Person(app)
    first = agree(app, person, days="365")
    agree(app, person, days="1")
    code = silently(person)["code"]
    quiet = redeem(app.test_client(), code).get_json()
    ends = clock.now().timestamp() + 86400
    assert [grant.expires.timestamp() for grant in in_force(runtime)] == [ends]
    assert find_access(runtime, quiet["access_token"]).grant.expires.timestamp() == ends
    again = refresh(app.test_client(), first["refresh_token"]).get_json()
    clock.advance(hours=24, minutes=1)
    for token in (first, again, quiet):
        assert refresh(app.test_client(), token.get("refresh_token", "")).get_json()["error"] == "invalid_grant"
        assert find_access(runtime, token["access_token"]) is None


def test_a_scope_unticked_last_is_closed_to_every_token_of_before(app, runtime):
    first = agree(app)
    agree(app, without="patient/Binary.r")
    assert find_access(runtime, first["access_token"]) is None
    renewed = refresh(app.test_client(), first["refresh_token"]).get_json()
    assert renewed["scope"] == "launch/patient offline_access openid patient/DocumentReference.rs"
    asked = refresh(app.test_client(), renewed["refresh_token"], scope="patient/Binary.r").get_json()
    assert asked["error"] == "invalid_scope"


def test_a_wider_choice_widens_no_token_of_before(app):
    first = agree(app, without="patient/Binary.r")
    agree(app)
    assert "patient/Binary.r" not in refresh(app.test_client(), first["refresh_token"]).get_json()["scope"]


def test_a_choice_without_renewal_ends_the_renewal_of_before(app):
    first = agree(app)
    agree(app, scope="openid launch/patient patient/DocumentReference.rs")
    assert refresh(app.test_client(), first["refresh_token"]).get_json()["error"] == "invalid_grant"


def test_a_silent_renewal_ends_nothing_and_opens_nothing(app, runtime):
    person = Person(app)
    first = agree(app, person)
    before = in_force(runtime)
    redeem(app.test_client(), silently(person)["code"])
    assert [grant.id for grant in in_force(runtime)] == [grant.id for grant in before]
    assert find_access(runtime, first["access_token"])
    assert refresh(app.test_client(), first["refresh_token"]).status_code == 200


def test_nothing_that_was_chosen_away_comes_back_silently(app):
    person = Person(app)
    agree(app, person)
    agree(app, person, without="patient/Binary.r")
    assert silently(person)["error"] == "consent_required"
    assert "code" in silently(person, scope="openid launch/patient patient/DocumentReference.rs")


def test_a_person_sees_one_card_of_an_app(app):
    person = Person(app)
    for days in ("365", "30", "1"):
        agree(app, person, days=days)
    page = person.get("/account/apps").text
    assert page.count('class="card"') == 1
    assert page.count("MaTension") == 1


def test_of_concurrent_approvals_one_grant_is_in_force(app, runtime):
    people = [Person(app) for _ in range(APPROVALS)]
    places = []
    for person in people:
        where = person.ask(scope=WIDE).headers["Location"].removeprefix(BASE)
        person.answer(where, person.get(where).text)
        places.append((person, where, csrf_of(person.get(where).text)))
    together = Barrier(APPROVALS)

    def allow(place: tuple[Person, str, str]) -> str:
        person, where, csrf = place
        together.wait(120)
        form = {"csrf": csrf, "step": "consent", "decision": "allow", "scope": ["patient/DocumentReference.rs"]}
        return person.post(where, form | {"days": "30"}).headers.get("Location", "")

    with ThreadPoolExecutor(APPROVALS) as pool:
        answers = list(pool.map(allow, places))
    assert len(in_force(runtime)) == 1
    codes = [query_of(answer)["code"] for answer in answers if "code=" in answer]
    held = [redeem(app.test_client(), code).get_json().get("access_token", "") for code in codes]
    assert any(find_access(runtime, token) for token in held if token)
    assert len(in_force(runtime)) == 1


def test_a_token_that_is_issued_while_the_person_chooses_anew_is_dead(app, runtime):
    first = agree(app)
    view = find_access(runtime, first["access_token"]).grant
    agree(app, without="patient/Binary.r")
    token, _ = issue_access(runtime, view)  # the step of a slow request
    assert find_access(runtime, token) is None


def legacy(runtime, clock, scopes: str, count: int) -> list[str]:
    """Store grants as an earlier version did: one beside the other."""
    account, client = find_account(runtime, "camille"), find(runtime, "app")
    ids = []
    for _ in range(count):
        clock.advance(minutes=1)
        grant = draft_grant(runtime, Grantee(client, account, launch_patient="camille"), scopes)
        store_grant(runtime, grant)
        ids.append(grant.id)
    return ids


def test_of_grants_that_an_earlier_version_left_the_newest_holds(runtime, clock):
    runtime.ports.vault.drop("migration", "one-grant-for-app-and-person")
    ids = legacy(runtime, clock, WIDE, 3)
    emergency = replace(find_grant(runtime, ids[0]), id="emergency", purpose=Purpose.BREAK_GLASS)
    store_grant(runtime, emergency)
    assert grant_replacement.settle_all(runtime) == 2
    assert {grant.id for grant in in_force(runtime)} == {ids[-1], "emergency"}
    assert grant_replacement.settle_all(runtime) == 0


def test_the_tokens_of_an_earlier_version_end_with_the_next_choice(app, runtime, clock):
    (old,) = legacy(runtime, clock, "openid offline_access patient/DocumentReference.rs", 1)
    value = orjson.dumps({"grant_id": old, "client_id": "app", "spent": False})
    runtime.ports.vault.add(Secret(REFRESH, f"old-{old}", value, f"grant:{old}"))
    assert refresh(app.test_client(), f"old-{old}").status_code == 200
    agree(app)
    assert runtime.ports.vault.get(GRANT, old, clock.now()) is None
    assert len(in_force(runtime)) == 1
