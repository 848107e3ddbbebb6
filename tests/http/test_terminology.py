"""$expand, $lookup and $validate-code, by GET and POST, on the type and on an instance.

Source: https://hl7.org/fhir/R4/terminology-service.html.
"""

import pytest

from consent_rules.matrix.table import kinds, professions
from fhir_server.domain.terminology.code_systems import LOINC, is_published
from fhir_server.r4.checking import check
from tests.world import World

KINDS = "urn:habilis:value-set:document-kinds"
G15 = next(one.system for one in professions().values() if one.code == "10")


@pytest.fixture
def web(shared_world: World):
    return shared_world.web


def asked(web, path, **given):
    """Return the answer by GET, which is the answer by POST too."""
    answer = web.get(f"/fhir/{path}", query_string=given)
    if answer.status_code == 200:
        types = {"count": "valueInteger", "offset": "valueInteger", "url": "valueUri", "system": "valueUri"}
        types |= {"code": "valueCode", "displayLanguage": "valueCode"}
        numbers = {"count", "offset"}
        parts = [
            {"name": name, types.get(name, "valueString"): int(value) if name in numbers else value}
            for name, value in given.items()
        ]
        body = {"resourceType": "Parameters"} | ({"parameter": parts} if parts else {})
        posted = web.post(f"/fhir/{path}", json=body, content_type="application/fhir+json")
        assert posted.get_json() == answer.get_json()
        assert check(answer.get_json()) == []
    return answer


def codes(answer):
    return [one["code"] for one in answer.get_json()["expansion"].get("contains", [])]


def said(answer):
    return {
        one["name"]: next(iter(value for name, value in one.items() if name != "name"))
        for one in answer.get_json()["parameter"]
    }


def test_an_expansion_holds_the_kinds_of_the_matrix(web):
    answer = asked(web, "ValueSet/$expand", url=KINDS)
    contains = answer.get_json()["expansion"]["contains"]
    assert {(one["system"], one["code"]) for one in contains} == {
        (one.system, one.code) for one in kinds().values() if is_published(one.system)
    }
    assert asked(web, "ValueSet/document-kinds/$expand").get_json() == answer.get_json()


def test_an_expansion_has_pages(web):
    whole = codes(asked(web, "ValueSet/$expand", url=KINDS))
    page = asked(web, "ValueSet/$expand", url=KINDS, offset="10", count="5")
    assert codes(page) == whole[10:15]
    assert page.get_json()["expansion"]["total"] == len(whole)
    assert codes(asked(web, "ValueSet/$expand", url=KINDS, count="0")) == []
    assert codes(asked(web, "ValueSet/$expand", url=KINDS, offset="999999")) == []


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [("biologiques", "fr", ["11502-2"]), ("EXAMENS BIO", "fr", ["11502-2"]), ("11502", "fr", ["11502-2"])],
)
def test_a_filter_finds_the_beginning_of_a_word_or_code(web, text, language, found):
    answer = asked(web, "ValueSet/$expand", url=KINDS, filter=text, displayLanguage=language)
    assert set(found) <= set(codes(answer))
    assert len(codes(answer)) < 10


