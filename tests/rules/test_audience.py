"""Documents withheld, and documents for some professionals only: narrower than a mark, and never wider (E1 to E5)."""

from dataclasses import replace

import pytest

from consent_rules.model import RecordState
from consent_rules.visibility import Extent, micros
from consent_rules.vocabulary import Action, DirectiveKind, Label, Mark, Purpose, SpaceStatus, View
from tests.holds import holds
from tests.rules.builders import (
    DAY,
    EHDS,
    FR,
    HOLDER,
    HOUR,
    MARTIN,
    MATRIX,
    NOW,
    PARENT,
    PAUL,
    SOFTWARE,
    TEEN,
    agreement,
    ask,
    block,
    directive,
    document,
    opening,
    sees,
    space,
)

K = DirectiveKind
BTG, TREAT = Purpose.BREAK_GLASS, Purpose.TREATMENT
NAMED, OTHER = document(id="d1"), document(id="d2")
READABLE = min(MATRIX.kinds_for(PAUL.profession) - {NAMED.kind})
"""Another type that the profession may read."""
ZOE = replace(PAUL, person="Practitioner/zoe", role="PractitionerRole/zoe-1")
TEAM = agreement("Organization/cabinet", id_="team")
OPEN = agreement("Practitioner/martin", id_="martin")
MT = directive(K.DECLARED_PHYSICIAN, "Practitioner/martin")
ADMINISTRATOR = directive(K.ADMINISTRATOR, "Practitioner/martin")


def withheld(*actors, documents=("d1",), **more):
    """Withhold documents: from these actors, from everybody when none is named; `excluded` are left out."""
    more.setdefault("excluded", frozenset())
    named = frozenset(documents) if documents else None
    return directive(K.WITHHELD, *actors, documents=named, **more)


def only(*actors, **more):
    return withheld(excluded=frozenset(actors), **more)


class TestAudience:
    """This document for these professionals, professions or structures only (E1, E5)."""

    def test_the_named_professional_sees_it_and_a_colleague_of_the_same_profession_does_not(self):
        record = space(TEAM, only("Practitioner/paul"))
        assert sees(ask(PAUL, record), NAMED)
        assert not sees(ask(ZOE, record), NAMED)
        assert sees(ask(ZOE, record), OTHER)

    def test_a_structure_is_named_with_all_its_members(self):
        record = space(TEAM, OPEN, only("Organization/cabinet"))
        assert sees(ask(PAUL, record), NAMED)
        assert sees(ask(ZOE, record), NAMED)
        assert not sees(ask(MARTIN, record), NAMED)

    def test_a_practice_situation_is_named(self):
        record = space(TEAM, only("PractitionerRole/zoe-1"))
        assert (sees(ask(PAUL, record), NAMED), sees(ask(ZOE, record), NAMED)) == (False, True)

    def test_a_profession_is_named(self):
        record = space(TEAM, OPEN, withheld(professions=frozenset({"10"})))
        assert not sees(ask(PAUL, record), NAMED)
        assert sees(ask(MARTIN, record), NAMED)

    def test_to_be_named_grants_nothing(self):
        assert ask(PAUL, space(only("Practitioner/paul"))).reason == "no-consent"
        record = space(TEAM, only("Practitioner/paul"))
        assert not sees(ask(PAUL, record), replace(NAMED, marks=Mark.MASQUE_PS))
        assert not sees(ask(PAUL, record), replace(NAMED, kind="ATTEST-RESID"))

    def test_two_audiences_of_one_document_meet(self):
        record = space(TEAM, only("Practitioner/paul", "Practitioner/zoe"), only("Practitioner/zoe", id_="w2"))
        assert (sees(ask(PAUL, record), NAMED), sees(ask(ZOE, record), NAMED)) == (False, True)

    def test_the_replacement_of_a_document_has_its_audience(self):
        record = space(TEAM, only("Practitioner/paul")).inheriting("d1", "d3").inheriting("d2", "d4")
        assert not sees(ask(ZOE, record), document(id="d3"))
        assert sees(ask(ZOE, record), document(id="d4"))
        assert not sees(ask(ZOE, record), NAMED)

    def test_a_consent_that_says_several_things_is_replaced_whole(self):
        record = space(TEAM).with_directive(replace(TEAM, id="c"), only("Practitioner/paul", id_="c"))
        assert len(record.directives) == 3
        assert isinstance(record, RecordState)
        assert not sees(ask(ZOE, record), NAMED)
        assert sees(ask(ZOE, record.with_directive(replace(TEAM, id="c"))), NAMED)
        assert sees(ask(ZOE, record.without("c")), NAMED)

    def test_withdrawing_it_leaves_no_mark_behind(self):
        record = space(TEAM, only("Practitioner/paul")).without("withheld-1")
        assert record.directives == (TEAM,)


