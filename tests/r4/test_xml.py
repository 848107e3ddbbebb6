"""https://hl7.org/fhir/R4/xml.html: the same resource both ways, and no entity ever expanded."""

import orjson
import pytest
from lxml import etree

from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.parsing import parse
from fhir_server.r4.xml import from_xml, to_xml
from tests.holds import holds
from tests.r4.bodies import BODIES

FHIR = 'xmlns="http://hl7.org/fhir"'


def read(text):
    return parse(text.encode(), "application/fhir+xml", "Patient")


@pytest.mark.parametrize("type_", BODIES)
def test_resource_survives_the_way_through_xml(type_):
    assert parse(to_xml(BODIES[type_]), "application/fhir+xml; charset=utf-8", type_) == BODIES[type_]


def test_elements_stand_in_the_order_of_the_definition():
    patient = {"resourceType": "Patient", "birthDate": "2000", "name": [{"family": "A", "use": "usual"}], "id": "x"}

    names = [etree.QName(node).localname for node in etree.fromstring(to_xml(patient)).iter()]

    assert names == ["Patient", "id", "name", "use", "family", "birthDate"]


def test_ids_of_elements_and_urls_of_extensions_are_attributes():
    patient = {"resourceType": "Patient", "extension": [{"id": "e", "url": "http://example.org/e", "valueCode": "x"}]}

    extension = etree.fromstring(to_xml(patient))[0]

    assert dict(extension.attrib) == {"id": "e", "url": "http://example.org/e"}


def test_decimal_keeps_its_digits_both_ways():
    text = f'<Patient {FHIR}><extension url="http://example.org/e"><valueDecimal value="1.00"/></extension></Patient>'

    resource = read(text)

    assert b'"valueDecimal":1.00' in orjson.dumps(resource)
    assert b'valueDecimal value="1.00"' in to_xml(resource)


def test_values_and_extensions_of_repeated_primitives_stay_side_by_side():
    text = (
        f'<Patient {FHIR}><name><given value="A"/>'
        '<given><extension url="http://example.org/e"><valueCode value="x"/></extension></given>'
        '<given id="g" value="C"/></name></Patient>'
    )

    name = read(text)["name"][0]

    assert name["given"] == ["A", None, "C"]
    assert name["_given"] == [None, {"extension": [{"url": "http://example.org/e", "valueCode": "x"}]}, {"id": "g"}]
    assert from_xml(to_xml({"resourceType": "Patient", "name": [name]}))["name"] == [name]


@holds("AC42")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "<Patient",
        "<Patient/>",
        f"<Nothing {FHIR}/>",
        f'<!DOCTYPE Patient [<!ENTITY e "x">]><Patient {FHIR}><gender value="&e;"/></Patient>',
        f'<!DOCTYPE Patient SYSTEM "file:///etc/passwd"><Patient {FHIR}/>',
        f'<Patient {FHIR}><birthDate value="2000"/><birthDate value="2001"/></Patient>',
        f"<Patient {FHIR}>text</Patient>",
        f"<Patient {FHIR}><active/>text</Patient>",
        f"<Patient {FHIR}><contained/></Patient>",
        f"<Patient {FHIR}><contained><Patient/><Patient/></contained></Patient>",
        f'<Patient {FHIR} xmlns:o="urn:o"><o:x/></Patient>',
        f"<Patient {FHIR}>" + "<extension>" * 200 + "</extension>" * 200 + "</Patient>",
    ],
)
def test_what_is_no_fhir_xml_is_malformed(text):
    with pytest.raises(Problem) as refused:
        read(text)

    assert refused.value.category is Category.MALFORMED


@pytest.mark.parametrize(
    ("inner", "expression"),
    [
        ('<gender value="f"/>', "Patient.gender"),
        ('<active value="yes"/>', "Patient.active"),
        ('<multipleBirthInteger value="two"/>', "Patient.multipleBirth"),
        ('<multipleBirthInteger value="1.5"/>', "Patient.multipleBirth"),
        ('<multipleBirthInteger value="true"/>', "Patient.multipleBirth"),
        ('<nonsense value="x"/>', "Patient"),
        ('<name colour="x"><family value="A"/></name>', "Patient.name[0]"),
    ],
)
def test_faults_are_named_as_in_json(inner, expression):
    with pytest.raises(Problem) as refused:
        read(f"<Patient {FHIR}>{inner}</Patient>")

    assert [issue.expression for issue in refused.value.issues] == [expression]


def test_comments_and_processing_instructions_are_passed_over():
    assert read(f'<?x y?><Patient {FHIR}><!-- c --><gender value="male"/></Patient>')["gender"] == "male"


@pytest.mark.parametrize("character", ["\x00", "\x1f", "\ufffe", "\ud800"])
def test_a_character_that_xml_cannot_carry_is_written_as_a_replacement(character):
    issue = {"severity": "error", "code": "invalid", "details": {"text": f"a{character}b"}}
    written = to_xml({"resourceType": "OperationOutcome", "issue": [issue]})
    assert from_xml(written)["issue"][0]["details"]["text"] == "a\N{REPLACEMENT CHARACTER}b"
