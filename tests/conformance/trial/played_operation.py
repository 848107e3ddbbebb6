"""The trial's operation over HTTP, as a user of the copy meets it; pytest runs this file in the copy alone."""

from pathlib import Path

import orjson
import pytest

import fhir_server
from fhir_server.http.pages.patient import journal_lines
from tests.world import World


def confirm(world, who):
    return world.send(who, "POST", f"/Patient/{world.ids['camille']}/$confirm-space", {"resourceType": "Parameters"})


def confirmations(world):
    answer = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()
    found = [one["resource"] for one in answer["entry"]]
    return [one for one in found if b"confirm-space" in orjson.dumps(one)]


def test_the_copy_is_what_is_tested():
    assert Path(fhir_server.__file__).parents[1] == Path.cwd()


def test_the_patient_confirms_and_the_space_stays_as_it_is(world: World):
    answer = confirm(world, "camille")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert {"name": "status", "valueCode": "active"} in answer.get_json()["parameter"]


def test_a_professional_may_not_and_the_refusal_says_no_more(world: World):
    world.agree("camille", "martin")
    answer = confirm(world, "martin")
    assert answer.status_code == 403
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "not-entitled"


def test_the_capabilities_and_the_definition_name_it(world: World):
    assert "confirm-space" in world.web.get("/fhir/metadata").get_data(as_text=True)
    assert world.web.get("/fhir/OperationDefinition/Patient-confirm-space").status_code == 200


@pytest.mark.parametrize(("language", "told"), [("en", "confirmed the space"), ("fr", "a confirmé l’espace")])
def test_the_journal_tells_it_in_both_languages(world: World, language, told):
    confirm(world, "camille")
    (event,) = confirmations(world)
    assert "a confirmé l’espace" in event["text"]["div"]
    with world.web.application.test_request_context(f"/journal?lang={language}"):
        assert journal_lines.line_of(event, {}).act == told
