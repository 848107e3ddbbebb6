"""fhirpy on a real port: a client's own words for conditional writes, without a work-around."""

from collections.abc import Iterator

import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, ResourceNotFound

from fhir_server.app import create_app
from tests.live import free_port, serving
from tests.world import World

pytestmark = pytest.mark.live


@pytest.fixture
def base() -> str:
    return f"http://localhost:{free_port()}"


@pytest.fixture
def live(settings, runtime, base: str) -> Iterator[World]:
    app = create_app(settings, runtime)
    with serving(app, base):
        yield World(runtime, app.test_client()).open()


def client(world: World, base: str, who: str) -> SyncFHIRClient:
    return SyncFHIRClient(f"{base}/fhir", authorization=f"Bearer {world.tokens[who]}")


def test_fhirpy_creates_once_updates_patches_and_deletes_by_criteria(live: World, base: str):
    keeper = client(live, base, "keeper")
    numbered = [{"system": "urn:x", "value": "7"}]
    one = keeper.resources("Practitioner").search(identifier="urn:x|7")
    person = keeper.resource("Practitioner", identifier=numbered, active=True)

    made, is_new = one.get_or_create(person)
    again, is_new_again = one.get_or_create(person)
    assert (is_new, is_new_again, again["id"]) == (True, False, made["id"])
    changed, is_created = one.update(keeper.resource("Practitioner", identifier=numbered, active=False))
    assert (is_created, changed["id"], changed["active"]) == (False, made["id"], False)
    assert one.patch(gender="female")["gender"] == "female"
    assert one.get()["gender"] == "female"
    with pytest.raises(ResourceNotFound):
        keeper.resources("Practitioner").search(identifier="urn:x|8").patch(gender="female")

    roles = keeper.resources("PractitionerRole").search(practitioner=f"Practitioner/{live.ids['haddad']}")
    with pytest.raises(MultipleResourcesFound):
        roles.patch(active=False)

    filing = live.filing()
    live.publish_all("chu-ehr", filing)
    documents = client(live, base, "chu-ehr").resources("DocumentReference")
    number = f"urn:ietf:rfc:3986|urn:oid:{filing.unique_id}"
    assert documents.search(identifier=number).delete()[1] == 204
    assert (
        client(live, base, "camille").resources("DocumentReference").search(patient=live.ids["camille"]).fetch() == []
    )
