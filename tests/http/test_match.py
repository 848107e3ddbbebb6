"""`Patient/$match` (ITI-119), search by traits (ITI-78) and `$ihe-pix` (ITI-83) over HTTP.

Source: https://profiles.ihe.net/ITI/PDQm; https://profiles.ihe.net/ITI/PIXm; docs/adr/0116-looking-up-by-traits.md.
"""

from urllib.parse import urlencode

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.access import Opened
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.reading import matching
from fhir_server.ports.store import Space
from tests.holds import holds
from tests.http.spaces import call, parent, sign_in
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_emitted_bodies import empty_places
from tests.http.test_everything import entries
from tests.http.test_reviews import staff
from tests.world import INS, World

NUMBER, TWIN = "284039999900555", "284039999900556"
BIRTH_PLACE = {
    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
    "valueAddress": {"city": "Lyon", "extension": [{"url": "https://hl7.fr/insee", "valueString": "69381"}]},
}
TRAITS = {
    "resourceType": "Patient",
    "name": [{"family": "Lefèvre-Dupont", "given": ["Anne-Sophie", "Marie"]}],
    "gender": "female",
    "birthDate": "1984-03-17",
}
WHOLE = TRAITS | {"extension": [BIRTH_PLACE]}
BY_TRAITS = "/Patient?family=Dupont%20Lefevre&given=anne%20sophie&birthdate=1984-03-17"


@pytest.fixture
def known(world: World) -> World:
    add(world, "anne", NUMBER, {"telecom": [{"system": "phone", "value": "+33600000000"}]})
    return world


def add(world: World, name: str, number: str, more: dict | None = None) -> None:
    numbers = [{"system": INS, "value": number}, {"system": "urn:oid:1.2.3.4", "value": f"IPP-{name}"}]
    world.record(name, WHOLE | {"identifier": numbers} | (more or {}))
    sign_in(world, name, name)


def match(world: World, who: str, patient: dict, **more: object):
    given = [{"name": "resource", "resource": patient}]
    for name, value in more.items():
        given.append({"name": name, "valueBoolean" if isinstance(value, bool) else "valueInteger": value})
    return world.send(who, "POST", "/Patient/$match", {"resourceType": "Parameters", "parameter": given})


def called(family: str, *given: str) -> dict:
    return TRAITS | {"name": [{"family": family, "given": list(given)}]}


SPELLINGS = [
    ("LEFEVRE DUPONT", "anne sophie"),
    ("Dupont-Lefèvre", "Anne-Sophie"),
    ("lefèvre\u2010dupont", "Sophie-Anne"),
    ("Lefèvre Dupont", "Marie"),
    ("Lefèvre-Dupont", "Anne-Sophie", "Marie"),
]


@holds("PDQM-119-1")
@BOTH
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("who", ["nour", "chu-ehr"])
def test_accents_hyphens_and_order_make_no_difference(known, who, spelling):
    (found,) = entries(match(known, who, called(*spelling)))
    assert found["id"] == known.ids["anne"]


@pytest.mark.parametrize(
    "wrong", [called("Lefèvre", "Anne-Sophie"), called("Lefèvre-Dupont", "Anna"), TRAITS | {"gender": "male"},
              TRAITS | {"birthDate": "1984-03-18"}]
)  # fmt: skip
def test_one_wrong_trait_finds_nobody(known, wrong):
    answer = match(known, "nour", wrong)
    assert entries(answer) == []
    assert answer.get_json()["total"] == 0


def test_the_identity_traits_are_shown_alone(known):
    for who in ("nour", "chu-ehr"):
        (found,) = entries(match(known, who, TRAITS))
        assert {"telecom"}.isdisjoint(found)
        assert [one["system"] for one in found["identifier"]] == [INS]
        assert found["meta"]["tag"][0]["code"] == "SUBSETTED"


@holds("PDQM-119-2")
@pytest.mark.parametrize(
    ("asked", "grade"),
    [
        (TRAITS, "probable"),
        (WHOLE, "certain"),
        ({"resourceType": "Patient", "identifier": [{"system": INS, "value": NUMBER}]}, "certain"),
    ],
)
def test_the_grade_follows_from_what_was_asked(known, asked, grade):
    (entry,) = match(known, "nour", asked).get_json()["entry"]
    assert entry["search"]["extension"][0]["valueCode"] == grade
    certain = entries(match(known, "nour", asked, onlyCertainMatches=True))
    assert len(certain) == (grade == "certain")


