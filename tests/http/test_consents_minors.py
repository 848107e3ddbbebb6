"""What a minor with an account leaves to a legal representative, over HTTP: its effect and its shadow (B2, B10)."""

from dataclasses import replace

import pytest

from consent_rules.rule_profile import profile
from fhir_server.domain.consents.elements import CLASSES
from tests.http.choices import (
    INACTIVE,
    choose,
    content_of,
    data,
    everything,
    listed,
    only_for,
    practitioner,
    relative,
    said,
)
from tests.http.spaces import parent
from tests.http.test_reviews import break_glass, contest, of_people
from tests.world import JSON_PATCH, LABORATORY, World

PRESCRIPTIONS = {"class": [{"system": CLASSES, "code": "42"}]}
UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"


@pytest.fixture
def runtime(runtime):
    return replace(runtime, profile=replace(profile("fr"), minor_limits_representatives=True))


@pytest.fixture
def family(world: World):
    """Return a world in which Léa, 15, has two parents; of three documents one is a prescription."""
    world.patient("lea", "284039999900255", "2010-06-01")
    for name in ("camille-of-lea", "marc"):
        parent(world, name, "lea")
    kept, result = world.publish(patient="lea"), world.publish(patient="lea", type_=LABORATORY)
    return world, kept, result, world.publish(patient="lea", category=("42", "Prescription"))


def reference(world: World, name="camille-of-lea"):
    return f"RelatedPerson/{world.ids[name]}"


def about(world: World, type_, name="camille-of-lea", **provision):
    return said(world, type_, reference(world, name), of="lea", **provision)


def send(world: World, who, consent):
    answer = world.send(who, "POST", "/Consent", consent)
    issue = answer.get_json()["issue"][0] if answer.status_code >= 400 else {}
    return answer.status_code, issue.get("details", {}).get("coding", [{}])[0].get("code", "")


def of(world: World, who, type_):
    return world.found(who, f"/{type_}?patient={world.ids['lea']}&_count=100")


def everywhere(world: World, who, document):
    """Return what each interaction shows of a document of Léa's."""
    return everything(replace(world, ids=world.ids | {"camille": world.ids["lea"]}), who, document)


class TestOnlySomeDocuments:
    """P3.2: the minor shares one class of documents with one parent, and exactly that appears."""

    def test_in_every_interaction(self, family):
        world, kept, result, order = family
        content = content_of(replace(world, tokens=world.tokens | {"camille": world.tokens["lea"]}), kept)
        assert listed(world, "camille-of-lea", "lea") == {kept, result, order}

        choose(world, about(world, "deny", provision=[{"type": "permit", **PRESCRIPTIONS}]), "lea")

        assert listed(world, "camille-of-lea", "lea") == {order}
        unseen = {"totals": (1, 1, 1), "pages": False, "read": 404, "vread": 404, "history": 404}
        assert everywhere(world, "camille-of-lea", kept) == {"found": False, **unseen, "by id": []}
        assert world.get("camille-of-lea", content).status_code == 404
        for who in ("lea", "marc"):
            assert listed(world, who, "lea") == {kept, result, order}

    def test_hidden_and_unknown_are_answered_alike(self, family):
        world, kept, *_ = family
        choose(world, about(world, "deny"), "lea")
        for path in ("", "/_history", "/_history/1", "/$audience", "/$explain"):
            a, b = (world.get("camille-of-lea", f"/DocumentReference/{id_}{path}") for id_ in (kept, UNKNOWN))
            assert (a.status_code, a.get_data()) == (b.status_code, b.get_data()), path
            assert a.status_code == 404
        for id_ in (kept, UNKNOWN):
            assert world.hide(id_, "camille-of-lea").status_code == 404

    def test_in_two_choices_and_by_name(self, family):
        world, kept, *_ = family
        choose(world, about(world, "deny"), "lea")
        assert listed(world, "camille-of-lea", "lea") == set()
        shared = choose(world, about(world, "permit", data=data(kept)), "lea")
        assert listed(world, "camille-of-lea", "lea") == {kept}
        assert world.send("lea", "PATCH", f"/Consent/{shared}", INACTIVE, JSON_PATCH).status_code == 200
        assert listed(world, "camille-of-lea", "lea") == set()

    def test_taken_back_everything_is_there_again(self, family):
        world, *documents = family
        kept = choose(world, about(world, "deny"), "lea")
        assert world.send("lea", "PATCH", f"/Consent/{kept}", INACTIVE, JSON_PATCH).status_code == 200
        assert listed(world, "camille-of-lea", "lea") == set(documents)
        assert of(world, "camille-of-lea", "AuditEvent")

    def test_majority_ends_it_with_the_representation(self, family, clock):
        world, *_ = family
        choose(world, about(world, "deny"), "lea")
        clock.advance(days=3 * 366)
        assert world.get("camille-of-lea", f"/DocumentReference?patient={world.ids['lea']}").status_code == 403


