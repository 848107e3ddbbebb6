"""One stored choice, whatever it says, stops nothing else in its space.

Found by attack: an oral agreement with herself that an optician let begin on 9999-12-31 made every later choice of the
patient and every emergency fail.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consent_rules.model import Directive
from consent_rules.vocabulary import Capacity, DirectiveKind, Proof
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.domain import record_codec
from fhir_server.ports.store import Change, SpaceWrite
from tests.http.choices import INACTIVE, choose
from tests.http.spaces import call, reason
from tests.world import JSON_PATCH

FAR = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.fixture
def optician(world):
    world.professional("opal", "28", "other")
    return "opal"


def _agreement(world, who, **period):
    consent = world.consent(who)
    consent["provision"]["period"] = period
    return consent


def _poison(world, who, start=FAR):
    """Store what an earlier version stored: an agreement with a professional that begins at the end of all time."""
    poisoned = Directive(
        id="00000000-0000-4000-8000-00000000a001",
        kind=DirectiveKind.AGREEMENT,
        actors=frozenset({f"Practitioner/{world.ids[who]}"}),
        start=start,
        recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
        proof=Proof.ORAL,
        recorder=f"Practitioner/{world.ids[who]}",
    )
    store, patient = world.runtime.ports.store, world.ids["camille"]
    with store.snapshot() as snapshot:
        space = snapshot.load_space(patient)
    record = record_of(patient, space)
    state = record_codec.dump(replace(record, directives=(*record.directives, poisoned)))
    store.commit(Change((), spaces=(SpaceWrite(patient, space.revision, state),)))


@pytest.mark.parametrize("start", ["9999-12-31", "9999-12-31T23:59:59Z", "2201", "1899-12-31"])
def test_an_instant_beyond_the_years_that_are_served_is_refused_by_its_element(world, optician, start):
    answer = world.send(optician, "POST", "/Consent", _agreement(world, optician, start=start))
    issue = answer.get_json()["issue"][0]
    assert (answer.status_code, issue["expression"]) == (400, ["Consent.provision.period.start"])
    assert "1900" in issue["details"]["text"]


def test_a_professional_writes_down_no_agreement_of_later(world, optician):
    answer = world.send(optician, "POST", "/Consent", _agreement(world, optician, start="2199-01-01"))
    issue = answer.get_json()["issue"][0]
    assert (answer.status_code, issue["details"]["coding"][0]["code"]) == (422, "post-dated")
    assert issue["expression"] == ["Consent.provision.period.start"]


def test_the_patient_still_chooses_beside_a_poisoned_choice(world, optician):
    _poison(world, optician)
    choose(world, world.consent("nour", "deny"))
    choose(world, world.consent("martin"))


def test_an_emergency_opens_beside_a_poisoned_choice(world, optician):
    _poison(world, optician)
    post = ("10", "chu", Capacity.NONE)
    world.in_mode("nour-bg", "nour", post, "BTG")
    answer = call(world, "nour-bg", "break-glass", body=reason())
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_a_choice_that_an_earlier_version_stored_can_be_withdrawn(world, monkeypatch):
    with monkeypatch.context() as earlier:  # the door of an earlier version had no bounds
        earlier.setattr("fhir_server.r4.primitives.EARLIEST_YEAR", 1)
        earlier.setattr("fhir_server.r4.primitives.LATEST_YEAR", 9999)
        id_ = choose(world, _agreement(world, "chu", end="9999-12-31"))
    answer = world.send("camille", "PATCH", f"/Consent/{id_}", INACTIVE, JSON_PATCH)
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_an_entry_of_a_batch_that_breaks_the_server_fails_alone(world, monkeypatch):

    def broken(*_args, **_more):
        message = "a defect"
        raise RuntimeError(message)

    entries = [
        {"request": {"method": "POST", "url": "Consent"}, "resource": world.consent("nour")},
        {"request": {"method": "GET", "url": f"Patient/{world.ids['camille']}"}},
    ]
    monkeypatch.setattr("fhir_server.application.reading.read.read", broken)
    batch = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = world.send("camille", "POST", "", batch)
    told = [entry["response"] for entry in answer.get_json()["entry"]]
    assert (answer.status_code, [one["status"][:3] for one in told]) == (200, ["201", "500"])
    assert told[1]["outcome"]["issue"][0]["code"] == "exception"