def test_a_number_that_contradicts_the_traits_finds_nobody(known):
    asked = called("Martin", "Anne") | {"identifier": [{"system": INS, "value": NUMBER}]}
    assert entries(match(known, "nour", asked)) == []


MISTYPED = [
    {"birthDate": "1984-03-18"},
    {"gender": "male"},
    {"name": [{"family": "Martin"}]},
    {"name": [{"given": ["Zoe"]}]},
]


@pytest.mark.parametrize("stated", MISTYPED)
def test_a_number_with_one_trait_of_somebody_else_finds_nobody(known, stated):
    """A mistyped number is somebody's; traits that are too few to be looked for are compared all the same."""
    numbered = {"resourceType": "Patient", "identifier": [{"system": INS, "value": NUMBER}]}
    assert entries(match(known, "nour", numbered | stated)) == []
    assert len(entries(match(known, "nour", numbered | {"birthDate": "1984-03-17", "gender": "female"}))) == 1


@BOTH
def test_people_who_share_their_traits_are_all_shown_and_told(known):
    add(known, "twin", TWIN)
    answer = match(known, "nour", WHOLE)
    assert {one["id"] for one in entries(answer)} == {known.ids["anne"], known.ids["twin"]}
    grades = {entry["search"]["extension"][0]["valueCode"] for entry in answer.get_json()["entry"]}
    assert grades == {"possible"}
    assert entries(match(known, "nour", WHOLE, onlyCertainMatches=True)) == []
    assert len(entries(match(known, "nour", WHOLE, count=1))) == 1


def test_nobody_is_shown_when_more_than_five_match(known):
    for number in range(matching.MOST):
        add(known, f"double{number}", f"2840399999006{number:02d}")
    answer = match(known, "nour", TRAITS)
    assert entries(answer) == []
    (note,) = entries(answer, "outcome")
    assert "more traits" in note["issue"][0]["details"]["text"]
    assert answer.get_json()["entry"][0]["fullUrl"].startswith("urn:uuid:")
    assert empty_places(answer.get_json()) == []


TOO_FEW = [
    {"resourceType": "Patient"},
    {"resourceType": "Patient", "name": [{"family": "Lefèvre-Dupont"}], "birthDate": "1984-03-17"},
    {"resourceType": "Patient", "name": [{"given": ["Anne"]}], "birthDate": "1984-03-17"},
    TRAITS | {"birthDate": "1984"},
    {"resourceType": "Patient", "identifier": [{"value": NUMBER}]},
]


@pytest.mark.parametrize("asked", TOO_FEW)
def test_too_few_traits_are_refused(known, asked):
    answer = match(known, "nour", asked)
    assert 400 <= answer.status_code < 500
    assert "family name" in answer.get_data(as_text=True)


def unnamed(world: World) -> None:
    """Give a professional whom nobody has named a token."""
    practice = PractitionerRoleRef("", f"Organization/{world.ids['chu']}", "chu", "10", label="x")
    account = Account("x", RequesterKind.PROFESSIONAL, "", "x", practices=(practice,), subject="x")
    desk = Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP)
    world.tokens["unnamed"] = world.mint(client=desk, account=account, practice=practice, scopes="user/*.cruds")


@pytest.mark.parametrize("who", ["anne", "marc", "dana", "unnamed"])
def test_patients_relatives_auditors_and_nameless_professionals_look_nobody_up(known, who):
    known.patient("ines", "210039999900255", "2010-06-01")
    parent(known, "marc", "ines")
    staff(known, "dana")
    unnamed(known)
    answers = [match(known, who, asked) for asked in (WHOLE, called("Nobody", "Anne"))]
    assert {one.status_code for one in answers} <= {401, 403}
    assert answers[0].get_data() == answers[1].get_data()
    searched = known.get(who, BY_TRAITS)
    assert known.ids["anne"] not in searched.get_data(as_text=True) or who == "anne"


def test_a_token_without_the_scope_looks_nobody_up(known):
    known.in_mode("narrow", "nour", ("10", "chu", ""), scopes="user/DocumentReference.rs")
    assert match(known, "narrow", TRAITS).status_code == 403


@BOTH
@pytest.mark.parametrize("who", ["nour", "chu-ehr"])
def test_a_closed_space_and_an_unknown_person_are_alike(known, who):
    unknown = match(known, who, called("Nobody", "Anne"))
    assert call(known, "anne", "close-space", "anne").status_code == 200
    closed = match(known, who, TRAITS)
    assert (closed.status_code, closed.get_data()) == (unknown.status_code, unknown.get_data())


