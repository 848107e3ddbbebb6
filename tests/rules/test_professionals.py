"""Professionals: identity, consent, team, block, matrix and labels, each decision by its number in docs/rules.md."""

from dataclasses import replace

import pytest

from consent_rules.decision import conditions
from consent_rules.decision.decision_context import context_of
from consent_rules.model import AccessRequest, Membership, Team
from consent_rules.rule_profile import Span
from consent_rules.vocabulary import Action, Capacity, DirectiveKind, Grade, Mark, Obligation, Proof, Purpose, View
from tests.holds import holds
from tests.rules.builders import (
    DAY,
    DECLARED,
    EHDS,
    FR,
    HOSPITAL_REPORT,
    HOUR,
    LABORATORY,
    MARTIN,
    MATRIX,
    NOW,
    OPTICIAN,
    PAUL,
    PHYSICIAN,
    PSYCHOLOGIST,
    REIMBURSEMENT,
    RESIDENCE,
    SOCIAL_WORKER,
    agreement,
    ask,
    block,
    directive,
    document,
    entered,
    opening,
    reason,
    sees,
    space,
)

TEAM = agreement("Organization/cabinet")
NAMED = agreement("Practitioner/paul")
HIDDEN = document(marks=Mark.MASQUE_PS)


class TestWhoMayAskAtAll:
    """Named professionals of the matrix, for care, and no others (C13, C15, C16, I6, I8)."""

    @holds("I8")
    def test_an_unnamed_professional_is_unidentified(self):
        assert reason(ask(replace(PAUL, person=""), space(TEAM))) == "unidentified"

    @holds("I8")
    def test_a_group_identity_is_unidentified(self):
        assert reason(ask(replace(PAUL, person="Organization/cabinet"), space(TEAM))) == "unidentified"

    @holds("C16")
    @pytest.mark.parametrize("profession", ["", "99", DECLARED, PSYCHOLOGIST, SOCIAL_WORKER])
    def test_a_profession_outside_the_health_rows_is_not_entitled(self, profession):
        assert reason(ask(replace(PAUL, profession=profession), space(TEAM))) == "not-entitled"

    @holds("I6")
    def test_a_purpose_other_than_care_is_not_entitled(self):
        assert reason(ask(PAUL, space(TEAM), purpose=Purpose.AUDIT)) == "not-entitled"

    @holds("C15")
    def test_a_social_role_enters_where_the_profile_says_so(self):
        rules = replace(FR, non_health_roles=True)
        worker = replace(PAUL, profession=SOCIAL_WORKER)
        assert entered(ask(worker, space(TEAM), rules=rules)).basis == "care-team"

    @pytest.mark.parametrize("profession", ["", "99", DECLARED])
    def test_an_unknown_profession_or_a_function_never_enters(self, profession):
        rules = replace(FR, non_health_roles=True)
        assert reason(ask(replace(PAUL, profession=profession), space(TEAM), rules=rules)) == "not-entitled"

    def test_a_title_holder_enters_where_the_profile_says_so(self):
        rules = replace(FR, non_health_roles=True)
        assert entered(ask(replace(PAUL, profession=PSYCHOLOGIST), space(TEAM), rules=rules)).basis == "care-team"


class TestOccupationalPhysician:
    """Off by default, and by express consent only where the profile lets them (I4, L4)."""

    doctor = replace(MARTIN, capacity=Capacity.OCCUPATIONAL_PHYSICIAN)
    allowed = replace(FR, occupational_physicians=True)

    @holds("I4", "L4")
    def test_is_not_entitled_by_default(self):
        assert reason(ask(self.doctor, space(agreement("Practitioner/martin")))) == "not-entitled"

    def test_enters_by_express_consent_where_allowed(self):
        answer = entered(ask(self.doctor, space(agreement("Practitioner/martin")), rules=self.allowed))
        assert (answer.basis, answer.rules[0].statement) == ("consent", "I4")

    @pytest.mark.parametrize("kind", [DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR])
    def test_has_no_special_right_while_acting_for_an_employer(self, kind):
        named = directive(kind, "Practitioner/martin")
        assert entered(ask(MARTIN, space(named))).basis == kind.value
        assert reason(ask(self.doctor, space(named), rules=self.allowed)) == "no-consent"

    def test_is_in_no_care_team(self):
        assert reason(ask(self.doctor, space(agreement("Organization/practice")), rules=self.allowed)) == "no-consent"


