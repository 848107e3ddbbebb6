"""Fear: that a ceiling has a way round it: a login that nobody asked for, a door that does not count (V10 to V13).

Each test was once an attack that opened or looked up more than a ceiling lets, or shows why one does not.
"""

from dataclasses import replace

import pytest

from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.supervision import RegisteredException
from tests.adversarial.misuse import IDENTIFIER, Misuse, ins_of
from tests.world import World

BY = "operator@machine"


@pytest.fixture
def misuse(world: World) -> Misuse:
    found = Misuse(world)
    found.employ("chu", 9)
    return found


def opened(misuse: Misuse, first: int, who: str = "nour") -> int:
    """Open spaces from a stranger on until one stays closed; return how many were opened."""
    return next(n for n in range(130) if misuse.opens(who, first + n) != 200)


def look_up(misuse: Misuse, number: int, who: str = "nour") -> int:
    return misuse.world.get(who, f"/Patient?identifier={IDENTIFIER}{ins_of(number)}").status_code


def looked_up(misuse: Misuse, first: int, most: int = 130) -> int:
    """Look unknown numbers up until a ceiling refuses; return how many were looked up."""
    return next(n for n in range(most) if look_up(misuse, first + n) != 200)


def register(misuse: Misuse, **numbers: int) -> None:
    """Give physicians other ceilings, so that a test reaches them sooner."""
    at = misuse.world.runtime.now()
    supervising.register(
        misuse.world.runtime, RegisteredException("profession:10", "a role", numbers, at, BY, "a test")
    )


def test_a_token_stolen_right_after_its_login_doubles_nothing(misuse, clock):
    misuse.log_in("nour")
    hours = [opened(misuse, 0)]
    assert looked_up(misuse, 700) == 60 - 21
    for _ in range(3):
        clock.advance(hours=1, minutes=1)
        hours.append(opened(misuse, sum(hours)))
    assert hours == [20, 20, 20, 0]


def test_a_stolen_token_gains_nothing_when_its_owner_gives_a_second_factor(misuse, clock):
    register(misuse, spaces_an_hour=2, spaces_a_day=6)
    misuse.log_in("nour")
    misuse.world.tokens["thief"], misuse.world.ids["thief"] = misuse.world.tokens["nour"], misuse.world.ids["nour"]
    clock.advance(minutes=10)
    assert opened(misuse, 0) == 2
    clock.advance(minutes=1)
    misuse.log_in("nour")
    assert opened(misuse, 2) == 2
    clock.advance(hours=2)
    assert opened(misuse, 4, "thief") == 2
    clock.advance(hours=2)
    assert opened(misuse, 6, "thief") == 0
    assert opened(misuse, 6) == 4


def test_roles_apps_accounts_and_software_of_one_person_have_one_ceiling(misuse):
    register(misuse, spaces_an_hour=3)
    world, person = misuse.world, f"Practitioner/{misuse.world.ids['nour']}"
    names = ("elsewhere", "app", "vouched", "nour")
    world.ids |= dict.fromkeys(names, world.ids["nour"])
    world.in_mode("elsewhere", "nour", ("10", "other", ""))
    here = PractitionerRoleRef("", f"Organization/{world.ids['chu']}", "chu", "10", label="nour")
    account = Account("nour-2", RequesterKind.PROFESSIONAL, person, "nour", practices=(here,), subject="nour-2")
    app = Client(id="another", name="another", kind=ClientKind.PROFESSIONAL_APP)
    world.tokens["app"] = world.mint(client=app, account=account, practice=here, scopes="user/*.cruds")
    ehr = {"client": replace(app, kind=ClientKind.BACKEND, organization=here.organization), "vouched": True}
    world.tokens["vouched"] = world.mint(**ehr, account=account, practice=here, scopes="user/*.cruds")
    assert [misuse.opens(who, number) for number, who in enumerate(names)] == [200, 200, 200, 403]


