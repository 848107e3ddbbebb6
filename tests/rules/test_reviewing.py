"""The review of a break-glass: who may, how often, and how it stands at an instant (G8)."""

from dataclasses import replace

import pytest

from consent_rules.consents import reviewing
from consent_rules.consents.reviewing import Review
from consent_rules.model import Deny, RuleApplied
from consent_rules.vocabulary import Action, ReviewOutcome, SpaceStatus, View
from tests.rules.builders import (
    AUDITOR,
    HOLDER,
    HOUR,
    INSURER,
    MARTIN,
    NOW,
    PARENT,
    PAUL,
    SOFTWARE,
    SUPPORT,
    ask,
    block,
    document,
    reason,
    sees,
    space,
)

WAITING = Review("Practitioner/paul", NOW)
PERMIT = RuleApplied("G8", "permit")


def refused(why):
    return Deny(why, (RuleApplied("G8", "refuse"),))


class TestEntering:
    """Auditors enter to review, whatever the holder chose, until the space is erased; nobody else does (G8, A8)."""

    @pytest.mark.parametrize("status", [status for status in SpaceStatus if status is not SpaceStatus.ERASED])
    def test_an_auditor_enters_in_every_life_of_a_space(self, status):
        answer = ask(AUDITOR, space(block(AUDITOR.person), block(id_="all"), status=status), Action.REVIEW)
        assert sees(answer, document("break-glass"), View.REVIEWS)

    def test_the_review_shows_no_document_no_trace_and_no_notice(self):
        answer = ask(AUDITOR, space(), Action.REVIEW)
        for view in (View.DOCUMENTS, View.TRACES, View.NOTICES):
            assert not sees(answer, document(), view)
        assert not sees(answer, document("block"), View.DIRECTIVES)

    def test_no_other_action_shows_a_review(self):
        assert not sees(ask(AUDITOR, space(), Action.READ_TRACES), document("break-glass"), View.REVIEWS)
        assert not sees(ask(HOLDER, space(), Action.DIRECT), document("break-glass"), View.REVIEWS)

    def test_nothing_is_left_to_review_of_an_erased_space(self):
        assert reason(ask(AUDITOR, space(status=SpaceStatus.ERASED), Action.REVIEW)) == "erased"

    @pytest.mark.parametrize("requester", [HOLDER, PARENT, PAUL, MARTIN, SOFTWARE, SUPPORT])
    def test_nobody_else_enters(self, requester):
        assert reason(ask(requester, space(), Action.REVIEW)) == "not-entitled"

    def test_an_auditor_is_named(self):
        assert reason(ask(replace(AUDITOR, person=""), space(), Action.REVIEW)) == "unidentified"

    def test_a_forbidden_party_stays_one(self):
        assert reason(ask(INSURER, space(), Action.REVIEW)) == "forbidden-party"


class TestActing:
    """Each opening is reviewed once, never by who opened the space, and contested only before (G8)."""

    def test_another_person_may_look_and_review(self):
        assert reviewing.may_look(AUDITOR, WAITING) == PERMIT
        assert reviewing.may_review(AUDITOR, WAITING) == PERMIT

    def test_nobody_judges_the_own_access(self):
        own = replace(WAITING, person=AUDITOR.person)
        assert reviewing.may_look(AUDITOR, own) == refused("own-opening")
        assert reviewing.may_review(AUDITOR, own) == refused("own-opening")
        assert reviewing.may_review(AUDITOR, replace(own, outcome=ReviewOutcome.JUSTIFIED)) == refused("own-opening")

    @pytest.mark.parametrize("outcome", ReviewOutcome)
    def test_what_is_reviewed_is_looked_at_and_not_reviewed_again(self, outcome):
        done = replace(WAITING, outcome=outcome)
        assert reviewing.may_look(AUDITOR, done) == PERMIT
        assert reviewing.may_review(AUDITOR, done) == refused("already-reviewed")
        assert reviewing.may_contest(done) == refused("already-reviewed")

    @pytest.mark.parametrize("contested", [False, True])
    def test_what_waits_may_be_contested(self, contested):
        assert reviewing.may_contest(replace(WAITING, contested=contested)) == PERMIT


class TestState:
    """P6.5: time alone makes a review overdue; an outcome stays (G8)."""

    @pytest.mark.parametrize(("at", "state"), [(NOW - HOUR, "pending"), (NOW, "overdue"), (NOW + HOUR, "overdue")])
    def test_until_it_is_reviewed(self, at, state):
        assert reviewing.state_at(WAITING, at) == state

    @pytest.mark.parametrize("at", [NOW - HOUR, NOW + HOUR])
    @pytest.mark.parametrize("outcome", ReviewOutcome)
    def test_afterwards(self, outcome, at):
        assert reviewing.state_at(replace(WAITING, outcome=outcome), at) == outcome.value