class TestWhoReadsHiddenDocuments:
    """What is withheld from everybody is hidden: depositor, declared physician, administrator read it (E2 to E4)."""

    def test_the_depositor(self):
        own = replace(NAMED, owner_person="Practitioner/zoe")
        assert sees(ask(ZOE, space(TEAM, only("Practitioner/paul"))), own)
        assert sees(
            ask(SOFTWARE, space(only("Practitioner/paul"))), replace(NAMED, owner_organization="Organization/chu")
        )

    def test_the_depositor_even_when_named(self):
        own = replace(NAMED, owner_person="Practitioner/zoe")
        assert sees(ask(ZOE, space(TEAM, withheld("Practitioner/zoe"))), own)

    @pytest.mark.parametrize("title", [MT, ADMINISTRATOR])
    def test_by_right_where_the_profile_says_so(self, title):
        record = space(title, only("Practitioner/paul"))
        assert sees(ask(MARTIN, record), NAMED)
        assert not sees(ask(MARTIN, record, rules=EHDS), NAMED)
        assert sees(ask(MARTIN, record, rules=EHDS), OTHER)

    @pytest.mark.parametrize("title", [MT, ADMINISTRATOR])
    def test_not_from_whom_it_is_withheld_by_name(self, title):
        record = space(title, withheld("Practitioner/martin"))
        assert not sees(ask(MARTIN, record), NAMED)
        assert sees(ask(MARTIN, record), OTHER)
        assert sees(ask(MARTIN, record), replace(NAMED, owner_person="Practitioner/martin"))

    def test_the_holder_and_who_acts_for_the_holder(self):
        record = space(withheld(), directive(K.GUARDIAN, PARENT.person))
        assert sees(ask(HOLDER, record), NAMED)
        assert sees(ask(PARENT, record), NAMED)

    def test_a_carer_does_not_read_what_is_for_some_professionals_only(self):
        carer = directive(K.CARER, PARENT.person, end=NOW + DAY)
        assert not sees(ask(PARENT, space(carer, only("Practitioner/paul"))), NAMED)
        assert sees(ask(PARENT, space(carer, withheld("Practitioner/paul"))), NAMED)
        assert sees(ask(PARENT, space(carer, only("Practitioner/paul"))), OTHER)


class TestEmergency:
    """In an emergency what is withheld stays closed, unless the patient widened emergencies (G5)."""

    @pytest.mark.parametrize("named", [(), ("Practitioner/paul",)])
    def test_break_glass_does_not_open_it(self, named):
        record = space(opening(PAUL), withheld(*named))
        assert not sees(ask(PAUL, record, purpose=BTG), NAMED)
        assert sees(ask(PAUL, record, purpose=BTG), OTHER)

    def test_the_third_switch_opens_what_is_hidden_and_not_what_is_withheld_by_name(self):
        third = directive(K.HIDDEN_IN_EMERGENCY)
        assert sees(ask(PAUL, space(opening(PAUL), third, withheld()), purpose=BTG), NAMED)
        assert not sees(ask(PAUL, space(opening(PAUL), third, withheld("Practitioner/paul")), purpose=BTG), NAMED)

    def test_a_withholding_for_treatment_alone_says_nothing_of_emergencies(self):
        record = space(TEAM, opening(PAUL), withheld(purposes=frozenset({TREAT})))
        assert not sees(ask(PAUL, record), NAMED)
        assert sees(ask(PAUL, record, purpose=BTG), NAMED)


