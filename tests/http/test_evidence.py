"""Evidence over HTTP: what becomes of a professional's word, and what the audit log says of it (V1–V5, V9, V16)."""

from base64 import b64encode
from dataclasses import replace
from hashlib import sha1

import pytest

from consent_rules.vocabulary import DirectiveKind, Proof, RequesterKind
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from tests.holds import holds
from tests.world import World

DATA = b64encode(b"signed by the patient").decode()
HASH = b64encode(sha1(b"signed by the patient", usedforsecurity=False).digest()).decode()
WRITTEN = {"category": [{"coding": [{"system": "urn:habilis:proof", "code": "written"}]}]}
NEVER_ENDS = "2036-03-02T09:00:00Z"
CAPPED = "2026-05-31T08:59:59Z"
"""The last second of the 90 days that a team's declared agreement lasts: it is recorded on 2 March at 9:00."""


def directives(world: World):
    with world.runtime.ports.store.snapshot() as snapshot:
        record = record_of(world.ids["camille"], snapshot.load_space(world.ids["camille"]))
    return [one for one in record.directives if one.kind is DirectiveKind.AGREEMENT]


def for_team(world: World, end: str | None = NEVER_ENDS):
    consent = world.consent("other")
    consent["provision"]["period"] = {"start": "2026-03-02T09:00:00Z"} | ({"end": end} if end else {})
    return consent


class TestForATeam:
    """A team's agreement that a professional records is shortened, and the answer says so (V4)."""

    @holds("V4")
    @pytest.mark.parametrize("end", [NEVER_ENDS, None])
    def test_a_longer_period_is_shortened_in_what_is_stored(self, world: World, end):
        answer = world.send("martin", "POST", "/Consent", for_team(world, end))
        assert answer.status_code == 201, answer.text
        assert answer.get_json()["provision"]["period"]["end"] == CAPPED

    def test_who_asks_for_an_outcome_reads_a_warning(self, world: World):
        answer = world.send("martin", "POST", "/Consent", for_team(world), Prefer="return=OperationOutcome")
        warning = answer.get_json()["issue"][1]
        assert (warning["severity"], warning["expression"]) == ("warning", ["Consent.provision.period.end"])
        assert "2026-05-31T09:00:00Z" in warning["details"]["text"]

    def test_in_a_batch_the_entry_has_the_warning(self, world: World):
        entry = {"resource": for_team(world), "request": {"method": "POST", "url": "Consent"}}
        sent = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        (told,) = world.send("martin", "POST", "", sent).get_json()["entry"]
        assert told["response"]["outcome"]["issue"][0]["severity"] == "warning"

    def test_a_shorter_period_stays_and_is_not_remarked(self, world: World):
        answer = world.send("martin", "POST", "/Consent", for_team(world, "2026-03-04T09:00:00Z"))
        assert answer.get_json()["provision"]["period"]["end"] == "2026-03-04T09:00:00Z"
        told = world.send(
            "martin", "POST", "/Consent", for_team(world, "2026-03-04T09:00:00Z"), Prefer="return=OperationOutcome"
        )
        assert [one["severity"] for one in told.get_json()["issue"]] == ["information"]

    def test_the_patients_own_agreement_lasts_as_it_says(self, world: World):
        answer = world.send("camille", "POST", "/Consent", for_team(world))
        assert answer.get_json()["provision"]["period"]["end"] == NEVER_ENDS

    def test_it_ends_for_everybody(self, world: World, clock):
        world.send("martin", "POST", "/Consent", for_team(world))
        clock.advance(days=89)
        search = f"/DocumentReference?patient={world.ids['camille']}"
        assert world.get("zoe", search).status_code == 200
        clock.advance(days=1)
        assert world.get("zoe", search).status_code == 403


