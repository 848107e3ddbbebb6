"""House rule: a search costs three calls of the store, a read by id four; token and stop one more together.

One call more than here makes a test fail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fhir_server.app import create_app
from fhir_server.ports.store import Change, SpaceWrite
from seed import choices
from seed.loading import load_demonstration
from tests.conftest import Loaded
from tests.holds import holds
from tests.world import client_of

IGNORED = {"close", "check"}


@dataclass
class Counted:
    """A port that notes each call and passes it on."""

    port: Any
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str):
        found = getattr(self.port, name)
        if name in IGNORED:
            return found

        def called(*args: Any, **named: Any):
            self.calls.append(name)
            return found(*args, **named)

        return called

    @contextmanager
    def snapshot(self) -> Iterator["Counted"]:
        with self.port.snapshot() as snapshot:
            yield Counted(snapshot, self.calls)


@pytest.fixture
def counted(settings, runtime):
    people = load_demonstration(runtime, settings.data_dir)
    store, vault = Counted(runtime.ports.store), Counted(runtime.ports.vault)
    vault.calls = store.calls
    watched = replace(runtime, ports=replace(runtime.ports, store=store, vault=vault))
    server = Loaded(create_app(settings, watched).test_client(), watched, people)
    document = server.get(f"DocumentReference?patient={people.patients['camille']}").json["entry"][0]["resource"]
    store.calls.clear()
    return server, store.calls, document


def without_references(calls):
    """Leave out what is asked only when a body names documents."""
    return [name for name in calls if name != "visible_ids"]


def test_a_read_costs_a_token_four_calls_and_no_more(counted):
    server, calls, document = counted
    assert server.get(f"DocumentReference/{document['id']}").status_code == 200
    assert without_references(calls) == ["get_all", "locate", "load_space", "read", "commit"]


def test_a_search_with_one_page_costs_a_token_and_three_calls(counted):
    server, calls, _ = counted
    answer = server.get(f"DocumentReference?patient={server.people.patients['camille']}&_count=200")
    assert answer.status_code == 200
    assert without_references(calls) == ["get_all", "load_space", "find", "commit"]


def test_a_page_of_many_costs_one_count_more(counted):
    server, calls, _ = counted
    assert server.get(f"DocumentReference?patient={server.people.patients['camille']}&_count=1").status_code == 200
    assert without_references(calls) == ["get_all", "load_space", "find", "count", "commit"]


@pytest.mark.parametrize("count", [1, 5])
def test_what_comes_with_a_page_costs_one_call_for_its_type_however_much_it_is(counted, count):
    server, calls, _ = counted
    path = f"List?patient={server.people.patients['camille']}&_include=List:item&_total=none&_count={count}"
    answer = server.get(path)
    assert len(answer.json["entry"]) > count
    assert calls.count("visible_ids") <= 2  # of what the lists name, and of what their documents name
    assert without_references(calls) == ["get_all", "load_space", "find", "find", "commit"]


def test_a_content_costs_one_call_more_than_a_read(counted):
    server, calls, document = counted
    path = document["content"][0]["attachment"]["url"].split("/fhir/")[1]
    assert server.get(path, Accept="*/*").status_code == 200
    assert without_references(calls) == ["get_all", "locate", "load_space", "read", "read", "commit"]


def test_the_first_access_of_a_professional_costs_no_call_more_than_the_next(counted):
    """Who was told is in the state that is read anyway, and the notice goes with the trace (H1)."""
    server, calls, _ = counted
    path = f"DocumentReference?patient={server.people.patients['camille']}&_count=200"
    for notices in (1, 1):
        calls.clear()
        assert server.get(path, "paul").status_code == 200
        assert without_references(calls) == ["get_all", "load_space", "find", "commit"]
        found = server.get(f"Communication?patient={server.people.patients['camille']}").json
        assert found["total"] == notices


def calls_of(server, calls, who, path, resource):
    """Create something; return the calls behind that for the token."""
    calls.clear()
    headers = {"Authorization": f"Bearer {server.people.tokens[who]}"}
    answer = server.web.post(f"/fhir/{path}", json=resource, headers=headers, content_type="application/fhir+json")
    assert answer.status_code == 201, answer.text
    return without_references(calls)[1:]


def test_a_space_opens_with_its_defaults_in_one_call(counted):
    """The Consents that state them go with the space; nothing is looked up for them."""
    server, calls, _ = counted
    identifier = {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "184039999900321"}
    patient = {"resourceType": "Patient", "identifier": [identifier]}
    assert calls_of(server, calls, "annuaire", "Patient", patient) == ["commit"]


@pytest.mark.parametrize(("type_", "more"), [("permit", []), ("deny", ["find"])])
def test_only_a_choice_about_a_default_looks_for_the_defaults(counted, type_, more):
    server, calls, _ = counted
    chosen = choices.team(server.people, "camille", "chu-a")
    if type_ == "deny":
        mode = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "BTG"}
        chosen["provision"] = {"type": "deny", "purpose": [mode]}
    assert calls_of(server, calls, "camille", "Consent", chosen) == ["locate", "load_space", *more, "commit"]


@pytest.fixture
def asked(world, settings):
    """Return what each later request in the small world asks of store and vault, in its order."""
    store, vault = Counted(world.runtime.ports.store), Counted(world.runtime.ports.vault)
    vault.calls = store.calls
    counting = replace(world.runtime, ports=replace(world.runtime.ports, store=store, vault=vault))
    world.web = client_of(settings, counting)
    return store.calls


def test_a_space_entered_on_a_word_costs_no_call_more_than_the_patients_own_agreement(world, asked):
    """The counters are in the commit; nobody asks for doubled ceilings before one is met (V10, V11)."""
    assert world.agree("martin", "martin").status_code == 201  # the size of the establishment is kept from here on
    world.patient("zora", "284039999900999")
    consent = world.consent("martin") | {"patient": {"reference": f"Patient/{world.ids['zora']}"}}
    asked.clear()
    assert world.send("martin", "POST", "/Consent", consent).status_code == 201
    assert without_references(asked) == ["get_all", "locate", "load_space", "commit"]


@pytest.mark.parametrize("documents", [1, 3])
def test_an_author_is_looked_up_once_for_a_submission_however_often_it_names_them(world, asked, documents):
    """By their number, then the person and the practice situations; the lot and each document have a number too."""
    lot = world.bundle(*(world.filing() for _ in range(documents)))
    asked.clear()
    assert world.send("chu-ehr", "POST", "", lot).status_code == 200
    asked_of_the_directory = [asked.count(name) for name in ("compartments_with", "read", "find")]
    assert asked_of_the_directory == [1 + 1 + documents, 1, 1]


def test_a_place_that_is_named_without_its_name_is_not_read(world, asked):
    role = {"resourceType": "PractitionerRole", "id": "author"}
    role["organization"] = {"reference": f"Organization/{world.ids['chu']}"}
    lot = world.bundle(world.filing(author=role))
    asked.clear()
    assert world.send("chu-ehr", "POST", "", lot).status_code == 200
    assert "read" not in asked


@holds("AC19")
@pytest.mark.parametrize("who", ["martin", "zoe", "zora"])
@pytest.mark.parametrize("path", ["{}", "{}/_history", "{}/_history/1"])
def test_an_id_that_is_hidden_costs_the_same_calls_as_one_that_is_unknown(world, settings, who, path):
    """A clock that told them apart would say that there is something to hide."""
    world.patient("zora", "284039999900999")
    world.agree("camille", "martin")
    hidden = world.publish()
    world.hide(hidden)
    store = Counted(world.runtime.ports.store)
    world.web = client_of(settings, replace(world.runtime, ports=replace(world.runtime.ports, store=store)))
    asked = []
    for id_ in (hidden, "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"):
        store.calls.clear()
        assert world.get(who, f"/DocumentReference/{path.format(id_)}").status_code == 404
        asked.append(sorted(store.calls))
    assert asked[0] == asked[1]
    assert "load_space" in asked[1]


def test_a_space_that_is_damaged_since_fails_nobody_who_asks_for_an_unknown_id(world):
    """What was looked at last is looked at again for an unknown id, and its damage stays its own."""
    assert world.get("camille", f"/DocumentReference/{world.publish()}").status_code == 200
    (patient, audited), unknown = world.runtime.decoys[0], "/DocumentReference/3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
    for state in (b"no state", b"{}"):
        revision = _revision(world, patient)
        world.runtime.ports.store.commit(Change((), (), (SpaceWrite(patient, revision, state),)))
        assert world.runtime.decoys == [(patient, audited)]
        assert world.get("martin", unknown).status_code == 404


def _revision(world, patient):
    with world.runtime.ports.store.snapshot() as snapshot:
        return snapshot.load_space(patient).revision
