"""The duties of labelling, filing and recording, and those that only a server keeps; I-numbers as in test_duties."""

from dataclasses import replace
from itertools import product

import pytest

from consent_rules.consents import recording
from consent_rules.consents.visibility_marks import marks_at_filing, may_change_marks, may_file
from consent_rules.decision.decide import decide
from consent_rules.decision.decision_context import context_of
from consent_rules.matrix.table import published
from consent_rules.model import AccessRequest, Deny, Directive, Permit, RecordState, RuleApplied
from consent_rules.visibility import AccessFacts, Clause, Visibility
from consent_rules.vocabulary import Action, DirectiveKind, Grade, Mark, Proof, Purpose, SpaceStatus, View
from tests.holds import holds
from tests.laws.abstract_states import BORN, DAY, HOUSE, ME, NOW, OTHER, RELATED, SECOND, SPACE, WHO, profiles
from tests.world import LABORATORY, World

PROFILES = profiles()
MATRIX = published()
EVERY_MARK = tuple(Mark(bits) for bits in range(32))
HIDING = Mark.MASQUE_PS | Mark.MASQUE_PSOCIAL | Mark.MASQUE_PT
SECRET, SEALED = Mark.INVISIBLE_REPRESENTANTS_LEGAUX, Mark.INVISIBLE_PATIENT
REPRESENTATIVE = Directive("r", DirectiveKind.REPRESENTATIVE, frozenset({RELATED}), recorded_at=NOW)
CARED_FOR = Directive(
    "care", DirectiveKind.CARE, frozenset({ME}), recorded_at=NOW, proof=Proof.ADMISSION, grade=Grade.THIRD_PARTY
)
ASKING = ("holder", "related", "physician", "occupational", "social-worker", "software")


def _request(who, action=Action.CHANGE_MARKS, purpose=Purpose.TREATMENT):
    return AccessRequest(WHO[who], action, purpose, NOW)


def _record(born=None, *directives):
    return RecordState(SPACE, SpaceStatus.ACTIVE, birth_date=born, directives=directives)


def _file(record, wanted, rules=PROFILES["fr"]):
    return may_file(context_of(_request("physician", Action.DEPOSIT), record, published(), rules), wanted)


def _document(marks, owner):
    sealed = NOW + SECOND if marks & SEALED else None
    return AccessFacts(SPACE, "34112-3", "10", marks, sealed, *owner)


def _changes():
    """Yield every change of marks that is permitted: who, of which age, on whose document, before and after."""
    owners = ((ME, "", ""), (OTHER, HOUSE, ""), (OTHER, "Organization/chu", ""))
    for (name, rules), who, born, owner in product(PROFILES.items(), ASKING, BORN, owners):
        for before, after in product(EVERY_MARK, EVERY_MARK):
            answer = may_change_marks(
                _request(who), _record(born, REPRESENTATIVE), _document(before, owner), after, rules
            )
            if isinstance(answer, RuleApplied):
                yield name, who, BORN[born], owner, before, after


@pytest.fixture(scope="module")
def changes():
    return list(_changes())


class TestOnlyTheHoldersSideHides:
    """The holder hides and shows, a representative for a minor, the author at filing; nobody else (I31)."""

    @holds("I31")
    def test_no_professional_or_software_changes_what_is_hidden(self, changes):
        hiding = [c for c in changes if (c[4] ^ c[5]) & HIDING]
        assert {who for _, who, *_ in hiding} == {"holder", "related"}

    def test_a_representative_never_touches_the_minors_secret(self, changes):
        assert not [c for c in changes if c[1] == "related" and (c[4] ^ c[5]) & SECRET]

    def test_only_the_author_lifts_a_seal(self, changes):
        lifting = [c for c in changes if c[4] & SEALED and not c[5] & SEALED]
        assert {(who, owner[0]) for _, who, _, owner, *_ in lifting if who != "software"} == {
            ("physician", ME),
            ("occupational", ME),
            ("social-worker", ME),
        }
        assert all(HOUSE in owner for _, who, _, owner, *_ in lifting if who == "software")

    @holds("I31")
    def test_the_author_hides_at_filing(self):
        assert isinstance(_file(_record(), Mark.MASQUE_PS), RuleApplied)


class TestNoSecretIsLifted:
    """What is closed to legal representatives stays so, whoever asks and in every later version (I32)."""

    @holds("I32")
    def test_by_nobody(self, changes):
        assert not [c for c in changes if c[4] & SECRET and not c[5] & SECRET]

    @holds("I32")
    @pytest.mark.parametrize("wanted", EVERY_MARK)
    def test_nor_by_a_replacement(self, wanted):
        replaced = _document(SECRET, (ME, "", ""))
        assert marks_at_filing(_record(), wanted, NOW, replaced) & SECRET

    def test_only_about_a_minor_is_one_made(self, changes):
        assert {age for _, _, age, _, before, after in changes if after & ~before & SECRET} == {"child", "teenager"}


class TestHiddenAndSealedExclude:
    """Hidden from professionals and sealed from the patient exclude each other, unless the parameter allows both (I33).

    What the holder's default hides at birth is no exception that anybody makes: refusing it would tell the default.
    """

    @holds("I33")
    def test_no_change_makes_both(self, changes):
        both = Mark.MASQUE_PS | SEALED
        made = [name for name, *_, before, after in changes if after & both == both and before & both != both]
        assert not made

    @holds("I33")
    @pytest.mark.parametrize("name", PROFILES)
    @pytest.mark.parametrize("allowed", [False, True])
    def test_filing_makes_both_where_allowed_only(self, name, allowed):
        rules = replace(PROFILES[name], hidden_and_sealed_together=allowed)
        answer = _file(_record(None, CARED_FOR), Mark.MASQUE_PS | SEALED, rules)
        assert isinstance(answer, RuleApplied) is allowed


