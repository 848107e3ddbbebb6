"""What the directory says now decides in which capacity a person may act, not what it said when the account was made.

Found by attack: a hospital's software made a physiotherapist a physician by a PractitionerRole of its own, and a role
that was set inactive went on opening doors.
"""

from dataclasses import replace

import orjson
import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.access import IN_DIRECTORY
from fhir_server.application.directory.professionals import situations_of
from fhir_server.application.identity import clients
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, find_account
from fhir_server.domain.caller import Origin
from fhir_server.domain.problem import Category, Problem
from fhir_server.oauth.login import sessions
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.ports.store import Change
from tests.factories import a_trace, following
from tests.holds import holds
from tests.oauth.conftest import NURSE, assertion, backend, enter_situations
from tests.world import World

B2B = {"version": "1", "subject_id": "899700000099", "purpose_of_use": ["TREAT"]}


def _vouch(app, clock):
    claims = assertion(clock, extensions={"hl7-b2b": B2B})
    return backend(app.test_client(), claims, scope="user/DocumentReference.rs").status_code


def test_software_vouches_for_a_situation_that_holds(app, clock, ports):
    enter_situations(ports, "Practitioner/luc", (NURSE,))
    assert _vouch(app, clock) == 200


@pytest.mark.parametrize(
    "ended",
    [
        {"active": False},
        {"period": {"end": "2026-01-31"}},
        {"practitioner": {"reference": "Practitioner/paul"}},
        {"organization": {"reference": "Organization/other"}},
        {"code": []},
    ],
)
def test_a_situation_that_ended_or_changed_vouches_for_nothing(app, clock, ports, ended):
    enter_situations(ports, "Practitioner/luc", (NURSE,), **ended)
    assert _vouch(app, clock) == 400


def test_a_situation_that_an_establishment_recorded_for_itself_counts_for_nothing(world: World):
    role = _recorded_by(world, "chu-ehr", expected=403)
    assert role is None


def test_an_establishment_changes_no_situation(world: World):
    role = _recorded_by(world, "keeper", expected=201)
    for method, body in (
        ("PUT", role | {"active": False}),
        ("PATCH", [{"op": "add", "path": "/active", "value": False}]),
    ):
        mime = "application/json-patch+json" if method == "PATCH" else "application/fhir+json"
        answer = world.send("chu-ehr", method, f"/PractitionerRole/{role['id']}", body, mime)
        assert answer.status_code in (403, 404)


def test_the_profession_is_the_one_that_the_directory_states_now(world: World):
    role = _recorded_by(world, "keeper", expected=201, profession="70")
    stale = PractitionerRoleRef(
        f"PractitionerRole/{role['id']}", f"Organization/{world.ids['chu']}", "chu", "10", label="chu"
    )
    account = Account("z", RequesterKind.PROFESSIONAL, f"Practitioner/{world.ids['zoe']}", "Zoé", (stale,))
    assert [one.profession for one in situations_of(world.runtime, account)] == ["70"]


def _recorded_by(world, who, expected, profession="10"):
    system = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": f"Practitioner/{world.ids['zoe']}"},
        "organization": {"reference": f"Organization/{world.ids['chu']}"},
        "code": [{"coding": [{"system": system, "code": profession}]}],
    }
    answer = world.send(who, "POST", "/PractitionerRole", role)
    assert answer.status_code == expected, answer.get_data(as_text=True)
    return answer.get_json() if expected == 201 else None


def test_a_grant_is_not_renewed_when_its_situation_has_ended(runtime, ports):
    account = find_account(runtime, "luc")
    assert account is not None
    enter_situations(ports, "Practitioner/luc", (NURSE,), active=False)
    assert situations_of(runtime, account) == ()
    assert not sessions.practises(runtime, account, NURSE.role)
    assert sessions.practises(runtime, account, "")


@pytest.fixture
def leave(ports):
    """End the situation of the nurse by some change of the directory."""

    def end(ended):
        with ports.store.snapshot() as snapshot:
            before = snapshot.read("PractitionerRole", NURSE.role.partition("/")[2], IN_DIRECTORY)
        after = replace(before, version=2, body=orjson.dumps(orjson.loads(before.body) | ended))
        ports.store.commit(Change((a_trace(),), (following(before, after),)))

    return end


@pytest.mark.parametrize("logs_in", [False, True])
def test_software_that_shows_logins_is_asked_for_the_situation_too(app, clock, ports, runtime, leave, logs_in):
    """The registration says that persons log in there (V5), not that their situations still hold (V6)."""
    enter_situations(ports, "Practitioner/luc", (NURSE,))
    clients.change(runtime, replace(clients.find(runtime, "ehr"), shows_logins=logs_in))
    claims = assertion(clock, extensions={"hl7-b2b": B2B})
    token = backend(app.test_client(), claims, scope="user/DocumentReference.rs").get_json()["access_token"]
    assert caller_of(runtime, f"Bearer {token}", Origin()).requester.vouched is not logs_in
    leave({"active": False})
    with pytest.raises(Problem):
        caller_of(runtime, f"Bearer {token}", Origin())


@holds("V6")
@pytest.mark.parametrize(
    "ended",
    [
        {"active": False},
        {"period": {"end": "2026-01-31"}},
        {"practitioner": {"reference": "Practitioner/paul"}},
        {"organization": {"reference": "Organization/other"}},
        {"code": []},
    ],
)
def test_a_situation_that_ended_opens_nothing_at_the_next_request(app, clock, ports, runtime, leave, ended):
    """The token was given while the situation held, and would live for minutes."""
    enter_situations(ports, "Practitioner/luc", (NURSE,))
    claims = assertion(clock, extensions={"hl7-b2b": B2B})
    token = backend(app.test_client(), claims, scope="user/DocumentReference.rs").get_json()["access_token"]
    assert caller_of(runtime, f"Bearer {token}", Origin()).requester.role == NURSE.role
    leave(ended)
    with pytest.raises(Problem) as refused:
        caller_of(runtime, f"Bearer {token}", Origin())
    assert refused.value.category is Category.UNAUTHENTICATED


def test_a_person_who_left_the_directory_is_vouched_for_by_nobody(world: World):
    role = _recorded_by(world, "keeper", expected=201)
    practice = PractitionerRoleRef(
        f"PractitionerRole/{role['id']}", f"Organization/{world.ids['chu']}", "chu", "10", label="chu"
    )
    account = Account("z", RequesterKind.PROFESSIONAL, f"Practitioner/{world.ids['zoe']}", "Zoé", (practice,))
    assert len(situations_of(world.runtime, account)) == 1
    person = world.get("keeper", f"/Practitioner/{world.ids['zoe']}").get_json()
    answer = world.send("keeper", "PUT", f"/Practitioner/{person['id']}", person | {"active": False})
    assert answer.status_code == 200
    assert situations_of(world.runtime, account) == ()
