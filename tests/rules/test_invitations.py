"""What a representative's invitation opens: nothing that a minor hides from that representative (B2, B6)."""

from dataclasses import replace

import pytest

from consent_rules.model import A_GUARDIAN
from consent_rules.vocabulary import DirectiveKind, Grade, Mark
from tests.rules.builders import MARTIN, PARENT, TEEN, agreement, ask, directive, document, sees, space

PLAIN, OTHER = document(id="d1"), document(id="d2")
SECRET = document(id="d3", marks=Mark.INVISIBLE_REPRESENTANTS_LEGAUX)
HIDDEN = directive(DirectiveKind.WITHHELD, PARENT.person, documents=frozenset({"d2"}), by_patient=True)
BY_PATIENT = agreement(MARTIN.person, grade=Grade.PATIENT)
BY_PARENT = replace(BY_PATIENT, given_by=PARENT.person)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (BY_PATIENT, "d1 d2 d3"),
        (BY_PARENT, "d1"),
        (replace(BY_PARENT, given_by="RelatedPerson/other"), "d1 d2"),
        (replace(BY_PARENT, given_by=A_GUARDIAN), "d1"),
        (replace(BY_PARENT, documents=frozenset({"d1", "d2", "d3"})), "d1"),
        (replace(BY_PATIENT, documents=frozenset({"d1", "d3"})), "d1 d3"),
    ],
)
def test_an_agreement_opens_what_whoever_gave_it_sees(given, seen):
    answer = ask(MARTIN, space(HIDDEN, given, born=TEEN))
    assert [one.id for one in (PLAIN, OTHER, SECRET) if sees(answer, one)] == seen.split()


def test_a_card_of_a_minor_opens_what_the_minor_keeps_from_professionals_by_name_alone():
    of_another = replace(HIDDEN, actors=frozenset({"Practitioner/zoe"}))
    answer = ask(MARTIN, space(of_another, replace(BY_PATIENT, given_by=A_GUARDIAN), born=TEEN))
    assert sees(answer, OTHER)


def test_what_the_minor_hides_stays_open_by_another_agreement():
    answer = ask(MARTIN, space(HIDDEN, BY_PARENT, replace(BY_PATIENT, id="second"), born=TEEN))
    assert sees(answer, SECRET)
