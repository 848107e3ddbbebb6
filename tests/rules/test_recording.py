"""Who may record which choice, and what it is stamped with (C5, C6, C7, F1)."""

from dataclasses import replace

import pytest

from consent_rules.consents.recording import grade_of_writing, may_follow, record, tidied
from consent_rules.decision.decision_context import context_of
from consent_rules.model import AccessRequest, Deny, Membership, Team
from consent_rules.vocabulary import Action, DirectiveKind, Grade, Proof, Purpose
from tests.holds import holds
from tests.rules.builders import (
    DAY,
    FR,
    HOLDER,
    HOUR,
    MATRIX,
    NOW,
    PARENT,
    PAUL,
    SOFTWARE,
    agreement,
    block,
    directive,
    document,
    space,
)

K = DirectiveKind
BY_HOLDER = {
    K.AGREEMENT,
    K.BLOCK,
    K.WITHHELD,
    K.DECLARED_PHYSICIAN,
    K.ADMINISTRATOR,
    K.CARER,
    K.HIDDEN_IN_EMERGENCY,
    K.HIDDEN_BY_DEFAULT,
    K.CARE_HISTORY_HIDDEN,
    K.ASK_FIRST,
    K.AT_ONCE,
    K.TOLD_OF_FILING,
}
ALLOWED = {
    "patient": BY_HOLDER,
    "parent": BY_HOLDER | {K.REPRESENTATIVE},
    "professional": {K.AGREEMENT},
    "software": set(),
}
WHO = {"patient": HOLDER, "parent": PARENT, "professional": PAUL, "software": SOFTWARE}


def say(requester, said, *given, rules=FR, verified=Grade.DECLARED, writing=False, **more):
    request = AccessRequest(requester, Action.DIRECT, Purpose.TREATMENT, NOW)
    case = context_of(request, space(*given, **more), MATRIX, rules)
    return record(case, said, verified, writing=writing)


@holds("C7")
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("kind", K)
def test_each_kind_is_recorded_only_by_whom_the_table_names(who, kind):
    answer = say(WHO[who], directive(kind, "Practitioner/paul"))
    assert isinstance(answer, Deny) is (kind not in ALLOWED[who])
    if isinstance(answer, Deny):
        assert answer.reason == "not-yours-to-say"


def test_a_written_consent_counts_as_spoken_unless_somebody_says_that_the_writing_is_there():
    case = context_of(AccessRequest(PAUL, Action.DIRECT, Purpose.TREATMENT, NOW), space(), MATRIX, FR)
    assert record(case, agreement("Practitioner/paul", proof=Proof.WRITTEN)).proof is Proof.ORAL


def test_only_a_consent_for_a_team_gets_an_end():
    assert say(PAUL, agreement("Practitioner/paul")).end is None
    assert say(PAUL, agreement("Organization/cabinet")).end is not None


def test_the_patients_own_word_is_stamped_so():
    said = say(HOLDER, agreement("Practitioner/paul", proof=Proof.ORAL, recorder="Practitioner/forged"))
    assert (said.by_patient, said.recorder, said.proof) == (True, "", Proof.PATIENT)


@holds("C6")
def test_a_professional_is_stamped_as_the_one_who_wrote_it_down():
    said = say(PAUL, agreement("Practitioner/paul", by_patient=True, proof=Proof.CARD))
    assert (said.by_patient, said.recorder, said.proof) == (False, "Practitioner/paul", Proof.CARD)


@holds("V1")
def test_the_grade_comes_from_who_records_and_from_what_the_server_checked():
    for stated in Grade:
        said = agreement("Practitioner/paul", grade=stated)
        assert say(HOLDER, said, verified=Grade.DECLARED).grade is Grade.PATIENT
        assert say(PAUL, said).grade is Grade.DECLARED
        assert say(PAUL, said, verified=Grade.THIRD_PARTY).grade is Grade.THIRD_PARTY


@holds("V2")
def test_without_its_writing_a_written_consent_is_a_spoken_one():
    written = agreement("Practitioner/paul", proof=Proof.WRITTEN)
    assert say(PAUL, written).proof is Proof.ORAL
    assert say(PAUL, written, writing=True).proof is Proof.WRITTEN
    assert say(PAUL, replace(written, proof=Proof.CARD)).proof is Proof.CARD
    assert say(PAUL, written, rules=replace(FR, proofs={Proof.WRITTEN: FR.break_glass})).reason == "not-yours-to-say"


CERTIFICATE = document("59284-0", owner_organization="Organization/chu")


