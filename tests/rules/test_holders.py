"""The patient, representatives, carers, software, auditors, support staff and forbidden parties."""

from dataclasses import replace

import pytest

from consent_rules.visibility import micros
from consent_rules.vocabulary import Action, DirectiveKind, Label, Mark, Purpose, SpaceStatus, View
from tests.holds import holds
from tests.rules.builders import (
    ADULT,
    AUDITOR,
    CHILD,
    DAY,
    HOLDER,
    HOUR,
    INSURER,
    LABORATORY,
    MARTIN,
    NOW,
    PARENT,
    PAUL,
    SOFTWARE,
    SUPPORT,
    TEEN,
    agreement,
    ask,
    block,
    directive,
    document,
    entered,
    reason,
    sees,
    space,
)

SECRET = document(marks=Mark.INVISIBLE_REPRESENTANTS_LEGAUX)
SEALED = document(marks=Mark.INVISIBLE_PATIENT, sealed_until=NOW + DAY)
UNSEALED = document(marks=Mark.INVISIBLE_PATIENT, sealed_until=NOW)
REPRESENTS = directive(DirectiveKind.REPRESENTATIVE, "RelatedPerson/marc")
GUARDS = directive(DirectiveKind.GUARDIAN, "RelatedPerson/marc")
CARES = directive(DirectiveKind.CARER, "RelatedPerson/marc", start=NOW - DAY, end=NOW + DAY)
AUDITS = {Action.READ_TRACES, Action.READ_ALL_TRACES, Action.REVIEW}
READABLE = (Action.CONSULT, Action.DEPOSIT, Action.CHANGE_MARKS, Action.READ_TRACES)


class TestPatient:
    """The holder in the own space (B1, B11, A13, E9, E11, H5)."""

    @holds("B1")
    def test_sees_everything_but_what_is_sealed(self):
        answer = ask(HOLDER, space())
        assert entered(answer).basis == "patient"
        hidden = document(
            "", marks=Mark.MASQUE_PS | Mark.MASQUE_PT | Mark.MASQUE_PSOCIAL | Mark.INVISIBLE_REPRESENTANTS_LEGAUX
        )
        assert sees(answer, hidden)
        assert answer.sees(View.DOCUMENTS).knows_marks(hidden)
        assert not sees(answer, SEALED)

    @holds("E11")
    def test_sees_a_sealed_document_from_its_instant_without_anybodys_act(self):
        assert sees(ask(HOLDER, space()), UNSEALED)
        assert sees(ask(HOLDER, space(), at=NOW + DAY), SEALED)

    @holds("H4", "H5")
    def test_sees_every_choice_trace_and_identity(self):
        answer = ask(HOLDER, space(), Action.READ_TRACES)
        for view in (View.TRACES, View.DIRECTIVES, View.IDENTITY):
            assert sees(answer, document("choice"), view)

    @holds("B1")
    def test_never_enters_another_space_whatever_its_state(self):
        for status in SpaceStatus:
            for action in Action:
                other = replace(HOLDER, person="Patient/zoe")
                assert reason(ask(other, space(status=status), action)) == "not-entitled"

    def test_is_not_hindered_by_a_block_of_everybody(self):
        assert entered(ask(HOLDER, space(block()))).basis == "patient"

    @pytest.mark.parametrize("born", [ADULT, TEEN, None])
    def test_old_enough_or_of_unknown_age_has_an_own_account(self, born):
        assert entered(ask(HOLDER, space(born=born))).basis == "patient"

    @holds("B11")
    def test_too_young_has_none(self):
        assert reason(ask(HOLDER, space(born=CHILD))) == "too-young"

    @holds("B11")
    def test_has_one_from_the_birthday_on(self):
        born = NOW.date().replace(year=2011)
        assert entered(ask(HOLDER, space(born=born))).basis == "patient"
        assert reason(ask(HOLDER, space(born=born), at=NOW - DAY)) == "too-young"

    @pytest.mark.parametrize("status", [status for status in SpaceStatus if status is not SpaceStatus.ACTIVE])
    @pytest.mark.parametrize("action", READABLE)
    def test_reads_nothing_unless_the_space_is_open(self, status, action):
        assert reason(ask(HOLDER, space(status=status), action)) == status.value

    @pytest.mark.parametrize("status", SpaceStatus)
    def test_directs_the_space_until_it_is_erased(self, status):
        answer = ask(HOLDER, space(status=status), Action.DIRECT)
        if status is SpaceStatus.ERASED:
            assert reason(answer) == "erased"
        else:
            assert sees(answer, document("agreement"), View.DIRECTIVES)
            assert sees(answer, document()) is (status is SpaceStatus.ACTIVE)

    def test_opens_no_emergency(self):
        answer = ask(HOLDER, space(), Action.OPEN_EMERGENCY, Purpose.BREAK_GLASS)
        assert reason(answer) == "not-entitled"