class TestTheShadow:
    """No answer to a parent who is limited, nor to the other one, depends on what is kept (B10)."""

    def test_no_choice_no_notice_and_the_own_accesses_alone(self, family):
        world, kept, *_ = family
        choose(world, only_for(world, kept, practitioner(world, "nour")) | {"patient": patient(world)}, "lea")
        lea = world.consent("nour") | {"patient": patient(world)}
        assert world.send("lea", "POST", "/Consent", lea).status_code == 201
        assert world.get("nour", f"/DocumentReference?patient={world.ids['lea']}").status_code == 200
        for type_ in ("Consent", "AuditEvent", "Communication"):
            assert of(world, "camille-of-lea", type_), type_

        choose(world, about(world, "deny", **PRESCRIPTIONS), "lea")

        assert of(world, "camille-of-lea", "Consent") == []
        assert of(world, "camille-of-lea", "Communication") == []
        seen = world.get("camille-of-lea", f"/AuditEvent?patient={world.ids['lea']}&_count=100").get_json()["entry"]
        people = {agent["who"]["reference"] for e in seen for agent in e["resource"]["agent"] if agent["requestor"]}
        assert people == {reference(world)}
        for type_ in ("Consent", "AuditEvent", "Communication"):
            assert of(world, "marc", type_), type_

    def test_no_representative_sees_changes_or_withdraws_it(self, family):
        world, *_ = family
        kept = choose(world, about(world, "deny"), "lea")
        shared = choose(world, about(world, "permit", **PRESCRIPTIONS), "lea")
        for who in ("camille-of-lea", "marc"):
            events = world.get(who, f"/AuditEvent?patient={world.ids['lea']}&_count=100").get_data(as_text=True)
            assert not [id_ for id_ in (kept, shared) if id_ in events]
        for who in ("camille-of-lea", "marc"):
            for id_ in (kept, shared):
                for path in (f"/Consent/{id_}", f"/Consent/{id_}/_history", f"/Consent/{id_}/_history/1"):
                    assert world.get(who, path).status_code == 404
                assert id_ not in of(world, who, "Consent")
                body = about(world, "deny") | {"id": id_, "status": "inactive"}
                assert world.send(who, "PUT", f"/Consent/{id_}", body).status_code == 404
                assert world.send(who, "PATCH", f"/Consent/{id_}", INACTIVE, JSON_PATCH).status_code == 404
        assert {kept, shared} <= set(of(world, "lea", "Consent"))
        assert listed(world, "camille-of-lea", "lea") != set(listed(world, "lea", "lea"))

    def test_no_emergency_and_no_review_of_one(self, family):
        world, *_ = family
        of_people(world)
        opening = break_glass(world, of="lea")
        path = f"/Consent/{opening}/$review-status"
        assert {world.get(who, path).status_code for who in ("lea", "marc", "camille-of-lea")} == {200}
        choose(world, about(world, "deny", **PRESCRIPTIONS), "lea")
        hidden, unknown = (world.get("camille-of-lea", f"/Consent/{id_}/$review-status") for id_ in (opening, UNKNOWN))
        assert (hidden.status_code, hidden.get_data()) == (404, unknown.get_data())
        assert contest(world, opening, "camille-of-lea").status_code == 404
        assert contest(world, opening, "marc").status_code == 200

    @pytest.mark.parametrize("operation", ["$audience", "$explain"])
    def test_the_operations_tell_the_same_whatever_else_is_chosen(self, family, operation):
        world, kept, _, order = family
        choose(world, about(world, "deny", data=data(kept)), "lea")
        path = f"/DocumentReference/{order}/{operation}"
        before = [world.get(who, path).get_json() for who in ("camille-of-lea", "marc")]
        choose(world, about(world, "deny", "marc", data=data(order)), "lea")
        choose(world, about(world, "permit", data=data(kept)), "lea")
        choose(world, only_for(world, kept, practitioner(world, "nour")) | {"patient": patient(world)}, "lea")
        assert world.get("camille-of-lea", path).get_json() == before[0]
        assert before[0] is not None
        assert world.get("marc", path).status_code == 404
        seers = world.get("lea", f"/DocumentReference/{order}/$audience").get_json()["parameter"]
        parts = [{part["name"]: part for part in seer["part"]} for seer in seers if seer["name"] == "seer"]
        told = {p["who"]["valueReference"]["reference"]: p["sees"]["valueBoolean"] for p in parts if "who" in p}
        assert (told[reference(world)], told[reference(world, "marc")]) == (True, False)

    def test_the_other_parent_is_told_that_everybody_sees(self, family):
        """Who is limited is a secret from the other representative too."""
        world, kept, *_ = family
        path = f"/DocumentReference/{kept}/$audience"
        before = world.get("marc", path).get_json()
        choose(world, about(world, "deny"), "lea")
        assert world.get("marc", path).get_json() == before