def test_displays_are_in_the_language_that_is_asked_for(web):
    shown = {
        language: asked(web, "ValueSet/professions/$expand", displayLanguage=language).get_json()["expansion"][
            "contains"
        ]
        for language in ("fr", "en", "en-GB")
    }
    labels = {one.code: (one.label_fr, one.label_en) for one in professions().values()}
    assert {one["code"]: one["display"] for one in shown["fr"]} == {code: fr for code, (fr, _) in labels.items()}
    assert {one["code"]: one["display"] for one in shown["en"]} == {code: en for code, (_, en) in labels.items()}
    assert shown["en-GB"] == shown["en"]


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("ValueSet/$expand", {}, 400),
        ("ValueSet/$expand", {"url": "urn:none"}, 404),
        ("ValueSet/none/$expand", {}, 404),
        ("ValueSet/$expand", {"url": KINDS, "count": "-1"}, 400),
        ("ValueSet/$expand", {"url": KINDS, "count": "9" * 40}, 400),
        ("ValueSet/$expand", {"url": KINDS, "date": "2020"}, 400),
        ("CodeSystem/$lookup", {"system": LOINC}, 400),
        ("CodeSystem/$lookup", {"code": "11502-2"}, 400),
        ("CodeSystem/$lookup", {"system": LOINC, "code": "1-1"}, 404),
        ("CodeSystem/$lookup", {"system": "urn:none", "code": "1"}, 404),
        ("CodeSystem/$validate-code", {"code": "1"}, 400),
        ("CodeSystem/$validate-code", {"url": LOINC}, 400),
        ("ValueSet/$validate-code", {"url": KINDS}, 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(web, path, given, status):
    answer = asked(web, path, **given)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_a_lookup_says_both_displays(web):
    answer = asked(web, "CodeSystem/$lookup", system=G15, code="10", displayLanguage="en")
    assert said(answer)["display"] == "Physician"
    named = [part for one in answer.get_json()["parameter"] if one["name"] == "designation" for part in one["part"]]
    assert {"name": "value", "valueString": "Médecin"} in named
    assert (
        asked(web, "CodeSystem/TRE-G15-ProfessionSante/$lookup", code="10", displayLanguage="en").get_json()
        == answer.get_json()
    )


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"url": LOINC, "code": "11502-2"}, True),
        ({"url": LOINC, "code": "1-1"}, False),
        ({"system": LOINC, "code": "11502-2"}, True),
        ({"url": G15, "code": "10", "display": "medecin"}, True),
        ({"url": G15, "code": "10", "display": "Physician"}, True),
        ({"url": G15, "code": "10", "display": "Nurse"}, False),
        ({"url": G15, "system": LOINC, "code": "10"}, False),
    ],
)
def test_a_code_is_checked_against_its_system(web, given, result):
    answer = said(asked(web, "CodeSystem/$validate-code", **given))
    assert answer["result"] is result
    assert result or answer["message"]


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"code": "11502-2", "system": LOINC}, True),
        ({"code": "11502-2"}, True),
        ({"code": "11502-2", "system": G15}, False),
        ({"code": "10", "system": G15}, False),
    ],
)
def test_a_code_is_checked_against_a_value_set(web, given, result):
    assert said(asked(web, "ValueSet/$validate-code", url=KINDS, **given))["result"] is result
    assert said(asked(web, "ValueSet/document-kinds/$validate-code", **given))["result"] is result


def test_of_several_codings_one_is_enough(web):
    concept = {"coding": [{"system": LOINC, "code": "1-1"}, {"system": LOINC, "code": "11502-2"}]}
    parts = [{"name": "url", "valueUri": KINDS}, {"name": "codeableConcept", "valueCodeableConcept": concept}]
    for wanted, answer in ((True, parts), (False, [parts[0], {"name": "coding", "valueCoding": concept["coding"][0]}])):
        body = {"resourceType": "Parameters", "parameter": answer}
        posted = web.post("/fhir/ValueSet/$validate-code", json=body, content_type="application/fhir+json")
        assert said(posted)["result"] is wanted


def test_two_ways_to_say_the_code_are_refused(web):
    parts = [
        {"name": "url", "valueUri": KINDS},
        {"name": "code", "valueCode": "1"},
        {"name": "coding", "valueCoding": {}},
    ]
    body = {"resourceType": "Parameters", "parameter": parts}
    assert web.post("/fhir/ValueSet/$validate-code", json=body, content_type="application/fhir+json").status_code == 400


def test_a_stranger_sends_no_more_than_the_parameters_can_be(web):
    """A token is not asked for, so that a large body is refused before it is parsed."""
    many = [{"system": LOINC, "code": f"{number}-1"} for number in range(20_000)]
    parts = [{"name": "url", "valueUri": KINDS}, {"name": "codeableConcept", "valueCodeableConcept": {"coding": many}}]
    body = {"resourceType": "Parameters", "parameter": parts}
    assert web.post("/fhir/ValueSet/$validate-code", json=body, content_type="application/fhir+json").status_code == 413


@pytest.mark.parametrize("path", ["CodeSystem/$validate-code", "ValueSet/$validate-code"])
def test_a_concept_cannot_be_sent_in_a_url(web, path):
    """R4 lets simple types alone into a URL; generated requests met a 500 here."""
    answer = asked(web, path, url=KINDS, codeableConcept="x")
    assert answer.status_code == 400
    assert "`codeableConcept` takes a CodeableConcept" in answer.get_data(as_text=True)
