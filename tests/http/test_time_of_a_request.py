"""A request that takes too long ends at the next point where nothing is half done, and the trail says so."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.app import create_app
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.settings import limits
from fhir_server.settings.limits import Limits
from tests.http.spaces import parent
from tests.world import World


@pytest.fixture
def hurried(world: World, settings) -> Iterator[World]:
    """Return the world on a server that has no time for any request; `world` itself has."""
    before = limits.in_force()
    app = create_app(replace(settings, limits=Limits(request_seconds=0)), world.runtime)
    yield replace(world, web=app.test_client())
    limits.put_in_force(before)


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["issue"][0]["code"]


def test_a_write_that_takes_too_long_stores_nothing(world, hurried, tmp_path):
    before = world.dump(tmp_path)
    answers = [
        hurried.send("chu-ehr", "POST", "", world.bundle()),
        hurried.send("chu-ehr", "POST", "/DocumentReference", world.simplified()),
        hurried.agree("camille", "nour"),
        hurried.send("keeper", "POST", "/Organization", {"resourceType": "Organization", "name": "new"}),
    ]
    assert [code(answer) for answer in answers] == [(503, "timeout")] * 4
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    after = world.dump(tmp_path)
    assert {name: rows for name, rows in after.items() if name != "contents"} == {
        name: rows for name, rows in before.items() if name != "contents"
    }


def test_a_read_that_takes_too_long_gives_nothing_and_leaves_a_trace(world, hurried):
    document = world.publish()
    for path in (f"/DocumentReference/{document}", f"/DocumentReference?patient={world.ids['camille']}"):
        assert code(hurried.get("camille", path)) == (503, "timeout")
    trail = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()
    stopped = [one["resource"] for one in trail["entry"] if one["resource"].get("outcomeDesc") == "out-of-time"]
    assert [event["outcome"] for event in stopped] == ["8", "8"]


def test_a_filing_that_takes_too_long_is_told_to_the_minor_alone_for_it_may_be_a_secret(world, hurried):
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    person = f"Practitioner/{world.ids['nour']}"
    post = PractitionerRoleRef("", f"Organization/{world.ids['chu']}", "chu", profession="10", label="nour")
    account = Account("nour", RequesterKind.PROFESSIONAL, person, "nour", practices=(post,), subject="nour")
    desk = Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP)
    what = {"client": desk, "account": account, "practice": post, "scopes": "user/*.cruds"}
    world.tokens["nour"] = world.mint(**what, launch_patient=world.ids["ines"])
    sent = world.bundle(world.filing(patient="ines", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",)))
    assert code(hurried.send("nour", "POST", "", sent)) == (503, "timeout")
    for reader, expected in (("ines", 1), ("marc", 0)):
        trail = world.get(reader, f"/AuditEvent?patient={world.ids['ines']}&_count=200").get_json()
        found = [one for one in trail.get("entry", []) if one["resource"].get("outcomeDesc") == "out-of-time"]
        assert len(found) == expected


def test_entries_of_a_batch_for_which_no_time_is_left_are_each_told_so(world, hurried):
    document = world.publish()
    entries = [{"request": {"method": "GET", "url": f"DocumentReference/{document}"}}] * 3
    answer = hurried.send("camille", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert answer.status_code == 200
    told = [entry["response"] for entry in answer.get_json()["entry"]]
    assert {(one["status"], one["outcome"]["issue"][0]["code"]) for one in told} == {("503", "timeout")}
    assert len(told) == 3


def test_the_time_of_one_request_does_not_count_for_the_next(world, hurried):
    assert code(hurried.get("camille", f"/Patient/{world.ids['camille']}")) == (503, "timeout")
    assert world.get("camille", f"/Patient/{world.ids['camille']}").status_code == 200
