"""What a minor with an account keeps from a legal representative, where the rule profile lets it (B2, B11)."""

from dataclasses import replace

import pytest

from consent_rules.consents.recording import record, tidied
from consent_rules.decision.decision_context import context_of
from consent_rules.model import AccessRequest, Deny, Membership, Team
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Proof, Purpose, View
from tests.rules.builders import (
    ADULT,
    CHILD,
    DAY,
    EHDS,
    FR,
    HOLDER,
    LABORATORY,
    MARTIN,
    MATRIX,
    NOW,
    PARENT,
    PAUL,
    TEEN,
    agreement,
    ask,
    directive,
    document,
    entered,
    sees,
    space,
)

K = DirectiveKind
MARC = PARENT.person
MINORS = replace(FR, minor_limits_representatives=True)
REPRESENTS = directive(K.REPRESENTATIVE, MARC)
GUARDS = directive(K.GUARDIAN, MARC)
CARES = directive(K.CARER, MARC, end=NOW + DAY)
ALL = directive(K.WITHHELD, MARC, by_patient=True, proof=Proof.PATIENT)
SOME = replace(ALL, kinds=frozenset({LABORATORY}))
SHARE = directive(K.AGREEMENT, MARC, by_patient=True, proof=Proof.PATIENT, categories=frozenset({"42"}))
SECRET = Mark.INVISIBLE_REPRESENTANTS_LEGAUX
REPORT, RESULT, ORDER = (
    document(id="d1", category="10"),
    document(LABORATORY, id="d2"),
    document(id="d3", category="42"),
)
KEPT = [ALL, SOME, replace(ALL, documents=frozenset({"d1"}))]


def shown(*directives, rules=MINORS, born=TEEN, requester=PARENT, action=Action.CONSULT, **more):
    answer = ask(requester, space(REPRESENTS, *directives, born=born), action, Purpose.FAMILY_REQUEST, rules=rules)
    return [facts.id for facts in (REPORT, RESULT, ORDER) if sees(answer, replace(facts, **more))]