class TestRepresentative:
    """Representatives of minors and guardians of protected adults (B2, B6, B10)."""

    @pytest.mark.parametrize(
        ("directives", "used"),
        [((GUARDS,), ("guardian-1",)), ((REPRESENTS, GUARDS), ("guardian-1", "representative-1"))],
    )
    def test_of_a_minor_may_be_a_guardian_too(self, directives, used):
        assert entered(ask(PARENT, space(*directives, born=CHILD))).rules[0].consents == used

    @holds("B1")
    def test_of_a_minor_sees_all_but_secrets_and_sealed_results(self):
        answer = ask(PARENT, space(REPRESENTS, born=CHILD))
        assert entered(answer).basis == "legal-representative"
        assert sees(answer, document(marks=Mark.MASQUE_PS))
        assert answer.sees(View.DOCUMENTS).knows_marks(document(marks=Mark.MASQUE_PS))
        assert not sees(answer, SECRET)
        assert not sees(answer, SEALED)
        assert sees(answer, UNSEALED)

    @holds("B10")
    def test_reads_traces_but_those_of_secret_care(self):
        answer = ask(PARENT, space(REPRESENTS, born=CHILD), Action.READ_TRACES)
        assert sees(answer, document("access"), View.TRACES)
        assert sees(answer, document("choice"), View.TRACES)
        assert not sees(answer, replace(SECRET, kind="access"), View.TRACES)

    @holds("B2")
    @pytest.mark.parametrize("born", [ADULT, None])
    def test_of_an_adult_has_no_authority(self, born):
        assert reason(ask(PARENT, space(REPRESENTS, born=born))) == "no-authority"

    @holds("B2", "AC30")
    def test_loses_it_at_majority_without_anybodys_act(self):
        born = NOW.date().replace(year=2008)
        assert reason(ask(PARENT, space(REPRESENTS, born=born))) == "no-authority"
        assert entered(ask(PARENT, space(REPRESENTS, born=born), at=NOW - DAY)).basis == "legal-representative"

    def test_whom_nobody_named_has_none(self):
        nameless = directive(DirectiveKind.GUARDIAN, "")
        assert reason(ask(replace(PARENT, role=""), space(nameless))) == "no-authority"

    def test_withdrawn_loses_it_at_once(self):
        assert reason(ask(PARENT, space(REPRESENTS, born=CHILD).without(REPRESENTS.id))) == "no-authority"

    @holds("B2")
    def test_guardian_of_a_protected_adult_has_it(self):
        assert entered(ask(PARENT, space(GUARDS))).basis == "legal-representative"

    def test_directs_and_labels(self):
        record = space(REPRESENTS, born=CHILD)
        for action in (Action.DIRECT, Action.CHANGE_MARKS, Action.DEPOSIT, Action.IDENTIFY):
            assert entered(ask(PARENT, record, action)).basis == "legal-representative"
        assert sees(ask(PARENT, record, Action.DIRECT), document("block"), View.DIRECTIVES)

    def test_directs_a_space_that_is_only_announced(self):
        record = space(REPRESENTS, born=CHILD, status=SpaceStatus.ANNOUNCED)
        assert entered(ask(PARENT, record, Action.DIRECT)).basis == "legal-representative"
        assert reason(ask(PARENT, record)) == "announced"

    def test_directs_no_erased_space(self):
        record = space(REPRESENTS, born=CHILD, status=SpaceStatus.ERASED)
        assert reason(ask(PARENT, record, Action.DIRECT)) == "erased"


