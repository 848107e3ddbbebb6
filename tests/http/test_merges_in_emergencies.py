"""Emergency modes of merged identities: a mode that is off in one space is off in both, and opens one space alone."""

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from tests.adversarial.test_operations_tell_nothing import answered
from tests.http.merges import documents, merge, twice, unmerge
from tests.http.spaces import call, reason

_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


@pytest.fixture
def two(world):
    twice(world)
    world.professional("awa", "10", "chu")
    world.in_mode("awa-btg", "awa", ("10", "chu", Capacity.NONE), Purpose.BREAK_GLASS)
    for name in ("camille", "double"):
        world.publish(patient=name)
    return world


def switch_off(world, name):
    deny = world.consent("nour", "deny") | {"patient": {"reference": f"Patient/{world.ids[name]}"}}
    deny["provision"] = {"type": "deny", "purpose": [{"system": _ACT_REASON, "code": "BTG"}]}
    assert world.send(name, "POST", "/Consent", deny).status_code == 201


def test_a_mode_that_is_off_in_one_is_off_in_both(two):
    switch_off(two, "double")
    merge(two)
    refused = answered(call(two, "awa-btg", "break-glass", "double", reason()))
    assert refused[0] == 403
    assert answered(call(two, "awa-btg", "break-glass", "camille", reason())) == refused
    unmerge(two)
    assert call(two, "awa-btg", "break-glass", "camille", reason()).status_code == 200


def test_an_opening_ends_when_the_other_space_switches_the_mode_off(two):
    merge(two)
    assert call(two, "awa-btg", "break-glass", "camille", reason()).status_code == 200
    assert documents(two, "awa-btg", "camille")[0] == 200
    switch_off(two, "double")
    assert documents(two, "awa-btg", "camille")[0] == 403


def test_breaking_the_glass_of_one_opens_that_one_alone(two):
    merge(two)
    assert call(two, "awa-btg", "break-glass", "camille", reason()).status_code == 200
    assert documents(two, "awa-btg", "double")[0] == 403
