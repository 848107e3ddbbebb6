"""Who deposits which kind of document by the matrix, and who withdraws a document by the rule profile."""

from dataclasses import replace

import pytest

from consent_rules.matrix.schedule import Schedule
from consent_rules.matrix.table import of_cells
from consent_rules.vocabulary import Capacity
from tests.holds import holds
from tests.world import JSON_PATCH, OF_PATIENT, World

REPORT = "34112-3"


def with_deposits(world: World, source: str) -> World:
    """Let opticians file no hospital reports, as a source says; "" for none."""
    matrix = world.runtime.matrix
    cells = matrix.cells | {
        ("28", REPORT): matrix.cells["28", REPORT]._replace(deposit=False, deposit_source=source),
    }
    changed = of_cells(cells.values(), matrix.version)
    world.runtime = replace(world.runtime, matrices=Schedule((changed,)))
    world.web.application.extensions["habilis.runtime"] = world.runtime
    return world


class TestDeposits:
    def bundle(self, world: World, author: str = "haddad"):
        person = {"reference": f"Practitioner/{world.ids[author]}"}
        role = {"resourceType": "PractitionerRole", "id": "author", "practitioner": person}
        return world.bundle(world.filing(place="other", author=role))

    @holds("V17")
    @pytest.mark.parametrize(("who", "author"), [("zoe", "zoe"), ("zoe", "haddad"), ("other-ehr", "optician")])
    def test_a_kind_that_a_source_closes_to_the_profession_is_refused(self, world: World, who, author):
        world.colleague("optician", "99700009993")
        world.practice("optician", "other", "28")
        answer = with_deposits(world, "ORDER").send(who, "POST", "", self.bundle(world, author))
        assert answer.status_code == 422
        issue = answer.get_json()["issue"][0]
        assert issue["details"]["coding"][0]["code"] == "type-not-of-the-profession"
        assert issue["expression"] == ["Bundle.entry[1].resource.type"]

    def test_software_files_for_a_colleague_who_may(self, world: World):
        assert with_deposits(world, "ORDER").send("other-ehr", "POST", "", self.bundle(world)).status_code == 200

    @holds("V17")
    @pytest.mark.parametrize("way", ["ITI-65", "ITI-105"])
    def test_what_no_source_closes_is_warned_about_and_traced(self, world: World, way):
        with_deposits(world, "")
        bundle = self.bundle(world)
        sent = bundle if way == "ITI-65" else None
        if sent:
            answer = world.send("zoe", "POST", "", bundle)
            told = answer.get_json()["entry"][1]["response"]["outcome"]
        else:
            person = {"reference": f"Practitioner/{world.ids['zoe']}"}
            role = {"resourceType": "PractitionerRole", "id": "author", "practitioner": person}
            answer = world.send("zoe", "POST", "/DocumentReference", world.simplified(place="other", author=role))
            told = None
        assert answer.status_code == (200 if sent else 201), answer.get_data(as_text=True)
        if told:
            assert [issue["severity"] for issue in told["issue"]] == ["warning"]
            assert told["issue"][0]["expression"] == ["Bundle.entry[1].resource.type"]
        events = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&subtype={way}").get_json()
        assert [entry["resource"]["outcomeDesc"] for entry in events["entry"]] == ["deposit-unstated"]


class TestWithdrawals:
    """`withdrawn_by` names the author, the establishment whose software filed the document, or both."""

    def with_key(self, world: World, *withdrawn_by: str) -> None:
        profile = replace(world.runtime.profile, withdrawn_by=frozenset(withdrawn_by))
        world.runtime = replace(world.runtime, profile=profile)
        world.web.application.extensions["habilis.runtime"] = world.runtime

    def delete(self, world: World, who: str, document: str) -> int:
        return world.send(who, "DELETE", f"/DocumentReference/{document}").status_code

    @holds("V18")
    @pytest.mark.parametrize(
        ("key", "author", "software"),
        [(("author", "establishment"), 204, 204), (("author",), 204, 403), (("establishment",), 403, 204)],
    )
    def test_are_those_of_the_profile(self, world: World, key, author, software):
        world.in_mode("haddad", "haddad", ("10", "chu", Capacity.NONE))
        first, second = world.publish(), world.publish()
        self.with_key(world, *key)
        assert (self.delete(world, "haddad", first), self.delete(world, "chu-ehr", second)) == (author, software)

    @holds("V18")
    def test_a_colleague_withdraws_nothing_of_another_author(self, world: World):
        """Found by attack: a professional deleted a document of the hospital's software with another author."""
        document = world.publish()
        assert self.delete(world, "nour", document) == 403
        withdrawn = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
        assert world.send("nour", "PATCH", f"/DocumentReference/{document}", withdrawn, JSON_PATCH).status_code == 403

    def test_software_withdraws_nothing_that_a_professional_filed_in_person(self, world: World):
        document = world.publish("nour")
        assert self.delete(world, "chu-ehr", document) == 403
        assert self.delete(world, "nour", document) == 204

    def test_an_author_withdraws_also_from_another_establishment(self, world: World):
        document = world.publish()
        world.agree("camille", "haddad")
        world.in_mode("haddad", "haddad", ("10", "other", Capacity.NONE))
        assert self.delete(world, "haddad", document) == 204

    def test_the_patient_withdraws_what_the_patient_filed_whatever_the_key_says(self, world: World):
        document = world.publish("camille", type_=OF_PATIENT, mime="application/pdf")
        self.with_key(world)
        assert self.delete(world, "camille", document) == 204