class TestCarer:
    """Carers, dated and limited (B13)."""

    @holds("B13")
    def test_sees_for_the_time_that_was_said(self):
        assert entered(ask(PARENT, space(CARES))).basis == "carer"
        assert reason(ask(PARENT, space(CARES), at=NOW + DAY)) == "no-authority"
        assert reason(ask(PARENT, space(CARES), at=NOW - DAY - HOUR)) == "no-authority"

    def test_without_an_end_is_none(self):
        assert reason(ask(PARENT, space(replace(CARES, end=None)))) == "no-authority"

    def test_sees_the_chosen_documents_only_and_no_marks(self):
        answer = ask(PARENT, space(replace(CARES, kinds=frozenset({LABORATORY}))))
        assert sees(answer, document(LABORATORY))
        assert not sees(answer, document())
        assert not answer.sees(View.DOCUMENTS).knows_marks(document(LABORATORY))

    def test_sees_the_chosen_categories_only(self):
        answer = ask(PARENT, space(replace(CARES, categories=frozenset({"42"}))))
        assert sees(answer, document(category="42"))
        assert not sees(answer, document(category="10"))

    @pytest.mark.parametrize(
        ("limit", "inside", "outside"),
        [
            ({"documents": frozenset({"d1"})}, {"id": "d1"}, {"id": "d2"}),
            ({"labels": Label.N}, {"labels": Label.N}, {"labels": Label.PSY}),
            ({"labels": Label.N}, {"labels": Label.N | Label.PSY}, {"labels": None}),
            ({"data_start": NOW - DAY}, {"authored": (micros(NOW), micros(NOW))}, {"authored": None}),
            (
                {"data_end": NOW},
                {"authored": (micros(NOW - DAY), micros(NOW))},
                {"authored": (micros(NOW), micros(NOW) + 1)},
            ),
        ],
        ids=str,
    )
    def test_sees_by_name_time_and_label_what_was_chosen(self, limit, inside, outside):
        """As of a professional's agreement: what is unknown of a document is not permitted."""
        answer = ask(PARENT, space(replace(CARES, **limit)))
        assert sees(answer, document(**inside))
        assert not sees(answer, document(**outside))
        assert not sees(answer, replace(SECRET, **inside))

    @pytest.mark.parametrize("withheld", [{"kinds": frozenset({LABORATORY})}, {"documents": frozenset({"d1"})}])
    def test_what_is_withheld_from_everybody_is_withheld_from_one_who_is_named_for_it(self, withheld):
        """ADR 0022: a carer's choice wins over no refusal, however closely it says which documents it means."""
        kept = directive(DirectiveKind.WITHHELD, by_patient=True, **withheld)
        answer = ask(PARENT, space(replace(CARES, documents=frozenset({"d1", "d2"})), kept))
        assert not sees(answer, document(LABORATORY, id="d1"))
        assert sees(answer, document(id="d2"))

    def test_two_choices_add_up(self):
        other = replace(CARES, id="carer-2", documents=frozenset({"d1"}))
        answer = ask(PARENT, space(replace(CARES, categories=frozenset({"42"})), other))
        assert sees(answer, document(id="d1"))
        assert sees(answer, document(category="42"))
        assert not sees(answer, document(id="d2"))

    def test_sees_neither_secrets_nor_sealed_nor_what_is_closed_to_third_parties(self):
        answer = ask(PARENT, space(CARES))
        assert not sees(answer, SECRET)
        assert not sees(answer, SEALED)
        assert not sees(answer, document(marks=Mark.MASQUE_PT))
        assert sees(answer, document(marks=Mark.MASQUE_PS))

    @pytest.mark.parametrize("action", [Action.DIRECT, Action.CHANGE_MARKS, Action.READ_TRACES, Action.OPEN_EMERGENCY])
    def test_manages_nothing(self, action):
        assert reason(ask(PARENT, space(CARES), action)) in {"no-authority", "not-entitled"}

    def test_may_file(self):
        assert entered(ask(PARENT, space(CARES), Action.DEPOSIT)).basis == "carer"

    def test_sees_no_choices(self):
        answer = ask(PARENT, space(CARES))
        assert not sees(answer, document("carer", owner_person=PARENT.person), View.DIRECTIVES)