def test_a_hidden_double_changes_no_grade(known):
    alone = match(known, "nour", WHOLE).get_json()["entry"][0]["search"]
    add(known, "twin", TWIN)
    assert call(known, "twin", "close-space", "twin").status_code == 200
    assert match(known, "nour", WHOLE).get_json()["entry"][0]["search"] == alone


def test_the_leak_of_a_candidate_whose_space_is_closed_is_found(known, monkeypatch):
    """The fault is planted: every candidate is returned, whatever the rules say."""
    opened_as = matching.open_unnamed
    permits: list[Opened] = []

    def everybody(access, patient, action):
        opened = opened_as(access, patient, action)
        permits.extend([opened] if opened else [])
        space = Space(patient, 0, b"")
        return opened or Opened(permits[0].permit, record_of(patient, None), space)

    monkeypatch.setattr(matching, "open_unnamed", everybody)
    unknown = match(known, "nour", called("Nobody", "Anne"))
    assert entries(match(known, "nour", TRAITS))
    assert call(known, "anne", "close-space", "anne").status_code == 200
    assert match(known, "nour", TRAITS).get_data() != unknown.get_data()


def test_a_block_changes_no_look_up(known):
    before = match(known, "nour", WHOLE).get_json()["entry"]
    holder = {"reference": f"Patient/{known.ids['anne']}"}
    block = known.consent("nour", "deny") | {"patient": holder, "performer": [holder]}
    assert known.send("anne", "POST", "/Consent", block).status_code == 201
    assert match(known, "nour", WHOLE).get_json()["entry"] == before


def test_each_candidate_reads_the_look_up_in_their_own_journal(known):
    add(known, "twin", TWIN)
    assert len(entries(match(known, "nour", WHOLE))) == 2
    for name in ("anne", "twin"):
        answer = known.get(name, f"/AuditEvent?patient={known.ids[name]}&subtype=urn:habilis:operation|match")
        (event,) = entries(answer)
        assert "traits d’identité" in event["text"]["div"]
        other = known.ids["twin" if name == "anne" else "anne"]
        assert other not in answer.get_data(as_text=True)


def test_what_somebody_asks_for_is_in_no_event(known):
    match(known, "nour", called("Introuvable", "Anne"))
    known.get("nour", BY_TRAITS)
    with known.runtime.ports.store.snapshot():
        held = known.get("anne", f"/AuditEvent?patient={known.ids['anne']}&_count=100").get_data(as_text=True)
    for said in ("Introuvable", "Lefevre", "1984-03-17"):
        assert said not in held


@BOTH
def test_a_search_by_traits_is_such_a_look_up(known):
    answer = known.get("nour", BY_TRAITS)
    (found,) = entries(answer)
    assert found["id"] == known.ids["anne"]
    assert "telecom" not in found
    assert "1984" not in answer.get_json()["link"][0]["url"]
    form = BY_TRAITS.partition("?")[2].encode()
    posted = known.send("nour", "POST", "/Patient/_search", form, "application/x-www-form-urlencoded")
    assert entries(posted) == [found]
    assert entries(known.get("nour", f"{BY_TRAITS}&gender=male")) == []
    xml = known.get("nour", BY_TRAITS, Accept="application/fhir+xml")
    assert "Lefèvre-Dupont" in xml.get_data(as_text=True)


@holds("PDQM-78-1")
@pytest.mark.parametrize("who", ["nour", "chu-ehr"])
def test_a_search_by_identifier_is_answered_by_get_and_by_post(known, who):
    asked = {"identifier": f"{INS}|{NUMBER}", "birthdate": "1984-03-17"}
    (found,) = entries(known.get(who, f"/Patient?{urlencode(asked)}"))
    assert found["id"] == known.ids["anne"]
    posted = known.send(who, "POST", "/Patient/_search", urlencode(asked).encode(), "application/x-www-form-urlencoded")
    assert entries(posted) == [found]


WRONG = (
    "family=Lefevre&birthdate=1984-03-17", "family:contains=Lefevre&given=x&birthdate=1984-03-17", "family=Lefevre",
    "family=a,b&given=x&birthdate=1984-03-17", "family=a&given=x&birthdate=gt1984-03-17",
    "family=a&given=x&birthdate=1984-03-17&address-city=Lyon", "family=a&given=x&birthdate=1984-03-17&_count=0",
    "birthdate=1984-03-17", "family=a&family=b&given=x&birthdate=1984-03-17",
)  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
def test_a_search_by_less_or_by_more_is_refused(known, query):
    assert 400 <= known.get("nour", f"/Patient?{query}").status_code < 500


