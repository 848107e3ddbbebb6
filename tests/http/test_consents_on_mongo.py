"""Choices about documents on the store to grow: what SQLite shows, MongoDB shows too (rules E1 to E5, E12)."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from fhir_server.app import build_runtime
from fhir_server.application.core.runtime import Runtime
from tests.engines import MongoEngine
from tests.holds import holds
from tests.http.choices import choose, content_of, data, everything, listed, only_for, practitioner
from tests.world import World

pytestmark = pytest.mark.mongo


@pytest.fixture
def runtime(settings, clock, mongo_server, tmp_path) -> Iterator[Runtime]:
    engine = MongoEngine(tmp_path, mongo_server)
    served = build_runtime(settings)
    yield replace(served, ports=replace(engine.ports, clock=clock))
    served.ports.store.close()
    engine.close()


@pytest.fixture
def two(world: World):
    world.professional("iris", "10", "other")
    for who in ("martin", "iris"):
        world.agree("camille", who)
    return world, world.publish(), world.publish()


def test_a_document_for_one_professional(two):
    world, secret, plain = two
    content = content_of(world, secret)
    choose(world, only_for(world, secret, practitioner(world, "martin")))

    shown, kept = everything(world, "martin", secret), everything(world, "iris", secret)

    assert (shown["found"], shown["totals"], shown["read"], shown["history"]) == (True, (2, 2, 2), 200, 200)
    assert (kept["found"], kept["totals"], kept["pages"], kept["read"], kept["vread"]) == (
        False,
        (1, 1, 1),
        False,
        404,
        404,
    )
    assert [world.get(who, content).status_code for who in ("martin", "iris")] == [200, 404]
    newer = world.publish(replaces=secret)
    assert [world.get(who, f"/DocumentReference/{newer}").status_code for who in ("martin", "iris")] == [200, 404]
    lists = world.get("iris", f"/List?patient={world.ids['camille']}").get_data(as_text=True)
    assert plain in lists
    assert secret not in lists
    assert newer not in lists


def test_permits_of_a_document_of_a_time_and_of_a_label(world: World):
    one = world.publish(date="2024-01-01T10:00:00Z")
    older = world.publish(date="2022-06-13T10:00:00Z")
    world.publish(date="2023-01-01T00:30:00Z")
    consent = world.consent("martin")
    for limits, expected in (
        ({"data": data(one)}, {one}),
        ({"dataPeriod": {"start": "2022-01-01", "end": "2022-12-31"}}, {one, older}),
    ):
        choose(world, consent | {"provision": consent["provision"] | limits})
        assert listed(world, "martin") == expected
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}
    choose(world, consent | {"provision": consent["provision"] | {"securityLabel": [label]}})
    assert len(listed(world, "martin")) == 3, "every document is labelled N"


def test_all_hidden_reaches_what_is_there(two):
    world, *_ = two
    rule = {"coding": [{"system": "urn:habilis:directive", "code": "hidden-by-default"}]}
    choose(world, world.consent("martin") | {"policyRule": rule, "provision": {"type": "permit"}})
    world.publish()

    assert listed(world, "martin") == set()
    assert len(listed(world, "camille")) == 3


OPERATORS = ('{"$ne": null}', '{"$gt": ""}', "$where", '{"$regex": ".*"}', "[$ne]")


@holds("AC39")
@pytest.mark.parametrize("value", OPERATORS)
def test_an_operator_of_the_store_is_a_value_that_nothing_has(world: World, value):
    document = world.publish()
    for query in ({"type": value}, {"identifier": f"urn:ietf:rfc:3986|{value}"}, {"_id": value}, {"status": value}):
        answer = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&{urlencode(query)}")
        assert answer.status_code in (200, 400), query
        assert document not in answer.get_data(as_text=True), query
    for path in (f"/DocumentReference/{quote(value, safe='')}", f"/Binary/{quote(value, safe='')}"):
        assert world.get("camille", path).status_code == 404
    said = {"resourceType": "DocumentReference", "id": {"$ne": ""}, "status": {"$ne": ""}}
    assert world.send("chu-ehr", "PUT", f"/DocumentReference/{document}", said).status_code in (400, 405)
    assert (
        world.send(
            "camille", "POST", "/Consent", world.consent("martin") | {"patient": {"reference": {"$ne": ""}}}
        ).status_code
        == 400
    )