class TestSoftware:
    """Software reads what it deposited (E2, I8)."""

    def test_reads_what_it_or_its_establishment_deposited(self):
        answer = ask(SOFTWARE, space())
        assert entered(answer).basis == "system"
        for own in ({"owner_client": "Device/chu"}, {"owner_organization": "Organization/chu"}):
            facts = document("", marks=Mark.MASQUE_PS, **own)
            assert sees(answer, facts)
            assert answer.sees(View.DOCUMENTS).knows_marks(facts)
        assert not sees(answer, document())

    def test_without_an_establishment_owns_nothing_in_the_name_of_nobody(self):
        clauses = entered(ask(replace(SOFTWARE, organization=""), space())).views[View.DOCUMENTS]
        assert [clause.owned_by for clause in clauses] == [{"Device/chu"}]

    def test_unregistered_is_unidentified(self):
        for action in Action:
            answer = ask(replace(SOFTWARE, client=""), space(), action)
            assert reason(answer) in {"unidentified", "not-entitled"}

    def test_of_a_blocked_establishment_files_but_does_not_read(self):
        record = space(block("Organization/chu"))
        assert reason(ask(SOFTWARE, record)) == "blocked"
        assert entered(ask(SOFTWARE, record, Action.DEPOSIT)).basis == "system"

    def test_reads_its_own_traces(self):
        answer = ask(SOFTWARE, space(status=SpaceStatus.CLOSED), Action.READ_TRACES)
        assert sees(answer, document("access", owner_client="Device/chu"), View.TRACES)
        assert not sees(answer, document("access"), View.TRACES)

    def test_of_a_blocked_establishment_reads_its_traces_without_the_documents(self):
        """F3; the block of everybody hinders the holder in nothing."""
        own = document(owner_client="Device/chu")
        assert sees(ask(SOFTWARE, space(), Action.READ_TRACES), own)
        answer = ask(SOFTWARE, space(block("Organization/chu")), Action.READ_TRACES)
        assert sees(answer, document("access", owner_client="Device/chu"), View.TRACES)
        assert not sees(answer, own)
        assert sees(ask(HOLDER, space(block()), Action.READ_TRACES), own)

    def test_sees_identity_and_no_choices(self):
        answer = ask(SOFTWARE, space(), Action.IDENTIFY)
        assert sees(answer, document(""), View.IDENTITY)
        for owner in ({"owner_client": "Device/chu"}, {"owner_organization": "Organization/chu"}):
            assert not sees(answer, document("agreement", **owner), View.DIRECTIVES)

    @pytest.mark.parametrize("action", [Action.CONSULT, Action.DEPOSIT, Action.CHANGE_MARKS, Action.IDENTIFY])
    def test_needs_an_open_space(self, action):
        assert reason(ask(SOFTWARE, space(status=SpaceStatus.OPPOSED), action)) == "opposed"

    def test_directs_nothing(self):
        assert reason(ask(SOFTWARE, space(), Action.DIRECT)) == "not-entitled"

    @pytest.mark.parametrize("status", SpaceStatus)
    def test_keeps_the_life_of_a_space_in_every_state_and_sees_no_document(self, status):
        answer = ask(SOFTWARE, space(status=status), Action.OPERATE_REGISTRY)
        assert (entered(answer).basis, answer.rules[0].statement) == ("system", "I8")
        assert not sees(answer, document(owner_client="Device/chu"))


class TestNotices:
    """The holder's side reads notices; a declared physician or a carer reads those addressed to them (G3, H1, B13)."""

    @pytest.mark.parametrize("status", SpaceStatus)
    def test_the_holder_reads_them_until_the_space_is_erased(self, status):
        answer = ask(HOLDER, space(status=status), Action.READ_NOTICES)
        if status is SpaceStatus.ERASED:
            assert reason(answer) == "erased"
        else:
            assert sees(answer, document("first-access"), View.NOTICES)
            assert sees(answer, document()) is (status is SpaceStatus.ACTIVE)

    def test_a_notice_is_shown_from_its_day_on(self):
        for requester, record in ((HOLDER, space()), (PARENT, space(REPRESENTS, born=CHILD))):
            answer = ask(requester, record, Action.READ_NOTICES)
            assert not sees(answer, replace(SEALED, kind="held-result"), View.NOTICES)
            assert sees(answer, replace(UNSEALED, kind="held-result"), View.NOTICES)

    def test_representatives_read_all_but_those_of_a_secret(self):
        answer = ask(PARENT, space(REPRESENTS, born=CHILD), Action.READ_NOTICES)
        assert sees(answer, document("first-access"), View.NOTICES)
        assert not sees(answer, replace(SECRET, kind="first-access"), View.NOTICES)

    def test_the_declared_physician_reads_the_own_ones(self):
        record = space(directive(DirectiveKind.DECLARED_PHYSICIAN, MARTIN.person))
        answer = ask(MARTIN, record, Action.READ_NOTICES)
        assert entered(answer).basis == "declared-physician"
        assert sees(answer, document("emergency", owner_person=MARTIN.person), View.NOTICES)
        assert not sees(answer, document("emergency", owner_person=PAUL.person), View.NOTICES)
        assert not sees(answer, document("first-access"), View.NOTICES)

    def test_a_blocked_declared_physician_reads_none(self):
        record = space(directive(DirectiveKind.DECLARED_PHYSICIAN, MARTIN.person), block(MARTIN.person))
        assert reason(ask(MARTIN, record, Action.READ_NOTICES)) == "blocked"

    def test_a_carer_reads_the_own_ones_until_the_end(self):
        answer = ask(PARENT, space(CARES), Action.READ_NOTICES)
        assert entered(answer).basis == "carer"
        assert sees(answer, document("carer-ends", owner_person=PARENT.person), View.NOTICES)
        assert not sees(answer, document("carer-ends"), View.NOTICES)
        assert reason(ask(PARENT, space(replace(CARES, end=NOW)), Action.READ_NOTICES)) == "no-authority"

    def test_nobody_else_reads_any(self):
        record = space(agreement(PAUL.person), born=CHILD)
        assert reason(ask(PAUL, record, Action.READ_NOTICES)) == "no-consent"
        assert reason(ask(PARENT, record, Action.READ_NOTICES)) == "no-authority"
        assert reason(ask(SOFTWARE, record, Action.READ_NOTICES)) == "not-entitled"

    def test_other_actions_show_none(self):
        for action in (Action.CONSULT, Action.DIRECT, Action.READ_TRACES):
            assert not sees(ask(HOLDER, space(), action), document("first-access"), View.NOTICES)