def test_coordinating_physician_enters_by_the_residents_agreement():
    """C14."""
    doctor = replace(MARTIN, capacity=Capacity.COORDINATING_PHYSICIAN)
    answer = entered(ask(doctor, space(agreement("Practitioner/martin"))))
    assert (answer.basis, answer.rules[0].statement) == ("consent", "C14")


class TestConsent:
    """Prior agreement: once for the team, for each consultation of an outsider (C1, C2, C3, C4, C8, C12, D2, L2)."""

    @holds("C1", "C3", "L2")
    def test_without_one_nobody_enters(self):
        assert reason(ask(PAUL, space())) == "no-consent"

    @holds("C2")
    def test_of_the_team_lets_every_member_in_for_good(self):
        own = replace(TEAM, by_patient=True, proof=Proof.PATIENT, grade=Grade.PATIENT)
        answer = entered(ask(PAUL, space(own), at=NOW + 900 * DAY))
        assert (answer.basis, answer.rules[0].consents) == ("care-team", ("agreement-1",))

    def test_of_a_care_team_lets_its_members_of_today_in(self):
        team = Team("CareTeam/t", (Membership("Practitioner/paul", NOW - DAY, NOW + DAY, Grade.THIRD_PARTY),))
        record = space(agreement("CareTeam/t", recorded_at=NOW - 3 * DAY), teams=(team,))
        assert entered(ask(PAUL, record)).basis == "care-team"
        assert entered(ask(PAUL, record, at=NOW - DAY)).basis == "care-team"
        assert reason(ask(PAUL, record, at=NOW + DAY)) == "no-consent"
        assert reason(ask(PAUL, record, at=NOW - 2 * DAY)) == "no-consent"
        assert reason(ask(MARTIN, record)) == "no-consent"

    @holds("C4", "C8")
    def test_of_an_outsider_holds_for_one_consultation(self):
        record = space(NAMED)
        last = NOW - HOUR + DAY
        assert entered(ask(PAUL, record, at=last - HOUR / 3600)).basis == "consent"
        assert reason(ask(PAUL, record, at=last)) == "consent-used"

    def test_of_the_practice_situation_counts_as_the_persons(self):
        assert entered(ask(PAUL, space(agreement("PractitionerRole/paul-1")))).basis == "consent"

    def test_by_the_patients_own_act_may_last_longer(self):
        record = space(agreement("Practitioner/paul", end=NOW + 60 * DAY, proof=Proof.PATIENT, by_patient=True))
        assert entered(ask(PAUL, record, at=NOW + 59 * DAY)).basis == "consent"
        assert reason(ask(PAUL, record, at=NOW + 60 * DAY)) == "consent-used"

    def test_is_cut_to_the_longest_that_the_profile_allows(self):
        record = space(agreement("Practitioner/paul", end=NOW + 900 * DAY, proof=Proof.PATIENT, by_patient=True))
        assert entered(ask(PAUL, record, at=NOW - HOUR + 90 * DAY - HOUR)).basis == "consent"
        assert reason(ask(PAUL, record, at=NOW - HOUR + 90 * DAY)) == "consent-used"

    def test_is_cut_to_the_life_of_its_proof(self):
        record = space(agreement("Practitioner/paul", end=NOW + 60 * DAY, proof=Proof.CARD))
        assert reason(ask(PAUL, record, at=NOW - HOUR + DAY)) == "consent-used"

    def test_for_a_stated_time_is_the_patients_own_to_give(self):
        ten = agreement("Practitioner/paul", end=NOW + 10 * DAY, proof=Proof.WRITTEN)
        assert reason(ask(PAUL, space(ten), at=NOW + 2 * DAY)) == "consent-used"
        own = replace(ten, by_patient=True, proof=Proof.PATIENT)
        assert entered(ask(PAUL, space(own), at=NOW + 2 * DAY)).basis == "consent"
        assert reason(ask(PAUL, space(replace(own, end=None)), at=NOW + 2 * DAY)) == "consent-used"

    def test_runs_from_its_start_when_that_is_later(self):
        record = space(agreement("Practitioner/paul", start=NOW + DAY, by_patient=True))
        assert reason(ask(PAUL, record)) == "consent-used"
        assert entered(ask(PAUL, record, at=NOW + DAY)).basis == "consent"
        assert reason(ask(PAUL, record, at=NOW + 2 * DAY)) == "consent-used"

    def test_by_a_proof_that_the_profile_does_not_accept_is_none(self):
        rules = replace(FR, proofs={})
        assert reason(ask(PAUL, space(TEAM), rules=rules)) == "consent-used"

    def test_of_unknown_date_is_none(self):
        assert reason(ask(PAUL, space(agreement("Practitioner/paul", recorded_at=None)))) == "consent-used"

    def test_with_a_start_alone_runs_from_it(self):
        record = space(agreement("Practitioner/paul", recorded_at=None, start=NOW - HOUR))
        assert entered(ask(PAUL, record)).basis == "consent"

    def test_of_somebody_else_helps_nobody(self):
        assert reason(ask(MARTIN, space(NAMED, TEAM))) == "no-consent"

    def test_that_leaves_somebody_out_does_not_let_them_in(self):
        record = space(replace(TEAM, excluded=frozenset({"Practitioner/paul"})))
        assert reason(ask(PAUL, record)) == "no-consent"
        assert entered(ask(replace(PAUL, person="Practitioner/zoe"), record)).basis == "care-team"

    def test_for_another_purpose_is_none(self):
        record = space(replace(TEAM, purposes=frozenset({Purpose.PATIENT_REQUEST})))
        assert reason(ask(PAUL, record)) == "no-consent"

    def test_for_treatment_is_one(self):
        assert entered(ask(PAUL, space(replace(TEAM, purposes=frozenset({Purpose.TREATMENT}))))).basis == "care-team"

    def test_withdrawn_holds_at_once(self):
        assert reason(ask(PAUL, space(TEAM).without(TEAM.id))) == "no-consent"

    def test_limited_to_types_shows_only_these_and_ones_own(self):
        answer = ask(MARTIN, space(agreement("Practitioner/martin", kinds=frozenset({LABORATORY}))))
        assert sees(answer, document(LABORATORY))
        assert not sees(answer, document(HOSPITAL_REPORT))
        assert sees(answer, document(HOSPITAL_REPORT, owner_person="Practitioner/martin"))

    def test_of_two_agreements_both_reach(self):
        one = agreement("Practitioner/martin", id_="a", kinds=frozenset({LABORATORY}))
        two = agreement("Practitioner/martin", id_="b", categories=frozenset({"10"}))
        answer = ask(MARTIN, space(one, two))
        assert sees(answer, document(LABORATORY))
        assert sees(answer, document(HOSPITAL_REPORT, category="10"))
        assert not sees(answer, document(HOSPITAL_REPORT, category="11"))

    @holds("H1", "L3")
    def test_first_access_is_told_to_the_patient(self):
        """H1, L3: by default the first one."""
        assert entered(ask(PAUL, space(TEAM))).obligations == {Obligation.NOTIFY_FIRST_ACCESS}

    def test_every_access_is_told_where_the_profile_says_so(self):
        """L3: the application's wording is one key of the profile."""
        rules = replace(FR, notify_every_access=True)
        assert entered(ask(PAUL, space(TEAM), rules=rules)).obligations == {Obligation.NOTIFY_PATIENT}