class TestCombining:
    """Of two choices the one that says more closely which documents wins; among equals the deny does (F3)."""

    def test_a_permit_of_one_document_opens_it_in_a_class_that_is_withheld(self):
        of_class = withheld(documents=None, kinds=frozenset({NAMED.kind}))
        one = agreement("Practitioner/paul", id_="one", documents=frozenset({"d1"}), by_patient=True)
        record = space(TEAM, of_class, one)
        assert sees(ask(PAUL, record), NAMED)
        assert not sees(ask(PAUL, record), OTHER)
        assert not sees(ask(ZOE, record), NAMED)

    def test_but_not_by_what_a_professional_wrote_down(self):
        of_class = withheld(documents=None, kinds=frozenset({NAMED.kind}))
        written_down = agreement("Practitioner/paul", id_="one", documents=frozenset({"d1"}))
        assert not sees(ask(PAUL, space(TEAM, of_class, written_down)), NAMED)

    def test_a_deny_of_the_same_document_wins_over_its_permit(self):
        one = agreement("Practitioner/paul", id_="one", documents=frozenset({"d1"}), by_patient=True)
        assert not sees(ask(PAUL, space(TEAM, one, withheld())), NAMED)

    @holds("D2")
    def test_a_deny_of_a_class_wins_over_a_permit_of_a_class_and_of_everything(self):
        of_class = withheld(documents=None, kinds=frozenset({NAMED.kind}))
        for permit in (TEAM, replace(TEAM, kinds=frozenset({NAMED.kind, READABLE}), by_patient=True)):
            assert not sees(ask(PAUL, space(permit, of_class)), NAMED)
            assert sees(ask(PAUL, space(permit, of_class)), document(READABLE))

    def test_a_block_of_somebody_wins_over_a_permit_of_one_document(self):
        one = agreement("Practitioner/paul", id_="one", documents=frozenset({"d1"}))
        assert ask(PAUL, space(one, block("Practitioner/paul"))).reason == "blocked"

    def test_a_permit_of_one_document_shows_no_other(self):
        record = space(agreement("Practitioner/paul", documents=frozenset({"d1"})))
        assert sees(ask(PAUL, record), NAMED)
        assert not sees(ask(PAUL, record), OTHER)

    def test_permits_add_up(self):
        one = agreement("Practitioner/paul", id_="one", documents=frozenset({"d1"}))
        results = agreement("Practitioner/paul", id_="results", kinds=frozenset({READABLE}))
        answer = ask(PAUL, space(one, results))
        seen = [sees(answer, facts) for facts in (NAMED, OTHER, document(READABLE))]
        assert seen == [True, False, True]

    def test_an_ended_withholding_withholds_nothing(self):
        assert sees(ask(PAUL, space(TEAM, withheld(end=NOW))), NAMED)
        assert not sees(ask(PAUL, space(TEAM, withheld(end=NOW + HOUR))), NAMED)


def written(start, end):
    return document(authored=(micros(start), micros(end)))


class TestTimeOfWriting:
    """A choice may be limited to when documents were written (E1): half inside is withheld, and not permitted."""

    YEAR = (NOW - 10 * DAY, NOW)
    CASES = (
        # (written from, to, permitted, withheld)
        (NOW - 5 * DAY, NOW - 4 * DAY, True, True),
        (NOW - 10 * DAY, NOW, True, True),
        (NOW - 11 * DAY, NOW - 10 * DAY, False, False),
        (NOW, NOW + DAY, False, False),
        (NOW - 11 * DAY, NOW - 5 * DAY, False, True),
        (NOW - DAY, NOW + DAY, False, True),
        (NOW - 11 * DAY, NOW + DAY, False, True),
    )

    @pytest.mark.parametrize(("start", "end", "permitted", "denied"), CASES)
    def test_every_position_of_a_document(self, start, end, permitted, denied):
        since, until = self.YEAR
        permit = space(agreement("Practitioner/paul", data_start=since, data_end=until))
        deny = space(TEAM, withheld(documents=None, data_start=since, data_end=until))
        assert sees(ask(PAUL, permit), written(start, end)) is permitted
        assert sees(ask(PAUL, deny), written(start, end)) is not denied

    def test_a_document_without_a_date_is_withheld_and_not_permitted(self):
        since, _ = self.YEAR
        assert not sees(ask(PAUL, space(agreement("Practitioner/paul", data_start=since))), document())
        assert not sees(ask(PAUL, space(agreement("Practitioner/paul", data_end=since))), document())
        assert not sees(ask(PAUL, space(TEAM, withheld(documents=None, data_start=since))), document())

    def test_one_end_alone(self):
        late = space(agreement("Practitioner/paul", data_start=NOW))
        early = space(agreement("Practitioner/paul", data_end=NOW))
        before, after = written(NOW - DAY, NOW), written(NOW, NOW + DAY)
        assert [sees(ask(PAUL, late), facts) for facts in (before, after)] == [False, True]
        assert [sees(ask(PAUL, early), facts) for facts in (before, after)] == [True, False]
        denied = space(TEAM, withheld(documents=None, data_start=NOW))
        assert [sees(ask(PAUL, denied), facts) for facts in (before, after)] == [True, False]


