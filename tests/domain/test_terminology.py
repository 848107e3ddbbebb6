"""The tables of codes hold what the rules read: a code that a rule gains needs its display here."""

import pytest

from consent_rules.matrix.table import kinds, professions
from consent_rules.vocabulary import Capacity, DirectiveKind, Grade, Mark, Proof, ReviewOutcome
from fhir_server.domain.documents.security_labels import TRE_A07
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.terminology.code_systems import OWN, code_systems, is_published
from fhir_server.domain.terminology.value_sets import codes_in, value_sets

ENUMS = {
    "directive": DirectiveKind,
    "proof": Proof,
    "grade": Grade,
    "capacity": [one for one in Capacity if one],
    "review-outcome": ReviewOutcome,
    "notice": NoticeKind,
    "event-kind": EventKind,
}


@pytest.mark.parametrize("name", ENUMS)
def test_an_own_code_system_holds_every_code_of_the_rules(name):
    system = code_systems()[f"{OWN}{name}"]
    assert set(system.concepts) == {one.value for one in ENUMS[name]}
    assert system.is_own


def test_the_marks_are_those_of_the_rules():
    assert set(code_systems()[TRE_A07].concepts) == {one.name for one in Mark if one}


def test_the_classes_are_those_of_the_kinds():
    (classes,) = [system for url, system in code_systems().items() if "TRE_A03" in url]
    assert {one.category for one in kinds().values()} <= set(classes.concepts)


def test_every_code_of_the_matrix_has_both_displays():
    for row in (*kinds().values(), *professions().values()):
        if not is_published(row.system):
            continue
        concept = code_systems()[row.system].concepts[row.code]
        assert (concept.fr, concept.en) == (row.label_fr, row.label_en)
        assert concept.fr
        assert concept.en


def test_a_value_set_is_told_by_its_url_with_and_without_a_version():
    for url, value_set in value_sets().items():
        assert codes_in(url) == codes_in(f"{url}|1") == set(value_set.codes)
    assert codes_in("urn:none") is None
    assert codes_in("") is None
