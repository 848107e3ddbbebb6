"""The duties of the decision, one class each; the docstring is the duty. I-numbers are those of the assurance plan."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consent_rules.lifecycle import status_at
from consent_rules.model import Deny, Directive, Permit
from consent_rules.scopes import Scopes
from consent_rules.visibility import Clause, Visibility
from consent_rules.vocabulary import (
    Action,
    Basis,
    DirectiveKind,
    Mark,
    Purpose,
    Reason,
    RequesterKind,
    SpaceStatus,
    View,
)
from tests.holds import holds
from tests.laws.worlds import (
    ACTORS,
    OPEN_MINDED,
    SAMPLE,
    directives,
    everything,
    facts,
    judge,
    marks,
    professional_requests,
    profiles,
    records,
    requests,
    view,
    within,
)
from tests.rules.builders import CAMILLE, HOLDER, INSURER, MATRIX, NOW, PARENT, SOFTWARE

K = DirectiveKind
EMERGENCIES = (Purpose.BREAK_GLASS, Purpose.EMERGENCY)
RARE = settings(max_examples=400)
"""For laws that few random spaces could break."""


def next_directive(kind, actors):
    return Directive("next", kind, actors=actors, recorded_at=NOW)


RESTRICTIONS = (K.BLOCK, K.WITHHELD, K.ASK_FIRST, K.CARE_HISTORY_HIDDEN)
TITLES = (
    K.AGREEMENT,
    K.DECLARED_PHYSICIAN,
    K.ADMINISTRATOR,
    K.REPRESENTATIVE,
    K.GUARDIAN,
    K.CARER,
    K.EMERGENCY_OPENING,
    K.HIDDEN_IN_EMERGENCY,
)
CONSULT = st.builds(lambda r: replace(r, action=Action.CONSULT), requests)


class TestRefusesUnlessSomethingPermits:
    """Without any directive no professional, relative or stranger reads a document (I15)."""

    @holds("I15", "C13")
    @given(CONSULT, records, profiles)
    def test_an_empty_space_is_entered_by_the_patient_and_software_only(self, request, record, rules):
        answer = judge(request, replace(record, directives=()), rules)
        if isinstance(answer, Permit):
            assert answer.basis in {Basis.PATIENT, Basis.SYSTEM}


class TestForbiddenPartiesNeverEnter:
    """Insurers, employers and the like are refused whatever anybody consents to (I01)."""

    @holds("I01")
    @given(requests, records, profiles)
    def test_whatever_is_asked(self, request, record, rules):
        answer = judge(replace(request, requester=INSURER), record, rules)
        assert isinstance(answer, Deny)
        assert answer.reason is Reason.FORBIDDEN_PARTY


class TestBlockBeatsAll:
    """A block of somebody, or of everybody, beats every ground and every emergency (I14)."""

    @holds("I14")
    @given(professional_requests, records, profiles, st.sampled_from([*ACTORS[:2], "Organization/cabinet", ""]))
    def test_no_professional_whom_it_reaches_reads(self, request, record, rules, actor):
        actors = frozenset({actor} - {""})
        assume(not actors or actors & request.requester.identities)
        block = next_directive(K.BLOCK, actors)
        answer = judge(replace(request, action=Action.CONSULT), record.with_directive(block), rules)
        assert isinstance(answer, Deny)

    @holds("I14")
    @given(requests, records)
    def test_software_of_a_blocked_establishment_reads_nothing(self, request, record):
        block = next_directive(K.BLOCK, frozenset({"Organization/chu"}))
        asked = replace(request, requester=SOFTWARE, action=Action.CONSULT)
        assert isinstance(judge(asked, record.with_directive(block)), Deny)


class TestRestrictionsNeverWiden:
    """Adding a restriction never makes anything visible to anyone (I19)."""

    @holds("I19")
    @RARE
    @given(requests, records, profiles, directives, st.sampled_from(RESTRICTIONS))
    def test_a_directive_that_restricts(self, request, record, rules, directive, kind):
        restricted = record.with_directive(replace(directive, kind=kind))
        assume(directive.id not in {d.id for d in record.directives})
        assert within(judge(request, restricted, rules), judge(request, record, rules))

    @holds("I19")
    @given(requests, records, profiles, facts, marks)
    def test_a_mark_on_a_document(self, request, record, rules, document, more):
        assume(not more & Mark.INVISIBLE_PATIENT or document.sealed_until)
        answer = judge(request, record, rules)
        if isinstance(answer, Permit):
            seen = answer.sees(View.DOCUMENTS)
            assert seen.admits(document) or not seen.admits(replace(document, marks=document.marks | more))

    @holds("I19")
    @given(requests, records, profiles, st.sampled_from([s for s in SpaceStatus if s is not SpaceStatus.ACTIVE]))
    def test_a_state_other_than_open(self, request, record, rules, status):
        assume(request.requester.kind is not RequesterKind.AUDITOR)
        shut = replace(record, status=status, since=None)
        before = judge(request, replace(record, status=SpaceStatus.ACTIVE, since=None), rules)
        assert view(judge(request, shut, rules)) <= view(before)

    @given(requests, records, st.sampled_from(["non_health_roles", "occupational_physicians"]))
    def test_a_profile_that_lets_fewer_in(self, request, record, key):
        narrow = replace(OPEN_MINDED, **{key: False})
        assert within(judge(request, record, narrow), judge(request, record, OPEN_MINDED))


class TestLosingATitleNeverGrants:
    """Taking away an agreement, a declaration, an authority or an opening never shows more (I20)."""

    @holds("I20")
    @RARE
    @given(requests, records, profiles)
    def test_each_of_them(self, request, record, rules):
        before = judge(request, record, rules)
        for held in record.directives:
            kept = tuple(d for d in record.directives if d is not held)
            if held.kind in TITLES:
                assert within(judge(request, replace(record, directives=kept), rules), before)


class TestOrderAndDuplicates:
    """The order of directives changes nothing, nor does saying one twice (I37)."""

    @holds("I37")
    @given(requests, records, profiles, st.randoms(use_true_random=False))
    def test_views_and_outcome_stay(self, request, record, rules, chance):
        shuffled = list(record.directives) * 2
        chance.shuffle(shuffled)
        a, b = judge(request, record, rules), judge(request, replace(record, directives=tuple(shuffled)), rules)
        assert type(a) is type(b)
        assert everything(a) == everything(b)
        assert getattr(a, "basis", None) == getattr(b, "basis", None)
        assert getattr(a, "reason", None) == getattr(b, "reason", None)
        assert {c for rule in a.rules for c in rule.consents} == {c for rule in b.rules for c in rule.consents}

    @given(requests, records, profiles)
    def test_the_same_question_has_the_same_answer(self, request, record, rules):
        assert judge(request, record, rules) == judge(request, record, rules)


class TestExpiryNeedsNoJob:
    """What has ended is as if it had never been, at the very instant (I36)."""

    @holds("I36")
    @given(requests, records, profiles, directives)
    def test_an_ended_directive_other_than_a_block_says_nothing(self, request, record, rules, directive):
        assume(directive.kind not in (K.BLOCK, K.BLOCK_LIFTED))
        ended = replace(directive, id="ended", end=request.at)
        with_it, without_it = judge(request, record.with_directive(ended), rules), judge(request, record, rules)
        assert everything(with_it) == everything(without_it)

    @holds("I36")
    @given(professional_requests, records, profiles, directives)
    def test_an_outsiders_agreement_ends_by_itself(self, request, record, rules, directive):
        old = NOW - timedelta(days=400)
        named = replace(
            directive, kind=K.AGREEMENT, actors=frozenset({request.requester.person}), recorded_at=old, start=None
        )
        alone = replace(record, directives=(named,), teams=())
        assert isinstance(judge(replace(request, action=Action.CONSULT), alone, rules), Deny)


class TestEmergencyOffMeansOff:
    """A mode that is switched off is worthless, whoever opened it and when (I17, I18)."""

    @holds("I17", "I18")
    @RARE
    @given(professional_requests, records, profiles, st.sampled_from([Purpose.BREAK_GLASS, Purpose.EMERGENCY]))
    def test_no_entry_has_its_basis(self, request, record, rules, mode):
        switch = replace(next_directive(K.BLOCK, frozenset()), purposes=frozenset({mode}))
        answer = judge(request, record.with_directive(switch), rules)
        basis = Basis.REGULATION if mode is Purpose.EMERGENCY else Basis.BREAK_GLASS
        assert not isinstance(answer, Permit) or answer.basis is not basis


class TestClosedSpaces:
    """A space that is not open shows nobody a document (I06)."""

    @holds("I06", "A13")
    @given(requests, records, profiles)
    def test_nothing_of_it_is_seen(self, request, record, rules):
        assume(status_at(record, request.at, rules) is not SpaceStatus.ACTIVE)
        assert not view(judge(request, record, rules))


class TestProfessionalsOnlyForCare:
    """A professional who states another purpose than care gets nothing (I08)."""

    @holds("I08", "I6", "C13")
    @given(professional_requests, records, profiles)
    def test_other_purposes_are_refused(self, request, record, rules):
        for purpose in (Purpose.AUDIT, Purpose.PATIENT_REQUEST, Purpose.FAMILY_REQUEST):
            assert isinstance(judge(replace(request, purpose=purpose), record, rules), Deny)


class TestSoftwareAlone:
    """Software without a named person reads only what it or its establishment deposited (I02)."""

    @holds("I02")
    @given(requests, records, profiles)
    def test_reads_its_own(self, request, record, rules):
        answer = judge(replace(request, requester=SOFTWARE), record, rules)
        assert all("Organization/chu" in SAMPLE[number].owners for number in view(answer))


class TestThePatient:
    """The patient sees the own record but what is sealed, whatever is said about others (I09, I21, I22)."""

    @holds("I09", "I21")
    @given(requests, records, profiles)
    def test_sees_all_but_sealed_documents(self, request, record, rules):
        adult = replace(record, birth_date=None, status=SpaceStatus.ACTIVE)
        answer = judge(replace(request, requester=HOLDER, action=Action.CONSULT), adult, rules)
        sealed = {
            number
            for number, item in enumerate(SAMPLE)
            if item.marks & Mark.INVISIBLE_PATIENT and item.sealed_until and item.sealed_until > request.at
        }
        unsealed = set(range(len(SAMPLE))) - sealed
        assert {n for n in unsealed if SAMPLE[n].sealed_until or not SAMPLE[n].marks & 2} <= view(answer)
        assert not sealed & view(answer)

    @holds("I22")
    @RARE
    @given(requests, records, profiles)
    def test_sees_the_same_whatever_is_said_about_others(self, request, record, rules):
        asked = replace(request, requester=HOLDER)
        assert everything(judge(asked, record, rules)) == everything(
            judge(asked, replace(record, directives=(), teams=()), rules)
        )


class TestRepresentatives:
    """Representatives see no secret and nothing sealed; of adults they are guardians or carers (I10 to I12, I23)."""

    @holds("I10", "I11")
    @given(requests, records, profiles)
    def test_never_see_a_secret(self, request, record, rules):
        answer = judge(replace(request, requester=PARENT), record, rules)
        for number in view(answer):
            item = SAMPLE[number]
            assert not item.marks & Mark.INVISIBLE_REPRESENTANTS_LEGAUX
            assert not item.sealed_until or item.sealed_until <= request.at

    @holds("I12")
    @given(requests, records, profiles)
    def test_of_adults_are_guardians_or_carers(self, request, record, rules):
        held = tuple(d for d in record.directives if d.kind not in {K.GUARDIAN, K.CARER})
        adult = replace(record, birth_date=None, directives=held)
        assert isinstance(judge(replace(request, requester=PARENT), adult, rules), Deny)

    @holds("I23")
    @RARE
    @given(requests, records, profiles, directives)
    def test_see_the_same_whatever_is_said_about_professionals(self, request, record, rules, directive):
        said = replace(directive, id="said", actors=frozenset({"Practitioner/zoe"}))
        asked = replace(request, requester=PARENT)
        assert everything(judge(asked, record.with_directive(said), rules)) == everything(judge(asked, record, rules))


class TestLabelsForPatientsBlindNoProfessional:
    """Labels aimed at patients and parents never change what a professional sees (I24)."""

    @holds("I24")
    @given(professional_requests, records, profiles, facts)
    def test_sees_it_with_or_without(self, request, record, rules, document):
        answer = judge(request, record, rules)
        if isinstance(answer, Permit):
            seen = answer.sees(View.DOCUMENTS)
            other = document.marks ^ (Mark.INVISIBLE_PATIENT | Mark.INVISIBLE_REPRESENTANTS_LEGAUX)
            assert seen.admits(document) is seen.admits(replace(document, marks=other))


class TestHiddenMeansHidden:
    """Among professionals a hidden document is read by its depositor, and by whom the profile names (I13)."""

    @holds("I13", "AC28")
    @given(professional_requests, records, profiles)
    def test_only_by_these(self, request, record, rules):
        answer = judge(request, record, rules)
        widened = any(d.kind is K.HIDDEN_IN_EMERGENCY for d in record.directives)
        for number in view(answer):
            item = SAMPLE[number]
            if item.marks & Mark.MASQUE_PS and not item.owners & request.requester.identities:
                assert answer.basis in {Basis.DECLARED_PHYSICIAN, Basis.ADMINISTRATOR} or (
                    widened and answer.basis in {Basis.BREAK_GLASS, Basis.REGULATION}
                )
                assert rules.declared_physician_sees_hidden or answer.basis != Basis.DECLARED_PHYSICIAN


class TestTheMatrixHolds:
    """No ground opens a kind outside the row, but the declaration and one's own deposits (I16)."""

    @holds("I16", "D3")
    @given(professional_requests, records, profiles)
    def test_against_every_ground(self, request, record, rules):
        answer = judge(request, record, rules)
        requester = request.requester
        row = MATRIX.kinds_for(requester.profession, requester.specialty)
        for number in view(answer):
            item = SAMPLE[number]
            outside = item.kind not in row and item.owner_person != requester.person
            assert not outside or answer.basis is Basis.DECLARED_PHYSICIAN


