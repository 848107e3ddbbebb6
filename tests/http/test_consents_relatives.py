"""Choices about people who are no professionals, over HTTP: what a carer is named for (B13)."""

import pytest

from fhir_server.domain.consents.elements import CLASSES, DIRECTIVE
from tests.holds import holds
from tests.http.choices import choose, data, everything, listed, relative, said
from tests.world import LABORATORY, World

UNTIL = {"end": "2026-03-30"}


class TestCarer:
    """A carer is named for a time, and for some documents if the holder says so (B13)."""

    @pytest.fixture
    def carer(self, world: World):
        return relative(world, "rose")

    def named_for(self, world, carer, **limits):
        consent = said(world, "permit", carer, rule="carer", period=UNTIL, **limits)
        return choose(world, consent)

    def test_by_name_with_all_that_replaces_it(self, world: World, carer):
        one, other = world.publish(), world.publish()
        self.named_for(world, carer, data=data(one))

        assert listed(world, "rose") == {one}
        unseen = everything(world, "rose", other)
        assert (unseen["read"], unseen["history"], unseen["totals"]) == (404, 404, (1, 1, 1))

        newer = world.publish(replaces=one)
        assert listed(world, "rose") == {one, newer}

    def test_by_type_class_and_time(self, world: World, carer):
        report, laboratory = world.publish(), world.publish(type_=LABORATORY)
        letter = world.publish(category=("42", "Prescription"), date="2020-02-01T10:00:00+01:00")
        for limit, seen in (
            ({"code": [{"coding": [{"code": LABORATORY[1]}]}]}, {laboratory}),
            ({"class": [{"system": CLASSES, "code": "42"}]}, {letter}),
            ({"dataPeriod": {"start": "2026"}}, {report, laboratory}),
        ):
            id_ = self.named_for(world, carer, **limit)
            assert listed(world, "rose") == seen, limit
            kept = world.get("camille", f"/Consent/{id_}").get_json()
            assert kept["provision"].items() >= limit.items()
            assert world.send("camille", "PUT", f"/Consent/{id_}", kept | {"status": "inactive"}).status_code == 200
        assert world.get("rose", f"/DocumentReference/{report}").status_code == 404

    def test_a_document_that_the_holder_does_not_have_is_refused(self, world: World, carer):
        consent = said(world, "permit", carer, rule="carer", period=UNTIL, data=data("nothing"))
        answer = world.send("camille", "POST", "/Consent", consent)
        assert answer.status_code == 422
        assert answer.get_json()["issue"][0]["expression"] == ["Consent.provision"]


@pytest.mark.parametrize("rule", ["declared-physician", "administrator"])
def test_whom_the_law_gives_the_whole_record_cannot_be_limited(world: World, rule):
    """D4, E4: such a choice is refused with its element, and nobody is let in."""
    document = world.publish()
    said_of = world.consent("martin") | {"policyRule": {"coding": [{"system": DIRECTIVE, "code": rule}]}}
    said_of["provision"]["data"] = data(document)
    answer = world.send("camille", "POST", "/Consent", said_of)
    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["Consent.provision.data"]
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 404


class TestHowManyACarerFollows:
    """B13: five people at most, over all spaces; the same person is known by an identifier."""

    SAME = ({"system": "urn:example:carers", "value": "rose-1"},)

    def lead(self, world: World, number, identifier):
        """Record one more person, and the same carer for that person; return the Consent that names the carer."""
        name = f"person{number}"
        world.patient(name, f"18403999990{number:04}", "1950-01-01")
        reference = {"reference": f"Patient/{world.ids[name]}"}
        body = {"resourceType": "RelatedPerson", "patient": reference, "name": [{"family": "Rose"}]}
        world.record(f"rose{number}", body | ({"identifier": list(identifier)} if identifier else {}))
        return name, said(
            world, "permit", f"RelatedPerson/{world.ids[f'rose{number}']}", of=name, rule="carer", period=UNTIL
        )

    def name_all(self, world: World, identifier=SAME, many=5):
        return [
            (name, choose(world, consent, name))
            for name, consent in (self.lead(world, n, identifier) for n in range(many))
        ]

    @holds("B13")
    def test_a_sixth_is_refused_and_nobody_is_let_in(self, world: World):
        self.name_all(world)
        name, consent = self.lead(world, 6, self.SAME)
        answer = world.send(name, "POST", "/Consent", consent)
        assert answer.status_code == 422
        issue = answer.get_json()["issue"][0]
        assert issue["expression"] == ["Consent.provision.actor"]
        assert issue["details"]["coding"][0]["code"] == "too-many-carers"
        assert "person" not in issue["details"]["text"].replace("people", "")
        assert (
            world.found(
                name, f"/Consent?patient={world.ids[name]}&status=active&actor=RelatedPerson/{world.ids['rose6']}"
            )
            == []
        )

    def test_one_who_is_given_up_makes_room(self, world: World):
        first, id_ = self.name_all(world)[0]
        kept = world.get(first, f"/Consent/{id_}").get_json()
        assert world.send(first, "PUT", f"/Consent/{id_}", kept | {"status": "inactive"}).status_code == 200
        name, consent = self.lead(world, 6, self.SAME)
        choose(world, consent, name)

    def test_a_time_that_is_over_makes_room(self, world: World, clock):
        self.name_all(world)
        clock.advance(days=40)
        name, consent = self.lead(world, 6, self.SAME)
        consent["provision"]["period"] = {"end": "2026-05-30"}
        assert world.send(name, "POST", "/Consent", consent).status_code == 201

    def test_the_present_choice_is_not_counted_twice(self, world: World):
        name, id_ = self.name_all(world)[-1]
        kept = world.get(name, f"/Consent/{id_}").get_json()
        kept["provision"]["period"] = {"end": "2026-03-31"}
        assert world.send(name, "PUT", f"/Consent/{id_}", kept).status_code == 200

    @pytest.mark.parametrize("identifier", [None, [{"system": "urn:example:carers", "value": "other"}]])
    def test_nobody_else_is_counted(self, world: World, identifier):
        self.name_all(world)
        name, consent = self.lead(world, 6, identifier)
        assert world.send(name, "POST", "/Consent", consent).status_code == 201
