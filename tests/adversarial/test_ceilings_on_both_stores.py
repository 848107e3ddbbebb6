"""The ceilings over HTTP, on SQLite and on MongoDB (V10, V11); small numbers, so that few requests reach them."""

import pytest

from consent_rules.vocabulary import Purpose
from fhir_server.application.core.ceilings import supervising
from fhir_server.domain.supervision import RegisteredException
from tests.adversarial.misuse import IDENTIFIER, Misuse, ins_of
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import World

SMALL = {"spaces_an_hour": 2, "spaces_a_day": 3, "identities_an_hour": 4, "deposits_an_hour": 2}


@pytest.fixture
def misuse(world: World) -> Misuse:
    register(world, **SMALL)
    return Misuse(world)


def register(world: World, **numbers: int) -> None:
    at = world.runtime.now()
    wanted = RegisteredException("profession:10", "a role", numbers, at, "operator@machine", "a test")
    supervising.register(world.runtime, wanted)


def agreement(misuse: Misuse, number: int) -> dict:
    """Return a Consent of a stranger whom a reference names, so that nobody is looked up."""
    return misuse.declared(number, "nour") | {"patient": {"reference": f"Patient/{misuse.person(number)}"}}


def declare(misuse: Misuse, number: int) -> int:
    return misuse.world.send("nour", "POST", "/Consent", agreement(misuse, number)).status_code


def deposit(misuse: Misuse, number: int, documents: int = 1, who: str = "nour") -> int:
    """File documents of a stranger in one submission."""
    misuse.world.ids["stranger"] = misuse.person(number)
    filed = misuse.world.as_filed_by(who)
    lot = [misuse.world.filing(patient="stranger", **filed) for _ in range(documents)]
    return misuse.world.send(who, "POST", "", misuse.world.bundle(*lot)).status_code


@BOTH
def test_spaces_of_an_hour_and_of_a_day(misuse, clock):
    assert [declare(misuse, number) for number in range(3)] == [201, 201, 429]
    clock.advance(hours=1, minutes=1)
    assert [declare(misuse, number) for number in range(3, 5)] == [201, 429]
    clock.advance(hours=23)
    assert [declare(misuse, number) for number in range(5, 8)] == [201, 201, 429]


@BOTH
def test_at_the_last_instant_of_a_window_nothing_is_free_and_a_minute_later_all_is(misuse, clock):
    assert [declare(misuse, number) for number in range(2)] == [201, 201]
    clock.advance(hours=1, microseconds=-1)
    assert declare(misuse, 2) == 429
    clock.advance(minutes=1, microseconds=1)
    assert declare(misuse, 2) == 201


@BOTH
def test_a_space_that_was_entered_is_entered_again_without_being_counted(misuse):
    assert declare(misuse, 0) == 201
    consent = misuse.world.send("nour", "POST", "/Consent", misuse.declared(0, "nour")).get_json()
    ended = misuse.world.send("nour", "PUT", f"/Consent/{consent['id']}", consent | {"status": "inactive"})
    assert ended.status_code == 200
    assert [declare(misuse, 0) for _ in range(3)] == [201] * 3
    assert [declare(misuse, number) for number in range(1, 3)] == [201, 429]


@BOTH
def test_a_login_that_answers_the_refusal_doubles(misuse, clock):
    misuse.log_in("nour")
    assert [declare(misuse, number) for number in range(3)] == [201, 201, 401]
    clock.advance(minutes=1)
    misuse.log_in("nour")
    assert [declare(misuse, number) for number in range(2, 5)] == [201, 201, 429]


@BOTH
def test_a_batch_does_what_is_left_and_a_transaction_all_or_nothing(misuse):
    entries = [("POST", "Consent", agreement(misuse, number)) for number in range(3)]
    assert misuse.batch("nour", *entries, kind="transaction") == [429]
    assert misuse.batch("nour", *entries) == [201, 201, 429]


@BOTH
def test_identities(misuse):
    paths = [f"/Patient?identifier={IDENTIFIER}{ins_of(700 + number)}" for number in range(5)]
    assert [misuse.world.get("nour", path).status_code for path in paths] == [200] * 4 + [429]


@BOTH
def test_documents_for_patients_outside_the_own_care(misuse, clock):
    assert [deposit(misuse, 0), deposit(misuse, 1, 2), deposit(misuse, 1), deposit(misuse, 2)] == [200, 429, 200, 429]
    assert [deposit(misuse, number, who="chu-ehr") for number in range(3)] == [200] * 3
    misuse.world.agree("camille", "nour")
    misuse.strangers[9] = misuse.world.ids["camille"]
    assert [deposit(misuse, 9) for _ in range(3)] == [200] * 3
    clock.advance(hours=1, minutes=1)
    assert deposit(misuse, 2) == 200


@BOTH
def test_emergencies(misuse, clock):
    register(misuse.world, emergency_second_factor=2, emergency_officer=3)
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "coma"}]}

    def break_glass(number):
        path = f"/Patient/{misuse.person(number)}/$break-glass"
        return misuse.world.send("nour", "POST", path, parameters).status_code

    misuse.log_in("nour", purpose=Purpose.BREAK_GLASS)
    assert [break_glass(number) for number in (0, 1, 2, 1)] == [200, 200, 401, 200]
    cases = misuse.world.runtime.ports.outbox
    assert cases.ready("cases", clock.now(), 10)