class TestSecretConnection:
    """What is filed in the secret connection of a minor is closed to representatives from the first moment (I34).

    The connection is a mode of the filing software, which sets the mark on each document.
    """

    @holds("I34")
    def test_the_author_may_set_the_mark_at_filing(self):
        for born, age in BORN.items():
            answer = _file(_record(born), SECRET)
            assert isinstance(answer, RuleApplied) is (age in ("child", "teenager"))

    @holds("I34")
    def test_no_representative_sees_it(self):
        for born in BORN:
            request = _request("related", Action.CONSULT, Purpose.FAMILY_REQUEST)
            answer = decide(request, _record(born, REPRESENTATIVE), MATRIX, PROFILES["fr"])
            seen = isinstance(answer, Permit) and answer.sees(View.DOCUMENTS).admits(_document(SECRET, (ME, "", "")))
            assert not seen


class TestAgreementsAreSaid:
    """An agreement is recorded by an explicit act of somebody who may say so, never by default (I35)."""

    @holds("I35")
    @pytest.mark.parametrize("who", ["software", "auditor", "support", "forbidden"])
    def test_not_by_these(self, who):
        said = Directive("a", DirectiveKind.AGREEMENT, frozenset({ME}))
        case = context_of(_request(who, Action.DIRECT), _record(), MATRIX, PROFILES["fr"])
        assert isinstance(recording.record(case, said), Deny)

    @holds("I35")
    def test_it_names_whoever_wrote_it_down(self):
        said = Directive("a", DirectiveKind.AGREEMENT, frozenset({ME}), by_patient=True, recorder="nobody")
        case = context_of(_request("physician", Action.DIRECT), _record(), MATRIX, PROFILES["fr"])
        kept = recording.record(case, said)
        assert (kept.by_patient, kept.recorder, kept.recorded_at) == (False, ME, NOW)

    @pytest.mark.parametrize(
        ("who", "days", "kept"), [("physician", 1, True), ("physician", 2, False), ("holder", 2, True)]
    )
    def test_a_professional_writes_down_no_longer_period_than_holds(self, who, days, kept):
        """C4: one consultation; only the patient's own act says longer, and what is stored is what holds."""
        said = Directive("a", DirectiveKind.AGREEMENT, frozenset({ME}), proof=Proof.WRITTEN, end=NOW + days * DAY)
        case = context_of(_request(who, Action.DIRECT), _record(), MATRIX, PROFILES["fr"])
        assert isinstance(recording.record(case, said), Directive) is kept

    @holds("I35")
    @pytest.mark.parametrize("kind", set(DirectiveKind) - {"agreement", "declared-physician", "administrator"})
    def test_nothing_else_that_is_said_is_one(self, kind):
        said = Directive("a", kind, frozenset({ME}), recorded_at=NOW, reason="r", by_patient=True)
        answer = decide(_request("physician", Action.CONSULT), _record(None, said), MATRIX, PROFILES["fr"])
        assert isinstance(answer, Deny)


class TestOutsideTheScopesNothing:
    """Outside the scopes that were granted nothing is shown (I04)."""

    @holds("I04")
    def test_no_scope_shows_nothing(self):
        whole = Visibility(SPACE, (Clause(),))
        assert whole.admits(_document(Mark.NONE, ("", "", "")))
        assert not whole.narrowed_to_any(()).admits(_document(Mark.NONE, ("", "", "")))


class TestWithoutAToken:
    """No valid token, nothing (I03)."""

    @holds("I03")
    @pytest.mark.parametrize("token", ["", "unknown", "Bearer"])
    def test_is_asked_to_log_in(self, world: World, token):
        world.tokens["nobody"] = token
        document = world.publish()
        for path in (f"/DocumentReference/{document}", f"/DocumentReference?patient={world.ids['camille']}"):
            assert world.get("nobody", path).status_code == 401


OBSERVERS = ("camille", "nour", "martin", "zoe", "chu-ehr", "other-ehr")


def _shown(world, who):
    """Return what a search shows to somebody; a refusal shows nothing."""
    answer = world.get(who, f"/DocumentReference?patient={world.ids['camille']}")
    return (
        {entry["resource"]["id"] for entry in answer.get_json().get("entry", [])}
        if answer.status_code == 200
        else set()
    )


class TestDeletedAnswersNobody:
    """What was deleted answers nobody (I07)."""

    @holds("I07")
    def test_neither_by_its_id_nor_in_a_search(self, world: World):
        assert world.agree("camille", "chu").status_code == 201
        document, kept = world.publish(), world.publish()
        assert _shown(world, "nour") == {document, kept}
        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{document}").status_code in (200, 204)
        for who in OBSERVERS:
            assert world.get(who, f"/DocumentReference/{document}").status_code in (403, 404, 410)
            assert document not in _shown(world, who)
        assert _shown(world, "nour") == {kept}


class TestSearchIsTheUnionOfReads:
    """A search shows exactly what reading one by one shows, to everybody (I40)."""

    @holds("I40")
    def test_for_every_observer(self, world: World):
        assert {world.agree("camille", actor).status_code for actor in ("chu", "martin")} == {201}
        documents = [world.publish(), world.publish(type_=LABORATORY), world.publish("other-ehr", place="other")]
        documents += [world.publish(type_=LABORATORY), world.publish("other-ehr", place="other", type_=LABORATORY)]
        for hidden in (documents[0], documents[4]):
            assert world.hide(hidden).status_code == 200
        sizes = set()
        for who in OBSERVERS:
            read = {d for d in documents if world.get(who, f"/DocumentReference/{d}").status_code == 200}
            assert _shown(world, who) == read, who
            sizes.add(len(read))
        assert len(sizes) > 2