def test_agreements_are_worked_out_once_for_one_question():
    case = context_of(AccessRequest(PAUL, Action.CONSULT, Purpose.TREATMENT, NOW), space(TEAM), MATRIX, FR)
    assert conditions.agreements(case) == [TEAM]
    assert conditions.agreements(case) is conditions.agreements(case)


class TestAskMeFirst:
    """Approval before a first access, where the patient wants it (C1, F1)."""

    first = directive(DirectiveKind.ASK_FIRST)

    def test_an_agreement_written_down_by_a_professional_awaits_the_patient(self):
        assert reason(ask(PAUL, space(NAMED, self.first))) == "approval-pending"
        assert reason(ask(PAUL, space(TEAM, self.first))) == "approval-pending"

    def test_silence_for_too_long_is_a_refusal(self):
        rules = replace(FR, approval_waits=Span.parse("1h"))
        asked = replace(TEAM, recorded_at=NOW)
        assert reason(ask(PAUL, space(asked, self.first), rules=rules, at=NOW + HOUR / 2)) == "approval-pending"
        assert reason(ask(PAUL, space(asked, self.first), rules=rules, at=NOW + HOUR)) == "no-consent"
        undated = replace(asked, recorded_at=None, start=NOW)
        assert reason(ask(PAUL, space(undated, self.first), rules=rules)) == "approval-pending"

    def test_an_agreement_of_the_patient_lets_in(self):
        assert entered(ask(PAUL, space(replace(NAMED, by_patient=True), self.first))).basis == "consent"

    def test_without_any_agreement_there_is_nothing_to_approve(self):
        assert reason(ask(PAUL, space(self.first))) == "no-consent"

    def test_the_declared_physician_is_exempt(self):
        declared = directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/martin")
        assert entered(ask(MARTIN, space(declared, self.first))).basis == "declared-physician"

    def test_an_emergency_passes_by(self):
        answer = ask(PAUL, space(self.first, opening(PAUL)), purpose=Purpose.BREAK_GLASS)
        assert entered(answer).basis == "break-glass"


