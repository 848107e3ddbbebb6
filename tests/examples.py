"""The official instances of IHE and ANS, kept beside the repository; they are not copied into it."""

import json
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "reference" / "fhir" / "examples"
NAMES = tuple(sorted(path.name for path in FOLDER.glob("*.json")))


@cache
def _bytes_of(name):
    return (FOLDER / name).read_bytes()


def example(name):
    """Return one example without its known faults; skip the test where the examples are not at hand."""
    if not NAMES:
        pytest.skip(f"the official examples are not at hand: {FOLDER} holds none")
    resource = json.loads(_bytes_of(name))
    return _ADAPTED.get(name, lambda found: found)(resource)


def _pdsm_document(resource):
    """Make its author contained and referred to, as its own profile and dom-3 ask, without server-assigned meta."""
    del resource["contained"][0]["meta"]["lastUpdated"]
    resource["author"] = [{"reference": "#practitioner-example"}]
    resource["authenticator"] = {"reference": "#practitioner-example"}
    resource["contained"].append({"resourceType": "Patient", "id": "source", "active": True})
    resource["context"]["sourcePatientInfo"] = {"reference": "#source"}
    return resource


def _pdsm_list(resource):
    """Take server-assigned meta out of what it contains, and give its uniqueId the form of an OID."""
    for contained in resource["contained"]:
        del contained["meta"]["versionId"], contained["meta"]["lastUpdated"]
    resource["identifier"][0]["value"] = "urn:oid:1.2.250.1.213.9.1"
    return resource


def _dmp_bundle(resource):
    """Add what PDSm 3.1.1 asks and the draft lacks: the custodian and the type of the master identifier."""
    document = next(e["resource"] for e in resource["entry"] if e["resource"]["resourceType"] == "DocumentReference")
    document["custodian"] = {"reference": "Organization/o1"}
    kinds = "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType"
    document["masterIdentifier"]["type"] = {"coding": [{"system": kinds, "code": "uniqueId"}]}
    return resource


_ADAPTED = {
    "pdsm--DocumentReference-exemple-pdsm-documentreference.json": _pdsm_document,
    "pdsm--List-ExampleSubmissionSet.json": _pdsm_list,
    "dmp--Bundle-example-td2-iti65-lot-soumission.json": _dmp_bundle,
}