def test_the_ceiling_can_be_doubled_again_on_the_next_day(misuse, clock):
    register(misuse, spaces_an_hour=2)
    for day in range(2):
        misuse.log_in("nour")
        first = opened(misuse, 10 * day)
        clock.advance(minutes=1)
        misuse.log_in("nour")
        assert (first, opened(misuse, 10 * day + 2)) == (2, 2)
        clock.advance(days=1)


def test_another_fresh_factor_on_the_same_day_doubles_nothing_more(misuse, clock):
    register(misuse, spaces_an_hour=2)
    total = 0
    for _ in range(4):
        misuse.log_in("nour")
        total += opened(misuse, total)
        clock.advance(minutes=1)
    assert total == 4


@pytest.mark.parametrize("number", [100, 700], ids=["hits", "misses"])
def test_the_audit_log_is_no_door_for_looking_up(misuse, number):
    register(misuse, identities_an_hour=3)
    for n in range(3):
        misuse.person(n)
        misuse.world.get("nour", f"/AuditEvent?patient.identifier={IDENTIFIER}{ins_of(number + n)}")
    assert look_up(misuse, 800) == 429


def test_the_audit_log_of_a_patient_in_care_is_read_by_number_without_being_counted(misuse):
    register(misuse, identities_an_hour=1)
    misuse.world.agree("camille", "nour")
    own = f"/AuditEvent?patient.identifier={IDENTIFIER}284039999900148"
    assert {misuse.world.get("nour", own).status_code for _ in range(3)} == {200}
    assert look_up(misuse, 800) == 200


def declare_by_number(misuse: Misuse, numbers) -> list[int]:
    return [misuse.world.send("nour", "POST", "/Consent", misuse.declared(n, "nour")).status_code for n in numbers]


@pytest.mark.parametrize("refused_by", ["ceiling", "suspension"])
def test_what_a_refusal_looks_up_counts_too(misuse, refused_by):
    register(misuse, spaces_an_hour=2, identities_an_hour=6)
    if refused_by == "ceiling":
        assert declare_by_number(misuse, range(2)) == [201, 201]
    else:
        supervising.suspend(misuse.world.runtime, f"Practitioner/{misuse.world.ids['nour']}", BY, "under inquiry")
    assert declare_by_number(misuse, range(2, 6)) == [429 if refused_by == "ceiling" else 403] * 4
    assert looked_up(misuse, 700) == (0 if refused_by == "ceiling" else 2)
    known = misuse.world.send("nour", "POST", "/Consent", misuse.declared(6, "nour"))
    unknown = misuse.declared(6, "nour") | {
        "patient": {"identifier": {"system": IDENTIFIER[:-1], "value": ins_of(900)}}
    }
    assert known.get_json() == misuse.world.send("nour", "POST", "/Consent", unknown).get_json()
    assert known.status_code == 429


def break_glass(misuse: Misuse, number: int) -> int:
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "coma"}]}
    return misuse.world.send("nour", "POST", f"/Patient/{misuse.person(number)}/$break-glass", parameters).status_code


def called(misuse: Misuse) -> list[str]:
    """Return the messages by which the worker is asked to open cases."""
    runtime = misuse.world.runtime
    return [one.body.decode() for one in runtime.ports.outbox.ready("cases", runtime.now(), 10)]


@pytest.mark.parametrize("registered", [4, 20], ids=["usual", "registered"])
def test_the_officer_is_called_at_the_eighth_emergency_and_never_earlier(misuse, clock, registered):
    register(misuse, emergency_second_factor=registered)
    for number in range(9):
        assert bool(called(misuse)) is (number >= 8)
        clock.advance(minutes=1)
        misuse.log_in("nour", purpose=Purpose.BREAK_GLASS)
        assert break_glass(misuse, number) == 200
    for message in called(misuse):
        assert '"rule":"emergencies"' in message
        assert misuse.world.ids["nour"] in message
        assert not any(misuse.person(number) in message for number in range(9))