@holds("V2")
@pytest.mark.parametrize(
    ("writing", "grade"),
    [
        (CERTIFICATE, "third_party"),
        (replace(CERTIFICATE, owner_person="Practitioner/zoe"), "third_party"),
        (replace(CERTIFICATE, owner_person="Practitioner/paul"), "declared"),
        (replace(CERTIFICATE, owner_organization="Organization/cabinet"), "declared"),
        (replace(CERTIFICATE, owner_client="Device/ehr"), "declared"),
        (replace(CERTIFICATE, owner_organization=""), "declared"),
        (replace(CERTIFICATE, kind="34112-3"), "declared"),
    ],
)
def test_a_writing_is_better_than_a_word_only_as_a_certificate_that_somebody_else_filed(writing, grade):
    context = context_of(AccessRequest(PAUL, Action.DIRECT, Purpose.TREATMENT, NOW), space(), MATRIX, FR)
    assert grade_of_writing(context, writing) == grade


@holds("AC52")
def test_the_time_is_the_servers_or_an_earlier_one():
    assert say(PAUL, agreement("Practitioner/paul", recorded_at=NOW + DAY)).recorded_at == NOW
    assert say(PAUL, agreement("Practitioner/paul", recorded_at=NOW - DAY)).recorded_at == NOW - DAY
    assert say(PAUL, agreement("Practitioner/paul", recorded_at=None)).recorded_at == NOW
    for stated, kept in ((NOW + DAY, NOW), (NOW - DAY, NOW - DAY), (None, NOW)):
        assert say(HOLDER, agreement("Practitioner/paul", recorded_at=stated)).recorded_at == kept


@holds("C5")
@pytest.mark.parametrize("actor", ["Practitioner/zoe", "PractitionerRole/zoe", "Organization/cabinet"])
def test_a_professional_records_for_colleagues_and_the_own_establishment(actor):
    assert say(PAUL, agreement(actor)).actors == {actor}


@holds("C5")
def test_a_professional_does_not_record_for_another_establishment():
    assert say(PAUL, agreement("Organization/chu")).reason == "not-yours-to-say"


def test_a_professional_records_for_the_own_care_team():
    team = Team("CareTeam/t", (Membership("Practitioner/paul"),))
    assert say(PAUL, agreement("CareTeam/t"), teams=(team,)).actors == {"CareTeam/t"}
    assert say(PAUL, agreement("CareTeam/t")).reason == "not-yours-to-say"


def test_a_professional_cannot_speak_as_the_patient_or_with_an_unknown_proof():
    assert say(PAUL, agreement("Practitioner/paul", proof=Proof.PATIENT)).reason == "not-yours-to-say"
    rules = replace(FR, proofs={})
    assert say(PAUL, agreement("Practitioner/paul"), rules=rules).reason == "not-yours-to-say"


class TestCarers:
    """Three carers at most (B13)."""

    def carer(self, number, **more):
        return directive(K.CARER, f"RelatedPerson/{number}", id_=str(number), **({"end": NOW + DAY} | more))

    @holds("B13")
    def test_are_three_at_most(self):
        others = [self.carer(number) for number in range(3)]
        assert say(HOLDER, self.carer(9), *others).reason == "too-many-carers"
        assert say(HOLDER, self.carer(9), *others[:2]).kind is K.CARER

    def test_of_the_past_do_not_count_and_a_changed_one_counts_once(self):
        others = [self.carer(0), self.carer(1), self.carer(2, end=NOW)]
        assert say(HOLDER, self.carer(9), *others).kind is K.CARER
        assert say(HOLDER, self.carer(1), *others[:2], self.carer(3)).kind is K.CARER

    def test_without_an_end_count(self):
        others = [self.carer(number, end=None) for number in range(3)]
        assert say(HOLDER, self.carer(9), *others).reason == "too-many-carers"

    def test_follow_five_persons_at_most(self):
        assert may_follow(4, FR)
        assert not may_follow(5, FR)


class TestTidying:
    """What has ended for good is left out of the state, and nothing else (C4, G1)."""

    old = NOW - 90 * DAY

    def tidy(self, *directives):
        return tidied(space(*directives), NOW, FR).directives

    def test_ended_openings_and_long_past_agreements_go(self):
        assert self.tidy(directive(K.EMERGENCY_OPENING, "Practitioner/paul", end=NOW)) == ()
        assert self.tidy(agreement("Practitioner/paul", recorded_at=self.old)) == ()
        assert self.tidy(agreement("Practitioner/paul", recorded_at=None, start=self.old)) == ()
        assert self.tidy(agreement("Organization/cabinet", recorded_at=self.old)) == ()
        assert self.tidy(agreement("Organization/cabinet", recorded_at=None, start=self.old)) == ()
        assert self.tidy(directive(K.CARE, "Organization/cabinet", end=NOW)) == ()

    def test_what_may_still_speak_stays(self):
        kept = (
            directive(K.EMERGENCY_OPENING, "Practitioner/paul", id_="a", end=NOW + HOUR),
            directive(K.EMERGENCY_OPENING, "Practitioner/martin", id_="b"),
            agreement("Practitioner/paul", id_="c", recorded_at=self.old + HOUR),
            agreement("Practitioner/paul", id_="d", recorded_at=self.old, start=NOW),
            agreement("Practitioner/paul", id_="e", recorded_at=None),
            agreement("Organization/cabinet", id_="f", recorded_at=self.old, by_patient=True),
            agreement("Organization/cabinet", id_="g", recorded_at=self.old + HOUR),
            agreement("Organization/cabinet", id_="h", recorded_at=self.old, grade=Grade.THIRD_PARTY),
            agreement("Organization/cabinet", id_="i", recorded_at=None),
            directive(K.CARE, "Organization/cabinet", id_="j"),
            directive(K.CARE, "Organization/cabinet", id_="k", end=NOW + HOUR),
            block("Practitioner/paul", id_="l", recorded_at=self.old, end=self.old),
        )
        assert self.tidy(*kept) == kept

    def test_of_openings_by_one_person_in_one_mode_the_one_that_lasts_stays(self):
        short = directive(K.EMERGENCY_OPENING, "Practitioner/paul", id_="a", end=NOW + HOUR)
        long = directive(K.EMERGENCY_OPENING, "Practitioner/paul", id_="b", end=NOW + 2 * HOUR)
        assert self.tidy(short, long) == (long,)
        assert self.tidy(long, short) == (long, short)

    def test_a_tidy_state_is_itself(self):
        record = space(block("Practitioner/paul"))
        assert tidied(record, NOW, FR) is record


