"""What a minor leaves to a legal representative, as Consents: honoured exactly, or refused with the element (B2)."""

import pytest

from consent_rules.vocabulary import DirectiveKind, Mark
from fhir_server.domain.consents.directives import access_of, consent_of, directives_of
from tests.rules.builders import PAUL, agreement, block, directive
from tests.rules.consents import CODE, DATUM, LIMITS, actor, class_, consent, directive_of, purposes, refused

K = DirectiveKind
CAMILLE, MARC = "RelatedPerson/camille", "RelatedPerson/marc"
ACTOR, KIND = "Consent.provision.actor", "Consent.provision.data"


def nested(**more):
    return [{"type": "permit"} | more]


class TestHonoured:
    def test_a_deny_of_a_relative_withholds_and_blocks_nobody(self):
        made = directive_of(consent(CAMILLE, type_="deny"), "c1")
        assert (made.kind, made.actors, made.precision) == (K.WITHHELD, {CAMILLE}, 0)

    @pytest.mark.parametrize(("element", "value"), LIMITS)
    def test_a_deny_and_a_permit_of_some_documents(self, element, value):
        alike = directive_of(consent(PAUL.person, **{element: value}), "c1").extent
        for type_, kind in (("deny", K.WITHHELD), ("permit", K.AGREEMENT)):
            made = directive_of(consent(CAMILLE, MARC, type_=type_, **{element: value}), "c1")
            assert (made.kind, made.actors, made.extent) == (kind, {CAMILLE, MARC}, alike)

    def test_a_deny_with_what_is_left_says_both_things(self):
        left = [*nested(**{"class": [class_("42")]}), *nested(data=[DATUM])]
        said = directives_of(consent(CAMILLE, type_="deny", period={"end": "2027"}, provision=left), "c1")
        assert [(d.kind, d.categories, d.documents) for d in said] == [
            (K.WITHHELD, None, None),
            (K.AGREEMENT, {"42"}, None),
            (K.AGREEMENT, None, {"d1"}),
        ]
        assert {(d.id, d.actors, d.end) for d in said} == {("c1", frozenset({CAMILLE}), said[0].end)}

    def test_a_permit_with_what_is_kept_says_both_things(self):
        kept = [{"type": "deny", "data": [DATUM]}]
        said = directives_of(consent(CAMILLE, code=[CODE], provision=kept), "c1")
        assert [(d.kind, d.kinds, d.documents) for d in said] == [
            (K.AGREEMENT, {"11369-6"}, None),
            (K.WITHHELD, None, {"d1"}),
        ]

    def test_what_is_written_compiles_to_itself(self):
        for said in (
            directive(K.WITHHELD, CAMILLE, id_="c1"),
            directive(K.WITHHELD, CAMILLE, MARC, id_="c1", categories=frozenset({"42"}), documents=frozenset({"d1"})),
            directive(K.AGREEMENT, CAMILLE, id_="c1", categories=frozenset({"10", "42"})),
        ):
            assert directives_of(consent_of(said, "ines", "Organization/chu"), "c1") == (said,)


class TestRefused:
    @pytest.mark.parametrize("other", [PAUL.person, "Organization/chu", "CareTeam/t"])
    def test_one_that_names_others_too(self, other):
        assert refused(consent(CAMILLE, other, type_="deny"))[1] == [ACTOR]
        assert refused(consent(CAMILLE, other, type_="deny", data=[DATUM]))[1] == [ACTOR]
        assert refused(consent(other, CAMILLE, data=[DATUM]))[1] == [ACTOR]

    def test_a_permit_of_everything(self):
        assert refused(consent(CAMILLE))[1] == [KIND]

    def test_one_for_a_purpose(self):
        where = ["Consent.provision.purpose"]
        assert refused(consent(CAMILLE, type_="deny", purpose=purposes("TREAT")))[1] == where
        assert refused(consent(CAMILLE, data=[DATUM], purpose=purposes("FAMRQT")))[1] == where

    @pytest.mark.parametrize(
        "exception",
        [
            {"type": "permit"},
            {"type": "permit", "actor": [actor(MARC)]},
            {"type": "permit", "actor": [actor(PAUL.person)]},
            {"type": "permit", "data": [DATUM], "actor": [actor(CAMILLE)]},
            {"type": "permit", "purpose": purposes("BTG")},
            {"type": "permit", "data": [DATUM], "purpose": purposes("TREAT")},
            {"type": "deny", "data": [DATUM]},
            {"type": "permit", "data": [DATUM], "period": {"end": "2027"}},
        ],
        ids=str,
    )
    def test_another_exception(self, exception):
        said = consent(CAMILLE, type_="deny", provision=[exception])
        assert refused(said)[1][0] == "Consent.provision.provision[0]"

    def test_an_exception_that_permits_more_to_a_permit(self):
        assert refused(consent(CAMILLE, code=[CODE], provision=nested(data=[DATUM])))[1] == [
            "Consent.provision.provision[0]"
        ]

    def test_what_an_exception_cannot_tell_apart(self):
        said = consent(CAMILLE, type_="deny", provision=nested(**{"class": [class_("42"), class_("x")]}))
        assert refused(said)[1] == ["Consent.provision.provision[0].class[1]"]

    def test_a_relative_among_those_for_whom_a_document_is(self):
        """To be named there grants nothing, and a representative is not left out of what names others."""
        for root in ({"type_": "deny", "data": [DATUM]}, {"code": [CODE]}):
            said = consent(PAUL.person, provision=nested(actor=[actor(CAMILLE)]), **root)
            where = "Consent.provision.provision[0].actor[0].reference"
            assert where in refused(said)[1]

    @pytest.mark.parametrize("rule", ["block", "administrator", "declared-physician", "ask-first"])
    def test_another_role(self, rule):
        type_ = "deny" if rule == "block" else "permit"
        assert f"{ACTOR}[0].reference" in refused(consent(CAMILLE, type_=type_, rule=rule))[1]

    def test_an_exception_to_who_represents_or_cares(self):
        for rule, more in (("representative", {}), ("carer", {"period": {"end": "2027"}})):
            said = consent(CAMILLE, rule=rule, provision=[{"type": "deny", "data": [DATUM]}], **more)
            assert refused(said)[1] == ["Consent.provision.provision[0]"]


class TestWhoSeesAConsent:
    """A choice about a representative is the minor's alone: a secret from every representative (B10)."""

    SECRET = Mark.INVISIBLE_REPRESENTANTS_LEGAUX

    def test_a_choice_about_a_representative_is_a_secret(self):
        for said in (directive(K.WITHHELD, CAMILLE), directive(K.AGREEMENT, CAMILLE)):
            facts = access_of("ines", said)
            assert (facts.marks, facts.owners) == (self.SECRET, frozenset())
        assert access_of("ines", agreement(PAUL.person), directive(K.WITHHELD, CAMILLE)).marks == self.SECRET

    def test_no_other_is_one(self):
        for said in (agreement(PAUL.person), block(PAUL.person), directive(K.WITHHELD)):
            assert access_of("ines", said).marks is Mark.NONE
        for kind in (K.REPRESENTATIVE, K.GUARDIAN, K.CARER):
            assert access_of("ines", directive(kind, CAMILLE)).marks is Mark.NONE
