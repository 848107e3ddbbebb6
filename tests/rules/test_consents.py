"""Consents as directives: honoured exactly, or refused with the element."""

from datetime import UTC, datetime

import pytest

from consent_rules.vocabulary import Label, Proof
from fhir_server.domain.consents.checks import MOST_DOCUMENTS
from fhir_server.domain.consents.directives import directives_of
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY
from fhir_server.domain.problem import Category
from tests.rules.consents import (
    BTG,
    DATUM,
    DECLARED,
    ETREAT,
    LIMITS,
    RECIPIENT,
    TREAT,
    K,
    actor,
    class_,
    consent,
    directive_of,
    label,
    profession,
    purposes,
    refused,
)


class TestHonoured:
    def test_a_permit_for_one_professional_is_an_agreement(self):
        made = directive_of(consent("Practitioner/paul", purpose=purposes("TREAT")), "c1")
        assert (made.id, made.kind, made.actors) == ("c1", K.AGREEMENT, {"Practitioner/paul"})
        assert made.purposes == {TREAT}
        assert made.recorded_at == datetime(2026, 3, 2, tzinfo=UTC)
        assert (made.by_patient, made.recorder, made.reason, made.proof) == (False, "", "", Proof.ORAL)

    def test_a_permit_without_actor_is_for_the_custodian_establishments(self):
        assert directive_of(consent(), "c1").actors == {"Organization/chu"}

    def test_a_permit_that_leaves_somebody_out(self):
        nested = {"type": "deny", "actor": [actor("Practitioner/zoe")]}
        made = directive_of(consent("Organization/chu", provision=[nested]), "c1")
        assert (made.actors, made.excluded) == ({"Organization/chu"}, {"Practitioner/zoe"})

    def test_a_deny_of_one_is_a_block_emergencies_included(self):
        made = directive_of(consent("Practitioner/paul", type_="deny", purpose=purposes("TREAT")), "c1")
        assert (made.kind, made.purposes) == (K.BLOCK, {TREAT, BTG, ETREAT})

    def test_a_deny_of_everything_blocks_everybody_for_everything(self):
        made = directive_of(consent(type_="deny"), "c1")
        assert (made.kind, made.actors, made.purposes) == (K.BLOCK, frozenset(), frozenset())

    @pytest.mark.parametrize(("code", "purpose"), [("BTG", BTG), ("ETREAT", ETREAT)])
    def test_a_deny_of_one_emergency_mode_is_its_switch(self, code, purpose):
        assert directive_of(consent(type_="deny", purpose=purposes(code)), "c1").purposes == {purpose}

    @pytest.mark.parametrize("root", [[], ["TREAT"]])
    def test_a_deny_that_leaves_break_glass_open(self, root):
        more = {"purpose": purposes(*root)} if root else {}
        made = directive_of(
            consent(type_="deny", provision=[{"type": "permit", "purpose": purposes("BTG")}], **more), "c1"
        )
        assert BTG not in made.purposes
        assert {TREAT, ETREAT} <= made.purposes

    def test_the_declared_physician_is_told_by_the_role(self):
        made = directive_of(consent(actor=[actor("Practitioner/martin", DECLARED)]), "c1")
        assert (made.kind, made.actors) == (K.DECLARED_PHYSICIAN, {"Practitioner/martin"})

    @pytest.mark.parametrize("kind", [K.ASK_FIRST, K.AT_ONCE, K.HIDDEN_BY_DEFAULT, K.CARE_HISTORY_HIDDEN])
    def test_a_setting_is_told_by_its_rule(self, kind):
        assert directive_of(consent(rule=kind.value), "c1").kind is kind

    def test_a_directive_may_be_told_by_a_category(self):
        made = consent()
        made["category"].append({"coding": [{"system": "urn:habilis:directive", "code": "ask-first"}]})
        assert directive_of(made, "c1").kind is K.ASK_FIRST

    def test_a_carer_is_named_for_types_until_the_end_of_a_day(self):
        made = directive_of(
            consent(
                "RelatedPerson/marc",
                rule="carer",
                period={"start": "2026-03-02", "end": "2026-03-16"},
                code=[{"coding": [{"system": "http://loinc.org", "code": "11369-6"}]}],
            ),
            "c1",
        )
        assert made.kinds == {"11369-6"}
        assert (made.start, made.end) == (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 17, tzinfo=UTC))

    @pytest.mark.parametrize(("element", "value"), LIMITS)
    def test_a_carer_is_named_for_some_documents(self, element, value):
        """B13: whatever limits an agreement limits what a carer reads."""
        end = {"end": "2026-03-16"}
        made = directive_of(consent("RelatedPerson/marc", rule="carer", period=end, **{element: value}), "c1")
        alike = directive_of(consent("Practitioner/paul", **{element: value}), "c1")
        assert (made.kind, made.extent) == (K.CARER, alike.extent)
        assert made.precision == alike.precision > 0

    def test_a_permit_and_a_deny_by_classes(self):
        made = directive_of(consent("Practitioner/paul", **{"class": [class_("10"), class_("42")]}), "c1")
        assert (made.kind, made.categories, made.precision) == (K.AGREEMENT, {"10", "42"}, 1)
        made = directive_of(consent(type_="deny", **{"class": [class_("42")]}), "c1")
        assert (made.kind, made.categories, made.kinds) == (K.WITHHELD, {"42"}, None)
        nested = {"type": "deny", "class": [class_("42")]}
        said = directives_of(consent("Practitioner/paul", provision=[nested]), "c1")
        assert [(d.kind, d.categories) for d in said] == [(K.AGREEMENT, None), (K.WITHHELD, {"42"})]

    def test_an_administrator_has_the_reason_that_was_written(self):
        made = directive_of(consent("Practitioner/paul", rule="administrator"), "c1")
        assert made.reason == "told to the nurse"

    def test_the_proof_is_told_by_a_category(self):
        assert directive_of(consent("Practitioner/paul", proof="card"), "c1").proof is Proof.CARD

    def test_an_end_beyond_all_calendars_is_the_last_instant(self):
        made = directive_of(consent("Organization/chu", period={"end": "9999-12-31"}), "c1")
        assert made.end == datetime.max.replace(tzinfo=UTC)

    def test_a_permit_for_documents_of_a_time(self):
        made = directive_of(consent("Practitioner/paul", dataPeriod={"start": "2022-01-01", "end": "2022-12-31"}), "c1")
        assert (made.kind, made.documents, made.start, made.end) == (K.AGREEMENT, None, None, None)
        assert (made.data_start, made.data_end) == (datetime(2022, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC))

    def test_a_permit_for_documents_by_name(self):
        made = directive_of(consent("Practitioner/paul", data=[DATUM]), "c1")
        assert (made.kind, made.documents) == (K.AGREEMENT, {"d1"})

    def test_a_deny_of_documents_by_name_withholds_them_emergencies_included(self):
        made = directive_of(consent("Practitioner/paul", type_="deny", data=[DATUM], purpose=purposes("TREAT")), "c1")
        assert (made.kind, made.actors, made.documents) == (K.WITHHELD, {"Practitioner/paul"}, {"d1"})
        assert made.purposes == {TREAT, BTG, ETREAT}

    def test_a_deny_of_types_or_times_withholds_them_from_everybody(self):
        made = directive_of(consent(type_="deny", code=[{"coding": [{"code": "11369-6"}]}]), "c1")
        assert (made.kind, made.kinds, made.actors) == (K.WITHHELD, {"11369-6"}, frozenset())
        made = directive_of(consent(type_="deny", dataPeriod={"end": "2020"}), "c1")
        assert (made.kind, made.data_start, made.data_end) == (K.WITHHELD, None, datetime(2021, 1, 1, tzinfo=UTC))

    def test_a_document_for_some_only(self):
        """The audience of one document: a deny of it with a permit for each who may read it (E1)."""
        nested = [
            {"type": "permit", "actor": [actor("Practitioner/paul"), profession("10")]},
            {"type": "permit", "actor": [actor("Organization/chu")]},
        ]
        made = directive_of(consent(type_="deny", data=[DATUM], provision=nested), "c1")
        assert (made.kind, made.actors, made.documents) == (K.WITHHELD, frozenset(), {"d1"})
        assert (made.excluded, made.professions) == ({"Practitioner/paul", "Organization/chu"}, {"10"})

    def test_a_document_withheld_but_in_break_glass(self):
        nested = [{"type": "permit", "purpose": purposes("BTG")}]
        made = directive_of(consent(type_="deny", data=[DATUM], provision=nested), "c1")
        assert made.kind is K.WITHHELD
        assert BTG not in made.purposes
        assert {TREAT, ETREAT} <= made.purposes

    def test_a_permit_that_leaves_documents_out_says_two_things(self):
        nested = {"type": "deny", "data": [DATUM]}
        for actors, reached in (((), {"Organization/chu"}), (("CareTeam/t",), {"CareTeam/t"})):
            root, other = directives_of(consent(*actors, purpose=purposes("TREAT"), provision=[nested]), "c1")
            assert (root.kind, root.documents, root.actors, root.purposes) == (K.AGREEMENT, None, reached, {TREAT})
            assert (other.kind, other.documents, other.actors) == (K.WITHHELD, {"d1"}, reached)
            assert other.purposes == {TREAT, BTG, ETREAT}
            assert (other.id, other.recorded_at) == (root.id, root.recorded_at)

    def test_a_permit_that_leaves_documents_out_for_somebody(self):
        nested = {"type": "deny", "dataPeriod": {"start": "2020"}, "actor": [actor("Practitioner/zoe")]}
        root, other = directives_of(consent("Organization/chu", provision=[nested]), "c1")
        assert root.excluded == frozenset()
        assert (other.actors, other.data_start) == ({"Practitioner/zoe"}, datetime(2020, 1, 1, tzinfo=UTC))

    def test_a_limited_permit_that_reaches_further_for_somebody(self):
        wider = {"type": "permit", "actor": [actor("Practitioner/zoe")], "data": [DATUM]}
        whole = {"type": "permit", "actor": [actor("Practitioner/paul")]}
        said = directives_of(consent(dataPeriod={"start": "2020"}, provision=[wider, whole]), "c1")
        since = datetime(2020, 1, 1, tzinfo=UTC)
        assert [(d.kind, d.actors, d.documents, d.data_start) for d in said] == [
            (K.AGREEMENT, {"Organization/chu"}, None, since),
            (K.AGREEMENT, {"Practitioner/zoe"}, None, since),
            (K.AGREEMENT, {"Practitioner/paul"}, None, since),
            (K.AGREEMENT, {"Practitioner/zoe"}, {"d1"}, None),
            (K.AGREEMENT, {"Practitioner/paul"}, None, None),
        ]

    def test_one_that_names_its_actors_reaches_others_by_their_exception_alone(self):
        wider = {"type": "permit", "actor": [actor("Practitioner/zoe")], "data": [DATUM]}
        said = directives_of(consent("Organization/chu", dataPeriod={"start": "2020"}, provision=[wider]), "c1")
        assert [d.actors for d in said] == [{"Organization/chu"}, {"Practitioner/zoe"}]

    def test_a_permit_and_a_deny_by_labels(self):
        made = directive_of(consent("Practitioner/paul", securityLabel=[label("N"), label("PSY")]), "c1")
        assert (made.kind, made.labels) == (K.AGREEMENT, Label.N | Label.PSY)
        made = directive_of(consent(type_="deny", securityLabel=[label("HIV")]), "c1")
        assert (made.kind, made.labels) == (K.WITHHELD, Label.HIV)

    def test_unserved_purposes_beside_treatment_grant_nothing(self):
        made = directive_of(consent("Organization/chu", purpose=purposes("TREAT", "HPAYMT")), "c1")
        assert made.purposes == {TREAT}