class TestEveryEntryExplainsItself:
    """An entry names its ground, its rule, the consents used and the matrix; a refusal its reason (I38, I39)."""

    @holds("I39")
    @given(requests, records, profiles)
    def test_names_them(self, request, record, rules):
        answer = judge(request, record, rules)
        assert answer.matrix_version == MATRIX.version
        assert answer.rules
        assert answer.rules[0].outcome == ("permit" if isinstance(answer, Permit) else "refuse")
        known = {d.id for d in record.directives}
        assert all(set(rule.consents) <= known for rule in answer.rules)
        if isinstance(answer, Permit):
            assert answer.basis in set(Basis)
            assert answer.compartment == CAMILLE
        else:
            assert answer.reason in set(Reason)
            assert answer.reason is not Reason.RULE_ERROR


class TestAnErrorIsARefusal:
    """Whatever goes wrong in a rule, nobody enters and nothing is raised (I38)."""

    @holds("I38")
    @given(requests, records)
    def test_with_a_clock_without_zone(self, request, record):
        answer = judge(replace(request, at=request.at.replace(tzinfo=None)), record)
        assert isinstance(answer, Permit | Deny)

    @holds("I38")
    @given(requests)
    def test_with_a_state_that_is_none(self, request):
        answer = judge(request, None)
        assert isinstance(answer, Deny)


