"""Grades of evidence: what supports a professional's word, whom it reaches, and how long it holds (V1–V5)."""

from dataclasses import replace

import pytest

from consent_rules.model import Membership, Permit, Team
from consent_rules.rule_profile import Span
from consent_rules.vocabulary import Capacity, DirectiveKind, Grade, Proof
from tests.holds import holds
from tests.rules.builders import DAY, FR, HOUR, MARTIN, NOW, PAUL, agreement, ask, directive, entered, reason, space

K = DirectiveKind
TEAM = agreement("Organization/cabinet", id_="team")
NAMED = agreement("Practitioner/paul", id_="named")
OWN_TEAM = agreement("Organization/cabinet", id_="own", by_patient=True, proof=Proof.PATIENT)
OWN_NAMED = agreement("Practitioner/paul", id_="mine", by_patient=True, proof=Proof.PATIENT)
SECOND = HOUR / 3600
VOUCHED = replace(PAUL, vouched=True)


def care(actor="Organization/cabinet", **more):
    known = {"proof": Proof.ADMISSION, "grade": Grade.THIRD_PARTY, "recorder": "Device/admissions"} | more
    return directive(K.CARE, actor, **known)


def grade(*given, who=PAUL, **more):
    return entered(ask(who, space(*given), **more)).grade


class TestFactsOfCare:
    """What a third party recorded of the care supports a declared word; alone it opens nothing (V1)."""

    @holds("V1")
    def test_raise_a_declared_agreement_to_that_of_a_third_party(self):
        assert grade(NAMED) == "declared"
        assert grade(NAMED, care()) == "third_party"

    def test_alone_open_nothing(self):
        assert reason(ask(PAUL, space(care()))) == "no-consent"

    def test_leave_the_patients_own_act_what_it_is(self):
        assert grade(OWN_NAMED, care()) == "patient"

    @pytest.mark.parametrize(
        "fact",
        [
            pytest.param(care("Practitioner/zoe"), id="of somebody else"),
            pytest.param(care(excluded=frozenset({"Practitioner/paul"})), id="but for this person"),
            pytest.param(care(recorder="Practitioner/paul"), id="recorded by who reads"),
            pytest.param(care(recorder="Device/ehr"), id="recorded by the software that reads"),
            pytest.param(care(grade=Grade.DECLARED), id="declared"),
            pytest.param(care(end=NOW), id="over"),
            pytest.param(care(start=NOW + SECOND), id="of later"),
            pytest.param(care(recorded_at=NOW - 90 * DAY), id="open-ended and too old"),
            pytest.param(care(recorded_at=None, start=NOW - 90 * DAY), id="open-ended and begun too long ago"),
            pytest.param(care(recorded_at=None), id="of unknown date"),
            pytest.param(care(recorded_at=None, end=NOW + DAY), id="of unknown date with an end to come"),
        ],
    )
    def test_of_no_use_support_nothing(self, fact):
        assert grade(NAMED, fact) == "declared"

    @pytest.mark.parametrize(
        "fact",
        [
            pytest.param(care("Practitioner/paul"), id="of this person"),
            pytest.param(care("PractitionerRole/paul-1"), id="of this situation"),
            pytest.param(care(recorder=""), id="of the registry"),
            pytest.param(care(grade=Grade.PATIENT), id="of the patient"),
            pytest.param(care(recorded_at=NOW - 90 * DAY + SECOND), id="open-ended and recent"),
            pytest.param(care(recorded_at=NOW - 900 * DAY, end=NOW + SECOND), id="old with an end to come"),
            pytest.param(care(recorded_at=None, start=NOW - HOUR), id="with a start alone"),
        ],
    )
    def test_of_use_support(self, fact):
        assert grade(NAMED, fact) == "third_party"

    def test_of_a_proof_that_the_profile_does_not_accept_support_nothing(self):
        rules = replace(FR, proofs={Proof.ORAL: Span.parse("24h")})
        assert grade(NAMED, care(), rules=rules) == "declared"
        assert grade(NAMED, care(end=NOW + DAY), rules=rules) == "declared"

    def test_are_looked_at_once_for_a_requester_without_software(self):
        assert grade(NAMED, care(recorder=""), who=replace(PAUL, client="")) == "third_party"


class TestTheBestOfAllEvidence:
    """An access has the grade of the best evidence that the requester has (V1)."""

    def test_counts_an_agreement_beside_the_ground(self):
        answer = entered(ask(PAUL, space(TEAM, OWN_NAMED)))
        assert (answer.basis, answer.grade, answer.rules[0].consents) == ("care-team", "patient", ("team",))

    def test_of_a_registry_is_that_of_a_third_party(self):
        assert grade(directive(K.DECLARED_PHYSICIAN, MARTIN.person), who=MARTIN) == "third_party"
        assert grade(directive(K.DECLARED_PHYSICIAN, MARTIN.person, by_patient=True), who=MARTIN) == "patient"

    def test_of_a_third_party_beats_a_word(self):
        assert grade(TEAM, replace(NAMED, grade=Grade.THIRD_PARTY)) == "third_party"
        assert grade(replace(TEAM, grade=Grade.THIRD_PARTY), NAMED) == "third_party"