class TestWhatARepresentativeSees:
    """The algebra of docs/consents.md, between the minor's own choices about one representative (B2)."""

    @pytest.mark.parametrize(
        ("chosen", "seen"),
        [
            ([], ["d1", "d2", "d3"]),
            ([ALL], []),
            ([SOME], ["d1", "d3"]),
            ([ALL, SHARE], ["d3"]),
            ([ALL, replace(SHARE, documents=frozenset({"d2"}), categories=None)], ["d2"]),
            ([ALL, SHARE, replace(SHARE, kinds=frozenset({LABORATORY}), categories=None)], ["d2", "d3"]),
            ([SOME, replace(SHARE, kinds=frozenset({LABORATORY}), categories=None)], ["d1", "d3"]),
            ([SOME, replace(SHARE, documents=frozenset({"d2"}), categories=None)], ["d1", "d2", "d3"]),
            ([replace(ALL, documents=frozenset({"d3"})), SHARE], ["d1", "d2"]),
            ([replace(ALL, documents=frozenset({"d3"})), ALL, SHARE], []),
            ([SHARE], ["d1", "d2", "d3"]),
            ([ALL, replace(SHARE, categories=None)], []),
            ([ALL, replace(SHARE, by_patient=False)], []),
            ([ALL, replace(SHARE, end=NOW)], []),
            ([ALL, replace(SHARE, end=NOW + 400 * DAY, recorded_at=NOW - 400 * DAY)], ["d3"]),
            ([ALL, replace(SHARE, purposes=frozenset({Purpose.TREATMENT}))], []),
            ([ALL, replace(SHARE, purposes=frozenset({Purpose.FAMILY_REQUEST}))], ["d3"]),
            ([replace(ALL, end=NOW)], ["d1", "d2", "d3"]),
            ([replace(ALL, actors=frozenset({"RelatedPerson/other"}))], ["d1", "d2", "d3"]),
            ([ALL, replace(SHARE, actors=frozenset({"RelatedPerson/other"}))], []),
            ([ALL, replace(SHARE, excluded=frozenset({MARC}))], []),
        ],
    )
    def test_the_closer_choice_wins_and_among_equals_the_refusal(self, chosen, seen):
        assert shown(*chosen) == seen
        assert shown(*reversed(chosen)) == seen

    def test_what_shows_nothing_is_not_asked_of_a_store(self):
        for chosen, ways in (([ALL], 1), ([ALL, SHARE], 2), ([SOME, SHARE], 3)):
            answer = entered(ask(PARENT, space(REPRESENTS, *chosen, born=TEEN), rules=MINORS))
            assert len(answer.views[View.DOCUMENTS]) == ways

    @pytest.mark.parametrize("chosen", [[ALL], [ALL, SHARE], KEPT])
    def test_only_where_the_profile_lets_it(self, chosen):
        """What is there already has no effect either."""
        assert shown(*chosen, rules=EHDS) == shown(*chosen)
        assert shown(*chosen, rules=FR) == ["d1", "d2", "d3"]

    def test_only_of_a_minor_who_is_old_enough_for_an_account(self):
        """B11: the age is the profile's."""
        assert shown(ALL, born=CHILD) == ["d1", "d2", "d3"]
        day = NOW.date()
        assert shown(ALL, born=day.replace(year=day.year - 15)) == []
        assert shown(ALL, born=day.replace(year=day.year - 15) + DAY) == ["d1", "d2", "d3"]

    def test_never_of_a_protected_adult(self):
        answer = ask(PARENT, space(GUARDS, ALL, born=ADULT), rules=MINORS)
        assert entered(answer).basis == "legal-representative"
        assert sees(answer, REPORT)

    def test_a_guardian_of_a_minor_like_a_parent(self):
        assert not sees(ask(PARENT, space(GUARDS, ALL, born=TEEN), rules=MINORS), REPORT)

    def test_what_the_representative_filed_is_not_lost(self):
        assert shown(ALL, owner_person=MARC) == ["d1", "d2", "d3"]
        assert shown(ALL, owner_person=MARC, marks=SECRET) == []
        assert shown(ALL, owner_person="RelatedPerson/other") == []

    def test_neither_secrets_nor_sealed_results_are_shared(self):
        assert shown(ALL, SHARE, marks=SECRET) == []
        sealed = {"marks": Mark.INVISIBLE_PATIENT, "sealed_until": NOW + DAY}
        assert shown(ALL, SHARE, **sealed) == []
        assert shown(SOME, **sealed) == []

    def test_nobody_else_is_limited_and_nobody_let_in(self):
        assert shown(ALL, requester=HOLDER) == ["d1", "d2", "d3"]
        other = replace(PARENT, person="RelatedPerson/other")
        both = directive(K.REPRESENTATIVE, "RelatedPerson/other", id_="second")
        assert shown(ALL, both, requester=other) == ["d1", "d2", "d3"]
        assert not isinstance(ask(PARENT, space(SHARE, born=TEEN), rules=MINORS), type(ask(HOLDER, space())))

    def test_a_choice_about_a_team_of_which_one_is_a_member_is_not_about_a_representative(self):
        kept = replace(ALL, actors=frozenset({"CareTeam/t"}))
        state = space(REPRESENTS, kept, born=TEEN, teams=(Team("CareTeam/t", (Membership(MARC),)),))
        assert sees(ask(PARENT, state, rules=MINORS), REPORT)

    def test_it_binds_the_same_person_as_a_carer(self):
        """Majority gives nobody back what was kept, by way of a choice that was the representative's own."""
        for born in (TEEN, ADULT):
            for rules, seen in ((MINORS, False), (FR, True)):
                answer = ask(PARENT, space(CARES, ALL, born=born), rules=rules)
                assert entered(answer).basis == "carer"
                assert sees(answer, REPORT) is seen
        assert sees(
            ask(PARENT, space(CARES, replace(ALL, actors=frozenset({"RelatedPerson/x"}))), rules=MINORS), REPORT
        )


class TestTheShadow:
    """Nothing else tells a representative what is kept: the own accesses, no choice, no notice (B10)."""

    @pytest.mark.parametrize("kept", KEPT)
    def test_traces_of_the_own_accesses_alone(self, kept):
        limited = ask(PARENT, space(REPRESENTS, kept, born=TEEN), Action.READ_TRACES, rules=MINORS)
        own = document("access", owner_person=MARC)
        assert sees(limited, own, View.TRACES)
        assert not sees(limited, replace(own, marks=SECRET), View.TRACES)
        for kind, owner in (("access", MARTIN.person), ("access", ""), ("refusal", MARC), ("choice", MARC)):
            assert not sees(limited, document(kind, owner_person=owner), View.TRACES)
        free = ask(PARENT, space(REPRESENTS, kept, born=TEEN), Action.READ_TRACES, rules=FR)
        assert sees(free, document("choice"), View.TRACES)

    @pytest.mark.parametrize("kept", KEPT)
    @pytest.mark.parametrize(
        ("action", "view"), [(Action.DIRECT, View.DIRECTIVES), (Action.READ_NOTICES, View.NOTICES)]
    )
    def test_no_choice_and_no_notice(self, kept, action, view):
        item = document("agreement", owner_person=MARC)
        for rules, seen in ((MINORS, False), (FR, True)):
            answer = ask(PARENT, space(REPRESENTS, kept, born=TEEN), action, rules=rules)
            assert sees(answer, item, view) is seen
            assert not answer.sees(View.DOCUMENTS).admits(replace(RESULT, id="d1")) or rules is FR

    @pytest.mark.parametrize("action", [Action.CHANGE_MARKS, Action.DEPOSIT, Action.DIRECT, Action.READ_TRACES])
    def test_whatever_is_asked_the_same_documents_are_shown(self, action):
        assert shown(ALL, SHARE, action=action) == ["d3"]


