"""The facts that every rule reads: under which references somebody is reached, how precise a choice is."""

from dataclasses import replace

from consent_rules.vocabulary import DirectiveKind
from tests.rules.builders import DAY, NOW, PAUL, SOFTWARE, agreement, directive


def test_somebody_is_reached_as_person_as_role_and_as_member_of_the_establishment():
    assert PAUL.identities == {"Practitioner/paul", "PractitionerRole/paul-1", "Organization/cabinet"}
    assert replace(PAUL, role="").identities == {"Practitioner/paul", "Organization/cabinet"}
    assert SOFTWARE.identities == {"Organization/chu"}


def test_a_choice_about_named_documents_is_more_precise_than_one_about_kinds_or_times():
    """E1."""
    withheld = directive(DirectiveKind.WITHHELD)
    named = replace(withheld, documents=frozenset({"D1"}), kinds=frozenset({"34112-3"}))
    limits = (
        {"kinds": frozenset({"34112-3"})},
        {"categories": frozenset({"10"})},
        {"data_start": NOW},
        {"data_end": NOW + DAY},
    )
    assert withheld.precision == agreement("Practitioner/paul").precision == 0
    for limit in limits:
        assert 0 < replace(withheld, **limit).precision < named.precision
