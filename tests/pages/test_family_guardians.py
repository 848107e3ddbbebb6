"""Legal representatives on their page, coming of age, and changing between children on every page."""

import re

import pytest

from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient, add_account
from tests.http.spaces import parent
from tests.pages.visitors import PASSWORD, Visitor, an_account


@pytest.fixture
def marc(world):
    """Marc represents Ines."""
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    an_account(world, "marc", "ines", kind=RequesterKind.RELATED)
    return Visitor(world, "marc", world.ids["ines"])


def test_the_page_says_who_represents_and_what_changes_on_which_day(marc):
    page = marc.get("/guardians").text
    assert "Legal representative" in page
    assert re.search(r"1 June 2025.*Has had the right to an own account", page, re.DOTALL)
    assert re.search(r"1 June 2028.*see nothing here from this day on", page, re.DOTALL)
    assert "You act here as legal representative" in page


def test_a_birthday_on_29_february_counts_on_1_march(world):
    world.patient("leo", "112029999900206", "2012-02-29")
    parent(world, "anne", "leo")
    an_account(world, "anne", "leo", kind=RequesterKind.RELATED)
    assert "1 March 2027" in Visitor(world, "anne", world.ids["leo"]).get("/guardians").text


def test_an_adult_has_no_coming_of_age(world):
    an_account(world, "camille", "camille")
    assert "Coming of age" not in Visitor(world, "camille", world.ids["camille"]).get("/guardians").text


def test_after_the_birthday_the_representative_finds_nothing(world, marc, clock):
    world.publish(patient="ines")
    assert marc.get("/documents").status_code == 200
    clock.at = clock.at.replace(year=2028, month=6, day=1, hour=12)
    later = Visitor(world, "marc", world.ids["ines"])
    answers = [later.get(path) for path in ("/documents", "/people", "/guardians")]
    assert {answer.status_code for answer in answers} == {403}
    assert "You do not act for this person any more" in answers[0].text


def test_every_page_names_the_space_in_view_and_leads_to_the_others(world):
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    world.patient("marc-self", "180039999900262", "1980-02-02")
    own = RepresentedPatient(PatientId(world.ids["marc-self"]), f"Patient/{world.ids['marc-self']}", "Marc")
    child = RepresentedPatient(PatientId(world.ids["ines"]), f"RelatedPerson/{world.ids['marc']}", "Inès")
    account = Account("marc", RequesterKind.PATIENT, own.person, "Marc", patients=(own, child))
    add_account(world.runtime, account, PASSWORD)
    marc = Visitor(world, "marc", child.patient)
    for path in (
        "/documents",
        "/people",
        "/people/directory",
        "/carers",
        "/guardians",
        f"//journal?person={child.patient}",
    ):
        page = marc.get(path).text
        assert "Space of Inès" in page, path
        assert re.search(rf'href="/account/spaces/{own.patient}/documents">Marc \(you\)', page), path
        assert re.search(rf'href="/account/spaces/{child.patient}/documents" aria-current="true">Inès', page), path


def test_each_reads_in_the_journal_what_the_other_did_on_these_pages(world, marc):
    document = world.publish(patient="ines")
    an_account(world, "ines", "ines")
    ines = Visitor(world, "ines", world.ids["ines"])
    for reader in (marc, ines):
        assert reader.get(f"/documents/{document}").status_code == 200
    acts = [_acts(reader.get(f"//journal?person={world.ids['ines']}").text) for reader in (marc, ines)]
    assert ["marc" in acts[0], "ines" in acts[0]] == [False, True]
    assert ["marc" in acts[1], "ines" in acts[1]] == [True, False]


def _acts(journal: str) -> str:
    """Return the lines of a journal that tell who looked at a document, in small letters."""
    lines = re.findall(r'<li id="[^"]+".*?</li>', journal, re.DOTALL)
    return " ".join(line.lower() for line in lines if "looked at the description" in line)
