"""The examples of Consents that IHE PCF publishes, and what their texts say."""

import pytest

from consent_rules.vocabulary import Label
from fhir_server.domain.consents.directives import directives_of
from tests.examples import NAMES, example
from tests.holds import holds
from tests.rules.builders import (
    HOLDER,
    MARTIN,
    PAUL,
    agreement,
    ask,
    document,
    entered,
    reason,
    sees,
    space,
)
from tests.rules.consents import BTG, ETREAT, TREAT, K, actor, consent, directive_of, label, purposes, refused

HONOURED = {
    "pcf--Consent-ex-consent-basic-treat.json": (K.AGREEMENT, {"Organization/ex-organization"}, {TREAT}),
    "pcf--Consent-ex-consent-basic-reject.json": (K.BLOCK, frozenset(), {TREAT, BTG, ETREAT}),
    "pcf--Consent-ex-consent-advanced-normal-focused-psy.json": (
        K.AGREEMENT,
        {"Organization/ex-organization"},
        {TREAT},
    ),
    "pcf--Consent-ex-consent-intermediate-timeframe.json": (K.AGREEMENT, {"Organization/ex-organization"}, {TREAT}),
}
UNHONOURED = {
    "pcf--Consent-ex-consent-intermediate-not-data.json": "Consent.provision.provision[0].data[0].reference",
    "pcf--Consent-ex-dissent-intermediate-break-glass.json": "Consent.provision.provision[0].actor[0].reference",
}


@holds("ITI-108")
@pytest.mark.parametrize("name", HONOURED)
def test_a_published_example_is_honoured(name):
    said = directive_of(example(name), "c1")
    assert (said.kind, said.actors, said.purposes) == HONOURED[name]


@pytest.mark.parametrize("name", UNHONOURED)
def test_a_published_example_that_cannot_be_honoured_is_refused_with_the_element(name):
    assert UNHONOURED[name] in refused(example(name))[1]


def test_every_published_example_is_judged():
    judged = HONOURED.keys() | UNHONOURED.keys()
    assert {example(name)["resourceType"] for name in judged} == {"Consent"}
    assert {name for name in NAMES if name.startswith("pcf--Consent-")} == judged


def test_the_published_focus_on_psychiatry_is_honoured_as_its_text_says():
    """N to everybody whom the permit reaches, PSY to the one practitioner besides (PCF advanced)."""
    focused = {"type": "permit", "securityLabel": [label("PSY")], "actor": [actor("Practitioner/paul")]}
    made = consent(purpose=purposes("TREAT", "HPAYMT"), securityLabel=[label("N")], provision=[focused])
    made["organization"] = [{"reference": "Organization/practice"}]
    record = space(*directives_of(made, "c1"))
    kept = {name: document(labels=labels) for name, labels in (("N", Label.N), ("PSY", Label.R | Label.PSY))}
    seen = {
        who.person: {name for name, facts in kept.items() if sees(ask(who, record), facts)} for who in (PAUL, MARTIN)
    }
    assert seen == {"Practitioner/paul": {"N", "PSY"}, "Practitioner/martin": {"N"}}
    assert not sees(ask(PAUL, record), document(labels=Label.NONE))
    assert not sees(ask(PAUL, record), document())


def test_rejecting_everything_closes_the_space_to_professionals_and_not_to_the_patient():
    record = space(
        agreement("Organization/cabinet"), directive_of(consent(type_="deny", purpose=purposes("TREAT")), "c2")
    )
    assert reason(ask(PAUL, record)) == "blocked"
    assert reason(ask(PAUL, record, purpose=BTG)) == "blocked"
    assert entered(ask(HOLDER, record)).basis == "patient"