class TestBlock:
    """A block beats every agreement and emergency, and lifting it restores nothing (C18, F2, F3, F5, F6, F7, F8)."""

    @holds("C18", "F3", "F8")
    @pytest.mark.parametrize(
        "actor", ["Practitioner/paul", "PractitionerRole/paul-1", "Organization/cabinet", ""], ids=str
    )
    def test_beats_every_ground_and_emergency(self, actor):
        grounds = [
            TEAM,
            NAMED,
            directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/paul"),
            directive(DirectiveKind.ADMINISTRATOR, "Practitioner/paul"),
            opening(PAUL),
        ]
        record = space(*grounds, block(*filter(None, [actor])))
        assert reason(ask(PAUL, record)) == "blocked"
        assert reason(ask(PAUL, record, purpose=Purpose.BREAK_GLASS)) == "blocked"

    def test_of_somebody_else_blocks_nobody(self):
        assert entered(ask(PAUL, space(TEAM, block("Practitioner/zoe")))).basis == "care-team"

    def test_of_all_but_one_leaves_that_one(self):
        record = space(TEAM, replace(block(), excluded=frozenset({"Practitioner/paul"})))
        assert entered(ask(PAUL, record)).basis == "care-team"

    def test_holds_in_its_period_only(self):
        record = space(TEAM, block("Practitioner/paul", start=NOW, end=NOW + DAY, recorded_at=NOW - 2 * DAY))
        assert entered(ask(PAUL, record, at=NOW - HOUR / 2)).basis == "care-team"
        assert reason(ask(PAUL, record)) == "blocked"
        assert entered(ask(PAUL, record, at=NOW + DAY)).basis == "care-team"

    def test_names_its_consents_in_the_refusal(self):
        assert ask(PAUL, space(TEAM, block("Practitioner/paul"))).rules[0].consents == ("block-1",)

    @holds("F5")
    def test_lifted_does_not_revive_what_was_agreed_before(self):
        record = space(TEAM, block("Practitioner/paul", recorded_at=NOW)).without("block-1")
        assert reason(ask(PAUL, record)) == "no-consent"
        again = record.with_directive(agreement("Organization/cabinet", id_="again", recorded_at=NOW + HOUR))
        assert entered(ask(PAUL, again, at=NOW + HOUR)).basis == "care-team"

    def test_that_ends_does_not_revive_what_was_agreed_before(self):
        record = space(TEAM, block("Practitioner/paul", recorded_at=NOW - HOUR / 2, end=NOW + HOUR))
        assert reason(ask(PAUL, record)) == "blocked"
        for later in (NOW + HOUR, NOW + DAY):
            assert reason(ask(PAUL, record, at=later)) == "no-consent"

    def test_lifted_for_one_does_not_touch_the_others(self):
        record = space(TEAM, block("Practitioner/paul", recorded_at=NOW)).without("block-1")
        assert entered(ask(replace(PAUL, person="Practitioner/zoe", role=""), record)).basis == "care-team"

    def test_lifted_does_not_revive_what_was_agreed_at_the_same_instant(self):
        record = space(TEAM, block("Practitioner/paul", recorded_at=TEAM.recorded_at)).without("block-1")
        assert reason(ask(PAUL, record)) == "no-consent"

    def test_lifted_of_unknown_date_revives_nothing(self):
        record = space(TEAM, block("Practitioner/paul", recorded_at=None)).without("block-1")
        assert reason(ask(PAUL, record)) == "no-consent"

    @holds("F4")
    def test_does_not_hinder_filing(self):
        record = space(TEAM, block("Practitioner/paul"))
        answer = ask(PAUL, record, Action.DEPOSIT)
        assert entered(answer).basis == "depositor"
        assert not sees(answer, document())

    def test_hinders_recording_a_consent(self):
        assert reason(ask(PAUL, space(block("Practitioner/paul")), Action.DIRECT)) == "blocked"


