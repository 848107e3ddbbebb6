"""The journal says that the history of somebody's Consents was read, not the history of something."""

import pytest

from fhir_server.domain.audit.stored_events import kind_of_event, type_of_event
from fhir_server.domain.events import sentences
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import World


def told(world: World, who: str, path: str) -> str:
    """Ask for a history, and return how the newest event of a history is told."""
    assert world.get(who, path).status_code == 200
    asked = f"/AuditEvent?patient={world.ids['camille']}&subtype=history-instance"
    events = world.get("camille", asked).get_json()
    newest = max((entry["resource"] for entry in events["entry"]), key=lambda event: event["recorded"])
    return sentences.act(kind_of_event(newest), type_of_event(newest), "en").did


@BOTH
@pytest.mark.parametrize("who", ["camille", "martin"])
def test_the_history_of_the_consents_of_a_space_is_told_as_such(world: World, who):
    world.agree("camille", "martin")
    asked = f"/Consent/_history?patient={world.ids['camille']}"
    assert "choice" in told(world, who, asked)
    assert "something" not in told(world, who, asked)


def test_a_decision_that_used_a_consent_is_no_reading_of_it(world: World):
    world.agree("camille", "martin")
    world.publish()
    assert "choice" not in told(world, "martin", f"/DocumentReference/_history?patient={world.ids['camille']}")


def test_the_history_of_a_whole_space_is_not_told_as_one_of_consents(world: World):
    world.agree("camille", "martin")
    assert "choice" not in told(world, "camille", "/_history")
