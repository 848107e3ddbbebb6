"""The trial's kind of choice over HTTP and by its name; pytest runs this file in the copy alone."""

from pathlib import Path

import orjson
import pytest

import fhir_server
from fhir_server.application.consents import recording
from fhir_server.application.consents.choices import RefuseResearch
from fhir_server.domain.caller import Origin
from fhir_server.http.pages.patient import journal_lines
from fhir_server.oauth.resource.bearer import caller_of
from tests.http.choices import choose, setting
from tests.world import World


def events(world):
    answer = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&_count=200").get_json()
    found = [one["resource"] for one in answer["entry"]]
    return [one for one in found if b"research-refused" in orjson.dumps(one)]


def test_the_copy_is_what_is_tested():
    assert Path(fhir_server.__file__).parents[1] == Path.cwd()


def test_the_patient_records_it_by_a_consent_and_ends_it(world: World):
    place = f"/Consent/{choose(world, setting(world, 'no-research'))}"
    ended = world.get("camille", place).get_json() | {"status": "inactive"}
    assert world.send("camille", "PUT", place, ended).status_code == 200


def test_it_names_nobody(world: World):
    consent = setting(world, "no-research")
    actor = world.consent("martin")["provision"]["actor"]
    consent["provision"] = consent.get("provision", {}) | {"actor": actor}
    assert world.send("camille", "POST", "/Consent", consent).status_code == 422


def test_the_patient_records_it_by_its_name(world: World):
    caller = caller_of(world.runtime, f"Bearer {world.tokens['camille']}", Origin("127.0.0.1", "request-1"))
    written = recording.record(world.runtime, caller, RefuseResearch.of(world.ids["camille"]))
    assert b"no-research" in written.shown.stored.body


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "kept the space out of research"), ("fr", "a exclu l’espace de la recherche")],
)
def test_the_journal_tells_it_in_both_languages(world: World, language, told):
    choose(world, setting(world, "no-research"))
    (event,) = events(world)
    assert "a exclu l’espace de la recherche" in event["text"]["div"]
    with world.web.application.test_request_context(f"/journal?lang={language}"):
        assert journal_lines.line_of(event, {}).act == told