class TestSight:
    """The matrix row without what is hidden, and one's own deposits (C12, D3, E1, E2, E5, E13, E14, E17)."""

    @holds("C12")
    def test_is_the_matrix_row(self):
        answer = ask(replace(PAUL, profession=OPTICIAN), space(TEAM))
        assert not sees(answer, document(LABORATORY))
        assert sees(answer, document("DOCPAT02"))

    @holds("D3")
    def test_shows_no_unknown_type(self):
        assert not sees(ask(PAUL, space(TEAM)), document(""))

    def test_shows_nothing_hidden(self):
        assert not sees(ask(PAUL, space(TEAM)), HIDDEN)

    def test_shows_what_is_closed_to_patients_and_parents(self):
        marks = Mark.INVISIBLE_PATIENT | Mark.INVISIBLE_REPRESENTANTS_LEGAUX | Mark.MASQUE_PT | Mark.MASQUE_PSOCIAL
        assert sees(ask(PAUL, space(TEAM)), document(marks=marks))

    @holds("E2", "L1")
    def test_shows_ones_own_even_hidden_or_outside_the_row(self):
        answer = ask(PAUL, space(TEAM))
        for own in (
            document(marks=Mark.MASQUE_PS, owner_person="Practitioner/paul"),
            document("", owner_person="Practitioner/paul"),
        ):
            assert sees(answer, own)
            assert answer.sees(View.DOCUMENTS).knows_marks(own)

    def test_shows_the_establishments_own_within_the_row(self):
        answer = ask(PAUL, space(TEAM))
        own = document(marks=Mark.MASQUE_PS, owner_organization="Organization/cabinet")
        assert sees(answer, own)
        assert answer.sees(View.DOCUMENTS).knows_marks(own)
        assert not sees(answer, document("ATTEST-RESID", owner_organization="Organization/cabinet"))

    def test_without_an_establishment_no_document_without_one_is_own(self):
        alone = replace(PAUL, organization="")
        assert not sees(ask(alone, space(NAMED)), HIDDEN)

    def test_hides_the_marks_from_who_must_not_know_them(self):
        visible = document(marks=Mark.INVISIBLE_PATIENT)
        assert not ask(PAUL, space(TEAM)).sees(View.DOCUMENTS).knows_marks(visible)

    @holds("E13")
    def test_hides_the_care_history_as_a_block(self):
        hidden = directive(DirectiveKind.CARE_HISTORY_HIDDEN)
        assert sees(ask(MARTIN, space(agreement("Practitioner/martin"))), document(REIMBURSEMENT))
        assert not sees(ask(MARTIN, space(agreement("Practitioner/martin"), hidden)), document(REIMBURSEMENT))
        assert not sees(ask(PAUL, space(TEAM, hidden)), document(LABORATORY)), "and opens nothing outside the row"
        assert sees(ask(MARTIN, space(agreement("Practitioner/martin"), hidden)), document())

    def test_of_a_social_role_ends_where_the_patient_says(self):
        rules = replace(FR, non_health_roles=True)
        worker = replace(PAUL, profession=SOCIAL_WORKER)
        answer = ask(worker, space(TEAM), rules=rules)
        clause = answer.views[View.DOCUMENTS][0]
        assert clause.closed_by == Mark.MASQUE_PS | Mark.MASQUE_PSOCIAL

    def test_is_of_one_space(self):
        assert not sees(ask(PAUL, space(TEAM)), replace(document(), compartment="leo"))

    def test_of_consents_is_what_lets_oneself_in(self):
        answer = ask(PAUL, space(TEAM))
        for kind in DirectiveKind:
            own = document(kind.value, owner_person="Practitioner/paul")
            shown = kind.value in {"agreement", "declared-physician", "administrator", "emergency-opening"}
            assert sees(answer, own, View.DIRECTIVES) is shown
            assert not sees(answer, replace(own, owner_person="Practitioner/zoe"), View.DIRECTIVES)

    def test_of_identity_is_whole(self):
        assert sees(ask(PAUL, space(TEAM)), document(""), View.IDENTITY)

    def test_has_no_traces_unless_they_are_asked_for(self):
        assert not sees(ask(PAUL, space(TEAM)), document("access", owner_person="Practitioner/paul"), View.TRACES)


