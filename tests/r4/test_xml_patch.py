"""XML Patch: RFC 5261, 4, on resources; https://hl7.org/fhir/R4/http.html#patch."""

import pytest

from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.patch import Patch, of_xml

PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "extension": [{"url": "urn:x", "valueDecimal": 1.5}, {"url": "urn:y", "valueBoolean": True}],
    "active": True,
    "name": [{"use": "official", "family": "Laurent", "given": ["Camille", "Ann"]}, {"use": "nickname", "text": "Cam"}],
    "birthDate": "1984-03-17",
}


def of(*operations: str) -> Patch:
    return of_xml(f'<diff xmlns:f="http://hl7.org/fhir">{"".join(operations)}</diff>'.encode())


def after(*operations: str):
    return of(*operations).apply(PATIENT)


def test_a_value_is_replaced_added_and_removed():
    assert after('<replace sel="f:Patient/f:birthDate/@value">1985-01-01</replace>')["birthDate"] == "1985-01-01"
    assert after('<replace sel="/f:Patient/f:active/@value">false</replace>')["active"] is False
    assert "birthDate" not in after('<remove sel="f:Patient/f:birthDate"/>')
    assert "birthDate" not in after('<remove sel="f:Patient/f:birthDate/@value"/>')
    added = after(
        '<remove sel="f:Patient/f:birthDate/@value"/>',
        '<add sel="f:Patient/f:birthDate" type="@value">1990</add>',
    )
    assert added["birthDate"] == "1990"


@pytest.mark.parametrize(
    ("attributes", "order"),
    [
        ('sel="f:Patient"', ["Laurent", None, "New"]),
        ('sel="f:Patient/f:name[1]" pos="before"', ["New", "Laurent", None]),
        ('sel="f:Patient/f:name[1]" pos="after"', ["Laurent", "New", None]),
        ('sel="f:Patient" pos="prepend"', ["New", "Laurent", None]),
        ('sel="f:Patient/f:name[f:use/@value=\'nickname\']" pos="before"', ["Laurent", "New", None]),
    ],
)
def test_an_element_is_added_at_its_place(attributes, order):
    name = '<f:name><f:family value="New"/></f:name>'
    assert [one.get("family") for one in after(f"<add {attributes}>{name}</add>")["name"]] == order


def test_an_element_is_found_by_an_attribute_or_a_number():
    changed = after("<replace sel=\"f:Patient/f:extension[@url='urn:y']/f:valueBoolean/@value\">false</replace>")
    assert changed["extension"][1] == {"url": "urn:y", "valueBoolean": False}
    assert after('<remove sel="f:Patient/f:name[1]/f:given[2]"/>')["name"][0]["given"] == ["Camille"]
    assert after('<remove sel="f:Patient/*[7]"/>') == after('<remove sel="f:Patient/f:birthDate"/>')


def test_names_without_a_prefix_are_of_the_default_namespace_or_of_fhir():
    change = '<replace sel="Patient/birthDate"><birthDate value="1990"/></replace>'
    whole = f'<diff xmlns="http://hl7.org/fhir">{change}</diff>'
    assert of_xml(whole.encode()).apply(PATIENT)["birthDate"] == "1990"
    assert after('<replace sel="Patient/birthDate/@value">1990</replace>')["birthDate"] == "1990"
    with pytest.raises(Problem):
        of_xml(b'<diff xmlns="urn:x"><remove sel="Patient"/></diff>')


def test_what_no_operation_touches_keeps_its_spelling():
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>a</p><br></br></div>'}
    resource = PATIENT | {"text": text}
    assert of('<remove sel="f:Patient/f:birthDate"/>').apply(resource)["text"] is text


@pytest.mark.parametrize(
    ("operation", "category"),
    [
        ('<remove sel="f:Patient/f:gender"/>', Category.BUSINESS_RULE),
        ('<remove sel="f:Patient/f:name"/>', Category.BUSINESS_RULE),
        ('<remove sel="f:Patient"/>', Category.BUSINESS_RULE),
        ('<replace sel="f:Patient"><f:Patient/></replace>', Category.BUSINESS_RULE),
        ('<add sel="f:Patient/f:active" type="@value">false</add>', Category.BUSINESS_RULE),
        ('<add sel="f:Patient" type="namespace::x">urn:x</add>', Category.BUSINESS_RULE),
        ('<add sel="f:Patient" pos="before"><f:active value="true"/></add>', Category.BUSINESS_RULE),
        ('<replace sel="f:Patient/f:id/@value">other</replace>', Category.MALFORMED),
        ('<add sel="f:Patient"><name/></add>', Category.MALFORMED),
        ('<add sel="f:Patient"><f:birthDate value="1990"/></add>', Category.MALFORMED),
        ('<remove sel="g:Patient"/>', Category.MALFORMED),
        ('<remove sel="//f:name"/>', Category.MALFORMED),
        ('<remove sel="f:Patient/f:name[last()]"/>', Category.MALFORMED),
        ('<remove sel="count(//*)"/>', Category.MALFORMED),
        ("<remove/>", Category.MALFORMED),
        ("<move sel='f:Patient'/>", Category.MALFORMED),
    ],
)
def test_what_cannot_be_carried_out_is_refused_and_says_where(operation, category):
    with pytest.raises(Problem) as refused:
        after(operation)
    assert refused.value.category is category


def test_no_document_type_is_declared_and_no_entity_expanded():
    entities = "".join(f'<!ENTITY e{n} "{"&e" + str(n - 1) + ";" if n else "x"}">' for n in range(3))
    for start in (f"<!DOCTYPE diff [{entities}]>", '<!DOCTYPE diff SYSTEM "file:///etc/passwd">'):
        body = f'{start}<diff><remove sel="Patient/birthDate"/></diff>'
        with pytest.raises(Problem) as refused:
            of_xml(body.encode())
        assert refused.value.category is Category.MALFORMED


def test_the_work_of_selectors_is_bounded():
    many = PATIENT | {"name": [{"text": str(number)} for number in range(2000)]}
    operations = ("<replace sel=\"f:Patient/f:name[f:text/@value='1']/f:text/@value\">1</replace>",) * 200
    with pytest.raises(Problem) as refused:
        of(*operations).apply(many)
    assert "too many elements" in refused.value.issues[0].text


def test_the_mark_that_hides_from_guardians_is_noticed_in_any_text():
    assert of('<add sel="f:Patient"><f:x value="INVISIBLE_REPRESENTANTS_LEGAUX"/></add>').of_confidential
    assert of('<replace sel="f:Patient/f:x/@value">invisible_representants_legaux</replace>').of_confidential
    assert not of('<remove sel="f:Patient/f:x"/>').of_confidential
