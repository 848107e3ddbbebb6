"""ITI-105 Simplified Publish: https://profiles.ihe.net/ITI/MHD/ITI-105.html; PDSm flux 09."""

# ruff: noqa: ARG005 - what breaks a document takes the document and the world, whether it needs both or not

import pytest

from fhir_server.domain.documents.submission import hash_of
from tests.holds import holds
from tests.world import BASE, OF_PATIENT, REPORT, TRE_A07, World

NOBODY = "00000000-0000-4000-8000-000000000000"
ATTACHMENT = "DocumentReference.content[0].attachment"


@holds("ITI-105", "MHD-105-1", "EU-2")
def test_one_document_is_published_with_its_content_and_a_derived_set(world: World):
    document = world.simplified(content=b"Hello World")

    answer = world.send("chu-ehr", "POST", "/DocumentReference", document)

    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert answer.headers["Location"] == f"{BASE}/DocumentReference/{answer.get_json()['id']}/_history/1-0"
    attachment = answer.get_json()["content"][0]["attachment"]
    assert "data" not in attachment
    assert (attachment["hash"], attachment["size"]) == (hash_of(b"Hello World"), 11)
    content = world.get("camille", attachment["url"].removeprefix(BASE), Accept="text/plain")
    assert content.get_data() == b"Hello World"
    lots = world.get("camille", f"/List?patient={world.ids['camille']}&code=submissionset").get_json()
    entries = lots["entry"][0]["resource"]["entry"]
    assert entries == [{"item": {"reference": f"DocumentReference/{answer.get_json()['id']}"}}]


@holds("PDSM-4")
def test_hash_and_size_are_computed_when_the_source_sends_none(world: World):
    document = world.simplified(content=b"Hello World")
    for name in ("hash", "size"):
        del document["content"][0]["attachment"][name]

    attachment = world.send("chu-ehr", "POST", "/DocumentReference", document).get_json()["content"][0]["attachment"]

    assert (attachment["hash"], attachment["size"]) == (hash_of(b"Hello World"), 11)


def test_content_in_lines_of_base64_is_the_same_content(world: World):
    document = world.simplified(content=b"Hello World")
    attachment = document["content"][0]["attachment"]
    attachment["data"] = f"{attachment['data'][:8]}\r\n{attachment['data'][8:]}\n"

    stored = world.send("chu-ehr", "POST", "/DocumentReference", document).get_json()["content"][0]["attachment"]

    content = world.get("camille", stored["url"].removeprefix(BASE), Accept="text/plain")
    assert content.get_data() == b"Hello World"


@pytest.mark.parametrize(("who", "type_"), [("camille", OF_PATIENT), ("martin", REPORT), ("chu-ehr", REPORT)])
def test_patient_professional_and_software_publish(world: World, who, type_):
    document = world.simplified(type_=type_, **world.as_filed_by(who))
    assert world.send(who, "POST", "/DocumentReference", document).status_code == 201


def test_a_document_of_the_patient_is_the_patients(world: World):
    document = world.simplified(type_=OF_PATIENT, **world.as_filed_by("camille"))
    created = world.send("camille", "POST", "/DocumentReference", document).get_json()["id"]

    assert world.send("camille", "DELETE", f"/DocumentReference/{created}").status_code == 204


def test_the_patient_is_found_by_a_logical_reference(world: World):
    document = world.simplified()
    document["subject"] = {"identifier": {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "284039999900148"}}

    answer = world.send("chu-ehr", "POST", "/DocumentReference", document)

    assert answer.status_code == 201
    assert answer.get_json()["subject"] == document["subject"] | {"reference": f"Patient/{world.ids['camille']}"}


def test_a_replacement_supersedes_without_a_patch(world: World):
    older = world.publish()

    assert world.send("chu-ehr", "POST", "/DocumentReference", world.simplified(replaces=older)).status_code == 201
    assert world.get("camille", f"/DocumentReference/{older}").get_json()["status"] == "superseded"


@pytest.mark.parametrize(
    ("prefer", "has_body"),
    [("return=minimal", False), ("return=representation", True), ("return=OperationOutcome", True)],
)
def test_prefer_governs_the_body(world: World, prefer, has_body):
    answer = world.send("chu-ehr", "POST", "/DocumentReference", world.simplified(), Prefer=prefer)

    assert answer.status_code == 201
    assert bool(answer.get_data()) is has_body
    assert answer.headers["ETag"] == 'W/"1-0"'


def attach(**elements):
    return lambda document, world: document["content"][0]["attachment"].update(elements)


def drop(name):
    return lambda document, world: document["content"][0]["attachment"].pop(name)


