"""Choices in the Swiss form (PPQ-3): defaults as explicit Consents, honoured exactly or refused with the element."""

from copy import deepcopy

import pytest

from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.domain.consents.directives import access_of, directives_of, speaks
from fhir_server.domain.consents.ppqm import IDENTIFIERS, POLICIES, PURPOSES, ROLES, URI, consent_of, template_of
from fhir_server.domain.problem import Category, Problem
from tests.holds import holds
from tests.rules.builders import (
    DAY,
    NOW,
    PAUL,
    agreement,
    ask,
    block,
    directive,
    document,
    entered,
    opening,
    reason,
    sees,
    space,
)

K = DirectiveKind
TREAT, BTG, ETREAT = Purpose.TREATMENT, Purpose.BREAK_GLASS, Purpose.EMERGENCY
MIDNIGHT = NOW.replace(hour=0)
PURPOSES_OF = {"202": ["EMER"], "203": ["NORM", "AUTO", "DICOM_AUTO"], "301": ["NORM"], "302": ["NORM"]}
HOLDER = {"identifier": {"system": "urn:oid:2.16.756.5.30.1.127.3.10.3", "value": "761337610000000002"}}
UUID = "urn:uuid:710e4211-d431-430b-a849-1d689e74e4c2"


def from_template(template, level, actor="", status="active", **provision):
    named = {"reference": actor} if actor else {"display": "all"}
    return {
        "resourceType": "Consent",
        "identifier": [
            {"type": {"coding": [{"system": IDENTIFIERS, "code": code}]}, "value": value}
            for code, value in (("policySetId", UUID), ("templateId", template))
        ],
        "status": status,
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA"}]}],
        "patient": HOLDER,
        "policyRule": {"coding": [{"system": URI, "code": f"{POLICIES}{level}"}]},
        "provision": {
            "actor": [{"role": {"coding": [{"system": ROLES, "code": "HCP"}]}, "reference": named}],
            "purpose": [{"system": PURPOSES, "code": code} for code in PURPOSES_OF.get(template, [])],
            **provision,
        },
    }


SAID = {
    # (template, level, actor, status): (kind, actors, purposes), None when it says what holds anyway
    ("202", "access-level:normal", "", "active"): None,
    ("202", "emergency-access-level:normal", "", "active"): None,
    ("202", "access-level:restricted", "", "active"): (K.HIDDEN_IN_EMERGENCY, set(), set()),
    ("202", "emergency-access-level:restricted", "", "active"): (K.HIDDEN_IN_EMERGENCY, set(), set()),
    ("202", "access-level:normal", "", "inactive"): (K.BLOCK, set(), {BTG, ETREAT}),
    ("202", "access-level:restricted", "", "inactive"): (K.BLOCK, set(), {BTG, ETREAT}),
    ("203", "provide-level:normal", "", "active"): None,
    ("203", "provide-level:restricted", "", "active"): (K.HIDDEN_BY_DEFAULT, set(), set()),
    ("203", "provide-level:restricted", "", "inactive"): None,
    ("301", "access-level:normal", "Practitioner/paul", "active"): (K.AGREEMENT, {"Practitioner/paul"}, {TREAT}),
    ("301", "access-level:restricted", "Practitioner/paul", "active"): (K.ADMINISTRATOR, {"Practitioner/paul"}, set()),
    ("301", "exclusion-list", "PractitionerRole/paul", "active"): (K.BLOCK, {"PractitionerRole/paul"}, set()),
    ("301", "exclusion-list", "Practitioner/paul", "inactive"): None,
    ("302", "access-level:normal", "Organization/chu", "active"): (K.AGREEMENT, {"Organization/chu"}, {TREAT}),
}


@holds("PPQ-3")
@pytest.mark.parametrize("made", SAID)
def test_each_template_says_exactly_its_own(made):
    template, level, actor, status = made
    consent = from_template(template, level, actor, status)
    said = directives_of(consent, "c1")
    assert [(d.kind, d.actors, d.purposes) for d in said] == ([SAID[made]] if SAID[made] else [])
    assert template_of(consent) == template
    assert speaks(consent)


def test_the_days_of_a_template_are_whole():
    made = from_template(
        "302", "access-level:normal", "Organization/chu", period={"start": "2026-03-02", "end": "2026-03-03"}
    )
    (said,) = directives_of(made, "c1")
    assert (said.start, said.end) == (MIDNIGHT, MIDNIGHT + 2 * DAY)
    assert said.recorded_at is None


