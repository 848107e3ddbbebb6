# ruff: noqa: ARG001, ARG005 - what breaks a submission takes the Bundle and the world, whether it needs both or not
"""Broken submissions: each is refused with the element named, and leaves the store as it was.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html#2365414-expected-actions): all or nothing.
"""

from copy import deepcopy

import pytest

from tests.holds import holds
from tests.world import World

SET, DOCUMENT, BINARY = (f"Bundle.entry[{index}]" for index in range(3))
ATTACHMENT = f"{DOCUMENT}.resource.content[0].attachment"
URI = "urn:ietf:rfc:3986"
UNIQUE = {
    "coding": [{"system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType", "code": "uniqueId"}]
}
ENTRY_UUID = {"coding": [UNIQUE["coding"][0] | {"code": "entryUUID"}]}
SUPERSEDE = [
    {"name": "type", "valueCode": "replace"},
    {"name": "path", "valueString": "DocumentReference.status"},
    {"name": "value", "valueCode": "superseded"},
]
NOBODY = "00000000-0000-4000-8000-000000000000"


def at(bundle, index):
    return bundle["entry"][index]["resource"]


def attachment(bundle):
    return at(bundle, 1)["content"][0]["attachment"]


def change(index, **elements):
    """Set elements of an entry's resource; None takes one out."""

    def broken(bundle, world):
        for name, value in elements.items():
            at(bundle, index).pop(name, None)
            if value is not None:
                at(bundle, index)[name] = value

    return broken


def attach(**elements):
    """Set elements of the attachment; None takes one out."""

    def broken(bundle, world):
        for name, value in elements.items():
            attachment(bundle).pop(name, None)
            if value is not None:
                attachment(bundle)[name] = value

    return broken


def request(index, **elements):
    """Set elements of an entry's request."""

    def broken(bundle, world):
        bundle["entry"][index]["request"] |= elements

    return broken


def relate(code, reference):
    return change(1, relatesTo=[{"code": code, "target": {"reference": reference}}])


def patch(reference, parts):
    """Add an entry that patches a document."""

    def broken(bundle, world):
        resource = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
        entry = {"fullUrl": "urn:uuid:1", "resource": resource, "request": {"method": "PATCH", "url": reference}}
        bundle["entry"].append(entry)

    return broken


def _other_patient(index):
    return lambda bundle, world: at(bundle, index).update(
        subject={"reference": f"Patient/{world.ids['other-patient']}"}
    )


def _two_documents_one_content(bundle, world):
    second = deepcopy(bundle["entry"][1])
    second["fullUrl"] = "urn:uuid:2"
    second["resource"]["masterIdentifier"]["value"] = "urn:oid:1.2.3.4.5"
    bundle["entry"].append(second)
    at(bundle, 0)["entry"].append({"item": {"reference": "urn:uuid:2"}})


def _two_documents_one_name(bundle, world):
    extra = world.bundle()
    bundle["entry"] += extra["entry"][1:]
    bundle["entry"][3]["resource"]["masterIdentifier"] = at(bundle, 1)["masterIdentifier"]
    at(bundle, 0)["entry"].append({"item": {"reference": extra["entry"][1]["fullUrl"]}})


def _forgotten_document(bundle, world):
    bundle["entry"] += world.bundle()["entry"][1:]


def _two_sets(bundle, world):
    bundle["entry"].append(world.bundle()["entry"][0])


def _no_set(bundle, world):
    del bundle["entry"][0]


def _twice_the_same_name(bundle, world):
    bundle["entry"][2]["fullUrl"] = bundle["entry"][1]["fullUrl"]


def _orphan(bundle, world):
    bundle["entry"].append(deepcopy(bundle["entry"][2]) | {"fullUrl": "urn:uuid:9"})


def _no_full_url(bundle, world):
    del bundle["entry"][1]["fullUrl"]


def _fhir_document(bundle, world):
    inner = {"resourceType": "Bundle", "type": "collection"}
    bundle["entry"].append({"fullUrl": "urn:uuid:8", "resource": inner, "request": {"method": "POST", "url": "Bundle"}})


def _stranger(bundle, world):
    inner = {"resourceType": "Practitioner", "name": [{"family": "X"}]}
    entry = {"fullUrl": "urn:uuid:7", "resource": inner, "request": {"method": "POST", "url": "Practitioner"}}
    bundle["entry"].append(entry)


def _list_extension(name):
    def broken(bundle, world):
        lot = at(bundle, 0)
        lot["extension"] = [one for one in lot["extension"] if not one["url"].endswith(name)]

    return broken


def _foreign_binary(bundle, world):
    attachment(bundle)["url"] = f"http://localhost:8080/fhir/Binary/{world.ids['a-binary']}"
    bundle["entry"].pop()


