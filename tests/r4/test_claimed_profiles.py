"""IHE MHD 4.2 and PDSm 3.1.1: what a claimed profile asks of a DocumentReference or List."""

from copy import deepcopy

import pytest

from fhir_server.r4.claimed_profiles import MHD, PDSM, check, check_against, is_known
from fhir_server.registry import REGISTRY
from tests.examples import example
from tests.holds import holds
from tests.r4.bodies import GONE

KINDS = "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType"
LISTS = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
CONCEPT = {"coding": [{"system": "http://loinc.org", "code": "55107-7"}]}
DOCUMENT = {
    "resourceType": "DocumentReference",
    "contained": [{"resourceType": "Practitioner", "id": "a"}, {"resourceType": "Patient", "id": "s", "active": True}],
    "masterIdentifier": {
        "type": {"coding": [{"system": KINDS, "code": "uniqueId"}]},
        "system": "urn:ietf:rfc:3986",
        "value": "urn:oid:1.2.3",
    },
    "identifier": [
        {
            "type": {"coding": [{"system": KINDS, "code": "entryUUID"}]},
            "system": "urn:ietf:rfc:3986",
            "value": "urn:uuid:0c287d32-01e3-4d87-9953-9fcc9404eb21",
        }
    ],
    "status": "current",
    "type": CONCEPT,
    "category": [CONCEPT],
    "subject": {"reference": "Patient/p1"},
    "date": "2026-01-05T09:00:00Z",
    "author": [{"reference": "#a"}],
    "custodian": {"reference": "Organization/o1"},
    "securityLabel": [CONCEPT],
    "content": [
        {
            "attachment": {
                "contentType": "application/pdf",
                "language": "fr-FR",
                "url": "urn:uuid:1",
                "size": 3,
                "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
                "title": "Report",
                "creation": "2026-01-05",
            },
            "format": {"system": "http://example.org/f", "code": "pdf"},
        }
    ],
    "context": {
        "period": {"start": "2026-01-05"},
        "facilityType": CONCEPT,
        "practiceSetting": CONCEPT,
        "sourcePatientInfo": {"reference": "#s"},
    },
}
SUBMISSION_SET = {
    "resourceType": "List",
    "contained": [{"resourceType": "Device", "id": "dv"}],
    "extension": [
        {"url": f"{MHD}ihe-designationType", "valueCodeableConcept": CONCEPT},
        {"url": f"{MHD}ihe-sourceId", "valueIdentifier": {"value": "urn:oid:1.2.3"}},
    ],
    "identifier": [
        {
            "type": {"coding": [{"system": KINDS, "code": "uniqueId"}]},
            "system": "urn:ietf:rfc:3986",
            "value": "urn:oid:1.2.4",
        }
    ],
    "status": "current",
    "mode": "working",
    "title": "Submission",
    "code": {"coding": [{"system": LISTS, "code": "submissionset"}]},
    "subject": {"reference": "Patient/p1"},
    "date": "2026-01-05T09:00:00Z",
    "source": {"reference": "#dv"},
    "entry": [{"item": {"reference": "DocumentReference/d1"}}],
}
COMPREHENSIVE = f"{MHD}IHE.MHD.Comprehensive.DocumentReference"
MINIMAL = f"{MHD}IHE.MHD.Minimal.DocumentReference"
UNCONTAINED = f"{MHD}IHE.MHD.UnContained.Comprehensive.DocumentReference"
PDSM_DOCUMENT = f"{PDSM}pdsm-comprehensive-document-reference"
SUBMISSION = f"{MHD}IHE.MHD.Comprehensive.SubmissionSet"
PDSM_SUBMISSION = f"{PDSM}pdsm-submissionset-comprehensive"


def changed(resource, path, value):
    body = deepcopy(resource)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = body
    for part in parents:
        place = place[part]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return body


def expressions(resource, profile):
    return [issue.expression for issue in check_against(resource, [profile])]


@pytest.mark.parametrize("profile", [MINIMAL, COMPREHENSIVE, UNCONTAINED, PDSM_DOCUMENT])
def test_complete_document_keeps_to_every_profile(profile):
    assert check(DOCUMENT | {"meta": {"profile": [profile]}}) == []


