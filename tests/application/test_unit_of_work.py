"""Writes: one commit with its trace, again after a lost race, nothing half stored."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fhir_server.application.bundles import handlers
from fhir_server.application.core import unit_of_work
from fhir_server.application.core.unit_of_work import carry_out
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.documents import publication
from fhir_server.application.spaces import lifecycle
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Origin
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Interaction
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.ports.store import StoreConflict, StoreUnavailable
from fhir_server.registry import REGISTRY
from tests.holds import holds
from tests.world import INS, World


def caller(world: World, who):
    return caller_of(world.runtime, f"Bearer {world.tokens[who]}", Origin("127.0.0.1", "request-1"))


def events(world: World):
    """Return what the patient reads in the trail of writes; all at the same instant, so in no order."""
    found = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()
    return [entry["resource"] for entry in found.get("entry", []) if entry["resource"]["action"] in "CUD"]


class Stubborn:
    """A store whose first commits lose the race."""

    def __init__(self, store, losses):
        self._store = store
        self.losses = losses

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, change):
        if change.writes and self.losses:
            self.losses -= 1
            raise StoreConflict
        self._store.commit(change)


def losing(world: World, losses):
    store = Stubborn(world.runtime.ports.store, losses)
    return replace(world.runtime, ports=replace(world.runtime.ports, store=store))


def test_a_write_that_loses_a_race_is_planned_again(world: World):
    published = publication.publish(losing(world, unit_of_work.ATTEMPTS - 1), caller(world, "chu-ehr"), world.bundle())

    assert len(published.entries) == 3
    assert len(world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")) == 1


def test_a_write_that_loses_every_race_is_a_conflict(world: World):
    with pytest.raises(Problem) as raised:
        publication.publish(losing(world, unit_of_work.ATTEMPTS), caller(world, "chu-ehr"), world.bundle())

    assert raised.value.category is Category.VERSION_CONFLICT
    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}") == []


@holds("H3")
def test_a_write_that_loses_every_race_leaves_a_trace_of_its_failure(world: World):
    with pytest.raises(Problem):
        publication.publish(losing(world, unit_of_work.ATTEMPTS), caller(world, "chu-ehr"), world.bundle())

    failed = [event for event in events(world) if event["outcome"] != "0"]

    assert [(event["action"], event["outcome"], event["outcomeDesc"]) for event in failed] == [
        ("C", "4", "version-conflict")
    ]


@holds("H3")
def test_every_write_leaves_one_trace_in_its_commit(world: World):
    document = world.publish()
    world.hide(document)

    told = [(event["action"], event["outcome"], event["subtype"][0]["code"]) for event in events(world)]

    assert sorted(told) == [("C", "0", "ITI-65"), ("C", "0", "create"), ("U", "0", "patch")]


@holds("H8")
def test_the_trace_of_a_submission_names_set_documents_and_depositor(world: World):
    document = world.publish()

    event = next(event for event in events(world) if event["subtype"][0]["code"] == "ITI-65")

    named = [(e["what"].get("reference", ""), e.get("role", {}).get("code")) for e in event["entity"] if "what" in e]
    assert (f"Patient/{world.ids['camille']}", "1") in named
    assert (f"DocumentReference/{document}", "4") in named
    assert any(reference.startswith("List/") and role == "20" for reference, role in named)
    assert event["agent"][0]["who"]["identifier"]["value"] == "chu-ehr"


def test_a_write_that_fails_leaves_a_trace_of_its_failure(world: World):
    document = world.publish()
    world.agree("camille", "martin")
    world.send("martin", "DELETE", f"/DocumentReference/{document}")

    event = next(event for event in events(world) if event["action"] == "D")

    assert (event["outcome"], event["outcomeDesc"]) == ("4", "forbidden")


@holds("AC49")
def test_a_write_whose_trace_cannot_be_kept_does_not_happen(world: World, monkeypatch):
    def unavailable(_change):
        raise StoreUnavailable

    monkeypatch.setattr(type(world.runtime.ports.store), "commit", lambda _store, change: unavailable(change))
    answer = world.send("chu-ehr", "POST", "", world.bundle())
    monkeypatch.undo()

    assert answer.status_code == 503
    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}") == []


def test_of_two_submissions_at_once_one_is_filed(world: World):
    bundle = world.bundle()

    def file(_):
        try:
            return len(publication.publish(world.runtime, caller(world, "chu-ehr"), bundle).entries)
        except Problem as problem:
            return problem.category

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(file, range(4)))

    assert sorted(outcomes, key=str) == [3, *[Category.DUPLICATE] * 3]
    assert len(world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")) == 1


def test_of_two_replacements_at_once_one_is_filed(world: World):
    older = world.publish()
    bundles = [world.bundle(world.filing(replaces=older)) for _ in range(3)]

    def file(bundle):
        try:
            return len(publication.publish(world.runtime, caller(world, "chu-ehr"), bundle).entries)
        except Problem as problem:
            return problem.category

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(file, bundles))

    assert outcomes.count(4) == 1
    assert outcomes.count(Category.BUSINESS_RULE) == 2


def test_choices_made_at_once_all_hold(world: World):
    names = ["nour", "martin", "zoe"]

    def agree(name):
        return handlers.create(world.runtime, caller(world, "camille"), REGISTRY["Consent"], world.consent(name))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(agree, names))

    for name in names:
        assert world.get(name, f"/DocumentReference?patient={world.ids['camille']}").status_code == 200


def test_a_patient_created_twice_at_once_exists_once(world: World):
    resource = {"resourceType": "Patient", "identifier": [{"system": INS, "value": "184039999900321"}]}
    condition = f"identifier={INS}|184039999900321"
    wanted = WriteRequest(Interaction.CREATE, REGISTRY["Patient"], resource=resource, condition=condition)

    def create(_):
        try:
            made = handlers.write(world.runtime, caller(world, "keeper"), wanted)
        except Problem as problem:
            return problem.category
        return made.shown.stored.id

    with ThreadPoolExecutor(4) as pool:
        outcomes = set(pool.map(create, range(4))) - {Category.DUPLICATE}

    assert len(outcomes) == 1


def test_an_unplanned_error_stores_nothing(world: World, tmp_path):
    before = world.dump(tmp_path)

    def plan(work):
        work.claim("x|1", Problem(Category.DUPLICATE))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        carry_out(world.runtime, caller(world, "keeper"), AuditedInteraction(Interaction.CREATE, "Patient"), plan)

    assert world.dump(tmp_path) == before


class TestSpaces:
    def test_an_announced_space_waits_for_six_weeks(self, world: World, clock):
        resource = {"resourceType": "Patient", "identifier": [{"system": INS, "value": "184039999900321"}]}
        made = resources.announce(world.runtime, caller(world, "keeper"), resource)
        world.ids["new"] = made.shown.stored.id
        bundle = world.bundle(world.filing(patient="new"))
        clock.advance(days=41)
        assert world.send("chu-ehr", "POST", "", bundle).status_code == 403
        clock.advance(days=1)
        assert world.send("chu-ehr", "POST", "", bundle).status_code == 200

    def test_a_closed_space_may_be_opened_again_by_its_holder(self, world: World):
        world.publish()
        holder = caller(world, "camille")
        lifecycle.close(world.runtime, holder, world.ids["camille"])
        assert world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403

        lifecycle.open_space(world.runtime, holder, world.ids["camille"])

        assert len(world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")) == 1

    @pytest.mark.parametrize("step", [lifecycle.oppose, lifecycle.open_space])
    def test_a_space_takes_no_illegal_way(self, world: World, step):
        with pytest.raises(Problem) as raised:
            step(world.runtime, caller(world, "camille"), world.ids["camille"])
        assert raised.value.category is Category.BUSINESS_RULE

    def test_nobody_else_closes_a_space(self, world: World):
        with pytest.raises(Problem) as raised:
            lifecycle.close(world.runtime, caller(world, "chu-ehr"), world.ids["camille"])
        assert raised.value.category is Category.FORBIDDEN
