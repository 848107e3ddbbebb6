"""Parsing a search (https://hl7.org/fhir/R4/search.html): what is understood, what is refused, what is ignored."""

import pytest

from fhir_server.domain.problem import Category, Problem
from fhir_server.http.fhir.search_query import MAX_COUNT, parse
from fhir_server.registry import REGISTRY

BASE = "http://localhost:8080/fhir"
DOCUMENTS = REGISTRY["DocumentReference"]
PATIENT = "3f0c2b8e-5f0e-4a52-9b53-1d2f0c9a4e11"


def parsed(*pairs, strict=False, row=DOCUMENTS):
    return parse(row, pairs, BASE, strict=strict)


@pytest.mark.parametrize("value", [PATIENT, f"Patient/{PATIENT}", f"{BASE}/Patient/{PATIENT}"])
@pytest.mark.parametrize("name", ["patient", "patient:Patient", "subject"])
def test_a_patient_is_named_by_id_in_every_form(name, value):
    assert parsed((name, value)).patient == PATIENT


@pytest.mark.parametrize("name", ["patient.identifier", "patient:identifier", "subject.identifier"])
def test_a_patient_is_named_by_identifier(name):
    assert parsed((name, "urn:oid:1.2|A1")).identifier == ("urn:oid:1.2", "A1")


REFUSED = [
    ([("patient", "a,b")], Category.MALFORMED),
    ([("patient", "https://elsewhere.example/fhir/Patient/a")], Category.MALFORMED),
    ([("patient", "a"), ("patient", "b")], Category.MALFORMED),
    ([("patient", "a"), ("patient.identifier", "s|v")], Category.MALFORMED),
    ([("patient.identifier", "v")], Category.MALFORMED),
    ([("patient.identifier", "s|v,s|w")], Category.MALFORMED),
    ([("patient:exact", "a")], Category.UNSUPPORTED),
    ([("patient.nickname", "a")], Category.UNSUPPORTED),
    ([("_count", "many")], Category.MALFORMED),
    ([("_count", "-1")], Category.MALFORMED),
    ([("_total", "perhaps")], Category.MALFORMED),
    ([("_summary", "all")], Category.MALFORMED),
    ([("_sort", "author")], Category.UNSUPPORTED),
    ([("_lastUpdated", "yesterday")], Category.MALFORMED),
    ([("date", "2026-13-01")], Category.MALFORMED),
    ([("status:above", "current")], Category.UNSUPPORTED),
    ([("_has:AuditEvent:entity:agent", "a")], Category.UNSUPPORTED),
    ([("_filter", "a eq b")], Category.UNSUPPORTED),
    ([("_summary", "text"), ("_revinclude", "Provenance:target")], Category.UNSUPPORTED),
]


@pytest.mark.parametrize(("pairs", "category"), REFUSED)
def test_what_cannot_be_read_or_must_not_be_ignored_is_refused(pairs, category):
    with pytest.raises(Problem) as caught:
        parsed(*pairs)
    assert caught.value.category is category


def test_an_unknown_parameter_is_ignored_and_reported_unless_handling_is_strict():
    assert parsed(("colour", "blue")).ignored == ["colour"]
    with pytest.raises(Problem) as caught:
        parsed(("colour", "blue"), strict=True)
    assert caught.value.category is Category.UNSUPPORTED


def test_ids_of_repeated_parameters_are_met():
    assert parsed(("_id", "a,b"), ("_id", "b,c")).ids == frozenset({"b"})


def test_a_count_of_zero_asks_for_the_total_alone():
    assert parsed(("_count", "0")).only_count
    assert parsed(("_summary", "count")).only_count
    assert parsed(("_count", "100000")).count == MAX_COUNT


def test_the_order_of_parameters_does_not_change_what_a_cursor_is_bound_to():
    one = parsed(("status", "current"), ("patient", PATIENT))
    other = parsed(("patient", PATIENT), ("status", "current"), ("_page", "x"))
    assert one.canonical == other.canonical


def test_format_and_empty_values_are_no_parameters():
    assert parsed(("_format", "json"), ("status", "")).used == []