@pytest.mark.parametrize("profile", [SUBMISSION, PDSM_SUBMISSION, f"{MHD}IHE.MHD.Minimal.SubmissionSet"])
def test_complete_submission_set_keeps_to_every_profile(profile):
    assert check(SUBMISSION_SET | {"meta": {"profile": [profile]}}) == []


@pytest.mark.parametrize(
    ("profile", "path", "value", "expression"),
    [
        (MINIMAL, "masterIdentifier", GONE, "DocumentReference.masterIdentifier"),
        (MINIMAL, "masterIdentifier.value", GONE, "DocumentReference.masterIdentifier.value"),
        (MINIMAL, "masterIdentifier.type", GONE, "DocumentReference.masterIdentifier.type"),
        (MINIMAL, "masterIdentifier.type", CONCEPT, "DocumentReference.masterIdentifier.type"),
        (MINIMAL, "identifier.0.value", "0c287d32", "DocumentReference.identifier[0].value"),
        (MINIMAL, "identifier.0.system", "urn:x", "DocumentReference.identifier[0].system"),
        (MINIMAL, "status", "entered-in-error", "DocumentReference.status"),
        (MINIMAL, "docStatus", "final", "DocumentReference.docStatus"),
        (MINIMAL, "modifierExtension", [{"url": "x", "valueCode": "y"}], "DocumentReference.modifierExtension"),
        (MINIMAL, "category", [CONCEPT, CONCEPT], "DocumentReference.category"),
        (MINIMAL, "content.0.attachment.url", GONE, "DocumentReference.content[0].attachment.url"),
        (MINIMAL, "content.0.attachment.data", "YWJj", "DocumentReference.content[0].attachment.data"),
        (MINIMAL, "content.0.attachment.contentType", GONE, "DocumentReference.content[0].attachment.contentType"),
        (COMPREHENSIVE, "type", GONE, "DocumentReference.type"),
        (COMPREHENSIVE, "category", GONE, "DocumentReference.category"),
        (COMPREHENSIVE, "subject", GONE, "DocumentReference.subject"),
        (COMPREHENSIVE, "securityLabel", GONE, "DocumentReference.securityLabel"),
        (COMPREHENSIVE, "context", GONE, "DocumentReference.context"),
        (COMPREHENSIVE, "context.facilityType", GONE, "DocumentReference.context.facilityType"),
        (COMPREHENSIVE, "context.sourcePatientInfo", GONE, "DocumentReference.context.sourcePatientInfo"),
        (COMPREHENSIVE, "author.0.reference", "Practitioner/1", "DocumentReference.author[0]"),
        (COMPREHENSIVE, "content.0.format", GONE, "DocumentReference.content[0].format"),
        (PDSM_DOCUMENT, "custodian", GONE, "DocumentReference.custodian"),
        (PDSM_DOCUMENT, "date", GONE, "DocumentReference.date"),
        (PDSM_DOCUMENT, "context.period.start", GONE, "DocumentReference.context.period.start"),
        (PDSM_DOCUMENT, "content.0.attachment.hash", GONE, "DocumentReference.content[0].attachment.hash"),
        (PDSM_DOCUMENT, "content.0.attachment.title", GONE, "DocumentReference.content[0].attachment.title"),
    ],
)
@holds("PDSM-1")
def test_document_that_breaks_a_profile_is_named(profile, path, value, expression):
    assert expressions(changed(DOCUMENT, path, value), profile) == [expression]


@pytest.mark.parametrize(
    ("profile", "path", "value", "expression"),
    [
        (
            SUBMISSION,
            "extension.0",
            {"url": "x", "valueCode": "y"},
            f"List.extension.where(url='{MHD}ihe-designationType')",
        ),
        (SUBMISSION, "extension.1", {"url": "x", "valueCode": "y"}, f"List.extension.where(url='{MHD}ihe-sourceId')"),
        (
            SUBMISSION,
            "extension.1",
            {"url": f"{MHD}ihe-sourceId", "valueCode": "y"},
            "List.extension[1].valueIdentifier",
        ),
        (SUBMISSION, "status", "retired", "List.status"),
        (SUBMISSION, "code", CONCEPT, "List.code"),
        (SUBMISSION, "date", GONE, "List.date"),
        (SUBMISSION, "orderedBy", CONCEPT, "List.orderedBy"),
        (SUBMISSION, "entry.0.flag", CONCEPT, "List.entry[0].flag"),
        (SUBMISSION, "identifier.0.value", "1.2.4", "List.identifier[0].value"),
        (SUBMISSION, "source.reference", "Device/1", "List.source"),
        (PDSM_SUBMISSION, "source", GONE, "List.source"),
        (PDSM_SUBMISSION, "contained", GONE, "List.contained"),
    ],
)
def test_submission_set_that_breaks_a_profile_is_named(profile, path, value, expression):
    assert expressions(changed(SUBMISSION_SET, path, value), profile) == [expression]


