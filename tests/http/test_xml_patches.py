"""XML Patch over HTTP, alone and in Bundles: https://hl7.org/fhir/R4/http.html#patch."""

import gzip
from base64 import b64encode

import pytest

from tests.holds import holds
from tests.http.stores import BOTH, another, runtime, store
from tests.world import TRE_A07, World

__all__ = ["another", "runtime", "store"]
XML_PATCH = "application/xml-patch+xml"
OFF = b'<diff xmlns:f="http://hl7.org/fhir"><add sel="f:Practitioner"><f:active value="false"/></add></diff>'


def hides(where: str = 'sel="f:DocumentReference"', operation: str = "add") -> bytes:
    """Return a patch that puts a label with a visibility mark into a document."""
    coding = f'<f:coding><f:system value="{TRE_A07}"/><f:code value="MASQUE_PS"/></f:coding>'
    change = f"<{operation} {where}><f:securityLabel>{coding}</f:securityLabel></{operation}>"
    return f'<diff xmlns:f="http://hl7.org/fhir">{change}</diff>'.encode()


@holds("REST-33")
@BOTH
def test_a_patient_hides_a_document_by_an_xml_patch(world: World):
    world.agree("camille", "martin")
    document = world.publish()
    answer = world.send("camille", "PATCH", f"/DocumentReference/{document}", hides(), XML_PATCH)

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.headers["ETag"] == 'W/"1-1"'
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404


def test_a_label_is_not_replaced_by_its_number_where_a_mark_would_go(world: World):
    document = world.publish()
    value = {"coding": [{"system": TRE_A07, "code": "INVISIBLE_PATIENT"}]}
    assert world.hide(document, mark="MASQUE_PSOCIAL").status_code == 200, value
    labels = len(world.get("camille", f"/DocumentReference/{document}").get_json()["securityLabel"])
    where = f'sel="f:DocumentReference/f:securityLabel[{labels}]"'
    answer = world.send("camille", "PATCH", f"/DocumentReference/{document}", hides(where, "replace"), XML_PATCH)

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "other-mark"


def test_other_elements_of_a_document_stay_closed(world: World):
    document = world.publish()
    change = b'<diff xmlns:f="http://hl7.org/fhir"><remove sel="f:DocumentReference/f:category"/></diff>'
    answer = world.send("camille", "PATCH", f"/DocumentReference/{document}", change, XML_PATCH)
    assert answer.status_code in (405, 422)


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_an_xml_patch_travels_in_a_binary(world: World, kind):
    binary = {"resourceType": "Binary", "contentType": XML_PATCH, "data": b64encode(OFF).decode()}
    url = f"Practitioner/{world.ids['nour']}"
    entry = {"resource": binary, "request": {"method": "PATCH", "url": url}}
    answer = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": kind, "entry": [entry]})

    assert answer.get_json()["entry"][0]["response"]["status"] == "200 OK"
    assert world.get("nour", f"/{url}").get_json()["active"] is False


def test_a_compressed_bomb_and_a_document_type_are_refused(world: World):
    path = f"/Practitioner/{world.ids['nour']}"
    small = gzip.compress(OFF)
    assert world.send("keeper", "PATCH", path, small, XML_PATCH, Content_Encoding="gzip").status_code == 200
    many = b"<diff>" + b"<remove sel='Practitioner/active'/>" * 201 + b"</diff>"
    assert world.send("keeper", "PATCH", path, many, XML_PATCH).status_code == 400
    huge = gzip.compress(b"<diff>" + b" " * (25 * 1024 * 1024) + b"</diff>")
    assert world.send("keeper", "PATCH", path, huge, XML_PATCH, Content_Encoding="gzip").status_code == 413
    crowd = b"<diff>" + b"<a/>" * 500_000 + b"</diff>"
    assert world.send("keeper", "PATCH", path, crowd, XML_PATCH).status_code == 413
    deep = b"<diff xmlns='http://hl7.org/fhir'><add sel='Practitioner'>" + b"<extension>" * 200 + b"</extension>" * 200
    answer = world.send("keeper", "PATCH", path, deep + b"</add></diff>", XML_PATCH)
    assert answer.status_code == 400
    dtd = b'<!DOCTYPE diff [<!ENTITY x "y">]><diff><remove sel="Practitioner/active"/></diff>'
    assert world.send("keeper", "PATCH", path, dtd, XML_PATCH).status_code == 400


def test_only_the_four_kinds_of_patches_are_taken_and_named(shared_world: World):
    path = f"/Practitioner/{shared_world.ids['nour']}"
    answer = shared_world.send("keeper", "PATCH", path, b"<x/>", "text/plain")
    named = shared_world.get("keeper", "/metadata").get_json()["patchFormat"]

    assert answer.status_code == 415
    assert named == [
        "application/json-patch+json",
        "application/xml-patch+xml",
        "application/merge-patch+json",
        "application/fhir+json",
        "application/fhir+xml",
    ]