class TestLabels:
    """A choice may be limited to labels (E1): what is not known of a document is withheld and not permitted."""

    @pytest.mark.parametrize(
        ("labels", "permitted", "kept"),
        [
            (Label.N, True, False),
            (Label.R, False, True),
            (Label.N | Label.PSY, True, True),
            (Label.HIV, False, False),
            (Label.NONE, False, False),
            (None, False, True),
        ],
    )
    def test_each(self, labels, permitted, kept):
        facts = document(labels=labels)
        assert sees(ask(PAUL, space(agreement("Practitioner/paul", labels=Label.N))), facts) is permitted
        record = space(TEAM, withheld(documents=None, labels=Label.R | Label.PSY))
        assert sees(ask(PAUL, record), facts) is not kept


def test_many_choices_about_documents_by_name_are_one_condition():
    """However many documents a patient keeps for some, a query does not grow beyond their names."""
    many = [withheld(id_=f"w{n}", documents=(f"d{n}",)) for n in range(2000)]
    of_time = withheld(id_="t", documents=("d1",), data_start=NOW)
    answer = ask(PAUL, space(TEAM, *many, of_time, replace(of_time, id="again")))
    row = answer.views[View.DOCUMENTS][0]
    assert len(row.barred) == 2
    assert not any(sees(answer, document(id=id_)) for id_ in ("d0", "d1000", "d1999"))
    assert sees(answer, document(id="d2000"))


def test_a_choice_about_a_class_of_documents_is_withheld_by_class_code():
    record = space(TEAM, withheld(documents=None, categories=frozenset({"10"})))
    assert not sees(ask(PAUL, record), document(category="10"))
    assert sees(ask(PAUL, record), document(category="11"))


def test_a_withholding_of_everything_closes_all_but_the_own_deposits():
    record = space(TEAM, withheld(documents=None))
    assert not sees(ask(PAUL, record, rules=FR), OTHER)
    assert sees(ask(PAUL, record), replace(OTHER, owner_person="Practitioner/paul"))


def test_the_traces_of_a_closed_space_show_no_document_even_to_its_depositor():
    """A13: software reads its own traces on, without the documents that they name."""
    own = document(owner_client=SOFTWARE.client)
    for status, seen in ((SpaceStatus.ACTIVE, True), (SpaceStatus.CLOSED, False), (SpaceStatus.ANNOUNCED, False)):
        answer = ask(SOFTWARE, space(status=status), Action.READ_TRACES)
        assert sees(answer, own) is seen


@holds("B10")
def test_a_choice_about_a_secret_is_not_shown_to_a_representative():
    """B10: the authorisation of a minor's secret would tell of it."""
    record = space(directive(K.REPRESENTATIVE, PARENT.person), born=TEEN)
    secret = document(kind="withheld", marks=Mark.INVISIBLE_REPRESENTANTS_LEGAUX)
    for requester, seen in ((PARENT, False), (HOLDER, True)):
        answer = ask(requester, record, Action.DIRECT)
        assert sees(answer, secret, View.DIRECTIVES) is seen
        assert sees(answer, document(kind="withheld"), View.DIRECTIVES)


def test_every_document_that_is_named_stays_withheld_and_the_query_does_not_grow():
    """E1: many choices about single documents are one condition of the query."""
    record = space(TEAM, withheld(documents=("d1",), id_="w1"), withheld(documents=("d2",), id_="w2"))
    answer = ask(PAUL, record)
    assert [sees(answer, facts) for facts in (NAMED, OTHER, document(id="d3"))] == [False, False, True]
    assert answer.views[View.DOCUMENTS][0].barred == (Extent(frozenset({"d1", "d2"})),)
    by_type = space(TEAM, withheld(documents=(), kinds=frozenset({READABLE})))
    assert ask(PAUL, by_type).views[View.DOCUMENTS][0].barred == (Extent(kinds=frozenset({READABLE})),)