class TestRefused:
    def test_an_element_that_cannot_limit_access_here(self):
        made = consent("Organization/chu", action=[{}])
        assert refused(made) == (Category.BUSINESS_RULE, ["Consent.provision.action"])

    @pytest.mark.parametrize(
        "coding",
        [{"code": "10"}, {"system": "http://hl7.org/fhir/resource-types", "code": "10"}, class_("xx"), class_("")],
        ids=str,
    )
    def test_a_class_that_no_document_has(self, coding):
        for made in (
            consent("Organization/chu", **{"class": [class_("10"), coding]}),
            consent(type_="deny", **{"class": [class_("10"), coding]}),
        ):
            assert refused(made)[1] == ["Consent.provision.class[1]"]
        nested = {"type": "deny", "class": [coding]}
        assert refused(consent("Organization/chu", provision=[nested]))[1] == [
            "Consent.provision.provision[0].class[0]"
        ]

    def test_what_is_missing(self):
        made = consent()
        del made["dateTime"], made["provision"]
        assert refused(made) == (Category.INVALID, ["Consent.dateTime", "Consent.provision.type"])

    def test_an_exception_that_does_not_say_whether_it_permits(self):
        """R4: `provision.type` is required in all nested rules."""
        nested = {"data": [{"meaning": "instance", "reference": {"reference": "DocumentReference/d1"}}]}
        made = consent("Practitioner/paul", provision=[{"type": "deny"} | nested, nested])
        assert refused(made) == (Category.INVALID, ["Consent.provision.provision[1].type"])

    def test_another_scope(self):
        assert refused(consent() | {"scope": {"coding": [{"code": "research"}]}})[1] == ["Consent.scope"]

    def test_a_modifier(self):
        assert refused(consent() | {"modifierExtension": [{}]})[1] == ["Consent.modifierExtension"]
        assert refused(consent(modifierExtension=[{}]))[1] == ["Consent.modifierExtension"]

    @pytest.mark.parametrize(
        "reference",
        ["Group/g", "Patient/x", "Device/app", "https://x.example/Practitioner/p", "", "HealthcareService/h"],
    )
    def test_a_party_that_cannot_be_verified(self, reference):
        assert refused(consent(actor=[actor(reference)]))[1] == ["Consent.provision.actor[0].reference"]

    def test_an_actor_by_identifier_alone(self):
        only = {"role": RECIPIENT, "reference": {"identifier": {"value": "1"}}}
        assert refused(consent(actor=[only]))[1] == ["Consent.provision.actor[0].reference"]

    def test_a_role_that_is_unknown(self):
        assert refused(consent(actor=[actor("Practitioner/paul", {"text": "boss"})]))[1] == [
            "Consent.provision.actor[0].role"
        ]

    def test_a_related_person_as_a_professional_and_the_other_way(self):
        made = consent("RelatedPerson/marc", "Practitioner/zoe", rule="carer", period={"end": "2027"})
        assert refused(made)[1] == ["Consent.provision.actor[1].reference", "Consent.provision.actor"]
        assert refused(consent("RelatedPerson/marc", rule="administrator"))[1] == [
            "Consent.provision.actor[0].reference"
        ]
        assert refused(consent("Practitioner/paul", rule="representative"))[1] == [
            "Consent.provision.actor[0].reference"
        ]

    @pytest.mark.parametrize("rule", ["block-lifted", "nonsense"])
    def test_a_directive_that_is_no_choice(self, rule):
        assert "Consent.policyRule" in refused(consent("Practitioner/paul", rule=rule))[1]

    def test_two_directives_at_once(self):
        made = consent(rule="ask-first")
        made["category"].append({"coding": [{"system": "urn:habilis:directive", "code": "at-once"}]})
        assert refused(made)[1] == ["Consent.policyRule"]

    def test_a_directive_stated_the_other_way_round(self):
        assert refused(consent(rule="ask-first", type_="deny"))[1] == ["Consent.provision.type"]
        assert refused(consent("Practitioner/paul", rule="block"))[1] == ["Consent.provision.type"]

    @pytest.mark.parametrize(
        ("item", "element"),
        [
            ({"meaning": "related", "reference": {"reference": "DocumentReference/d1"}}, "meaning"),
            ({"meaning": "authoredby", "reference": {"reference": "Practitioner/paul"}}, "meaning"),
            ({"meaning": "instance", "reference": {"reference": "Observation/o1"}}, "reference"),
            (
                {"meaning": "instance", "reference": {"reference": "https://x.example/DocumentReference/d1"}},
                "reference",
            ),
            ({"meaning": "instance", "reference": {"identifier": {"value": "1"}}}, "reference"),
        ],
        ids=str,
    )
    def test_documents_that_are_not_named_one_by_one(self, item, element):
        assert refused(consent(type_="deny", data=[item]))[1] == [f"Consent.provision.data[0].{element}"]
        nested = {"type": "deny", "data": [item]}
        assert refused(consent("Organization/chu", provision=[nested]))[1] == [
            f"Consent.provision.provision[0].data[0].{element}"
        ]

    @pytest.mark.parametrize(("element", "value"), LIMITS)
    def test_a_choice_about_the_whole_space_that_is_limited_to_documents(self, element, value):
        """D4, E4: the declared physician and an administrator have the whole record; a settings is of all of it too."""
        for made in (
            consent(actor=[actor("Practitioner/martin", DECLARED)], **{element: value}),
            consent("Practitioner/martin", rule="declared-physician", **{element: value}),
            consent("Practitioner/martin", rule="administrator", **{element: value}),
            consent("RelatedPerson/marc", rule="representative", **{element: value}),
            consent(rule="ask-first", **{element: value}),
        ):
            assert refused(made)[1] == [f"Consent.provision.{element}"]

    @pytest.mark.parametrize(
        "coding", [{"code": "N"}, {"code": "L", "system": CONFIDENTIALITY}, {"system": "x", "code": "R"}], ids=str
    )
    def test_a_label_that_is_not_known(self, coding):
        assert refused(consent(type_="deny", securityLabel=[coding]))[1] == ["Consent.provision.securityLabel[0]"]
        nested = {"type": "deny", "securityLabel": [coding]}
        assert refused(consent("Organization/chu", provision=[nested]))[1] == [
            "Consent.provision.provision[0].securityLabel[0]"
        ]

    def test_more_documents_than_one_consent_names(self):
        assert directive_of(consent(type_="deny", data=[DATUM] * MOST_DOCUMENTS), "c1").documents == {"d1"}
        assert refused(consent(type_="deny", data=[DATUM] * (MOST_DOCUMENTS + 1)))[1] == ["Consent.provision.data"]

    def test_withholding_nothing_in_particular(self):
        assert refused(consent(type_="deny", rule="withheld"))[1] == ["Consent.provision.data"]

    def test_a_profession_lets_nobody_in_and_blocks_nobody(self):
        for type_ in ("permit", "deny"):
            made = consent(type_=type_, actor=[profession("10")])
            assert refused(made)[1] == ["Consent.provision.actor[0].reference"]
        made = consent(type_="deny", data=[DATUM], actor=[profession("10")])
        assert refused(made)[1] == ["Consent.provision.actor[0].reference"]

    @pytest.mark.parametrize("code", ["", "nobody"])
    def test_a_profession_that_is_unknown(self, code):
        made = consent(type_="deny", data=[DATUM], provision=[{"type": "permit", "actor": [profession(code)]}])
        assert refused(made)[1] == ["Consent.provision.provision[0].actor[0].reference"]

    def test_a_setting_that_names_somebody(self):
        assert refused(consent("Practitioner/paul", rule="ask-first"))[1] == ["Consent.provision.actor"]

    def test_a_person_that_is_none_or_several(self):
        assert refused(consent(rule="administrator"))[1] == ["Consent.provision.actor"]
        assert refused(consent("Practitioner/a", "Practitioner/b", rule="declared-physician"))[1] == [
            "Consent.provision.actor"
        ]

    def test_a_permit_to_nobody(self):
        assert refused(consent() | {"organization": [{"display": "somewhere"}]})[1] == ["Consent.provision.actor"]

    def test_all_hidden_for_a_time(self):
        made = consent(rule="hidden-by-default", period={"end": "2027"})
        assert refused(made)[1] == ["Consent.provision.period"]

    def test_a_carer_without_an_end(self):
        assert refused(consent("RelatedPerson/marc", rule="carer", period={"start": "2026"}))[1] == [
            "Consent.provision.period.end"
        ]

    @pytest.mark.parametrize("type_", ["permit", "deny"])
    @pytest.mark.parametrize("code", ["HPAYMT", "HSYSADMIN", "PurposeOfUse"])
    def test_purposes_that_nobody_serves(self, type_, code):
        made = consent("Organization/chu", type_=type_, purpose=purposes(code))
        assert refused(made)[1] == ["Consent.provision.purpose"]

    @pytest.mark.parametrize(
        "nested",
        [
            {"type": "deny", "data": []},
            {"type": "deny", "actor": [actor("Practitioner/zoe")], "purpose": purposes("TREAT")},
            {"type": "permit", "purpose": purposes("BTG")},
            {"type": "permit"},
        ],
        ids=str,
    )
    def test_an_exception_to_a_permit_that_cannot_be_honoured(self, nested):
        assert refused(consent("Organization/chu", provision=[nested]))[1] == ["Consent.provision.provision[0]"]

    @pytest.mark.parametrize(
        "nested",
        [
            {"type": "permit", "purpose": purposes("TREAT")},
            {"type": "permit", "purpose": purposes("BTG"), "period": {"end": "2027"}},
            {"type": "deny", "actor": [actor("Practitioner/zoe")]},
            {"type": "permit"},
        ],
        ids=str,
    )
    def test_an_exception_to_a_deny_that_cannot_be_honoured(self, nested):
        assert refused(consent(type_="deny", provision=[nested]))[1] == ["Consent.provision.provision[0]"]

    def test_the_actors_of_an_exception_are_looked_at(self):
        nested = {"type": "deny", "actor": [actor("Group/g")]}
        assert refused(consent("Organization/chu", provision=[nested]))[1] == [
            "Consent.provision.provision[0].actor[0].reference"
        ]

    @pytest.mark.parametrize(
        "more",
        [{"period": {"start": "2027", "end": "2026"}}, {"period": {"start": "soon"}}, {"proof": "handshake"}],
        ids=str,
    )
    def test_a_value_that_says_nothing(self, more):
        assert refused(consent("Organization/chu", **more)) == (Category.INVALID, ["Consent.provision"])