class TestAWriting:
    """A written agreement needs its writing (V2)."""

    @holds("V2")
    @pytest.mark.parametrize(
        ("shown", "proof"),
        [
            ({}, Proof.ORAL),
            ({"sourceAttachment": {"contentType": "text/plain", "data": DATA}}, Proof.ORAL),
            ({"sourceAttachment": {"hash": HASH}}, Proof.ORAL),
            ({"sourceAttachment": {"contentType": "text/plain", "data": DATA, "hash": HASH}}, Proof.WRITTEN),
            ({"sourceAttachment": {"url": "https://chu.example/consent.pdf", "hash": HASH}}, Proof.WRITTEN),
        ],
    )
    def test_is_an_attachment_with_its_hash(self, world: World, shown, proof):
        answer = world.agree("martin", "martin", **WRITTEN, **shown)
        assert answer.status_code == 201, answer.text
        assert [(one.proof, one.grade) for one in directives(world)] == [(proof, "declared")]

    def test_with_another_hash_is_refused(self, world: World):
        attachment = {"contentType": "text/plain", "data": b64encode(b"something else").decode(), "hash": HASH}
        answer = world.agree("martin", "martin", **WRITTEN, sourceAttachment=attachment)
        assert answer.status_code == 422
        assert answer.get_json()["issue"][0]["expression"] == ["Consent.sourceAttachment.hash"]

    def test_is_a_document_that_the_professional_filed(self, world: World):
        source = {"sourceReference": {"reference": f"DocumentReference/{world.publish('martin', place='other')}"}}
        assert world.agree("martin", "martin", **WRITTEN, **source).status_code == 201
        assert [(one.proof, one.grade) for one in directives(world)] == [(Proof.WRITTEN, "declared")]

    def test_of_a_document_that_the_professional_does_not_see_is_refused(self, world: World):
        source = {"sourceReference": {"reference": f"DocumentReference/{world.publish()}"}}
        answer = world.agree("martin", "martin", **WRITTEN, **source)
        assert answer.status_code == 422
        assert answer.get_json()["issue"][0]["expression"] == ["Consent.sourceReference.reference"]


class TestASeal:
    """Only who treats the patient seals a document from the patient (V16)."""

    def sealed(self, world: World, who: str, place: str = "chu"):
        filing = replace(world.filing(place=place), marks=("INVISIBLE_PATIENT",))
        return world.send(who, "POST", "", world.bundle(filing))

    @holds("V16")
    @pytest.mark.parametrize(("who", "place"), [("chu-ehr", "chu"), ("martin", "other")])
    def test_is_refused_to_others_with_the_element_named(self, world: World, who, place):
        world.agree("martin", "martin")
        answer = self.sealed(world, who, place)
        assert answer.status_code == 422
        (issue,) = answer.get_json()["issue"]
        assert issue["details"]["coding"][0]["code"] == "sealing-needs-care"
        assert issue["expression"][0].endswith(".securityLabel")

    def test_is_given_by_the_hospital_to_which_the_patient_agreed(self, world: World):
        world.agree("camille", "chu")
        assert self.sealed(world, "chu-ehr").status_code == 200

    def test_is_given_by_the_hospital_that_admitted_the_patient(self, world: World):
        world.admit()
        assert self.sealed(world, "chu-ehr").status_code == 200
        assert self.sealed(world, "nour").status_code == 200
        assert self.sealed(world, "other-ehr", "other").status_code == 422


class TestTheAuditLog:
    """The audit log names the ground with its grade, and the software that named a person (V5, V9)."""

    def event(self, world: World, person: str):
        """Return the event of somebody's search of documents, and its details."""
        entries = world.get("camille", f"/AuditEvent?agent={person}&subtype=search").get_json()["entry"]
        (found,) = [entry["resource"] for entry in entries][-1:]
        details = {d["type"]: d["valueString"] for e in found["entity"] for d in e.get("detail", ())}
        return found, details

    @holds("V9")
    @pytest.mark.parametrize(("by", "grade", "text"), [
        ("martin", "declared", "Fondement : consent (déclaré par le professionnel seul)."),
        ("camille", "patient", "Fondement : consent (par un acte du patient)."),
    ])  # fmt: skip
    def test_a_reading_has_the_grade_of_its_ground(self, world: World, by, grade, text):
        world.agree(by, "martin")
        world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
        event, details = self.event(world, f"Practitioner/{world.ids['martin']}")
        assert details["grade"] == grade
        assert text in event["text"]["div"]

    def test_a_reading_on_no_ground_of_care_has_none(self, world: World):
        world.get("camille", f"/DocumentReference?patient={world.ids['camille']}")
        assert "grade" not in self.event(world, f"Patient/{world.ids['camille']}")[1]

    @holds("V5")
    def test_software_without_a_login_is_named(self, world: World):
        world.agree("martin", "martin")
        practice = PractitionerRoleRef("", f"Organization/{world.ids['other']}", "other", "10")
        person = f"Practitioner/{world.ids['martin']}"
        account = Account("martin", RequesterKind.PROFESSIONAL, person, "Dr Martin", subject="martin")
        client = Client(id="ehr", name="DPI", kind=ClientKind.BACKEND)
        named = {"client": client, "account": account, "practice": practice, "vouched": True}
        world.tokens["ehr"] = world.mint(scopes="user/*.rs", **named)
        assert world.get("ehr", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200
        event, details = self.event(world, person)
        assert "le logiciel DPI, au nom de Dr Martin qui n’avait pas ouvert de session," in event["text"]["div"]
        assert details["grade"] == "declared"
        (user,) = [agent for agent in event["agent"] if agent.get("extension")]
        assert user["extension"] == [{"url": "urn:habilis:own-login", "valueBoolean": False}]
