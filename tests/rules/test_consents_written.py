"""Consents that the server writes compile to what was said; and who may see one."""

from dataclasses import replace

import pytest

from consent_rules.vocabulary import Grade, Label, Proof
from fhir_server.domain.consents.directives import access_of, consent_of, is_active
from tests.rules.builders import (
    DAY,
    NOW,
    agreement,
    block,
    directive,
)
from tests.rules.consents import BTG, ETREAT, TREAT, K, directive_of

ROUND_TRIPS = [
    agreement("Practitioner/paul", purposes=frozenset({TREAT}), proof=Proof.CARD),
    agreement("Organization/chu", excluded=frozenset({"Practitioner/zoe"}), start=NOW, end=NOW + DAY),
    agreement("CareTeam/t", kinds=frozenset({"11369-6", "11502-2"})),
    block("Practitioner/paul", purposes=frozenset({TREAT, BTG, ETREAT})),
    block(purposes=frozenset({TREAT, ETREAT})),
    block(purposes=frozenset({TREAT})),
    block(purposes=frozenset({BTG})),
    block(purposes=frozenset({BTG, ETREAT})),
    block("Organization/chu"),
    agreement("Practitioner/paul", documents=frozenset({"d1", "d2"})),
    agreement("Practitioner/paul", data_start=NOW, data_end=NOW + DAY),
    directive(K.WITHHELD, documents=frozenset({"d1"}), excluded=frozenset({"Practitioner/paul", "Organization/chu"})),
    directive(K.WITHHELD, documents=frozenset({"d1"}), professions=frozenset({"10", "21"})),
    directive(K.WITHHELD, "Practitioner/paul", documents=frozenset({"d1"}), purposes=frozenset({TREAT, BTG})),
    directive(K.WITHHELD, labels=Label.R | Label.PSY | Label.HIV),
    agreement("Practitioner/paul", labels=Label.N),
    directive(K.WITHHELD, kinds=frozenset({"11369-6"}), data_start=NOW, purposes=frozenset({TREAT, BTG, ETREAT})),
    directive(K.DECLARED_PHYSICIAN, "Practitioner/martin", reason="chosen"),
    directive(K.ADMINISTRATOR, "PractitionerRole/martin", reason="chosen"),
    directive(K.REPRESENTATIVE, "RelatedPerson/marc"),
    directive(K.GUARDIAN, "RelatedPerson/marc"),
    directive(K.CARER, "RelatedPerson/marc", end=NOW + DAY),
    directive(
        K.EMERGENCY_OPENING,
        "Practitioner/paul",
        purposes=frozenset({BTG}),
        reason="unconscious",
        start=NOW,
        end=NOW + DAY,
    ),
    *(
        directive(kind)
        for kind in (K.HIDDEN_IN_EMERGENCY, K.HIDDEN_BY_DEFAULT, K.CARE_HISTORY_HIDDEN, K.ASK_FIRST, K.AT_ONCE)
    ),
]


@pytest.mark.parametrize("said", ROUND_TRIPS, ids=lambda said: said.kind.value)
def test_a_written_directive_compiles_to_itself(said):
    written = consent_of(said, "camille", "Organization/chu")
    assert directive_of(written, said.id) == replace(said, grade=Grade.DECLARED)  # a Consent states no grade
    assert is_active(written)
    assert written["patient"] == {"reference": "Patient/camille"}


def test_an_undated_directive_is_written_with_the_oldest_date():
    assert consent_of(replace(ROUND_TRIPS[0], recorded_at=None), "p", "Organization/o")["dateTime"] == (
        "1970-01-01T00:00:00Z"
    )


def test_only_active_consents_are_compiled():
    assert not any(is_active({"status": status}) for status in ("draft", "proposed", "rejected", "inactive"))


def withheld(*actors):
    return directive(K.WITHHELD, *actors, documents=frozenset({"d1"}))


class TestWhoSeesAConsent:
    def test_whoever_it_lets_in(self):
        facts = access_of("camille", agreement("Practitioner/paul", recorder="Practitioner/martin"))
        assert (facts.compartment, facts.kind, facts.owner_person) == ("camille", "agreement", "Practitioner/paul")
        assert facts.owner_client == "Practitioner/martin"

    def test_the_establishment_that_it_lets_in(self):
        facts = access_of("camille", agreement("Organization/chu", recorder="Practitioner/martin"))
        assert (facts.owner_person, facts.owner_organization) == ("Practitioner/martin", "Organization/chu")
        assert facts.owner_client == ""

    def test_never_whom_it_blocks(self):
        for said in (block, withheld):
            facts = access_of("camille", said("Practitioner/paul", "Organization/chu"))
            assert facts.owners == frozenset()

    def test_never_whom_it_lets_in_when_it_keeps_something_from_anybody(self):
        """It would tell what others may not see: the patient's other choices."""
        let_in = agreement("Organization/chu")
        assert access_of("camille", let_in, withheld("Organization/chu")).owners == frozenset()
        assert access_of("camille", replace(let_in, excluded=frozenset({"Practitioner/zoe"}))).owners == frozenset()

    def test_everybody_whom_its_exceptions_let_in_too(self):
        facts = access_of("camille", agreement("Organization/chu"), agreement("Practitioner/zoe"))
        assert facts.owners == {"Organization/chu", "Practitioner/zoe"}