class TestScopesOnlyNarrow:
    """What a scope leaves is part of what was visible, and scopes intersect to what both leave (I41, I42)."""

    limits = st.lists(
        st.tuples(
            st.none() | st.frozensets(st.sampled_from(["34112-3", "REMB"])), st.none() | st.frozensets(st.just("10"))
        ),
        max_size=3,
    ).map(tuple)
    clauses = st.lists(
        st.builds(
            Clause,
            kinds=st.none() | st.frozensets(st.sampled_from(["34112-3", "11502-2"]), min_size=1),
            categories=st.none() | st.frozensets(st.just("10")),
            closed_by=marks,
            unsealed_at=st.none() | st.just(NOW),
            owned_by=st.none() | st.just(frozenset({"Practitioner/paul"})),
            knows_marks=st.booleans(),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple)
    words = st.lists(
        st.builds(
            "{}/{}.{}{}".format,
            st.sampled_from(["patient", "user", "system"]),
            st.sampled_from(["DocumentReference", "Consent", "*"]),
            st.sampled_from(["r", "rs", "cruds", "c", "read", "write", "*"]),
            st.sampled_from(["", "", "?type=a", "?type=a,b", "?category=x"]),
        ),
        max_size=4,
    ).map(" ".join)

    @holds("I41")
    @RARE
    @given(clauses, limits)
    def test_a_limit_leaves_part_of_what_was_visible(self, clauses, limits):
        whole = Visibility(CAMILLE, clauses)
        narrowed = whole.narrowed_to_any(limits)
        for document in SAMPLE:
            allowed = any(
                (kinds is None or document.kind in kinds) and (cats is None or document.category in cats)
                for kinds, cats in limits
            )
            assert narrowed.admits(document) is (whole.admits(document) and allowed)
            assert whole.knows_marks(document) or not narrowed.knows_marks(document)

    @holds("I41")
    @given(words, words)
    def test_a_meeting_is_contained_in_both(self, a, b):
        one, two = Scopes.parse(a), Scopes.parse(b)
        met = one.meet(two)
        assert one.contains(met)
        assert two.contains(met)
        assert met == two.meet(one)

    @given(words)
    def test_meeting_oneself_changes_nothing(self, text):
        scopes = Scopes.parse(text)
        assert scopes.meet(scopes) == scopes
        assert Scopes.parse(str(scopes)) == scopes
        assert scopes.contains(scopes)

    @holds("I42")
    @given(words)
    def test_both_spellings_grant_alike(self, text):
        modern = text.replace(".read", ".rs").replace(".write", ".cud").replace(".*", ".cruds")
        a, b = Scopes.parse(text), Scopes.parse(modern)
        assert a == b
        for letter in "cruds":
            assert a.grants("DocumentReference", letter) == b.grants("DocumentReference", letter)


class TestNoOtherCompartment:
    """An entry into one space shows nothing of another (I05)."""

    @holds("I05")
    @given(requests, records, profiles)
    def test_of_another_patient(self, request, record, rules):
        answer = judge(request, record, rules)
        if isinstance(answer, Permit):
            for part in View:
                assert not any(answer.sees(part).admits(replace(item, compartment="leo")) for item in SAMPLE)


class TestWhatTheCallerIsNeverDependsOnThePatient:
    """`forbidden-party`, `unidentified`, `not-entitled` and `emergencies-only` are the same for every patient."""

    @given(requests, records, records, profiles)
    def test_in_every_space(self, request, record, other, rules):
        told = {Reason.FORBIDDEN_PARTY, Reason.UNIDENTIFIED, Reason.NOT_ENTITLED, Reason.EMERGENCIES_ONLY}
        reasons = {getattr(judge(request, each, rules), "reason", None) for each in (record, other)}
        assert len(reasons) == 1 or not reasons & told


class TestNothingButEmergencies:
    """While only emergencies are let through, nothing else is, whoever asks and of whom (K2)."""

    @holds("K2")
    @given(requests, records, profiles)
    def test_who_is_no_professional_in_an_emergency_is_refused_alike_in_every_space(self, request, record, rules):
        emergency = request.requester.kind is RequesterKind.PROFESSIONAL and request.purpose in EMERGENCIES
        assume(not emergency and request.requester is not INSURER)
        answer = judge(replace(request, in_lockdown=True), record, rules)
        assert (answer.reason, [rule.statement for rule in answer.rules]) == (Reason.EMERGENCIES_ONLY, ["K2"])
        assert answer == judge(replace(request, in_lockdown=True), replace(record, directives=()), rules)

    @given(professional_requests, records, profiles, st.sampled_from(EMERGENCIES))
    def test_a_professional_in_an_emergency_is_judged_as_ever(self, request, record, rules, mode):
        assume(request.requester.kind is RequesterKind.PROFESSIONAL)
        ever = replace(request, purpose=mode)
        assert judge(replace(ever, in_lockdown=True), record, rules) == judge(ever, record, rules)

    @given(requests, records, profiles)
    def test_it_never_widens(self, request, record, rules):
        ever = replace(request, in_lockdown=False)
        assert within(judge(replace(ever, in_lockdown=True), record, rules), judge(ever, record, rules))
