"""FHIR documents for tests, and submissions that carry them as a Bundle."""

from base64 import b64encode

from tests.world import World

LOINC = "http://loinc.org"


def fhir_document(world: World, title: str = "Synthèse", patient: str = "camille"):
    """Return a FHIR document about a patient."""
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": "60591-5"}]},
        "subject": {"reference": f"Patient/{world.ids[patient]}"},
        "date": "2026-02-01T10:00:00+01:00",
        "author": [{"display": "Dr Haddad"}],
        "title": title,
        "section": [{"title": "Allergies", "entry": [{"reference": "urn:uuid:b7d0bd0b-0d0e-4a54-9a31-0d6d5fca3c02"}]}],
    }
    allergy = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "weight"},
        "valueQuantity": {"value": 70.0, "unit": "kg"},
    }
    world.count += 1
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:00000000-0000-4000-8000-{world.count:012d}"},
        "type": "document",
        "timestamp": "2026-02-01T10:00:00+01:00",
        "entry": [
            {"fullUrl": "urn:uuid:b7d0bd0b-0d0e-4a54-9a31-0d6d5fca3c01", "resource": composition},
            {"fullUrl": "urn:uuid:b7d0bd0b-0d0e-4a54-9a31-0d6d5fca3c02", "resource": allergy},
        ],
    }


def as_bundle(world: World, document, kind: str = "application/fhir+json", **more):
    """Return an ITI-65 request that carries a FHIR document as a Bundle."""
    bundle = world.bundle(world.filing(mime=kind, **more))
    reference, binary = bundle["entry"][1], bundle["entry"][2]
    attachment = reference["resource"]["content"][0]["attachment"]
    del attachment["hash"], attachment["size"]
    reference["resource"].pop("meta", None)
    binary["resource"] = document
    binary["request"]["url"] = "Bundle"
    return bundle


def as_simplified(world: World, content: bytes, kind: str = "application/fhir+json", **more):
    """Return an ITI-105 request whose content is given as bytes."""
    resource = world.simplified(mime=kind, content=content, **more)
    assert resource["content"][0]["attachment"]["data"] == b64encode(content).decode()
    return resource


def filed(world: World, document=None, **more) -> tuple[str, str]:
    """File a FHIR document; return the ids of its DocumentReference and of its Bundle."""
    answer = world.send("chu-ehr", "POST", "", as_bundle(world, document or fhir_document(world), **more))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    places = [entry["response"]["location"] for entry in answer.get_json()["entry"]]
    return places[1].split("/DocumentReference/")[1].split("/")[0], places[2].split("/Bundle/")[1]
