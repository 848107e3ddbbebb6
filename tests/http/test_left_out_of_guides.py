"""What docs/interop.md says that the server does not take, and how it says so: by name, never by silence."""

import pytest

from tests.holds import holds
from tests.world import World

COMMUNITY = {
    "url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-HomeCommunityId",
    "valueOid": "urn:oid:1.2",
}
PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish"


@pytest.mark.parametrize("handling", ["strict", "lenient"])
def test_distances_are_refused_with_the_reason(shared_world: World, handling):
    answer = shared_world.get("martin", "/Location?near=45.9|6.1|10|km", Prefer=f"handling={handling}")
    assert "computes no distances" in answer.get_json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("name", ["homeCommunityId", "targetCommunityIdList", "author.family:contains"])
@pytest.mark.parametrize("handling", ["strict", "lenient"])
def test_a_parameter_that_would_change_the_answer_is_refused_by_its_name(shared_world: World, name, handling):
    path = f"/DocumentReference?patient={shared_world.ids['camille']}&{name}=urn:oid:1.2"
    answer = shared_world.get("camille", path, Prefer=f"handling={handling}")
    assert answer.status_code == 400
    assert name.partition(":")[0].removeprefix("author.") in answer.get_json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("types", ["DocumentReference,List", "List,List"])
def test_a_search_of_several_types_says_which_one_to_name(shared_world: World, types):
    answer = shared_world.get("camille", f"?_type={types}&patient={shared_world.ids['camille']}")
    assert answer.status_code == 400
    assert "`$everything`" in answer.get_json()["issue"][0]["details"]["text"]


def test_the_home_community_of_a_document_is_kept_as_it_came(world: World):
    document = world.simplified(content=b"x") | {"extension": [COMMUNITY]}
    answer = world.send("chu-ehr", "POST", "/DocumentReference", document)
    assert (answer.status_code, answer.get_json()["extension"]) == (201, [COMMUNITY])


def without(document, *, claims: bool):
    del document["custodian"], document["masterIdentifier"]["type"]
    document.setdefault("meta", {})["profile"] = [PDSM] if claims else []
    if not claims:
        del document["meta"]
    return document


@holds("PDSM-4")
def test_an_example_of_the_draft_for_the_dmp_is_taken_if_it_does_not_claim_what_it_breaks(world: World):
    answer = world.send("chu-ehr", "POST", "/DocumentReference", without(world.simplified(content=b"x"), claims=False))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    refused = world.send("chu-ehr", "POST", "/DocumentReference", without(world.simplified(content=b"y"), claims=True))
    assert refused.status_code == 422
    told = {issue["expression"][0] for issue in refused.get_json()["issue"]}
    assert told == {"DocumentReference.custodian"}  # of the other element, this profile says nothing