def _profile(value):
    def broken(bundle, world):
        bundle["meta"]["profile"] = value

    return broken


def _no_patient_of_origin(bundle, world):
    at(bundle, 1)["context"]["related"] = [at(bundle, 1)["context"].pop("sourcePatientInfo")]


def _context_without(name):
    return lambda bundle, world: at(bundle, 1)["context"].pop(name)


LABEL = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"

TABLE = [
    # what is broken, how, status, the element that is named
    ("a type that is no text", change(1, resourceType=["List"]), 400, DOCUMENT),
    ("wrong hash", attach(hash="2jmj7l5rSw0yVb/vlWAYkK/YBwk="), 422, f"{ATTACHMENT}.hash"),
    ("hash that is no base64", attach(hash="not base64!"), 400, f"{ATTACHMENT}.hash"),
    ("hexadecimal hash", attach(hash="0a4d55a8d778e5022fab701977c5d840bbc486d0"), 422, f"{ATTACHMENT}.hash"),
    ("wrong size", attach(size=99), 422, f"{ATTACHMENT}.size"),
    ("size of the base64 text", attach(size=24), 422, f"{ATTACHMENT}.size"),
    ("negative size", attach(size=-1), 400, f"{ATTACHMENT}.size"),
    ("no content type", attach(contentType=None), 400, f"{ATTACHMENT}.contentType"),
    ("other content type than the Binary", attach(contentType="application/pdf"), 422, f"{ATTACHMENT}.contentType"),
    ("no language", attach(language=None), 400, f"{ATTACHMENT}.language"),
    ("no title", attach(title=None), 400, f"{ATTACHMENT}.title"),
    ("no creation", attach(creation=None), 400, f"{ATTACHMENT}.creation"),
    ("bad creation date", attach(creation="2026-13-45"), 400, f"{ATTACHMENT}.creation"),
    ("content inside and outside", attach(data="SGVsbG8="), 400, f"{ATTACHMENT}.data"),
    ("no url", attach(url=None), 400, f"{ATTACHMENT}.url"),
    ("dangling urn", attach(url="urn:uuid:00000000-0000-4000-8000-00000000dead"), 422, f"{ATTACHMENT}.url"),
    ("relative url", attach(url="Binary/1"), 422, f"{ATTACHMENT}.url"),
    ("somebody else's content", _foreign_binary, 422, f"{ATTACHMENT}.url"),
    ("no master identifier", change(1, masterIdentifier=None), 400, f"{DOCUMENT}.resource.masterIdentifier"),
    ("no master identifier value", change(1, masterIdentifier={"system": URI, "type": UNIQUE}), 400,
     f"{DOCUMENT}.resource.masterIdentifier.value"),
    ("unlike unique id", change(1, identifier=[{"type": UNIQUE, "system": URI, "value": "urn:oid:9"}]),
     422, f"{DOCUMENT}.resource.identifier[0].value"),
    ("entry UUID that is none", change(1, identifier=[{"type": ENTRY_UUID, "system": URI, "value": "9"}]), 400,
     f"{DOCUMENT}.resource.identifier[0].value"),
    ("no status", change(1, status=None), 400, f"{DOCUMENT}.resource.status"),
    ("unknown status", change(1, status="final"), 400, f"{DOCUMENT}.resource.status"),
    ("superseded at birth", change(1, status="superseded"), 422, f"{DOCUMENT}.resource.status"),
    ("entered in error at birth", change(1, status="entered-in-error"), 400, f"{DOCUMENT}.resource.status"),
    ("document status", change(1, docStatus="final"), 400, f"{DOCUMENT}.resource.docStatus"),
    ("modifier extension", change(1, modifierExtension=[{"url": "urn:x", "valueBoolean": True}]), 400,
     f"{DOCUMENT}.resource.modifierExtension"),
    ("no type", change(1, type=None), 400, f"{DOCUMENT}.resource.type"),
    ("no class", change(1, category=None), 400, f"{DOCUMENT}.resource.category"),
    ("two classes", change(1, category=[{"text": "a"}, {"text": "b"}]), 400, f"{DOCUMENT}.resource.category"),
    ("no date", change(1, date=None), 400, f"{DOCUMENT}.resource.date"),
    ("bad date", change(1, date="yesterday"), 400, f"{DOCUMENT}.resource.date"),
    ("no author", change(1, author=None, authenticator={"reference": "#author"}), 400, f"{DOCUMENT}.resource.author"),
    ("no label", change(1, securityLabel=None), 400, f"{DOCUMENT}.resource.securityLabel"),
    ("unknown visibility status", change(1, securityLabel=[{"coding": [{"system": LABEL, "code": "ALL"}]}]), 422,
     f"{DOCUMENT}.resource.securityLabel[0].coding[0].code"),
    ("no custodian", change(1, custodian=None), 400, f"{DOCUMENT}.resource.custodian"),
    ("unknown custodian", change(1, custodian={"reference": f"Organization/{NOBODY}"}), 422,
     f"{DOCUMENT}.resource.custodian.reference"),
    ("two contents", lambda b, w: at(b, 1)["content"].append(deepcopy(at(b, 1)["content"][0])), 400,
     f"{DOCUMENT}.resource.content"),
    ("no content", change(1, content=None), 400, f"{DOCUMENT}.resource.content"),
    ("no format", lambda b, w: at(b, 1)["content"][0].pop("format"), 400, f"{DOCUMENT}.resource.content[0].format"),
    ("no period", _context_without("period"), 400, f"{DOCUMENT}.resource.context.period"),
    ("no facility", _context_without("facilityType"), 400, f"{DOCUMENT}.resource.context.facilityType"),
    ("no practice setting", _context_without("practiceSetting"), 400, f"{DOCUMENT}.resource.context.practiceSetting"),
    ("no patient of origin", _no_patient_of_origin, 400,
     f"{DOCUMENT}.resource.context.sourcePatientInfo"),
    ("unknown element", change(1, colour="red"), 400, f"{DOCUMENT}.resource"),
    ("no patient", change(1, subject=None), 400, f"{DOCUMENT}.resource.subject"),
    ("unknown patient", change(1, subject={"reference": f"Patient/{NOBODY}"}), 422, f"{DOCUMENT}.resource.subject"),
    ("patient of another server", change(1, subject={"reference": "https://elsewhere.example/fhir/Patient/1"}), 422,
     f"{DOCUMENT}.resource.subject"),
    ("patient known by no identifier", change(1, subject={"identifier": {"system": "urn:x", "value": "1"}}), 422,
     f"{DOCUMENT}.resource.subject"),
    ("unresolved condition", change(1, subject={"reference": "Patient?identifier=urn:x|1"}), 422,
     f"{DOCUMENT}.resource.subject.reference"),
    ("condition without an identifier", change(1, subject={"reference": "Patient?name=x"}), 400,
     f"{DOCUMENT}.resource.subject.reference"),
    ("two patients", _other_patient(1), 422, f"{DOCUMENT}.resource.subject"),
    ("set of another patient", _other_patient(0), 422, f"{DOCUMENT}.resource.subject"),
    ("replaces what is unknown", relate("replaces", f"DocumentReference/{NOBODY}"), 422,
     f"{DOCUMENT}.resource.relatesTo[0].target"),
    ("appends to what is unknown", relate("appends", f"DocumentReference/{NOBODY}"), 422,
     f"{DOCUMENT}.resource.relatesTo[0].target.reference"),
    ("unknown relation", relate("improves", f"DocumentReference/{NOBODY}"), 400,
     f"{DOCUMENT}.resource.relatesTo[0].code"),
    ("supersedes what is unknown", patch(f"DocumentReference/{NOBODY}", SUPERSEDE), 422, "Bundle.entry[3].request.url"),
    ("patches another element", patch(f"DocumentReference/{NOBODY}", [
        {"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "DocumentReference.securityLabel"}]),
     422, "Bundle.entry[3].resource"),
    ("patches another type", patch(f"Patient/{NOBODY}", SUPERSEDE), 400, "Bundle.entry[3].request.url"),
    ("no submission set", _no_set, 400, "Bundle.entry"),
    ("two submission sets", _two_sets, 400, "Bundle.entry[3].resource"),
    ("list of no kind", change(0, code={"coding": [{"code": "todo"}]}), 400, f"{SET}.resource.code"),
    ("list code of another system", change(0, code={"coding": [{
        "system": "http://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "code": "submissionset"}]}), 400,
     f"{SET}.resource.code"),
    ("no list status", change(0, status=None), 400, f"{SET}.resource.status"),
    ("retired list", change(0, status="retired"), 400, f"{SET}.resource.status"),
    ("snapshot list", change(0, mode="snapshot"), 400, f"{SET}.resource.mode"),
    ("no submission date", change(0, date=None), 400, f"{SET}.resource.date"),
    ("set without a patient", change(0, subject=None), 400, f"{SET}.resource.subject"),
    ("no source id", _list_extension("sourceId"), 400, f"{SET}.resource.extension"),
    ("no designation type", _list_extension("designationType"), 400, f"{SET}.resource.extension"),
    ("unique id that is no OID", change(0, identifier=[{"type": UNIQUE, "system": URI, "value": "7"}]),
     400, f"{SET}.resource.identifier"),
    ("ordered by somebody", lambda b, w: at(b, 0).update(orderedBy={"coding": [{"code": "user"}]}), 400,
     f"{SET}.resource.orderedBy"),
    ("set that forgets a document", _forgotten_document, 422, f"{SET}.resource.entry"),
    ("set that lists the unknown", lambda b, w: at(b, 0)["entry"].append(
        {"item": {"reference": f"DocumentReference/{NOBODY}"}}), 422, f"{SET}.resource.entry[1].item.reference"),
    ("set that lists a dangling name", lambda b, w: at(b, 0)["entry"].append(
        {"item": {"reference": "urn:uuid:dead"}}), 422, f"{SET}.resource.entry[1].item.reference"),
    ("two documents, one content", _two_documents_one_content, 422, ATTACHMENT),
    ("two documents, one identifier", _two_documents_one_name, 422, f"{DOCUMENT}.resource.masterIdentifier"),
    ("content that no document names", _orphan, 422, "Bundle.entry[3].resource"),
    ("content without data", change(2, data=None), 422, f"{BINARY}.resource.data"),
    ("content that is no base64", change(2, data="***"), 400, f"{BINARY}.resource.data"),
    ("content without a type", change(2, contentType=None), 400, f"{BINARY}.resource.contentType"),
    ("one fullUrl twice", _twice_the_same_name, 400, "Bundle.entry"),
    ("no fullUrl", _no_full_url, 400, f"{DOCUMENT}.fullUrl"),
    ("document put", request(1, method="PUT"), 400, DOCUMENT),
    ("document posted elsewhere", request(1, url="Patient"), 400, f"{DOCUMENT}.request.url"),
    ("folder put without an id", request(0, method="PUT"), 400, SET),
    ("unknown method", request(1, method="STORE"), 400, f"{DOCUMENT}.request.method"),
    ("Bundle that is no document", _fhir_document, 400, "Bundle.entry[3].resource.type"),
    ("a person in between", _stranger, 400, "Bundle.entry[3]"),
    ("no profile", _profile(["http://hl7.org/fhir/StructureDefinition/Bundle"]), 400, "Bundle.meta.profile"),
    ("unknown profile of the Bundle", _profile(["https://profiles.ihe.net/ITI/MHD/StructureDefinition/None"]), 400,
     "Bundle.meta.profile"),
    ("unknown profile of a document", lambda b, w: at(b, 1)["meta"].update(
        profile=["https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Best.DocumentReference"]), 400,
     f"{DOCUMENT}.resource.meta.profile[0]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def settled(shared_world: World):
    """Add another patient, and somebody else's content."""
    world = shared_world
    world.patient("other-patient", "184039999900123")
    document = world.publish("other-ehr", place="other")
    read = world.get("other-ehr", f"/DocumentReference/{document}").get_json()
    world.ids["a-binary"] = read["content"][0]["attachment"]["url"].rsplit("/", 1)[1]
    return world


def test_the_table_is_long_enough():
    assert len(TABLE) >= 60


@holds("ITI-65")
@pytest.mark.parametrize(("broken", "status", "expression"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_broken_submission_is_refused_by_element_and_nothing_is_stored(settled, folder, broken, status, expression):
    bundle = settled.bundle()
    broken(bundle, settled)
    before = settled.dump(folder)

    answer = settled.send("chu-ehr", "POST", "", bundle)

    assert answer.status_code == status, answer.get_data(as_text=True)
    named = [place for issue in answer.get_json()["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(expression) for place in named), named
    assert settled.dump(folder) == before


@pytest.mark.parametrize("name", ["the same documents", "the same set"])
def test_a_submission_is_not_filed_twice(settled, folder, name):
    bundle = settled.bundle()
    assert settled.send("chu-ehr", "POST", "", bundle).status_code == 200
    if name == "the same set":
        again = settled.bundle()
        again["entry"][0]["resource"]["identifier"] = bundle["entry"][0]["resource"]["identifier"]
        bundle = again
    before = settled.dump(folder)

    answer = settled.send("chu-ehr", "POST", "", bundle)

    assert answer.status_code == 409
    element = "masterIdentifier" if name == "the same documents" else "identifier"
    assert answer.get_json()["issue"][0]["expression"][0].endswith(f"resource.{element}")
    assert settled.dump(folder) == before


def test_two_depositors_may_use_the_same_identifier(settled):
    filing = settled.filing()
    assert settled.send("chu-ehr", "POST", "", settled.bundle(filing)).status_code == 200
    assert (
        settled.send("other-ehr", "POST", "", settled.bundle(settled.refiled(filing, "other-ehr"))).status_code == 200
    )
