"""Fear: that what one person says of a space makes each later decision about it slow, or that a reason says nothing.

A space must stay quick to open in an emergency. AC33 (a habit of breaking the glass), AC40 (without measure).
"""

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.application.spaces.break_glass import REASON_LIMIT
from fhir_server.domain.consents.checks import MOST_PARTS
from tests.world import World


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("coma", 200),
        ("昏睡", 200),
        ("x" * REASON_LIMIT, 200),
        ("x" * (REASON_LIMIT + 1), 422),
        ("\u200b", 422),
        ("- . -", 422),
    ],
)
def test_a_reason_says_something_and_is_no_longer_than_a_page(world: World, reason, status):
    """AC33: the reason is shown to the holder and to whoever reviews."""
    world.in_mode("nour-btg", "nour", ("10", "chu", Capacity.NONE), Purpose.BREAK_GLASS)
    body = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": reason}]}
    answer = world.send("nour-btg", "POST", f"/Patient/{world.ids['camille']}/$break-glass", body)
    assert answer.status_code == status, answer.get_data(as_text=True)


@pytest.mark.parametrize("element", ["actor", "provision"])
@pytest.mark.parametrize("many", [MOST_PARTS, MOST_PARTS + 1])
def test_one_choice_names_no_more_than_may_be_loaded_with_each_decision(world: World, element, many):
    """AC40: any professional may write down an agreement, in the space of any patient."""
    consent = world.consent("martin")
    known = ("nour", "martin", "zoe")
    actors = [
        consent["provision"]["actor"][0] | {"reference": {"reference": f"Practitioner/{world.ids[known[number % 3]]}"}}
        for number in range(many)
    ]
    if element == "actor":
        consent["provision"]["actor"] = actors
    else:
        consent["provision"]["provision"] = [{"type": "deny", "actor": [actor]} for actor in actors]
    answer = world.send("camille", "POST", "/Consent", consent)
    if many > MOST_PARTS:
        assert answer.status_code == 422
        named = [place for issue in answer.get_json()["issue"] for place in issue["expression"]]
        assert named == [f"Consent.provision.{element}"]
    else:
        assert answer.status_code == 201, answer.get_data(as_text=True)