def say(requester, said, *given, rules=MINORS, born=TEEN):
    request = AccessRequest(requester, Action.DIRECT, Purpose.PATIENT_REQUEST, NOW)
    return record(context_of(request, space(REPRESENTS, *given, born=born), MATRIX, rules), said)


def why(answer):
    assert isinstance(answer, Deny), answer
    return answer.reason, answer.rules[0].statement


NOT_YOURS, NOT_LIMITED = ("not-yours-to-say", "C7"), ("representative-not-limited", "B2")


class TestWhoChooses:
    """The minor alone says what a representative sees, where the profile lets it (B2, B11, C7)."""

    @pytest.mark.parametrize("said", [ALL, SOME, SHARE])
    def test_the_minor(self, said):
        kept = say(HOLDER, replace(said, by_patient=False))
        assert (kept.by_patient, kept.recorder, kept.proof) == (True, "", Proof.PATIENT)

    @pytest.mark.parametrize("said", [ALL, SOME, SHARE, replace(ALL, kind=K.BLOCK)])
    def test_nobody_else(self, said):
        for requester in (PARENT, PAUL, replace(PARENT, person="RelatedPerson/other")):
            for rules in (MINORS, FR):
                assert why(say(requester, said, rules=rules)) == NOT_YOURS

    @pytest.mark.parametrize("said", [ALL, SOME, SHARE])
    def test_not_where_the_profile_does_not_let_it(self, said):
        assert why(say(HOLDER, said, rules=FR)) == NOT_LIMITED

    @pytest.mark.parametrize("born", [CHILD, ADULT, None])
    def test_nobody_who_is_too_young_or_over_age(self, born):
        assert why(say(HOLDER, ALL, GUARDS, born=born)) == NOT_LIMITED

    def test_until_the_day_of_full_age(self):
        day = NOW.date()
        of_age = day.replace(year=day.year - FR.majority_age)
        assert why(say(HOLDER, ALL, GUARDS, born=of_age)) == NOT_LIMITED
        assert not isinstance(say(HOLDER, ALL, GUARDS, born=of_age + DAY), Deny)

    def test_only_about_those_who_represent_the_minor(self):
        stranger = replace(ALL, actors=frozenset({MARC, "RelatedPerson/grandmother"}))
        cares = directive(K.CARER, "RelatedPerson/grandmother", end=NOW + DAY)
        assert why(say(HOLDER, stranger, cares)) == NOT_LIMITED
        second = directive(K.REPRESENTATIVE, "RelatedPerson/grandmother", id_="second")
        for dates, known in (({}, True), ({"end": NOW}, False), ({"start": NOW + DAY, "end": NOW + 2 * DAY}, True)):
            assert isinstance(say(HOLDER, stranger, replace(second, **dates)), Deny) is not known
        assert not isinstance(say(HOLDER, stranger, replace(second, kind=K.GUARDIAN)), Deny)

    def test_neither_a_block_nor_an_exception_of_one(self):
        assert why(say(HOLDER, replace(ALL, kind=K.BLOCK))) == NOT_LIMITED
        assert why(say(HOLDER, replace(SHARE, excluded=frozenset({MARC})))) == NOT_LIMITED
        assert why(say(HOLDER, agreement("Organization/chu", excluded=frozenset({MARC})))) == NOT_LIMITED

    @pytest.mark.parametrize("kind", [K.CARER, K.REPRESENTATIVE, K.HIDDEN_BY_DEFAULT])
    def test_who_is_limited_gives_nobody_more_and_marks_nothing_unseen(self, kind):
        said = directive(kind, "RelatedPerson/grandmother", end=NOW + DAY)
        assert not isinstance(say(PARENT, said), Deny)
        assert not isinstance(say(PARENT, said, ALL, rules=FR), Deny)
        assert why(say(PARENT, said, ALL)) == NOT_YOURS
        assert not isinstance(say(PARENT, agreement(PAUL.person), ALL), Deny)

    def test_a_share_holds_as_long_as_it_says(self):
        """C4 is about professionals: neither one consultation nor the longest period counts here."""
        long = replace(SHARE, end=NOW + 1000 * DAY)
        assert not isinstance(say(HOLDER, long), Deny)
        state = space(replace(SHARE, recorded_at=NOW - 1000 * DAY), born=TEEN)
        assert tidied(state, NOW, MINORS) is state
