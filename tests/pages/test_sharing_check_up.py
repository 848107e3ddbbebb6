"""The check-up: what others could see today in words and numbers, never about what its reader may not know."""

import re

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Grantee, find_account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.grants import draft_grant, store_grant
from tests.http.spaces import call, parent
from tests.pages.visitors import Visitor, an_account, camille_at_home, left
from tests.world import World


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def told(visitor: Visitor, heading: str) -> str:
    """Return the section of the page, without tags."""
    page = visitor.get("/check-up").text
    section = page.partition(f"<h2>{heading}</h2>")[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_an_empty_space_is_told_in_words(camille):
    assert "There is no document here yet." in told(camille, "Documents")
    assert "No agreement is in force. Blocked Nobody is blocked." in told(camille, "People whom you let in")
    assert "Nobody else acts in this space." in told(camille, "People who act for you")
    assert "No code can be used now." in told(camille, "One-time codes")
    assert "No address is confirmed" in told(camille, "Mails to you")


def test_documents_people_and_codes_are_counted_and_named(world, camille):
    world.publish()
    world.publish()
    world.publish(marks=("MASQUE_PS",))
    world.agree("camille", "martin")
    world.agree("camille", "zoe", "deny")
    call(world, "camille", "invite")
    documents = told(camille, "Documents")
    assert "2 documents are not hidden" in documents
    assert "1 document is hidden from professionals" in documents
    people = told(camille, "People whom you let in")
    assert "Martin, no end stated" in people.partition("Blocked")[0]
    assert "Zoe" in people.partition("Blocked")[2]
    assert "1 code can be used now" in told(camille, "One-time codes")


def test_an_app_that_is_not_used_is_worth_a_look(world, camille, clock):
    account = find_account(world.runtime, "camille")
    app = Client("app", "Carnet", ClientKind.PATIENT_APP)
    store_grant(world.runtime, draft_grant(world.runtime, Grantee(app, account, launch_patient=camille.patient), "x"))
    assert "Carnet, never used" in told(camille, "Apps")
    assert "worth a look" not in told(camille, "Apps")
    clock.advance(days=91)
    again = Visitor(world, "camille", camille.patient)
    assert "Carnet, never used worth a look" in told(again, "Apps")


def test_closed_emergencies_are_said(world, camille):
    assert "The emergency call centre may open the space." in told(camille, "Emergencies")
    consent = world.consent("martin", "deny")
    del consent["provision"]["actor"]
    consent["provision"]["purpose"] = [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code} for code in ("ETREAT", "BTG")
    ]
    assert world.send("camille", "POST", "/Consent", consent).status_code == 201
    said = told(camille, "Emergencies")
    assert "may not open" in said
    assert "No professional may open the space" in said


def test_each_part_leads_to_the_page_that_changes_it(camille):
    page = camille.get("/check-up").text
    for path in ("/documents", "/people", "/sharing"):
        assert f'href="{camille.at(path)}' in page
    for address in ("/account/apps", "/account/notices", f"/journal?person={camille.patient}"):
        assert f'href="{address}"' in page


def test_the_page_asks_little(world, camille):
    """Four searches (one of choices, three that only count) and the look at the codes."""
    assert len(left(world, lambda: camille.get("/check-up"))) == 5


class TestAGuardian:
    """What a minor keeps from a guardian changes no word or number of the guardian's check-up."""

    @pytest.fixture
    def marc(self, world: World):
        world.patient("lea", "209019999900183", "2009-01-17")
        parent(world, "marc", "lea")
        an_account(world, "marc", "lea", kind=RequesterKind.RELATED)
        return Visitor(world, "marc", world.ids["lea"])

    def test_a_secret_a_code_and_an_app_of_the_minor_are_not_counted(self, world, marc):
        world.publish(patient="lea")
        before = marc.get("/check-up").text
        assert "1 document is not hidden" in before
        world.publish(patient="lea", marks=("INVISIBLE_REPRESENTANTS_LEGAUX", "MASQUE_PS"))
        call(world, "lea", "invite", "lea")
        an_account(world, "lea", "lea")
        account = find_account(world.runtime, "lea")
        app = Client("app", "Secret", ClientKind.PATIENT_APP)
        grantee = Grantee(app, account, launch_patient=world.ids["lea"])
        store_grant(world.runtime, draft_grant(world.runtime, grantee, "x"))
        assert marc.get("/check-up").text == before