class TestDeclaredPhysician:
    """The whole record, what is hidden too as far as the profile says (D4, E3, L1)."""

    record = space(directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/martin"))

    @holds("D4")
    def test_sees_the_whole_record(self):
        answer = ask(MARTIN, self.record)
        for facts in (document(), HIDDEN, document(RESIDENCE), document("")):
            assert sees(answer, facts)
            assert answer.sees(View.DOCUMENTS).knows_marks(facts)

    def test_does_not_see_hidden_ones_under_the_european_profile(self):
        answer = ask(MARTIN, self.record, rules=EHDS)
        assert sees(answer, document(RESIDENCE))
        assert not sees(answer, HIDDEN)
        assert sees(answer, document(marks=Mark.MASQUE_PS, owner_person="Practitioner/martin"))
        assert not answer.sees(View.DOCUMENTS).knows_marks(document())

    def test_reads_a_care_history_hidden_as_a_block_only_where_hidden_ones_are_read(self):
        """E13."""
        record = self.record.with_directive(directive(DirectiveKind.CARE_HISTORY_HIDDEN))
        facts = document(REIMBURSEMENT)
        assert sees(ask(MARTIN, record), facts)
        answer = ask(MARTIN, record, rules=EHDS)
        assert not sees(answer, facts)
        assert sees(answer, document(RESIDENCE))
        assert sees(answer, document(""))

    def test_is_one_person_and_not_the_establishment(self):
        record = space(directive(DirectiveKind.DECLARED_PHYSICIAN, "Organization/practice"))
        assert reason(ask(MARTIN, record)) == "no-consent"

    def test_ends_with_the_declaration(self):
        record = space(directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/martin", end=NOW))
        assert reason(ask(MARTIN, record)) == "no-consent"

    def test_comes_before_every_other_ground(self):
        record = self.record.with_directive(agreement("Practitioner/martin"))
        assert entered(ask(MARTIN, record)).basis == "declared-physician"


class TestAdministrator:
    """The declared physician's rights within the row of the profession (E4)."""

    record = space(directive(DirectiveKind.ADMINISTRATOR, "Practitioner/paul"))

    @holds("E4")
    def test_sees_hidden_documents_within_the_row(self):
        answer = ask(PAUL, self.record)
        assert entered(answer).basis == "administrator"
        assert sees(answer, HIDDEN)
        assert answer.sees(View.DOCUMENTS).knows_marks(HIDDEN)
        assert not sees(answer, document(RESIDENCE))
        assert sees(answer, document(RESIDENCE, owner_person="Practitioner/paul"))

    def test_does_not_see_hidden_ones_under_the_european_profile(self):
        assert not sees(ask(PAUL, self.record, rules=EHDS), HIDDEN)


class TestFiling:
    """Filing needs no agreement, not even of who is blocked (C9, F4, I5)."""

    @holds("C9")
    def test_needs_no_consent_and_shows_ones_own(self):
        answer = ask(PAUL, space(), Action.DEPOSIT)
        assert entered(answer).basis == "depositor"
        assert sees(answer, document(owner_person="Practitioner/paul"))
        assert not sees(answer, document())
        assert answer.obligations == frozenset()

    def test_shows_also_what_may_be_consulted(self):
        answer = ask(PAUL, space(TEAM), Action.DEPOSIT)
        assert sees(answer, document())
        assert answer.obligations == frozenset()

    def test_relabelling_is_judged_alike(self):
        assert ask(PAUL, space(), Action.CHANGE_MARKS) == ask(PAUL, space(), Action.DEPOSIT)


class TestFilingWithConsent:
    """Who is no health professional, and the occupational physician, file for care and with consent (C15, I4)."""

    rules = replace(FR, occupational_physicians=True, non_health_roles=True)
    who = pytest.mark.parametrize(
        "requester",
        [replace(PAUL, capacity=Capacity.OCCUPATIONAL_PHYSICIAN), replace(PAUL, profession=PSYCHOLOGIST)],
        ids=["occupational physician", "psychologist"],
    )

    @holds("C15")
    @who
    def test_without_consent_nothing_is_filed(self, requester):
        assert reason(ask(requester, space(), Action.DEPOSIT, rules=self.rules)) == "no-consent"

    @holds("C15")
    @who
    def test_with_consent_it_is(self, requester):
        answer = ask(requester, space(NAMED), Action.DEPOSIT, rules=self.rules)
        assert entered(answer).basis == "consent"

    @who
    def test_consent_opens_no_filing_in_an_emergency(self, requester):
        answer = ask(requester, space(NAMED), Action.DEPOSIT, Purpose.BREAK_GLASS, rules=self.rules)
        assert reason(answer) in {"emergency-not-open", "not-entitled"}

    @who
    def test_ones_own_may_be_labelled_after_the_consent_has_ended(self, requester):
        answer = ask(requester, space(), Action.CHANGE_MARKS, rules=self.rules)
        assert entered(answer).basis == "depositor"
        assert sees(answer, document(owner_person="Practitioner/paul"))


class TestOtherActions:
    """Identity, recording a consent, and traces (C6, H4, I8)."""

    def test_identity_is_shown_without_consent(self):
        answer = ask(PAUL, space(), Action.IDENTIFY)
        assert entered(answer).basis == "identification"
        assert sees(answer, document(""), View.IDENTITY)
        assert not sees(answer, document(owner_person="Practitioner/paul"))

    @holds("C6")
    def test_a_consent_may_be_recorded_without_one(self):
        assert entered(ask(PAUL, space(), Action.DIRECT)).basis == "consent-collection"

    @holds("H4")
    def test_ones_own_traces_are_never_refused(self):
        for record in (space(), space(block("Practitioner/paul"))):
            answer = ask(PAUL, record, Action.READ_TRACES)
            assert entered(answer).basis == "own-traces"
            assert sees(answer, document("access", owner_person="Practitioner/paul"), View.TRACES)
            assert not sees(answer, document("access", owner_person="Practitioner/zoe"), View.TRACES)
            assert not sees(answer, document("choice", owner_person="Practitioner/paul"), View.TRACES)
            assert not sees(answer, document(owner_person="Practitioner/paul"))

    def test_a_member_of_the_team_reads_own_traces_and_documents(self):
        answer = ask(PAUL, space(TEAM), Action.READ_TRACES)
        assert not sees(answer, document("access", owner_person="Practitioner/zoe"), View.TRACES)
        assert sees(answer, document())

    @holds("H4")
    @pytest.mark.parametrize("kind", [DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR])
    def test_declared_physician_and_administrator_read_all_accesses(self, kind):
        answer = ask(MARTIN, space(directive(kind, "Practitioner/martin")), Action.READ_TRACES)
        assert sees(answer, document("access", owner_person="Practitioner/zoe"), View.TRACES)
        assert not sees(answer, document("choice"), View.TRACES)

    def test_of_all_accesses_nothing_is_read_in_a_space_that_is_shut(self):
        declared = directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/martin")
        for record in (space(declared, status="closed"), space(declared, block("Practitioner/martin"))):
            answer = ask(MARTIN, record, Action.READ_TRACES)
            assert entered(answer).basis == "own-traces"
            assert not sees(answer, document("access", owner_person="Practitioner/zoe"), View.TRACES)

    def test_a_specialty_without_its_own_row_has_that_of_the_profession(self):
        assert sees(ask(replace(PAUL, profession=PHYSICIAN, specialty="SM54"), space(TEAM)), document())
