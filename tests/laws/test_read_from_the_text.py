"""Where the second statement of the rules and the first one differed: what the text says, case by case."""

import pytest

from consent_rules.decision.decide import decide
from consent_rules.model import Permit
from consent_rules.vocabulary import View
from tests.laws import abstract_states as abstract
from tests.laws.abstract_spaces import DEFAULTS
from tests.laws.test_independent_oracle import MATRIX, PROFILES, decided

ROLES = ("psychologist", "social-worker")


def _case(**facts):
    answer = decided(abstract.state(DEFAULTS | {axis.replace("_", "-"): value for axis, value in facts.items()}))
    return answer and answer[0]


def _documents(**facts):
    """Return the documents that an entry shows, whatever was asked."""
    state = abstract.state(DEFAULTS | facts)
    answer = decide(*abstract.question(state), MATRIX, PROFILES[state["profile"]])
    if not isinstance(answer, Permit):
        return set()
    seen = answer.sees(View.DOCUMENTS)
    return {number for number, (_, item) in enumerate(abstract.DOCUMENTS) if seen.admits(item)}


def _kinds(seen, **marks):
    documents = [abstract.DOCUMENTS[number][0] for number in seen]
    return {facts["kind"] for facts in documents if all(facts[name] == value for name, value in marks.items())}


class TestOnlyAPhysicianIsTheDeclaredPhysician:
    """The whole record is open to a physician whom the patient declared (D4, E3), to no other profession."""

    @pytest.mark.parametrize("who", ["physiotherapist", *ROLES])
    @pytest.mark.parametrize("profile", ["fr", "ehds", "wide"])
    def test_a_declaration_of_another_profession_is_void(self, who, profile):
        assert _case(who=who, profile=profile, declared="current") is None

    def test_it_adds_nothing_to_an_agreement(self):
        facts = {"who": "physiotherapist", "named": "fresh"}
        assert _case(**facts, declared="current") == _case(**facts)

    def test_nor_does_it_show_the_traces_of_others(self):
        """H4: the traces are the declared physician's to read."""
        facts = {"who": "physiotherapist", "action": "traces"}
        assert _case(**facts, declared="current") == _case(**facts)


class TestUnblockingRestoresNothing:
    """After a block, however it ended, a new act of the patient is needed (F5)."""

    @pytest.mark.parametrize("block", ["lifted-since", "ended"])
    @pytest.mark.parametrize(
        "ground",
        [
            {"named": "fresh"},
            {"group": "establishment"},
            {"group": "team", "member": "current"},
            {"declared": "current"},
            {"administrator": "current"},
        ],
    )
    def test_what_was_given_before_stays_without_effect(self, block, ground):
        assert _case(who="physician", **ground) is not None
        assert _case(who="physician", block=block, **ground) is None

    @pytest.mark.parametrize("ground", [{"named": "fresh"}, {"declared": "current"}, {"administrator": "current"}])
    def test_what_was_given_afterwards_counts(self, ground):
        assert _case(who="physician", block="lifted-before", **ground) == _case(who="physician", **ground)

    @pytest.mark.parametrize("ground", [{"named": "fresh"}, {"group": "establishment"}, {"administrator": "current"}])
    def test_letting_emergencies_in_again_is_no_unblocking(self, ground):
        """G4: opposing an emergency mode blocks nobody, so that ending the opposition ends no agreement."""
        assert _case(who="physician", block="switched-back", **ground) == _case(who="physician", **ground)

    def test_an_emergency_needs_no_agreement(self):
        facts = {"who": "physician", "mode": "break-glass", "opening": "right"}
        assert _case(block="ended", **facts) == _case(**facts)


class TestHiddenMeansHiddenFromTheDeclaredPhysicianToo:
    """In the profile `ehds` the hidden care history is hidden from everybody (E13)."""

    def test_the_declared_physician_does_not_see_the_hidden_care_history(self):
        shown = _case(who="physician", profile="ehds", declared="current", history="hidden")
        assert "REMB" not in _kinds(shown, owner="none")
        assert "34112-3" in _kinds(shown, owner="none")

    def test_in_the_french_profile_it_stays_readable(self):
        shown = _case(who="physician", declared="current", history="hidden")
        assert "REMB" in _kinds(shown, owner="none")


class TestTheOccupationalPhysician:
    """Reads and files with the person's express consent (I4); in an emergency is a health professional as any (G1)."""

    @pytest.mark.parametrize(
        "ground", [{"administrator": "current"}, {"declared": "current"}, {"group": "establishment"}]
    )
    def test_only_an_agreement_with_this_physician_counts(self, ground):
        facts = {"who": "occupational", "profile": "wide"}
        assert _case(**facts, **ground) is None
        for named in ("fresh", "narrow"):
            assert _case(**facts, named=named, **ground) == _case(**facts, named=named)

    def test_filing_needs_it_as_well(self):
        facts = {"who": "occupational", "profile": "wide", "action": "deposit"}
        assert _case(**facts) is None
        assert _case(**facts, named="fresh") is not None

    @pytest.mark.parametrize("profile", ["fr", "ehds", "wide"])
    def test_may_break_the_glass(self, profile):
        facts = {"who": "occupational", "profile": profile, "mode": "break-glass"}
        assert _case(**facts, action="open-emergency") is not None
        assert _kinds(_case(**facts, opening="right"), owner="none", mask="no")

    @pytest.mark.parametrize("profile", ["fr", "ehds", "wide"])
    def test_regulates_no_emergency_calls(self, profile):
        facts = {"who": "occupational", "profile": profile, "mode": "regulation"}
        assert _case(**facts, action="open-emergency") is None
        assert _case(**facts, opening="right") is None


class TestOtherRolesFileWithConsent:
    """Who takes part in care without being a health professional reads and files with consent (C15)."""

    @pytest.mark.parametrize("who", ROLES)
    def test_filing_needs_an_agreement(self, who):
        facts = {"who": who, "profile": "wide", "action": "deposit"}
        assert _case(**facts) is None
        assert _case(**facts, group="establishment") is not None

    def test_a_health_professional_files_without(self):
        """C9: feeding needs no authorisation."""
        assert _case(who="physiotherapist", action="deposit") is not None


class TestOnlyThePatientStatesALongerPeriod:
    """Outside the team a consent serves one consultation (C4); a longer period is the patient's own act."""

    def test_a_period_that_a_professional_wrote_down_ends_after_a_day(self):
        assert _case(who="physician", named="professional-long") is None

    def test_the_period_that_the_patient_stated_holds(self):
        assert _case(who="physician", named="patient-long") is not None


class TestReadingTracesOpensNoDocument:
    """Whoever reads the own traces sees no document that reading documents would not show (A13, F3, H4)."""

    @pytest.mark.parametrize("space", list(abstract.SPACE_STATE))
    @pytest.mark.parametrize("block", ["none", "establishment", "everyone"])
    @pytest.mark.parametrize("who", ["holder", "physician", "software", "auditor", "support"])
    def test_in_no_space_and_under_no_block(self, who, space, block):
        facts = {"who": who, "space": space, "block": block, "named": "fresh"}
        through_traces = _documents(action="traces", **facts)
        assert through_traces <= _documents(action="consult", **facts)