TABLE = [
    ("wrong hash", attach(hash="2jmj7l5rSw0yVb/vlWAYkK/YBwk="), 422, f"{ATTACHMENT}.hash"),
    ("wrong size", attach(size=1), 422, f"{ATTACHMENT}.size"),
    ("no content", drop("data"), 422, f"{ATTACHMENT}.data"),
    ("content elsewhere too", attach(url="https://elsewhere.example/"), 422, f"{ATTACHMENT}.url"),
    ("content that is no base64", attach(data="*"), 400, f"{ATTACHMENT}.data"),
    ("no content type", drop("contentType"), 400, ATTACHMENT),
    ("no content at all", lambda d, w: d.pop("content"), 400, "DocumentReference.content"),
    ("two contents", lambda d, w: d["content"].append(d["content"][0]), 422, "DocumentReference.content"),
    ("no master identifier", lambda d, w: d.pop("masterIdentifier"), 422, "DocumentReference.masterIdentifier"),
    ("superseded at birth", lambda d, w: d.update(status="superseded"), 422, "DocumentReference.status"),
    ("entryUUID sent", lambda d, w: d.update(identifier=[
        {"type": {"coding": [d["masterIdentifier"]["type"]["coding"][0] | {"code": "entryUUID"}]},
         "system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}]), 422, "DocumentReference.identifier[0]"),
    ("no patient", lambda d, w: d.pop("subject"), 422, "DocumentReference.subject"),
    ("unknown patient", lambda d, w: d.update(subject={"reference": f"Patient/{NOBODY}"}), 422,
     "DocumentReference.subject"),
    ("patient known by no identifier", lambda d, w: d.update(subject={"identifier": {"system": "urn:x", "value": "1"}}),
     422, "DocumentReference.subject"),
    ("replaces what is unknown", lambda d, w: d.update(relatesTo=[
        {"code": "replaces", "target": {"reference": f"DocumentReference/{NOBODY}"}}]), 422,
     "DocumentReference.relatesTo[0].target"),
    ("unknown custodian", lambda d, w: d.update(custodian={"reference": f"Organization/{NOBODY}"}), 422,
     "DocumentReference.custodian.reference"),
    ("unknown author", lambda d, w: d.update(author=[{"reference": f"Practitioner/{NOBODY}"}]), 400,
     "DocumentReference.contained[0]"),
    ("unknown label", lambda d, w: d.update(securityLabel=[{"coding": [{"system": TRE_A07, "code": "ALL"}]}]), 422,
     "DocumentReference.securityLabel[0].coding[0].code"),
    ("document status", lambda d, w: d.update(docStatus="final"), 422, "DocumentReference.docStatus"),
    ("unknown profile", lambda d, w: d.update(meta={
        "profile": ["https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Best.DocumentReference"]}), 422,
     "DocumentReference.meta.profile[0]"),
    ("contained author that nobody names", lambda d, w: d.pop("author"), 400, "DocumentReference.contained[0]"),
    ("dangling reference", lambda d, w: d.update(authenticator={"reference": "#nobody"}), 400,
     "DocumentReference.authenticator"),
    ("reference to nothing", lambda d, w: d.update(custodian={"reference": "urn:uuid:1"}), 422,
     "DocumentReference.custodian.reference"),
    ("mark that is not the patient's to set", lambda d, w: d["securityLabel"].append(
        {"coding": [{"system": TRE_A07, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}), 403,
     "DocumentReference.securityLabel"),
]  # fmt: skip


@holds("ITI-105")
@pytest.mark.parametrize(("broken", "status", "expression"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_broken_document_is_refused_by_element_and_nothing_is_stored(
    shared_world: World, folder, broken, status, expression
):
    document = shared_world.simplified()
    broken(document, shared_world)
    before = shared_world.dump(folder)

    answer = shared_world.send("chu-ehr", "POST", "/DocumentReference", document)

    assert answer.status_code == status, answer.get_data(as_text=True)
    named = [place for issue in answer.get_json()["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(expression) for place in named), named
    assert shared_world.dump(folder) == before


def test_the_same_document_is_not_published_twice(shared_world: World, folder):
    document = shared_world.simplified()
    assert shared_world.send("chu-ehr", "POST", "/DocumentReference", document).status_code == 201
    before = shared_world.dump(folder)

    answer = shared_world.send("chu-ehr", "POST", "/DocumentReference", document)

    assert answer.status_code == 409
    assert answer.get_json()["issue"][0]["expression"] == ["DocumentReference.masterIdentifier"]
    assert shared_world.dump(folder) == before


@pytest.mark.parametrize(
    ("body", "mime", "status"),
    [
        (b"{", "application/fhir+json", 400),
        (b"[]", "application/fhir+json", 400),
        (b"", "application/fhir+json", 400),
        (b"{}", "text/plain", 415),
        (b'{"resourceType":"Patient"}', "application/fhir+json", 400),
        (b"<DocumentReference xmlns='http://hl7.org/fhir'>", "application/fhir+xml", 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(shared_world: World, body, mime, status):
    answer = shared_world.send("chu-ehr", "POST", "/DocumentReference", body, mime)

    assert answer.status_code == status
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_a_token_without_the_scope_publishes_nothing(shared_world: World):
    shared_world.software("reader", "system/DocumentReference.rs", "chu")

    answer = shared_world.send("reader", "POST", "/DocumentReference", shared_world.simplified())

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_document_is_not_published_conditionally(shared_world: World):
    answer = shared_world.send(
        "chu-ehr", "POST", "/DocumentReference", shared_world.simplified(), If_None_Exist="identifier=a|b"
    )
    assert answer.status_code == 400