def patient(world: World):
    return {"reference": f"Patient/{world.ids['lea']}"}


class TestWhoMayChoose:
    """The minor alone, about a representative, where the profile lets it (B2, B11)."""

    def test_no_representative_and_no_professional(self, family):
        world, *_ = family
        for type_, limits in (("deny", {}), ("deny", PRESCRIPTIONS), ("permit", PRESCRIPTIONS)):
            for who in ("camille-of-lea", "marc"):
                assert send(world, who, about(world, type_, **limits)) == (403, "not-own-choice")
                assert send(world, who, about(world, type_, "marc", **limits)) == (403, "not-own-choice")
        assert world.send("lea", "POST", "/Consent", world.consent("nour") | {"patient": patient(world)})
        assert send(world, "nour", about(world, "deny"))[0] == 403
        assert send(world, "keeper", about(world, "deny"))[0] == 403
        assert len(listed(world, "camille-of-lea", "lea")) == 3

    def test_only_about_who_represents_the_minor(self, family):
        world, *_ = family
        stranger = relative(world, "rose", "lea")
        status, code = send(world, "lea", said(world, "deny", stranger, of="lea"))
        assert (status, code) == (422, "representative-not-limited")

    def test_no_adult(self, world: World):
        carer = relative(world, "rose")
        assert send(world, "camille", said(world, "deny", carer)) == (422, "representative-not-limited")

    def test_who_is_limited_names_no_carer(self, family):
        world, *_ = family
        choose(world, about(world, "deny"), "lea")
        named = said(world, "permit", relative(world, "rose", "lea"), of="lea", rule="carer", period={"end": "2027"})
        assert send(world, "camille-of-lea", named) == (403, "not-own-choice")
        assert send(world, "marc", named)[0] == 201
        assert listed(world, "rose", "lea")


def test_where_the_profile_does_not_let_it_the_choice_is_refused_and_has_no_effect(family):
    """B2: in `fr` no ground is read; what was recorded elsewhere is silent."""
    world, *documents = family
    choose(world, about(world, "deny"), "lea")
    world.web.application.extensions["habilis.runtime"] = replace(world.runtime, profile=profile("fr"))
    answer = world.send("lea", "POST", "/Consent", about(world, "deny", **PRESCRIPTIONS))
    issue = answer.get_json()["issue"][0]
    assert answer.status_code == 422
    assert issue["expression"] == ["Consent.provision"]
    assert "only a minor with an account" in issue["details"]["text"]
    assert listed(world, "camille-of-lea", "lea") == set(documents)
