"""What the server emits is valid R4: no element is empty, no entry lacks its URL, and no claim of a profile is untrue.

Each of these faults was found by the validator of HAPI.
Sources: https://hl7.org/fhir/R4/json.html ("properties can never be empty"), bundle.html (bdl-7), search.html#elements.
"""

import orjson
import pytest

from fhir_server.domain.search.criteria import Search
from fhir_server.domain.terminology.code_systems import code_systems
from fhir_server.domain.terminology.value_sets import value_sets
from tests.factories import all_of
from tests.http.test_audit_profiles import live_a_day
from tests.world import JSON_PATCH, World

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/"


def empty_places(value, place="") -> list[str]:
    """Return where a body holds an empty text, list or object."""
    if value in ("", [], {}):
        return [place]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, one in items for found in empty_places(one, f"{place}/{name}")]


def profiles_of(resource) -> list[str]:
    return resource["meta"].get("profile", [])


def test_no_element_of_an_event_is_empty(shared_world: World):
    """Software names its establishment without a display."""
    live_a_day(shared_world)
    with shared_world.runtime.ports.store.snapshot() as snapshot:
        rows = snapshot.find(Search("AuditEvent", limit=1000), all_of(shared_world.ids["camille"])).rows
    assert len(rows) > 15
    assert [found for row in rows for found in empty_places(orjson.loads(row.body))] == []


@pytest.mark.parametrize("query", ["_elements=date", "_summary=true", "_summary=text", "_summary=data"])
def test_a_shortened_resource_claims_no_profile(world: World, query):
    """It lacks elements that the profile may require."""
    document = world.publish()
    whole = world.get("camille", f"/DocumentReference/{document}").get_json()
    shortened = world.get("camille", f"/DocumentReference/{document}?{query}").get_json()
    assert profiles_of(whole)
    assert profiles_of(shortened) == []
    assert shortened["meta"]["versionId"] == whole["meta"]["versionId"]
    found = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&{query}").get_json()
    assert profiles_of(found["entry"][0]["resource"]) == []


def test_a_withdrawn_document_claims_no_profile(world: World):
    """The profiles of MHD and PDSm take current and superseded documents alone."""
    document = world.publish()
    patch = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
    answer = world.send("chu-ehr", "PATCH", f"/DocumentReference/{document}", patch, JSON_PATCH).get_json()
    assert answer["status"] == "entered-in-error"
    assert profiles_of(answer) == []


def test_a_link_shows_the_values_of_a_parameter_apart(world: World):
    """HAPI's validator takes `_type` of a self link as it is written."""
    world.publish()
    answer = world.get("camille", f"/Patient/{world.ids['camille']}/$everything?_type=DocumentReference,List&_count=1")
    links = {link["relation"]: link["url"] for link in answer.get_json()["link"]}
    assert "_type=DocumentReference,List&" in links["self"]
    assert "_type=DocumentReference,List&" in links["next"]
    assert world.get("camille", links["next"].partition("/fhir")[2]).status_code == 200


def test_a_code_system_has_an_absolute_url():
    """The matrix names one system by a word, which nobody can publish."""
    assert [url for url in code_systems() if ":" not in url] == []
    assert [one for value_set in value_sets().values() for one in value_set.codes if ":" not in one[0]] == []


@pytest.mark.parametrize(
    "path", ["/AuditEvent?patient={}&_count=5", "/Communication?patient={}", "/Patient/{}/$summary"]
)
def test_a_narrative_names_its_language(world: World, path):
    world.publish()
    world.agree("camille", "nour")
    world.get("nour", f"/DocumentReference?patient={world.ids['camille']}")
    body = world.get("camille", path.format(world.ids["camille"])).get_data(as_text=True)
    assert body.count("<div xmlns") == body.count('lang=\\"') // 2 > 0
