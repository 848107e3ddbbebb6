"""Choices about people who are no professionals, over HTTP: what a carer is named for (B13)."""

import pytest

from fhir_server.domain.consent_elements import CLASSES, DIRECTIVE
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
