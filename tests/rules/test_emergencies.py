"""Break-glass and regulation: two modes, two switches, a third for what is hidden (rules G1 to G9)."""

from dataclasses import replace

import pytest

from consent_rules.decision import emergency
from consent_rules.model import AccessRequest
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Obligation, Purpose, View
from tests.holds import holds
from tests.rules.builders import (
    DAY,
    FR,
    HOUR,
    LABORATORY,
    MARTIN,
    NOW,
    OPTICIAN,
    PAUL,
    PSYCHOLOGIST,
    REIMBURSEMENT,
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

BTG, ETREAT = Purpose.BREAK_GLASS, Purpose.EMERGENCY
HIDDEN = document(marks=Mark.MASQUE_PS)
WIDENED = directive(DirectiveKind.HIDDEN_IN_EMERGENCY)


def switch(*purposes):
    return block(purposes=frozenset(purposes))


class TestOpening:
    """One recorded act with a reason, in one of two modes (G1, G2, G4, G8, G9)."""

    @pytest.mark.parametrize(("mode", "basis"), [(BTG, "break-glass"), (ETREAT, "emergency-regulation")])
    def test_is_let_through_with_its_obligations_and_shows_no_document(self, mode, basis):
        answer = entered(ask(MARTIN, space(), Action.OPEN_EMERGENCY, mode))
        assert answer.basis == basis
        assert answer.obligations == emergency.OBLIGATIONS[mode]
        assert not sees(answer, document())

    def test_makes_a_directive_that_ends_by_itself(self):
        request = AccessRequest(MARTIN, Action.OPEN_EMERGENCY, BTG, NOW)
        made = emergency.opening(request, "e1", " unconscious ", FR)
        assert (made.id, made.reason, made.recorder) == ("e1", "unconscious", "Practitioner/martin")
        assert (made.start, made.end, made.recorded_at) == (NOW, NOW + DAY, NOW)
        assert (made.actors, made.purposes) == ({"Practitioner/martin"}, {BTG})
        assert entered(ask(MARTIN, space(made), purpose=BTG, at=NOW)).basis == "break-glass"
        assert reason(ask(MARTIN, space(made), purpose=BTG, at=NOW + DAY)) == "emergency-not-open"

    def test_of_regulation_ends_after_an_hour(self):
        request = AccessRequest(MARTIN, Action.OPEN_EMERGENCY, ETREAT, NOW)
        made = emergency.opening(request, "e1", "call 4711", FR)
        assert made.end == NOW + HOUR
        assert entered(ask(MARTIN, space(made), purpose=ETREAT, at=NOW + HOUR / 2)).basis == "emergency-regulation"
        assert reason(ask(MARTIN, space(made), purpose=ETREAT, at=NOW + HOUR)) == "emergency-not-open"

    @holds("G8")
    @pytest.mark.parametrize(("purpose", "why"), [(BTG, "  "), (Purpose.TREATMENT, "unconscious")])
    def test_needs_a_reason_and_a_mode(self, purpose, why):
        with pytest.raises(ValueError, match=r"^an emergency is opened in one of its modes and with a reason$"):
            emergency.opening(AccessRequest(MARTIN, Action.OPEN_EMERGENCY, purpose, NOW), "e1", why, FR)

    def test_is_refused_to_who_asks_for_no_mode(self):
        assert reason(ask(MARTIN, space(), Action.OPEN_EMERGENCY)) == "not-entitled"

    @holds("G2")
    def test_of_regulation_is_for_physicians(self):
        assert reason(ask(PAUL, space(), Action.OPEN_EMERGENCY, ETREAT)) == "not-entitled"

    @holds("G1", "G9")
    @pytest.mark.parametrize("profession", [PSYCHOLOGIST, SOCIAL_WORKER])
    def test_of_break_glass_is_for_health_professionals(self, profession):
        rules = replace(FR, non_health_roles=True)
        requester = replace(PAUL, profession=profession)
        assert reason(ask(requester, space(), Action.OPEN_EMERGENCY, BTG, rules=rules)) == "not-entitled"
        record = space(opening(requester))
        assert reason(ask(requester, record, purpose=BTG, rules=rules)) == "not-entitled"

    def test_is_refused_to_who_is_blocked(self):
        record = space(block("Practitioner/paul"))
        assert reason(ask(PAUL, record, Action.OPEN_EMERGENCY, BTG)) == "blocked"

    @holds("G1", "G4")
    @pytest.mark.parametrize("mode", [BTG, ETREAT])
    def test_is_refused_when_its_switch_is_off(self, mode):
        assert reason(ask(MARTIN, space(switch(mode)), Action.OPEN_EMERGENCY, mode)) == "emergency-off"
        other = ETREAT if mode is BTG else BTG
        assert entered(ask(MARTIN, space(switch(other)), Action.OPEN_EMERGENCY, mode)).compartment == "camille"


def test_a_break_glass_is_reviewed_within_three_days():
    """G7."""
    assert emergency.review_due(NOW, FR) == NOW + 3 * DAY


class TestReading:
    """Reading in a mode is judged at each request (G1, G2, G3, G4, G6, G7)."""

    def test_finds_the_opening_in_the_record(self):
        answer = ask(PAUL, space(opening(PAUL)), purpose=BTG)
        assert entered(answer).basis == "break-glass"
        assert Obligation.REVIEW in answer.obligations
        assert answer.rules[0].consents == ("emergency-opening-1",)

    def test_by_regulation_needs_no_review(self):
        answer = entered(ask(MARTIN, space(opening(MARTIN, ETREAT)), purpose=ETREAT))
        assert answer.basis == "emergency-regulation"
        assert Obligation.REVIEW not in answer.obligations
        assert Obligation.NOTIFY_DECLARED_PHYSICIAN in answer.obligations

    def test_by_regulation_is_for_physicians(self):
        assert reason(ask(PAUL, space(opening(PAUL, ETREAT)), purpose=ETREAT)) == "not-entitled"

    @pytest.mark.parametrize(("mode", "length"), [(BTG, DAY), (ETREAT, HOUR)])
    def test_ends_with_the_time_of_its_mode_when_the_opening_states_no_end(self, mode, length):
        record = space(opening(MARTIN, mode, recorded_at=NOW - length))
        assert reason(ask(MARTIN, record, purpose=mode)) == "emergency-not-open"
        assert entered(ask(MARTIN, record, purpose=mode, at=NOW - HOUR / 60))

    @pytest.mark.parametrize(
        "broken",
        [
            {"reason": ""},
            {"purposes": frozenset({ETREAT})},
            {"recorded_at": None},
            {"recorded_at": NOW - DAY},
            {"end": NOW},
            {"actors": frozenset({"Practitioner/zoe"})},
            {"actors": frozenset({"Organization/cabinet"})},
        ],
        ids=str,
    )
    def test_is_refused_without_a_valid_opening(self, broken):
        record = space(replace(opening(PAUL), **broken))
        assert reason(ask(PAUL, record, purpose=BTG)) == "emergency-not-open"

    def test_an_opening_without_date_counts_from_its_start(self):
        record = space(replace(opening(PAUL), recorded_at=None, start=NOW - HOUR))
        assert entered(ask(PAUL, record, purpose=BTG)).basis == "break-glass"

    def test_an_opening_is_no_consent_for_ordinary_care(self):
        assert reason(ask(PAUL, space(opening(PAUL)))) == "no-consent"

    def test_a_consent_does_not_open_an_emergency_mode(self):
        assert reason(ask(PAUL, space(agreement("Practitioner/paul")), purpose=BTG)) == "emergency-not-open"

    def test_a_switch_set_meanwhile_holds_at_once(self):
        record = space(opening(PAUL), switch(BTG))
        assert reason(ask(PAUL, record, purpose=BTG)) == "emergency-off"

    def test_a_switch_does_not_touch_other_grounds(self):
        record = space(agreement("Organization/cabinet"), switch(BTG, ETREAT))
        assert entered(ask(PAUL, record)).basis == "care-team"

    def test_a_block_and_a_switch_together_are_a_block(self):
        assert (
            reason(ask(PAUL, space(switch(BTG), replace(block("Practitioner/paul"), id="b")), purpose=BTG)) == "blocked"
        )

    def test_a_switch_of_one_person_is_a_block(self):
        mine = block("Practitioner/paul", purposes=frozenset({BTG}))
        assert reason(ask(PAUL, space(opening(PAUL), mine), purpose=BTG)) == "blocked"


class TestSight:
    """The row of the profession; hidden documents by the third switch alone (G5, G9)."""

    def test_stays_inside_the_row_of_the_profession(self):
        answer = ask(replace(PAUL, profession=OPTICIAN), space(opening(PAUL)), purpose=BTG)
        assert not sees(answer, document(LABORATORY))
        assert sees(answer, document("DOCPAT02"))

    @holds("G5", "AC28")
    def test_leaves_hidden_documents_closed_but_ones_own(self):
        answer = ask(PAUL, space(opening(PAUL)), purpose=BTG)
        assert not sees(answer, HIDDEN)
        assert sees(answer, replace(HIDDEN, owner_person="Practitioner/paul"))

    @holds("G5")
    def test_is_widened_by_the_third_switch_without_telling_marks(self):
        answer = ask(PAUL, space(opening(PAUL), WIDENED), purpose=BTG)
        assert sees(answer, HIDDEN)
        assert not answer.sees(View.DOCUMENTS).knows_marks(HIDDEN)
        assert sees(answer, document("", owner_person="Practitioner/paul"))

    def test_widened_or_not_shows_no_kind_outside_the_row(self):
        facts = document(LABORATORY)
        assert not sees(ask(PAUL, space(opening(PAUL)), purpose=BTG), facts)
        assert not sees(ask(PAUL, space(opening(PAUL), WIDENED), purpose=BTG), facts)

    def test_is_not_widened_where_the_profile_has_no_third_switch(self):
        rules = replace(FR, hidden_in_emergency_offered=False)
        assert not sees(ask(PAUL, space(opening(PAUL), WIDENED), purpose=BTG, rules=rules), HIDDEN)

    def test_the_third_switch_widens_nothing_else(self):
        assert not sees(ask(PAUL, space(agreement("Organization/cabinet"), WIDENED)), HIDDEN)

    def test_keeps_the_care_history_closed_unless_widened(self):
        closed = directive(DirectiveKind.CARE_HISTORY_HIDDEN)
        facts = document(REIMBURSEMENT)
        assert not sees(ask(MARTIN, space(opening(MARTIN), closed), purpose=BTG), facts)
        assert sees(ask(MARTIN, space(opening(MARTIN), closed, WIDENED), purpose=BTG), facts)
