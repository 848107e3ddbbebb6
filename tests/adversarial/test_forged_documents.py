"""Documents that name somebody as their author for whom their depositor may not speak.

Found by attack: an optician filed a "report of the CHU" with a physician of the CHU as author and the CHU as custodian,
in the space of a stranger; a physician there read it, and nothing in it named the optician.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from consent_rules.vocabulary import Capacity
from fhir_server.application.documents.authors import AUTHOR_PLACE, DEPOSITOR
from fhir_server.application.identity import client_changes, clients
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Json
from tests.holds import holds
from tests.world import INS, JSON_PATCH, OF_PATIENT, RPPS, World

VIDAL = "99700009992"
DOCUMENT, LOT = "Bundle.entry[1].resource", "Bundle.entry[0].resource"


@pytest.fixture
def world(world: World) -> World:
    """Return a world with Dr Vidal, who practises in the CHU alone; Zoé is an optician elsewhere."""
    world.colleague("vidal", VIDAL, "chu")
    return world


def contained(type_: str, **more: object) -> Json:
    return {"resourceType": type_, "id": "author", **more}


def number(value: str, system: str = RPPS) -> list[Json]:
    return [{"system": system, "value": value}]


def person(world: World, name: str) -> Json:
    return {"reference": f"Practitioner/{world.ids[name]}"}


def place(world: World, name: str) -> Json:
    return {"reference": f"Organization/{world.ids[name]}"}


def lot_of(world: World, who: str, **given: object) -> Json:
    return world.bundle(world.filing(**(world.as_filed_by(who) | {"author": _own(world, who)} | given)))


def _own(world: World, who: str) -> Json:
    """Return somebody whom a caller may name, contained."""
    if who in ("camille", "marc"):
        return contained("Patient")
    return contained("PractitionerRole", practitioner=person(world, "haddad" if who.endswith("ehr") else who))


def faults(world: World, who: str, bundle: Json) -> list[str]:
    """Publish, and return the elements that are refused because they name somebody else."""
    answer = world.send(who, "POST", "", bundle)
    if answer.status_code == 200:
        return []
    assert answer.status_code == 422, answer.get_data(as_text=True)
    issues = answer.get_json()["issue"]
    assert {one["details"]["coding"][0]["code"] for one in issues} == {"not-of-the-depositor"}
    return [expression for one in issues for expression in one["expression"]]


@holds("V14")
def test_the_report_of_a_physician_of_the_chu_is_not_filed_by_an_optician_elsewhere(world: World):
    author = contained("Practitioner", identifier=number(VIDAL), name=[{"family": "Vidal"}])
    forged = world.bundle(world.filing(author=author, place="chu"))
    assert faults(world, "zoe", forged) == [f"{DOCUMENT}.author[0]", f"{DOCUMENT}.custodian"]
    assert world.found("camille", f"/DocumentReference?patient={world.ids['camille']}") == []


def _elsewhere(world: World) -> dict[str, Json]:
    """Return authors for whom nobody but the CHU may speak."""
    role = {"organization": place(world, "chu")}
    return {
        "number": contained("Practitioner", identifier=number(VIDAL)),
        "name alone": contained("Practitioner", name=[{"family": "Vidal"}]),
        "own number and another": contained("Practitioner", identifier=[*number(VIDAL), *number("99700009991")]),
        "role": contained("PractitionerRole", practitioner=person(world, "vidal")),
        "role by number": contained("PractitionerRole", practitioner={"identifier": number(VIDAL)[0]}),
        "role by name": contained("PractitionerRole", practitioner={"display": "Dr Vidal"}, **role),
        "role without a person": contained("PractitionerRole", **role),
        "establishment": contained("Organization", identifier=number("990000018", "https://finess.esante.gouv.fr")),
        "device": contained("Device", owner=place(world, "chu")),
        "device of nobody": contained("Device", deviceName=[{"name": "Dr Vidal", "type": "user-friendly-name"}]),
        "patient": contained("Patient", identifier=number("284039999900148", INS)),
        "relative": contained("RelatedPerson", patient={"reference": f"Patient/{world.ids['camille']}"}),
    }


CONTAINED = (
    "number", "name alone", "own number and another", "role", "role by number", "role by name", "role without a person",
    "establishment", "device", "device of nobody", "patient", "relative",
)  # fmt: skip


@pytest.mark.parametrize("who", ["other-ehr", "zoe"])
@pytest.mark.parametrize("form", CONTAINED)
def test_no_contained_author_is_of_another_establishment(world: World, who, form):
    bundle = lot_of(world, who, author=_elsewhere(world)[form])
    bundle["entry"][0]["resource"] |= {"contained": [_own(world, who)]}
    assert faults(world, who, bundle) == [f"{DOCUMENT}.author[0]"]


REFERRED: dict[str, Callable[[World], Json]] = {
    "person": lambda world: person(world, "vidal"),
    "role": lambda world: {"reference": f"PractitionerRole/{world.ids['vidal@chu']}"},
    "establishment": lambda world: place(world, "chu"),
    "logical": lambda _: {"identifier": number(VIDAL)[0], "type": "Practitioner"},
    "name": lambda _: {"display": "Dr Vidal"},
    "elsewhere": lambda _: {"reference": "https://elsewhere.example/fhir/Practitioner/1"},
    "own id with another number": lambda world: person(world, "haddad") | {"identifier": number(VIDAL)[0]},
}
ELEMENTS = {"author": "author[0]", "authenticator": "authenticator", "source": "source"}


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("form", REFERRED)
def test_no_element_names_anybody_of_another_establishment(world: World, form, element):
    bundle = lot_of(world, "other-ehr")
    lot, document = (bundle["entry"][place]["resource"] for place in (0, 1))
    named = REFERRED[form](world)
    if element == "source":
        lot |= {"source": named}
        del lot["contained"]
    else:
        document |= {element: [named] if element == "author" else named}
        document["contained"] = [one for one in document["contained"] if one["id"] != "author" or element != "author"]
    for resource in (lot, document):
        resource.pop("meta", None)
    where = LOT if element == "source" else DOCUMENT
    answer = world.send("other-ehr", "POST", "", bundle)
    assert answer.status_code in (400, 422), answer.get_data(as_text=True)
    told = [expression for one in answer.get_json()["issue"] for expression in one["expression"]]
    assert told == [f"{where}.{ELEMENTS[element]}"], answer.get_data(as_text=True)


@pytest.mark.parametrize("in_source", [False, True])
def test_the_establishment_of_the_author_is_the_depositors(world: World, in_source):
    bundle = lot_of(world, "other-ehr")
    lot = bundle["entry"][0]["resource"]
    holder, where = (lot["source"], f"{LOT}.source") if in_source else (lot, LOT)
    holder["extension"] = [
        {"url": AUTHOR_PLACE, "valueReference": place(world, "chu")},
        *holder.get("extension", ()),
    ]
    assert faults(world, "other-ehr", bundle) == [f"{where}.extension[0]"]
    holder["extension"][0]["valueReference"] = place(world, "other")
    assert faults(world, "other-ehr", bundle) == []


def test_one_document_is_held_to_the_same(world: World):
    author = contained("Practitioner", identifier=number(VIDAL))
    answer = world.send("zoe", "POST", "/DocumentReference", world.simplified(author=author, place="other"))
    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["expression"] == ["DocumentReference.author[0]"]


def test_patients_name_themselves_alone(world: World):
    for author in (_elsewhere(world)["number"], contained("Patient", identifier=number("184039999900255", INS))):
        bundle = lot_of(world, "camille", author=author, type_=OF_PATIENT, mime="application/pdf")
        bundle["entry"][0]["resource"] |= {"contained": [contained("Patient")]}
        assert faults(world, "camille", bundle) == [f"{DOCUMENT}.author[0]"]
    own = contained("Patient", identifier=number("284039999900148", INS))
    bundle = lot_of(world, "camille", author=own, type_=OF_PATIENT, mime="application/pdf")
    assert faults(world, "camille", bundle) == []


@holds("V14")
@pytest.mark.parametrize("who", ["chu-ehr", "nour"])
def test_a_colleague_may_be_named_in_every_form(world: World, who):
    known = _elsewhere(world)
    for form in ("number", "role", "role by number", "establishment", "device", "role without a person"):
        bundle = lot_of(world, who, author=known[form])
        bundle["entry"][0]["resource"] |= {"contained": [_own(world, who)]}
        assert faults(world, who, bundle) == [], form


def test_what_a_document_shows_of_its_author_comes_from_the_directory(world: World):
    """Else one's own reference would carry another's name."""
    author = contained("Practitioner", identifier=number("99700009991"), name=[{"family": "Vidal", "prefix": ["Dr"]}])
    shown = {"reference": f"Organization/{world.ids['chu']}", "display": "Clinique Vidal"}
    document = world.simplified(author=author)
    document |= {"custodian": shown, "authenticator": person(world, "haddad") | {"display": "Dr Vidal"}}
    document["author"][0]["display"] = "Dr Vidal"
    answer = world.send("chu-ehr", "POST", "/DocumentReference", document)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    read = world.get("camille", f"/DocumentReference/{answer.get_json()['id']}")
    assert "Vidal" not in read.get_data(as_text=True)
    assert read.get_json()["custodian"]["display"] == "chu"
    assert read.get_json()["authenticator"]["display"] == "Haddad"


@pytest.mark.parametrize("change", [{"active": False}, {"period": {"end": "2026-01-31"}}])
def test_whoever_left_the_establishment_is_named_no_more(world: World, change):
    bundle = lot_of(world, "chu-ehr", author=contained("Practitioner", identifier=number(VIDAL)))
    role = world.get("keeper", f"/PractitionerRole/{world.ids['vidal@chu']}").get_json()
    answer = world.send("keeper", "PUT", f"/PractitionerRole/{role['id']}", role | change)
    assert answer.status_code == 200
    assert faults(world, "chu-ehr", bundle) == [
        f"{DOCUMENT}.author[0]",
    ]


def test_a_person_whom_the_directory_made_inactive_is_named_no_more(world: World):
    change = [{"op": "add", "path": "/active", "value": False}]
    assert world.send("keeper", "PATCH", f"/Practitioner/{world.ids['vidal']}", change, JSON_PATCH).status_code == 200
    bundle = lot_of(world, "chu-ehr", author=contained("Practitioner", identifier=number(VIDAL)))
    bundle["entry"][0]["resource"] |= {"contained": [_own(world, "chu-ehr")]}
    assert faults(world, "chu-ehr", bundle) == [f"{DOCUMENT}.author[0]"]


def test_another_post_of_the_depositor_opens_no_other_establishment(world: World):
    """A physician of two establishments files for the one in which the token was given."""
    world.in_mode("martin@chu", "martin", ("10", "chu", Capacity.NONE))
    assert faults(world, "martin", lot_of(world, "martin", place="chu")) == [f"{DOCUMENT}.custodian"]
    assert faults(world, "martin@chu", lot_of(world, "martin", place="chu")) == []


class TestIntermediaries:
    """An exchange files for others, as its registration says; each document then shows who filed it."""

    @holds("V14")
    def test_files_for_others_and_is_shown(self, world: World):
        world.intermediary("exchange", "other")
        (document,) = world.publish_all("exchange", world.filing(author=_elsewhere(world)["number"], place="chu"))
        read = world.get("camille", f"/DocumentReference/{document}").get_json()
        (shown,) = [one for one in read["extension"] if one["url"] == DEPOSITOR]
        assert shown["valueReference"] == place(world, "other") | {"display": "other"}

    def test_says_itself_who_filed(self, world: World):
        world.intermediary("exchange", "other")
        bundle = world.bundle(world.filing(author=_elsewhere(world)["number"], place="chu"))
        forged = [{"url": DEPOSITOR, "valueReference": place(world, "chu")}]
        bundle["entry"][1]["resource"]["extension"] = forged
        assert faults(world, "exchange", bundle) == []
        (id_,) = world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")
        read = world.get("camille", f"/DocumentReference/{id_}").get_json()
        assert [one["valueReference"]["reference"] for one in read["extension"]] == [place(world, "other")["reference"]]

    def test_is_one_by_its_registration_as_it_is_now(self, world: World):
        world.intermediary("exchange", "other", registered=False)
        bundle = world.bundle(world.filing(author=_elsewhere(world)["number"], place="chu"))
        refused = [f"{DOCUMENT}.author[0]", f"{DOCUMENT}.custodian"]
        assert faults(world, "exchange", bundle) == refused
        known = clients.find(world.runtime, "exchange")
        assert known is not None
        for registered in (True, False):
            changed = replace(known, intermediary=registered)
            client_changes.edit_client(world.runtime, Caller.of_operator("op"), changed, ("intermediary",))
            assert faults(world, "exchange", bundle) == ([] if registered else refused)
            bundle = world.bundle(world.filing(author=_elsewhere(world)["number"], place="chu"))

    def test_nobody_else_says_for_whom_a_document_was_filed(self, world: World):
        bundle = lot_of(world, "other-ehr")
        bundle["entry"][1]["resource"]["extension"] = [{"url": DEPOSITOR, "valueReference": place(world, "chu")}]
        assert faults(world, "other-ehr", bundle) == [f"{DOCUMENT}.extension[0]"]
