"""Explanations: in both languages, full for the patient, safe for everybody else."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import consent_rules
from consent_rules.matrix.table import parse
from consent_rules.model import AccessRequest, RuleApplied
from consent_rules.tools.explanation import LANGUAGES, Explainer, statements, text_of
from consent_rules.vocabulary import Action, DirectiveKind, Grade, Mark, Purpose
from tests.rules.builders import (
    DAY,
    HOLDER,
    INSURER,
    LABORATORY,
    MARTIN,
    MATRIX,
    NOW,
    PAUL,
    agreement,
    ask,
    block,
    directive,
    document,
    space,
)

TEAM = agreement("Organization/cabinet", id_="team")
SAFE, FULL = Explainer(MATRIX, "en"), Explainer(MATRIX, "en", safe=False)
REQUEST = AccessRequest(PAUL, Action.CONSULT, Purpose.TREATMENT, NOW)
HIDDEN = document(marks=Mark.MASQUE_PS)


def test_every_statement_that_the_rules_name_has_a_text_in_both_languages():
    source = "".join(path.read_text("utf-8") for path in Path(consent_rules.__file__).parent.rglob("*.py"))
    named = set(re.findall(r'"([A-L]\d{0,2})"', source)) - {"D1"}
    assert named <= statements().keys()
    for texts in statements().values():
        assert set(texts) == set(LANGUAGES)
        assert all(text.endswith(".") for text in texts.values())


def test_an_unknown_statement_is_its_number():
    assert text_of("Z9", "en") == "Z9"


def test_an_entry_names_ground_rules_and_to_the_patient_the_consents():
    answer = ask(PAUL, space(TEAM))
    assert FULL.answer(answer)[:2] == (
        "Access given: care-team.",
        "An agreement given to the care team holds for all its members. (rule C2, by team)",
    )
    assert SAFE.answer(answer)[1] == "An agreement given to the care team holds for all its members. (rule C2)"
    assert [line.rpartition("(")[2] for line in SAFE.answer(answer)[2:4]] == ["rule D3)", "rule E1)"]


@pytest.mark.parametrize("explainer", [FULL, SAFE])
@pytest.mark.parametrize(
    ("grade", "text"),
    [
        (Grade.PATIENT, "Evidence: an act of the patient."),
        (Grade.THIRD_PARTY, "Evidence: recorded by a third party, not by who reads."),
        (Grade.DECLARED, "Evidence: the word of who reads, with no other support."),
    ],
)
def test_an_entry_says_its_evidence_in_plain_words(explainer, grade, text):
    assert explainer.answer(ask(PAUL, space(replace(TEAM, grade=grade))))[-1] == text


def test_an_entry_without_care_says_no_evidence():
    assert [line for line in FULL.answer(ask(HOLDER, space())) if "Evidence" in line] == []


def test_the_evidence_is_said_in_french_too():
    answer = ask(PAUL, space(TEAM))
    assert replace(FULL, language="fr").answer(answer)[-1] == "Preuve : la parole de qui lit, sans autre appui."


def test_consents_are_listed_with_commas():
    answer = ask(PAUL, space(TEAM, agreement("Organization/cabinet", id_="again")))
    assert FULL.answer(answer)[1].endswith("(rule C2, by team, again)")


def test_french_is_the_default():
    assert Explainer(MATRIX).answer(ask(HOLDER, space()))[0] == "Accès accordé : patient."


REFUSED_BY_THE_PATIENT = {
    "blocked": space(TEAM, block("Practitioner/paul")),
    "no-consent": space(),
    "consent-used": space(agreement("Practitioner/paul", recorded_at=NOW - 2 * DAY)),
    "approval-pending": space(TEAM, directive(DirectiveKind.ASK_FIRST)),
    "closed": space(TEAM, status="closed"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_the_patient_decided_reads_alike_to_a_professional(language):
    explainer = Explainer(MATRIX, language)
    told = {explainer.answer(ask(PAUL, record)) for record in REFUSED_BY_THE_PATIENT.values()}
    assert len(told) == 1


def test_the_patient_reads_which_it_was():
    answer = ask(PAUL, REFUSED_BY_THE_PATIENT["blocked"])
    assert FULL.answer(answer) == (
        "Access refused: blocked.",
        "A blocked professional does not read even if somebody has agreed. (rule F3, by block-1)",
    )


def test_what_the_caller_is_may_be_told():
    assert SAFE.answer(ask(INSURER, space())) == (
        "Access refused: forbidden-party.",
        "Insurers and mutuals and banks and employers are refused. (rule I2)",
    )


def test_how_the_server_stands_may_be_told():
    """K2."""
    assert SAFE.answer(ask(PAUL, space(TEAM), in_lockdown=True)) == (
        "Access refused: emergencies-only.",
        "Only emergencies are served: the operator has stopped everything else. (rule K2)",
    )


class TestDocuments:
    @property
    def answer(self):
        return ask(PAUL, space(TEAM))

    def test_a_visible_one_names_its_cell(self):
        assert SAFE.document(REQUEST, self.answer, document()) == (
            "This document is visible.",
            "The matrix of 2023-10-26 opens type 34112-3 to profession 70 (SEED).",
        )

    def test_a_hidden_one_reads_like_one_that_does_not_exist(self):
        unknown = SAFE.document(REQUEST, self.answer, None)
        assert unknown == ("No document of that name is visible.",)
        assert SAFE.document(REQUEST, self.answer, HIDDEN) == unknown
        assert SAFE.document(REQUEST, self.answer, document(LABORATORY)) == unknown
        assert FULL.document(REQUEST, self.answer, None) == unknown

    def test_the_patient_reads_why_it_is_not_seen(self):
        told = FULL.document(REQUEST, self.answer, HIDDEN)
        assert told == (
            "This document is not visible.",
            "The matrix of 2023-10-26 opens type 34112-3 to profession 70 (SEED).",
            "This document has the mark MASQUE_PS.",
        )

    def test_the_patient_reads_which_choices_keep_it(self):
        told = FULL.document(REQUEST, self.answer, HIDDEN, ("c1", "c2"))
        assert told[-1] == "The patient does not share this document with the requester (by c1, c2)."

    def test_an_inferred_cell_names_its_rule(self):
        assert FULL.document(REQUEST, self.answer, document(LABORATORY))[1] == (
            "The matrix of 2023-10-26 does not open type 11502-2 to profession 70 (inferred, R-LEAST)."
        )

    def test_a_sealed_one_says_when_it_opens(self):
        request = replace(REQUEST, requester=HOLDER)
        sealed = document(marks=Mark.INVISIBLE_PATIENT, sealed_until=NOW + DAY)
        answer = ask(HOLDER, space())
        assert FULL.document(request, answer, sealed) == (
            "This document is not visible.",
            "This document has the mark INVISIBLE_PATIENT.",
            "This document opens to the patient on 2026-03-03.",
        )
        assert Explainer(MATRIX, safe=False).document(request, answer, sealed)[-1] == (
            "Ce document s’ouvre au patient le 03/03/2026."
        )

    def test_one_without_a_date_says_none(self):
        sealed = document(marks=Mark.INVISIBLE_PATIENT)
        told = FULL.document(replace(REQUEST, requester=HOLDER), self.answer, replace(sealed, kind="x"))
        assert told[-1] == "This document has the mark INVISIBLE_PATIENT."

    def test_outside_the_matrix_no_cell_is_named(self):
        record = space(directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/martin"))
        request = replace(REQUEST, requester=MARTIN)
        assert SAFE.document(request, ask(MARTIN, record), HIDDEN) == ("This document is visible.",)

    def test_without_an_entry_the_refusal_is_explained(self):
        refused = ask(PAUL, space())
        assert SAFE.document(REQUEST, refused, HIDDEN) == SAFE.answer(refused)


def test_a_kind_is_explained_without_any_patient():
    assert SAFE.kind("70", "34112-3") == "The matrix of 2023-10-26 opens type 34112-3 to profession 70 (SEED)."
    small = Explainer(
        parse("profession,kind,access,confidence,basis,rule,source,reasoning,deposit", "2030-01-01"), "en"
    )
    assert small.kind("70", "34112-3") == "The matrix of 2030-01-01 says nothing of type 34112-3 for profession 70."


def test_a_rule_without_consents_names_none():
    assert (
        FULL._rule(RuleApplied("C1", "refuse"))
        == "No professional reads without the patient’s prior agreement. (rule C1)"
    )
