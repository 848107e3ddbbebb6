"""The official examples of MHD, PDSm and the DMP are published, and come back but for what the server assigns.

Adapted in the patient, in ids, in the content where the example's own is not at hand, and in the known faults.
"""

import json
from base64 import b64encode
from copy import deepcopy

import pytest

from fhir_server.application.documents.authors import DEPOSITOR
from fhir_server.domain.documents.security_labels import split_marks
from fhir_server.domain.documents.submission import hash_of
from tests.examples import example
from tests.holds import holds
from tests.world import BASE, World

CONTENT = b"Hello World"
BUNDLES = (
    "mhd--Bundle-ex-minimalProvideDocumentBundleSimple.json",
    "mhd--Bundle-ex-comprehensiveProvideDocumentBundleSimple.json",
    "dmp--Bundle-example-td2-iti65-lot-soumission.json",
)
DOCUMENTS = (
    "mhd--DocumentReference-ex-DocumentReferenceMinimal.json",
    "mhd--DocumentReference-ex-DocumentReferenceComprehensive.json",
    "pdsm--DocumentReference-exemple-pdsm-documentreference.json",
)
LISTS = ("mhd--List-ex-compSubmissionSetFull.json", "pdsm--List-ExampleSubmissionSet.json")
SIMPLIFIED = (
    "mhd--DocumentReference-ex-DocumentReferenceSimplifiedPublish.json",
    "pdsm--DocumentReference-PDSmSimplifiedExample.json",
)


def adapted(world: World, name: str, document: str = ""):
    """Return an example about this world's patient; `document` is what its relations and entries point to."""
    text = json.dumps(example(name))
    for old, new in (
        ("Patient/ex-patient", f"Patient/{world.ids['camille']}"),
        ("Patient/fr-patient-123", f"Patient/{world.ids['camille']}"),
        ("Organization/ex-organization", f"Organization/{world.ids['chu']}"),
        ("Organization/org-example", f"Organization/{world.ids['chu']}"),
        ("Organization/o1", f"Organization/{world.ids['chu']}"),
        ("Practitioner/ex-practitioner", f"Practitioner/{world.ids['nour']}"),
        ("PractitionerRole/practitionerrole-example", f"Practitioner/{world.ids['nour']}"),
        ("DocumentReference/ex-documentreference", f"DocumentReference/{document}"),
        ("DocumentReference/exemple-pdsm-documentreference", f"DocumentReference/{document}"),
        ("urn:oid:1.2.250.1.213.1.4.8|123456789012345", "urn:oid:1.2.250.1.213.1.4.10|284039999900148"),
    ):
        text = text.replace(old, new)
    return json.loads(text)


def with_content(resource):
    """Say of the attachment what is true of the content that the test sends."""
    attachment = resource["content"][0]["attachment"]
    attachment |= {"hash": hash_of(CONTENT), "size": len(CONTENT)}
    return resource


def without_assigned(resource):
    """Leave out what the server assigns: id, depositor, version, time, place of the content, references, unique id."""
    kept = split_marks(deepcopy(resource))[0]
    kept.pop("id", None)
    for name in ("versionId", "lastUpdated"):
        kept.get("meta", {}).pop(name, None)
    kept.pop("subject", None)
    kept["extension"] = [one for one in kept.get("extension", ()) if one["url"] != DEPOSITOR]
    if not kept["extension"]:
        del kept["extension"]
    if not kept.get("meta"):
        kept.pop("meta", None)
    for content in kept.get("content", []):
        for name in ("url", "data"):
            content["attachment"].pop(name, None)
    for entry in kept.get("entry", []):
        entry["item"].pop("reference", None)
    return kept


def sent_and_read(world: World, bundle):
    """Publish a Bundle; yield each resource as sent and as it is read."""
    answer = world.send("exchange", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    for sent, got in zip(bundle["entry"], answer.get_json()["entry"], strict=True):
        place = got["response"]["location"].removeprefix(BASE).split("/_history")[0]
        yield sent["resource"], world.get("chu-ehr", place, Accept="application/fhir+json").get_json()


@pytest.fixture
def world(world: World) -> World:
    """Return a world with an exchange: the authors of the examples are nobody whom its directory knows."""
    world.intermediary("exchange", "chu")
    return world


@holds("ITI-65")
@pytest.mark.parametrize("name", BUNDLES)
def test_an_example_bundle_is_published_and_comes_back(world: World, name):
    bundle = adapted(world, name)

    for sent, read in sent_and_read(world, bundle):
        expected = without_assigned(sent)
        found = without_assigned(read)
        if sent["resourceType"] == "Binary":
            assert read["data"] == sent["data"]
            found.pop("securityContext")
            found.pop("data")
            expected.pop("data")
        if sent["resourceType"] == "List" and "identifier" not in sent:
            found.pop("identifier")
        assert found == expected


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_example_document_is_published_and_comes_back(world: World, name):
    document = with_content(adapted(world, name, world.publish()))
    document |= {"subject": {"reference": f"Patient/{world.ids['camille']}"}}
    bundle = world.bundle()
    document["content"][0]["attachment"]["url"] = bundle["entry"][2]["fullUrl"]
    bundle["entry"][1]["resource"] = document
    bundle["entry"][2]["resource"] |= {
        "data": b64encode(CONTENT).decode(),
        "contentType": document["content"][0]["attachment"]["contentType"],
    }

    sent, read = list(sent_and_read(world, bundle))[1]

    assert without_assigned(read) == without_assigned(sent)


@pytest.mark.parametrize("name", LISTS)
def test_an_example_submission_set_is_published_and_comes_back(world: World, name):
    earlier = world.publish()
    bundle = world.bundle()
    lot = adapted(world, name, earlier)
    kept = [entry for entry in lot["entry"] if "ex-list" not in entry["item"]["reference"]]
    lot["entry"] = [*kept, *bundle["entry"][0]["resource"]["entry"]]
    bundle["entry"][0]["resource"] = lot

    sent, read = next(sent_and_read(world, bundle))

    assert without_assigned(read) == without_assigned(sent)


@pytest.mark.parametrize("name", SIMPLIFIED)
def test_an_example_of_simplified_publication_comes_back(world: World, name):
    document = adapted(world, name)
    if "hash" in document["content"][0]["attachment"]:
        document = with_content(document)

    answer = world.send("exchange", "POST", "/DocumentReference", document)

    assert answer.status_code == 201, answer.get_data(as_text=True)
    read = world.get("camille", f"/DocumentReference/{answer.get_json()['id']}").get_json()
    assert (
        without_assigned(read)["content"][0]["attachment"]
        == without_assigned(with_content(document))["content"][0]["attachment"]
    )
    assert without_assigned(read) == without_assigned(_without_claim(with_content(document)))


def _without_claim(document):
    """Leave out the claim of a simplified profile, which forbids the address that a stored content has."""
    kept = {name: value for name, value in document.get("meta", {}).items() if name != "profile"}
    return {name: value for name, value in document.items() if name != "meta"} | ({"meta": kept} if kept else {})


def test_the_documents_of_the_dmp_example_are_found_under_the_patient_that_its_identifier_names(world: World):
    world.send("exchange", "POST", "", adapted(world, BUNDLES[2]))

    found = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").get_json()

    assert found["total"] == 1
    assert found["entry"][0]["resource"]["subject"]["reference"] == f"Patient/{world.ids['camille']}"