class TestThirdSwitch:
    """The third switch needs one of the two others (G5)."""

    wider = directive(K.HIDDEN_IN_EMERGENCY)

    def switch(self, *purposes):
        return block(id_="-".join(purposes), purposes=frozenset(purposes))

    @holds("G5")
    def test_needs_one_mode_to_be_on(self):
        btg, etreat = Purpose.BREAK_GLASS, Purpose.EMERGENCY
        assert say(HOLDER, self.wider, self.switch(btg)).kind is K.HIDDEN_IN_EMERGENCY
        assert say(HOLDER, self.wider, self.switch(btg), self.switch(etreat)).reason == "emergency-off"
        assert say(HOLDER, self.wider, self.switch(btg, etreat)).reason == "emergency-off"

    def test_is_not_offered_where_the_profile_has_none(self):
        rules = replace(FR, hidden_in_emergency_offered=False)
        assert say(HOLDER, self.wider, rules=rules).reason == "emergency-off"

    def test_is_not_hindered_by_the_block_of_one(self):
        assert say(HOLDER, self.wider, block("Practitioner/paul")).kind is K.HIDDEN_IN_EMERGENCY


class TestPeriod:
    """One professional's agreement does not hold longer than the profile says (C4)."""

    def test_longer_than_the_profile_allows_is_refused(self):
        assert say(HOLDER, agreement("Practitioner/paul", end=NOW + 91 * DAY)).reason == "period-too-long"
        assert say(HOLDER, agreement("Practitioner/paul", end=NOW + 90 * DAY)).end == NOW + 90 * DAY

    @holds("C4")
    def test_written_down_by_a_professional_it_is_for_one_consultation(self):
        assert say(PAUL, agreement("Practitioner/paul", end=NOW + DAY)).end == NOW + DAY
        assert say(PAUL, agreement("Practitioner/paul", end=NOW + DAY + HOUR)).reason == "period-too-long"

    def test_counts_from_a_later_start(self):
        later = {"start": NOW + 30 * DAY, "end": NOW + 120 * DAY}
        assert say(HOLDER, agreement("Practitioner/paul", **later)).end == NOW + 120 * DAY
        assert say(HOLDER, agreement("Practitioner/paul", **(later | {"start": NOW - DAY}))).reason

    def test_of_a_team_that_a_professional_declares_is_shortened(self):
        for end in (None, NOW + 900 * DAY, NOW + 90 * DAY):
            assert say(PAUL, agreement("Organization/cabinet", recorded_at=NOW, end=end)).end == NOW + 90 * DAY
        assert say(PAUL, agreement("Organization/cabinet", end=None)).end == NOW - HOUR + 90 * DAY
        assert say(PAUL, agreement("Organization/cabinet", end=NOW + DAY)).end == NOW + DAY

    def test_of_a_team_with_a_card_is_as_long_as_the_card_counts(self):
        shown = agreement("Organization/cabinet", recorded_at=NOW, proof=Proof.CARD)
        assert say(PAUL, shown, verified=Grade.PATIENT).end == NOW + DAY

    @holds("V3")
    def test_never_begins_later_than_its_recording(self):
        ahead = FR.clock_skew.exact
        later = agreement("Practitioner/paul", start=NOW + ahead)
        assert say(PAUL, later).start == NOW
        assert say(PAUL, replace(later, start=NOW + ahead + HOUR / 3600)).reason == "post-dated"
        assert say(PAUL, replace(later, start=NOW - HOUR)).start == NOW - HOUR

    def test_of_a_team_and_of_other_choices_is_free(self):
        assert say(HOLDER, agreement("Organization/chu", end=NOW + 900 * DAY)).end == NOW + 900 * DAY
        assert say(HOLDER, block("Practitioner/paul", end=NOW + 900 * DAY)).end == NOW + 900 * DAY
