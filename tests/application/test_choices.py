"""Choices as commands: what a Consent names, and choices that are stated without one."""

from datetime import timedelta

import orjson
import pytest

from consent_rules import vocabulary
from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.application.consents import choices, recording
from fhir_server.application.consents.choices import Agree, Block, Choice, Draft, HideByDefault, Revoke, Unblock
from fhir_server.domain.caller import Origin
from fhir_server.domain.consents.directives import consent_of, directives_of
from fhir_server.domain.consents.ppqm import default_of
from fhir_server.domain.problem import Problem
from fhir_server.oauth.resource.bearer import caller_of
from tests.factories import AT
from tests.world import World

K = DirectiveKind
RELATIVES = dict.fromkeys((K.REPRESENTATIVE, K.GUARDIAN, K.CARER), ("RelatedPerson/r",))
PROFESSIONALS = dict.fromkeys((K.AGREEMENT, K.BLOCK, K.DECLARED_PHYSICIAN, K.ADMINISTRATOR), ("Practitioner/x",))
SETTINGS = dict.fromkeys(sorted(vocabulary.SETTINGS), ())
NOBODY_RECORDS = {K.EMERGENCY_OPENING, K.BLOCK_LIFTED, K.CARE}


def a_consent(kind, actors=("Practitioner/x",), **more):
    end = AT + timedelta(days=9) if kind is K.CARER else None
    return consent_of(Directive("c", kind, frozenset(actors), end=end, recorded_at=AT, **more), "p", "")


def named(consent, before=None):
    """Return the command of a Consent. before: the Consent that it replaces."""
    held = choices.in_force(before, "c") if before else None
    return choices.choice_of("p", directives_of(consent, "c"), consent, held)


@pytest.mark.parametrize(("kind", "actors"), [*RELATIVES.items(), *PROFESSIONALS.items(), *SETTINGS.items()])
def test_each_kind_of_consent_names_a_command_of_its_own(kind, actors):
    choice = named(a_consent(kind, actors))
    assert (choice.kind, type(choice) is Choice) == (kind, False)


def test_the_kinds_above_are_all_that_somebody_records():
    assert {*RELATIVES, *PROFESSIONALS, *SETTINGS, K.WITHHELD} | NOBODY_RECORDS == set(DirectiveKind)


def test_a_refusal_about_documents_names_withholding():
    consent = a_consent(K.WITHHELD, documents=frozenset({"d"}))
    assert type(named(consent)) is choices.Withhold


def test_a_block_of_nobody_for_emergencies_is_a_switch():
    consent = a_consent(K.BLOCK, (), purposes=frozenset({Purpose.BREAK_GLASS}))
    assert type(named(consent)) is choices.SwitchEmergenciesOff


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (K.AGREEMENT, choices.EndAgreement),
        (K.BLOCK, Unblock),
        (K.DECLARED_PHYSICIAN, choices.UndeclarePhysician),
        (K.ADMINISTRATOR, choices.RemoveAdministrator),
        (K.REPRESENTATIVE, choices.RemoveGuardian),
        (K.CARER, choices.RemoveCarer),
    ],
)
def test_a_consent_that_is_made_inactive_names_the_end_of_its_choice(kind, ending):
    held = a_consent(kind, (RELATIVES | PROFESSIONALS)[kind])
    assert type(named(held | {"status": "inactive"}, held)) is ending


def test_a_choice_that_ends_is_named_by_what_held_and_not_by_the_new_text():
    held, other = a_consent(K.BLOCK), a_consent(K.AGREEMENT)
    assert type(named(other | {"status": "inactive"}, held)) is Unblock


def test_an_emergency_mode_that_is_opened_again_ends_no_block():
    held = a_consent(K.BLOCK, (), purposes=frozenset({Purpose.BREAK_GLASS}))
    assert type(named(held | {"status": "inactive"}, held)) is Revoke


@pytest.mark.parametrize("status", ["draft", "proposed", "inactive"])
def test_a_draft_that_is_changed_or_dropped_ends_nothing(status):
    draft = a_consent(K.BLOCK) | {"status": "draft"}
    assert type(named(draft | {"status": status}, draft)) is choices.ChangeChoice
    assert type(named(draft | {"status": "active"}, draft)) is Block


def test_a_choice_that_stays_in_force_is_changed_and_names_a_new_one_only_for_somebody_else():
    held = a_consent(K.BLOCK)
    assert type(named(held, held)) is choices.ChangeChoice
    assert type(named(a_consent(K.AGREEMENT), held)) is choices.ChangeChoice
    assert type(named(a_consent(K.BLOCK, ("Practitioner/y",)), held)) is Block


def test_a_setting_that_is_changed_is_still_a_setting():
    held = a_consent(K.BLOCK, (), purposes=frozenset({Purpose.BREAK_GLASS}))
    assert type(named(held, held)) is choices.SwitchEmergenciesOff


def test_a_new_consent_that_is_not_active_is_a_draft():
    assert type(named(a_consent(K.BLOCK) | {"status": "draft"})) is Draft


def test_a_default_as_it_holds_anyway_is_restored():
    assert type(named(default_of("203", {"reference": "Patient/p"}, "urn:uuid:1"))) is choices.RestoreDefault


def test_a_choice_without_a_kind_cannot_be_stated_by_its_parts():
    with pytest.raises(TypeError, match="Revoke"):
        Revoke.of("p")


def by(world, who):
    return caller_of(world.runtime, f"Bearer {world.tokens[who]}", Origin("127.0.0.1", "request-1"))


def status_of_search(world, who):
    return world.get(who, f"/DocumentReference?patient={world.ids['camille']}").status_code


def test_blocking_by_name_writes_a_consent_and_holds_at_the_next_request(world: World):
    world.agree("camille", "martin")
    assert status_of_search(world, "martin") == 200
    patient, martin = world.ids["camille"], f"Practitioner/{world.ids['martin']}"
    written = recording.record(world.runtime, by(world, "camille"), Block.of(patient, martin))
    assert status_of_search(world, "martin") == 403
    stored = orjson.loads(written.shown.stored.body)
    assert stored["provision"]["type"] == "deny"
    assert world.get("camille", f"/Consent/{stored['id']}").get_json()["status"] == "active"

    ended = recording.revoke(world.runtime, by(world, "camille"), stored["id"])
    assert (orjson.loads(ended.shown.stored.body)["status"], ended.shown.stored.version) == ("inactive", 2)


def test_agreeing_by_name_opens_the_space_until_the_stated_day(world: World):
    patient, martin = world.ids["camille"], f"Practitioner/{world.ids['martin']}"
    recording.record(world.runtime, by(world, "camille"), Agree.of(patient, martin))
    assert status_of_search(world, "martin") == 200


def test_a_choice_by_name_is_refused_to_whom_its_consent_is(world: World):
    patient = world.ids["camille"]
    with pytest.raises(Problem) as refused:
        recording.record(world.runtime, by(world, "martin"), HideByDefault.of(patient))
    assert refused.value.issues[0].code == "not-own-choice"


def test_an_unknown_person_cannot_be_named(world: World):
    with pytest.raises(Problem) as refused:
        recording.record(world.runtime, by(world, "camille"), Block.of(world.ids["camille"], "Practitioner/nobody"))
    assert refused.value.issues[0].expression == "Consent.provision.actor[0].reference.reference"


def test_ending_an_unknown_choice_finds_nothing(world: World):
    with pytest.raises(Problem) as refused:
        recording.revoke(world.runtime, by(world, "camille"), world.ids["camille"])
    assert refused.value.category.value == "not-found"