class TestAuditAndSupport:
    """Auditors and support staff read traces only, but that auditors review emergencies (G8, H4, H8)."""

    def test_auditor_reads_accesses_and_nothing_else(self):
        answer = ask(AUDITOR, space(status=SpaceStatus.CLOSED), Action.READ_TRACES)
        assert sees(answer, document("access"), View.TRACES)
        assert sees(answer, document("refusal"), View.TRACES)
        assert not sees(answer, document("choice"), View.TRACES)
        assert not sees(answer, document())

    @pytest.mark.parametrize("kind", ["access", "refusal", "choice"])
    @pytest.mark.parametrize("status", SpaceStatus)
    def test_an_auditor_sees_over_all_spaces_what_each_space_shows(self, kind, status):
        named = ask(AUDITOR, space(status=status), Action.READ_TRACES).sees(View.TRACES)
        everywhere = ask(AUDITOR, space(), Action.READ_ALL_TRACES)
        event = document(kind)
        assert everywhere.sees(View.TRACES).admits(event) is named.admits(event)
        assert everywhere.sees(View.TRACES).admits(replace(event, compartment="")) is (kind != "choice")
        assert [view for view in View if view is not View.TRACES and everywhere.sees(view).clauses] == []

    def test_support_reads_own_traces_only(self):
        answer = ask(SUPPORT, space(), Action.READ_TRACES)
        assert sees(answer, document("access", owner_person=SUPPORT.person), View.TRACES)
        assert not sees(answer, document("access"), View.TRACES)

    @holds("AC23")
    @pytest.mark.parametrize(
        ("requester", "action"),
        [
            (requester, action)
            for requester, own in ((AUDITOR, AUDITS), (SUPPORT, {Action.READ_TRACES}))
            for action in Action
            if action not in own
        ],
    )
    def test_neither_does_anything_else(self, requester, action):
        assert reason(ask(requester, space(agreement(requester.person)), action)) == "not-entitled"

    @pytest.mark.parametrize("requester", [AUDITOR, SUPPORT], ids=["auditor", "support"])
    def test_both_are_named_persons(self, requester):
        assert reason(ask(replace(requester, person=""), space(), Action.READ_TRACES)) == "unidentified"


@holds("I1", "I2", "AC23")
@pytest.mark.parametrize("action", Action)
def test_a_forbidden_party_is_refused_whatever_anybody_consents_to(action):
    """I1, I2, I3."""
    record = space(agreement(INSURER.person), agreement(INSURER.organization, id_="b"))
    assert reason(ask(INSURER, record, action)) == "forbidden-party"


def test_an_error_in_a_rule_is_a_refusal():
    naive = NOW.replace(tzinfo=None)
    answer = ask(PAUL, space(agreement("Practitioner/paul", start=NOW)), at=naive)
    assert reason(answer) == "rule-error"
    assert answer.rules[0].statement == "D3"
    assert answer.rules[0].outcome == "error TypeError"


def test_every_answer_names_the_version_of_the_matrix():
    assert ask(PAUL, space()).matrix_version == "2023-10-26"
    assert ask(HOLDER, space()).matrix_version == "2023-10-26"
