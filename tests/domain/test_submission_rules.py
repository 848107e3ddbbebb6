"""What a submission must hold to although no profile is claimed: judged from the request alone."""

from copy import deepcopy

import pytest

from fhir_server.domain import conditional_requests, references
from fhir_server.domain.documents import security_labels
from fhir_server.domain.documents.submission import hash_of
from fhir_server.domain.documents.submission_reading import read, read_simplified
from fhir_server.domain.problem import Category, Problem
from tests.holds import holds
from tests.world import TRE_A07

UNIQUE = {
    "coding": [{"system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType", "code": "uniqueId"}]
}
ENTRY = {"coding": [UNIQUE["coding"][0] | {"code": "entryUUID"}]}
MINIMAL = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Minimal.ProvideBundle"


def a_bundle():
    """Build the smallest submission."""
    subject = {"reference": "Patient/1"}
    lot = {
        "resourceType": "List",
        "extension": [{"url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId"}],
        "status": "current",
        "mode": "working",
        "code": {
            "coding": [{"system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "code": "submissionset"}]
        },
        "subject": subject,
        "date": "2026-03-02",
        "entry": [{"item": {"reference": "urn:uuid:d"}}],
    }
    document = {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"value": "urn:oid:1.2.3"},
        "status": "current",
        "subject": subject,
        "content": [{"attachment": {"contentType": "text/plain", "url": "urn:uuid:b"}}],
    }
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": "SGVsbG8="}
    entries = [
        {
            "fullUrl": f"urn:uuid:{name}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for name, resource in (("s", lot), ("d", document), ("b", binary))
    ]
    return {"resourceType": "Bundle", "type": "transaction", "meta": {"profile": [MINIMAL]}, "entry": entries}


def faults_of(bundle):
    with pytest.raises(Problem) as raised:
        read(bundle, refuse_wrong_size=True)
    return raised.value.category, [issue.expression for issue in raised.value.issues]


def test_the_smallest_submission_is_read():
    submission = read(a_bundle(), refuse_wrong_size=True)

    assert submission.documents[0].content == b"Hello"
    assert submission.notes == ()


@pytest.mark.parametrize(
    ("index", "changes", "element"),
    [
        (1, {"masterIdentifier": {}}, "masterIdentifier"),
        (1, {"subject": {}}, "subject"),
        (1, {"docStatus": "final"}, "docStatus"),
        (1, {"modifierExtension": [{"url": "urn:x"}]}, "modifierExtension"),
        (1, {"category": [{}, {}]}, "category"),
        (1, {"identifier": [{"type": ENTRY, "value": "1"}]}, "identifier[0].value"),
        (1, {"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}] * 2}, "relatesTo"),
        (1, {"content": []}, "content"),
        (1, {"content": [{"attachment": {"url": "urn:uuid:b"}}]}, "content[0].attachment.contentType"),
        (1, {"content": [{"attachment": {"contentType": "text/plain"}}]}, "content[0].attachment.url"),
        (1, {"content": [{"attachment": {"contentType": "text/plain", "url": "urn:uuid:b", "data": "eA=="}}]},
         "content[0].attachment.data"),
        (2, {"data": "*"}, "data"),
        (0, {"extension": []}, "extension"),
        (0, {"date": ""}, "date"),
        (0, {"status": "retired"}, "status"),
        (0, {"mode": "snapshot"}, "mode"),
        (0, {"subject": {}}, "subject"),
        (0, {"identifier": [{"type": UNIQUE, "value": "7"}]}, "identifier"),
    ],
)  # fmt: skip
def test_each_fault_names_its_element(index, changes, element):
    bundle = a_bundle()
    bundle["entry"][index]["resource"] |= changes

    category, expressions = faults_of(bundle)

    assert category is Category.BUSINESS_RULE
    assert f"Bundle.entry[{index}].resource.{element}" in expressions


def test_all_faults_are_told_together():
    bundle = a_bundle()
    bundle["entry"][1]["resource"] |= {"status": "superseded", "docStatus": "final"}
    bundle["entry"][1]["resource"]["content"][0]["attachment"]["hash"] = "x"

    assert len(faults_of(bundle)[1]) == 3


def test_more_than_one_patient_entry_is_a_fault_of_shape():
    bundle = a_bundle()
    patient = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}}
    bundle["entry"] += [{"fullUrl": f"urn:uuid:p{number}", **deepcopy(patient)} for number in (1, 2)]

    assert faults_of(bundle) == (Category.INVALID, ["Bundle.entry[4].resource"])


def test_an_entry_that_only_reads_is_left_to_the_reader():
    bundle = a_bundle()
    bundle["entry"].append({"request": {"method": "GET", "url": "Patient/1"}})

    assert read(bundle, refuse_wrong_size=True).patient is None


def test_a_content_elsewhere_is_taken_as_it_is():
    bundle = a_bundle()
    bundle["entry"][1]["resource"]["content"][0]["attachment"]["url"] = "https://elsewhere.example/a.pdf"
    del bundle["entry"][2]

    assert read(bundle, refuse_wrong_size=True).documents[0].content is None


def test_a_simplified_publication_carries_its_content():
    document = a_bundle()["entry"][1]["resource"]
    document["content"][0]["attachment"] = {"contentType": "text/plain", "data": "SGVs\nbG8="}

    assert read_simplified(document, refuse_wrong_size=True).documents[0].content == b"Hello"


def test_the_hash_is_the_one_that_mhd_publishes():
    assert hash_of(b"Hello World") == "Ck1VqNd45QIvq3AZd8XYQLvEhtA="


class TestLabels:
    @holds("L6")
    def test_marks_are_taken_out_of_the_document_and_of_its_meta(self):
        resource = {
            "securityLabel": [{"coding": [{"system": TRE_A07, "code": "MASQUE_PS"}, {"system": "x", "code": "R"}]}],
            "meta": {"security": [{"code": "invisible_patient"}]},
        }
        bare, marks = security_labels.split_marks(resource)

        assert bare == {"securityLabel": [{"coding": [{"system": "x", "code": "R"}]}]}
        assert marks == security_labels.Mark.MASQUE_PS | security_labels.Mark.INVISIBLE_PATIENT

    @holds("J9")
    def test_confidentiality_under_the_visibility_system_restricts_nothing(self):
        assert not security_labels.is_unknown_mark({"system": TRE_A07, "code": "N"})
        assert security_labels.is_unknown_mark({"system": TRE_A07, "code": "MASQUE"})
        assert not security_labels.is_unknown_mark({"system": "urn:x", "code": "MASQUE"})

    def test_a_document_without_marks_is_the_same_with_them(self):
        resource = {"securityLabel": []}
        assert security_labels.with_marks(resource, security_labels.Mark.NONE) is resource


class TestConditions:
    def test_the_patient_may_be_named_by_id_or_identifier(self):
        assert conditional_requests.parse("identifier=a|b&patient=Patient/1") == conditional_requests.Condition(
            "a", "b", "1"
        )
        by_name = conditional_requests.parse("identifier=a%7Cb&patient.identifier=c|d")
        assert by_name == conditional_requests.Condition("a", "b", None, ("c", "d"))
        assert conditional_requests.parse("identifier=a|b&subject:identifier=c|d") == by_name

    @pytest.mark.parametrize("query", ["", "identifier=", "identifier=a|", "identifier=a|b,c", "patient=1", "x=y"])
    def test_anything_but_one_exact_identifier_is_refused(self, query):
        with pytest.raises(Problem):
            conditional_requests.parse(query, "Bundle.entry[0].request.url")


class TestPointers:
    def test_references_are_found_with_their_place(self):
        resource = {"a": [{"reference": "X/1"}, {"b": {"reference": "#c"}}], "d": "reference"}
        found = [(place, item["reference"]) for place, item in references.references_in(resource, "R")]
        assert found == [("R.a[0]", "X/1"), ("R.a[1].b", "#c")]

    def test_identifiers_are_never_rewritten(self):
        resource = {"identifier": {"value": "urn:uuid:1"}, "subject": {"reference": "urn:uuid:1"}}
        assert references.rewritten(resource, {"urn:uuid:1": "X/1"}) == {
            "identifier": {"value": "urn:uuid:1"},
            "subject": {"reference": "X/1"},
        }

    @pytest.mark.parametrize("text", ["https://elsewhere/X/1", "X", "#x", "urn:uuid:1", "X?identifier=1", ""])
    def test_what_is_not_of_this_server_is_none_of_its_resources(self, text):
        assert references.split(text, "http://here") is None

    def test_a_version_is_left_out(self):
        assert references.split("http://here/Patient/1/_history/2", "http://here") == ("Patient", "1")