REFUSED = {
    "the holder's own access": (from_template("201", "access-level:full"), "identifier"),
    "a representative": (from_template("303", "access-level:full"), "identifier"),
    "delegation": (from_template("304", "access-level:delegation-and-normal", "Practitioner/paul"), "identifier"),
    "an unknown template": (from_template("999", "access-level:normal"), "identifier"),
    "hidden from those by right too": (from_template("203", "provide-level:secret"), "policyRule"),
    "hidden documents to a group": (from_template("302", "access-level:restricted", "Organization/chu"), "policyRule"),
    "full access": (from_template("301", "access-level:full", "Practitioner/paul"), "policyRule"),
    "other purposes": (from_template("203", "provide-level:normal", purpose=[{"code": "NORM"}]), "provision.purpose"),
    "nobody": (from_template("301", "access-level:normal"), "provision.actor"),
    "somebody else's kind": (from_template("302", "access-level:normal", "Practitioner/paul"), "provision.actor"),
    "a default for one": (from_template("202", "access-level:normal", "Practitioner/paul"), "provision.actor"),
    "a default for a time": (
        from_template("203", "provide-level:restricted", period={"end": "2027-01-01"}),
        "provision.period",
    ),
    "a type": (from_template("202", "access-level:normal", type="permit"), "provision.type"),
    "documents": (from_template("301", "exclusion-list", "Practitioner/paul", data=[{}]), "provision.data"),
    "a modifier": (from_template("202", "access-level:normal", modifierExtension=[{}]), "modifierExtension"),
    "another modifier": (
        from_template("202", "access-level:normal") | {"modifierExtension": [{}]},
        "modifierExtension",
    ),
    "another scope": (from_template("202", "access-level:normal") | {"scope": {}}, "scope"),
}


@holds("PPQ-3")
@pytest.mark.parametrize(("made", "element"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_rule_can_keep_is_refused_with_the_element(made, element):
    with pytest.raises(Problem) as caught:
        directives_of(made, "c1")
    assert caught.value.category is Category.BUSINESS_RULE
    assert [issue.expression for issue in caught.value.issues] == [f"Consent.{element}"]


def test_another_role_than_professionals():
    made = deepcopy(from_template("202", "access-level:normal"))
    made["provision"]["actor"][0]["role"]["coding"][0]["code"] = "PAT"
    with pytest.raises(Problem) as caught:
        directives_of(made, "c1")
    assert [issue.expression for issue in caught.value.issues] == ["Consent.provision.actor.role"]


def test_a_day_that_is_none():
    made = from_template("301", "access-level:normal", "Practitioner/paul", period={"end": "soon"})
    with pytest.raises(Problem) as caught:
        directives_of(made, "c1")
    assert caught.value.category is Category.INVALID


ROUND_TRIPS = [
    directive(K.HIDDEN_IN_EMERGENCY, recorded_at=None),
    directive(K.HIDDEN_BY_DEFAULT, recorded_at=None),
    block(purposes=frozenset({BTG, ETREAT}), recorded_at=None),
    block("Practitioner/paul", recorded_at=None),
    agreement("Practitioner/paul", purposes=frozenset({TREAT}), recorded_at=None, end=MIDNIGHT + DAY),
    agreement("Organization/chu", purposes=frozenset({TREAT}), recorded_at=None, start=MIDNIGHT),
    directive(K.ADMINISTRATOR, "Practitioner/paul", recorded_at=None),
]


@pytest.mark.parametrize("said", ROUND_TRIPS, ids=lambda said: said.kind.value)
def test_a_directive_written_by_a_template_says_the_same_again(said):
    written = consent_of(said, HOLDER, UUID)
    (again,) = directives_of(written, said.id)
    facts = ("id", "kind", "actors", "purposes", "start", "end")
    assert [getattr(again, name) for name in facts] == [getattr(said, name) for name in facts]
    assert written["patient"] == HOLDER


UNSAYABLE = [
    directive(K.CARER, "RelatedPerson/marc", end=NOW + DAY),
    agreement("Practitioner/paul", purposes=frozenset({TREAT}), end=NOW),
    agreement("Practitioner/paul"),
    agreement("Practitioner/paul", purposes=frozenset({TREAT}), documents=frozenset({"d1"})),
    agreement("Organization/chu", purposes=frozenset({TREAT}), excluded=frozenset({"Practitioner/zoe"})),
    directive(K.AGREEMENT, "Practitioner/a", "Practitioner/b", purposes=frozenset({TREAT})),
    block(purposes=frozenset({BTG})),
    directive(K.HIDDEN_BY_DEFAULT, end=MIDNIGHT),
    block("Organization/chu"),
]


@pytest.mark.parametrize("said", UNSAYABLE, ids=lambda said: said.kind.value)
def test_what_no_template_says_is_not_written(said):
    with pytest.raises(ValueError, match="no template"):
        consent_of(said, HOLDER, UUID)


def test_withdrawing_the_default_switches_emergencies_off_and_saying_it_again_on():
    """Template 202 is the default that emergencies are open (G4): it is withdrawn by its own Consent."""
    record = space(opening(PAUL))
    assert entered(ask(PAUL, record, purpose=BTG)).basis == "break-glass"
    off = record.with_directive(*directives_of(from_template("202", "access-level:normal", status="inactive"), "d"))
    assert reason(ask(PAUL, off, purpose=BTG)) == "emergency-off"
    assert directives_of(from_template("202", "access-level:normal"), "d") == ()
    assert entered(ask(PAUL, off.without("d"), purpose=BTG)).basis == "break-glass"
    wide = off.with_directive(*directives_of(from_template("202", "access-level:restricted"), "d"))
    assert sees(ask(PAUL, wide, purpose=BTG), document())


def test_a_default_is_seen_by_the_holder_alone():
    assert access_of("camille").owners == frozenset()
    assert access_of("camille").compartment == "camille"