def test_references_may_leave_the_resource_in_the_uncontained_profile():
    assert expressions(changed(DOCUMENT, "author.0.reference", "Practitioner/1"), UNCONTAINED) == []


def test_simplified_publish_carries_its_content():
    document = changed(DOCUMENT, "content.0.attachment.data", "YWJj")
    profile = f"{MHD}IHE.MHD.SimplifiedPublish.DocumentReference"

    assert expressions(document, profile) == [
        "DocumentReference.identifier.where(type.coding.exists(code='entryUUID'))",
        "DocumentReference.content[0].attachment.url",
    ]


@pytest.mark.parametrize(
    "claim",
    [f"{MHD}IHE.MHD.Comprehensive.Nothing", f"{PDSM}nothing", SUBMISSION, f"{MHD}IHE.MHD.Minimal.ProvideBundle"],
)
def test_claim_of_an_unknown_or_foreign_profile_of_these_guides_is_a_fault(claim):
    issues = check(DOCUMENT | {"meta": {"profile": ["http://example.org/p", claim]}})

    assert [(issue.expression, issue.code) for issue in issues] == [
        ("DocumentReference.meta.profile[1]", "unknown-profile")
    ]


def test_claims_of_other_guides_ask_nothing():
    assert check({"resourceType": "DocumentReference", "meta": {"profile": ["http://example.org/p"]}}) == []


def test_versioned_claim_is_the_same_profile():
    issues = check({"resourceType": "DocumentReference", "meta": {"profile": [f"{MINIMAL}|4.2.4"]}})

    assert "DocumentReference.masterIdentifier" in [issue.expression for issue in issues]


def test_expressions_start_at_the_place_of_the_resource():
    issues = check(changed(DOCUMENT, "status", "x") | {"meta": {"profile": [MINIMAL]}}, "Bundle.entry[1].resource")

    assert [issue.expression for issue in issues] == ["Bundle.entry[1].resource.status"]


def test_a_fault_of_two_claimed_profiles_is_told_once():
    document = changed(DOCUMENT, "masterIdentifier", GONE) | {"meta": {"profile": [MINIMAL, COMPREHENSIVE]}}

    assert [issue.expression for issue in check(document)] == ["DocumentReference.masterIdentifier"]


@pytest.mark.parametrize("type_", ["DocumentReference", "List"])
def test_every_profile_that_the_registry_states_is_checked(type_):
    assert [profile for profile in REGISTRY[type_].profiles if not is_known(profile, type_)] == []


def test_the_comprehensive_example_of_mhd_breaks_when_its_format_is_taken_out():
    document = example("mhd--DocumentReference-ex-DocumentReferenceComprehensive.json")

    assert [i.expression for i in check(changed(document, "content.0.format", GONE))] == [
        "DocumentReference.content[0].format"
    ]


@holds("MHD-67-3")
@pytest.mark.parametrize("use", ["usual", "official", "secondary", None])
def test_an_identifier_is_known_by_its_type_whatever_its_use(use):
    kept = [one | ({"use": use} if use else {}) for one in DOCUMENT["identifier"]]
    assert check(DOCUMENT | {"identifier": kept, "meta": {"profile": [MINIMAL]}}) == []
    second = kept[0] | {"value": "urn:uuid:1c287d32-01e3-4d87-9953-9fcc9404eb22", "use": "old"}
    assert check(DOCUMENT | {"identifier": [*kept, second], "meta": {"profile": [MINIMAL]}}) != []
    plain = {"use": "usual", "system": "urn:x", "value": "7"}
    assert check(DOCUMENT | {"identifier": [*kept, plain], "meta": {"profile": [MINIMAL]}}) == []
