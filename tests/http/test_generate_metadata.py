"""`DocumentReference/$generate-metadata` over HTTP (ITI-106): a document is filed with a description from itself."""

from base64 import b64decode, b64encode

import pytest

from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_everything import entries
from tests.world import HADDAD, INS, RPPS, World

DOOR = "/DocumentReference/$generate-metadata"
NUMBER = "284039999900148"


def cda(more: str = "", patient: str = NUMBER, id_: str = "1.2.250.1.213.1.4.99999.5.1") -> bytes:
    """Return an invented report of the hospital with a header as France's structure demands it."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <id root="{id_}"/>
  <code code="11502-2" codeSystem="2.16.840.1.113883.6.1" displayName="CR d'examens biologiques"/>
  <title>Bilan
    sanguin</title>
  <effectiveTime value="20260201101500+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="fr-FR"/>
  <recordTarget><patientRole>
    <id root="1.2.250.1.213.1.4.10" extension="{patient}"/>
    <patient><name><given>Camille</given><family>Laurent</family></name>
      <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19840317"/></patient>
  </patientRole></recordTarget>
  <author><time value="20260201"/><assignedAuthor>
    <id root="1.2.250.1.71.4.2.1" extension="{HADDAD}"/>
    <assignedPerson><name><given>Anna</given><family>Haddad</family></name></assignedPerson>
  </assignedAuthor></author>
  <documentationOf><serviceEvent>
    <code code="24331-1" codeSystem="2.16.840.1.113883.6.1"/>
    <effectiveTime><low value="20260131"/><high value="20260201"/></effectiveTime>
    <performer><assignedEntity><representedOrganization>
      <standardIndustryClassCode code="ETABLISSEMENT" codeSystem="1.2.250.1.213.1.1.4.9"/>
    </representedOrganization></assignedEntity></performer>
  </serviceEvent></documentationOf>
  <componentOf><encompassingEncounter><location><healthCareFacility>
    <code code="SA01" codeSystem="1.2.250.1.71.4.2.4"/>
  </healthCareFacility></location></encompassingEncounter></componentOf>
  {more}
</ClinicalDocument>""".encode()


def binary(content: bytes, kind: str = "text/xml") -> dict:
    return {"resourceType": "Binary", "contentType": kind, "data": b64encode(content).decode()}


def bundle(**more: object) -> dict:
    composition = {
        "resourceType": "Composition", "status": "final", "title": "Bilan", "date": "2026-02-01T10:00:00+01:00",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
        "category": [{"coding": [{"code": "10"}]}], "subject": {"reference": "urn:uuid:p"}, "confidentiality": "N",
        "author": [{"reference": "urn:uuid:a"}], "event": [{"period": {"start": "2026-01-31"}}],
    }  # fmt: skip
    patient = {"resourceType": "Patient", "identifier": [{"system": INS, "value": NUMBER}], "name": [{"family": "L"}]}
    author = {"resourceType": "Practitioner", "identifier": [{"system": RPPS, "value": HADDAD}], "telecom": []}
    return {
        "resourceType": "Bundle", "type": "document", "timestamp": "2026-02-01T10:00:00Z",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.250.1.213.1.4.99999.6.1"},
        "entry": [{"fullUrl": "urn:uuid:c", "resource": composition | more},
                  {"fullUrl": "urn:uuid:p", "resource": patient},
                  {"fullUrl": "urn:uuid:a", "resource": {k: v for k, v in author.items() if v}}],
    }  # fmt: skip


def generate(world: World, resource: dict, who: str = "chu-ehr"):
    return world.send(who, "POST", DOOR, resource)


def filed(world: World, answer, who: str = "camille") -> dict:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    (told,) = [part for part in answer.get_json()["parameter"] if part["name"] == "DocumentReference"]
    found = world.get(who, f"/{told['valueReference']['reference']}")
    assert found.status_code == 200
    return found.get_json()


def notes(answer) -> set[str]:
    outcomes = [part["resource"] for part in answer.get_json()["parameter"] if part["name"] == "outcome"]
    return {issue["expression"][0] for outcome in outcomes for issue in outcome["issue"]}


@holds("MHD-106-1")
@BOTH
def test_a_cda_document_is_filed_with_what_its_header_says(world):
    answer = generate(world, binary(cda()))
    found = filed(world, answer)
    assert found["masterIdentifier"]["value"] == "urn:oid:1.2.250.1.213.1.4.99999.5.1"
    assert found["type"]["coding"][0]["code"] == "11502-2"
    assert found["type"]["coding"][0]["system"] == "http://loinc.org"
    assert found["description"] == "Bilan sanguin"
    assert found["date"] == "2026-02-01T10:15:00+01:00"
    assert found["subject"]["reference"] == f"Patient/{world.ids['camille']}"
    assert found["context"]["period"] == {"start": "2026-01-31", "end": "2026-02-01"}
    assert found["context"]["event"][0]["coding"][0]["code"] == "24331-1"
    assert found["context"]["facilityType"]["coding"][0]["code"] == "SA01"
    assert found["context"]["practiceSetting"]["coding"][0]["code"] == "ETABLISSEMENT"
    attachment = found["content"][0]["attachment"]
    assert (attachment["contentType"], attachment["language"]) == ("text/xml", "fr-FR")
    names = {one["resourceType"]: one for one in found["contained"]}
    assert names["Patient"]["birthDate"] == "1984-03-17"
    assert names["Practitioner"]["identifier"][0] == {"system": RPPS, "value": HADDAD}
    content = world.get("camille", f"/{'/'.join(attachment['url'].split('/')[-2:])}", Accept="application/fhir+json")
    assert b64decode(content.get_json()["data"]) == cda()