class TestSoftwareWithoutALogin:
    """Software that names a person who has not logged in is believed about its establishment only (V5)."""

    @holds("V5")
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ([NAMED], "declared"),
            ([TEAM], "declared"),
            ([OWN_NAMED], "declared"),
            ([OWN_TEAM], "third_party"),
            ([replace(OWN_NAMED, actors=frozenset({"PractitionerRole/paul-1"}))], "third_party"),
            ([OWN_NAMED, care()], "third_party"),
            ([replace(NAMED, grade=Grade.THIRD_PARTY)], "third_party"),
        ],
    )
    def test_enters_on_the_declared_grade_without_other_evidence(self, given, expected):
        assert grade(*given, who=VOUCHED) == expected

    def test_sees_what_the_person_would_see(self):
        assert entered(ask(VOUCHED, space(OWN_NAMED))).views == entered(ask(PAUL, space(OWN_NAMED))).views

    def test_is_named_among_the_rules(self):
        statements = [rule.statement for rule in entered(ask(VOUCHED, space(TEAM))).rules]
        assert statements == ["C2", "D3", "E1", "V5"]
        assert "V5" not in [rule.statement for rule in entered(ask(PAUL, space(TEAM))).rules]

    def test_the_support_is_named_among_the_rules(self):
        answer = entered(ask(PAUL, space(TEAM, care())))
        assert [rule.statement for rule in answer.rules] == ["C2", "D3", "E1", "V1"]


class TestDeclaredForATeam:
    """A declared agreement for a team lasts 90 days, and reaches members whom somebody else placed there (V4)."""

    @holds("V4")
    def test_ends_after_ninety_days_whatever_it_states(self):
        record = space(replace(TEAM, end=NOW + 900 * DAY))
        last = NOW - HOUR + 90 * DAY
        assert entered(ask(PAUL, record, at=last - SECOND)).basis == "care-team"
        assert reason(ask(PAUL, record, at=last)) == "consent-used"

    @holds("V4")
    @pytest.mark.parametrize("placed", Grade)
    def test_reaches_members_whom_somebody_else_placed_in_the_team(self, placed):
        team = Team("CareTeam/t", (Membership(PAUL.person, grade=placed),))
        record = space(agreement("CareTeam/t"), teams=(team,))
        assert isinstance(ask(PAUL, record), Permit) is (placed is not Grade.DECLARED)

    @pytest.mark.parametrize("given", [{"by_patient": True}, {"grade": Grade.THIRD_PARTY, "proof": Proof.WRITTEN}])
    def test_of_better_evidence_reaches_every_member(self, given):
        team = Team("CareTeam/t", (Membership(PAUL.person),))
        assert entered(ask(PAUL, space(agreement("CareTeam/t", **given), teams=(team,)))).basis == "care-team"

    def test_with_a_card_holds_as_long_as_the_card_counts(self):
        shown = replace(TEAM, grade=Grade.PATIENT, proof=Proof.CARD)
        assert grade(shown, at=NOW - HOUR + DAY - SECOND) == "patient"
        assert reason(ask(PAUL, space(shown), at=NOW - HOUR + DAY)) == "consent-used"

    def test_that_also_names_an_outsider_is_for_one_consultation_of_the_outsider(self):
        both = replace(TEAM, actors=frozenset({"Organization/cabinet", MARTIN.person}))
        assert entered(ask(MARTIN, space(both))).basis == "consent"
        assert reason(ask(MARTIN, space(both), at=NOW + DAY)) == "consent-used"
        assert entered(ask(PAUL, space(both), at=NOW + DAY)).basis == "care-team"

    def test_never_lets_an_occupational_physician_in(self):
        rules = replace(FR, occupational_physicians=True)
        doctor = replace(PAUL, profession="10", capacity=Capacity.OCCUPATIONAL_PHYSICIAN)
        both = replace(TEAM, actors=frozenset({"Organization/cabinet", PAUL.person}))
        assert reason(ask(doctor, space(both), rules=rules)) == "no-consent"


class TestDeclaredByName:
    """A declared agreement that names somebody is for one consultation from its recording (V3)."""

    @holds("V3")
    def test_that_was_post_dated_lets_nobody_in_later(self):
        later = replace(NAMED, start=NOW + 2 * DAY)
        assert reason(ask(PAUL, space(later), at=NOW + 2 * DAY)) == "consent-used"

    def test_lets_a_named_colleague_in_on_the_declared_grade(self):
        for_colleague = replace(NAMED, actors=frozenset({MARTIN.person}), recorder=PAUL.person)
        assert grade(for_colleague, who=MARTIN) == "declared"
        assert reason(ask(PAUL, space(for_colleague))) == "no-consent"


def test_a_code_that_the_patient_shows_is_enough_where_the_patient_is_asked_first():
    shown = replace(NAMED, grade=Grade.PATIENT, proof=Proof.CODE)
    first = directive(K.ASK_FIRST)
    assert grade(shown, first) == "patient"
    assert reason(ask(PAUL, space(NAMED, first))) == "approval-pending"