def test_a_patient_searches_the_own_record_by_name_as_before(known):
    assert [one["id"] for one in entries(known.get("anne", "/Patient?family=Lef"))] == [known.ids["anne"]]
    assert entries(known.get("anne", "/Patient?family=Other")) == []


def test_a_token_of_one_patient_looks_nobody_else_up(known):
    """Not even the grade tells software that was launched for one patient that somebody else matches."""
    practice = PractitionerRoleRef("", f"Organization/{known.ids['chu']}", "chu", "10", label="nour")
    person = f"Practitioner/{known.ids['nour']}"
    account = Account("n", RequesterKind.PROFESSIONAL, person, "n", practices=(practice,), subject="n")
    what = {"client": Client("desk", "desk", ClientKind.PROFESSIONAL_APP), "account": account, "practice": practice}
    launched = known.mint(**what, scopes="patient/*.cruds", launch_patient=known.ids["anne"])
    known.tokens["launched"] = launched
    alone = match(known, "launched", WHOLE).get_json()["entry"]
    add(known, "twin", TWIN)
    assert match(known, "launched", WHOLE).get_json()["entry"] == alone
    assert known.get("twin", f"/AuditEvent?patient={known.ids['twin']}&subtype=match").get_json()["total"] == 0


def test_names_that_change_are_found_by_the_new_one_alone(known):
    kept = known.get("keeper", f"/Patient/{known.ids['anne']}").get_json()
    changed = kept | {"name": [{"family": "Nouveau", "given": ["Anne"]}]}
    assert known.send("keeper", "PUT", f"/Patient/{known.ids['anne']}", changed).status_code == 200
    assert entries(match(known, "nour", TRAITS)) == []
    assert len(entries(match(known, "nour", called("Nouveau", "Anne")))) == 1


class TestCrossReference:
    """ITI-83: other identifiers of whom an identifier names."""

    def asked(self, world: World, who: str, source: str = f"{INS}|{NUMBER}", more: str = ""):
        return world.get(who, f"/Patient/$ihe-pix?sourceIdentifier={source}{more}")

    def told(self, answer) -> list[tuple[str, str]]:
        assert answer.status_code == 200, answer.get_data(as_text=True)
        parts = answer.get_json()["parameter"]
        return [(one["valueIdentifier"]["system"], one["valueIdentifier"]["value"])
                for one in parts if one["name"] == "targetIdentifier"]  # fmt: skip

    @holds("PIXM-83-1")
    @BOTH
    def test_software_is_told_the_other_identifiers_and_the_id(self, known):
        answer = self.asked(known, "chu-ehr")
        assert self.told(answer) == [("urn:oid:1.2.3.4", "IPP-anne")]
        assert answer.get_json()["parameter"][-1]["valueReference"]["reference"] == f"Patient/{known.ids['anne']}"
        assert self.told(self.asked(known, "chu-ehr", more="&targetSystem=urn:x")) == []

    def test_a_professional_without_a_ground_is_told_national_identifiers_alone(self, known):
        assert self.told(self.asked(known, "nour")) == []
        assert self.told(self.asked(known, "nour", "urn:oid:1.2.3.4|IPP-anne")) == [(INS, NUMBER)]

    @BOTH
    @pytest.mark.parametrize("who", ["nour", "chu-ehr", "camille"])
    def test_unknown_closed_and_foreign_are_alike(self, known, who):
        unknown = self.asked(known, who, f"{INS}|284039999900777")
        assert call(known, "anne", "close-space", "anne").status_code == 200
        closed = self.asked(known, who)
        assert (closed.status_code, closed.get_data()) == (404, unknown.get_data())

    def test_the_patient_reads_it_in_the_journal(self, known):
        self.asked(known, "nour")
        wanted = f"/AuditEvent?patient={known.ids['anne']}&subtype=urn:habilis:operation|ihe-pix"
        (event,) = entries(known.get("anne", wanted))
        assert event["outcome"] == "0"

    def test_what_names_nobody_is_refused(self, known):
        assert self.asked(known, "nour", NUMBER).status_code == 400
        assert known.get("nour", "/Patient/$ihe-pix").status_code == 400