@BOTH
def test_a_fhir_document_is_filed_with_what_its_composition_says(world):
    found = filed(world, generate(world, bundle()))
    assert found["description"] == "Bilan"
    assert found["category"][0]["coding"][0]["code"] == "10"
    assert found["content"][0]["attachment"]["contentType"] == "application/fhir+json"
    assert found["context"]["period"]["start"] == "2026-01-31"
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "bundle", "resource": bundle()}]}
    assert generate(world, parameters).status_code == 409  # filed before


def test_what_cannot_be_mapped_is_named(world):
    more = '<informant/><relatedDocument typeCode="XYZ"/>'
    assert notes(generate(world, binary(cda(more)))) >= {
        "DocumentReference.relatesTo", "DocumentReference.category", "DocumentReference.content[0].format",
    }  # fmt: skip
    assert "DocumentReference.context.facilityType" in notes(generate(world, bundle()))


def test_a_time_without_a_zone_keeps_its_date_and_says_so(world):
    answer = generate(world, binary(cda().replace(b"20260201101500+0100", b"202602011015")))
    assert filed(world, answer)["content"][0]["attachment"]["creation"] == "2026-02-01"
    assert "DocumentReference.content[0].attachment.creation" in notes(answer)


def test_a_replacement_supersedes_what_it_names(world):
    first = filed(world, generate(world, binary(cda())))
    parent = '<parentDocument><id root="1.2.250.1.213.1.4.99999.5.1"/></parentDocument>'
    more = f'<relatedDocument typeCode="RPLC">{parent}</relatedDocument>'
    second = filed(world, generate(world, binary(cda(more, id_="1.2.250.1.213.1.4.99999.5.2"))))
    assert second["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{first['id']}"
    assert world.get("camille", f"/DocumentReference/{first['id']}").get_json()["status"] == "superseded"


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3">&b;</ClinicalDocument>'
)
OUTSIDE = b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
WRONG = {
    "no xml": b"%PDF-1.7",
    "entities": BOMB,
    "an outside definition": OUTSIDE,
    "another root": b"<html/>",
    "no id": cda().replace(b'<id root="1.2.250.1.213.1.4.99999.5.1"/>', b""),
    "no code": cda().replace(b'code="11502-2"', b""),
    "no patient": cda().replace(b"recordTarget", b"recordTarge"),
    "deep": b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a>" * 5000 + b"</a>" * 5000 + b"</ClinicalDocument>",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_document_is_refused_and_nothing_is_stored(world, name):
    answer = generate(world, binary(WRONG[name]))
    assert 400 <= answer.status_code < 500, answer.get_data(as_text=True)
    assert entries(world.get("camille", "/DocumentReference")) == []


def test_too_many_values_are_refused_before_they_are_built(world):
    many = b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a/>" * 400_000 + b"</ClinicalDocument>"
    answer = generate(world, binary(many))
    assert answer.status_code in (413, 422, 400)
    assert entries(world.get("camille", "/DocumentReference")) == []


@pytest.mark.parametrize("kind", ["application/pdf", "text/plain", ""])
def test_what_is_not_structured_is_refused_by_its_media_type(world, kind):
    answer = generate(world, {name: value for name, value in binary(cda(), kind).items() if value})
    assert 400 <= answer.status_code < 500


def test_a_bundle_that_is_no_document_is_refused(world):
    for wrong in (bundle() | {"type": "collection"}, bundle() | {"entry": []}, bundle(title=""), bundle(subject={})):
        assert 400 <= generate(world, wrong).status_code < 500
    assert generate(world, {"resourceType": "Parameters"}).status_code == 400


def test_parties_that_refer_to_each_other_are_read_once(world):
    whole = bundle(author=[{"reference": "urn:uuid:r"}])
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": "urn:uuid:r"}}
    whole["entry"].append({"fullUrl": "urn:uuid:r", "resource": role})
    assert 200 <= generate(world, whole).status_code < 500


def test_many_authors_cost_no_more_than_their_number(world):
    many = "".join(f'<author><assignedAuthor><id root="1.2.{n}"/></assignedAuthor></author>' for n in range(3000))
    assert 400 <= generate(world, binary(cda(many))).status_code < 500


def test_nobody_files_for_an_author_of_another_house_or_an_unknown_patient(world):
    foreign = cda().replace(HADDAD.encode(), b"99700009999")
    assert generate(world, binary(foreign)).status_code == 422
    unknown = generate(world, binary(cda(patient="284039999900999")))
    assert 400 <= unknown.status_code < 500
    assert generate(world, binary(cda()), "camille").status_code == 422


def test_the_deposit_is_told_with_its_transaction(world):
    assert generate(world, binary(cda())).status_code == 200
    (event,) = entries(world.get("camille", "/AuditEvent?action=C&subtype=ITI-106"))
    assert event["outcome"] == "0"
