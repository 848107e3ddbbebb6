"""Chains, `_has`, `_list`, includes and compartments over HTTP, on both stores.

Source: https://hl7.org/fhir/R4/search.html#chaining, #has, #list, #include and
https://hl7.org/fhir/R4/compartmentdefinition-patient.html.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fhir_server.settings import limits
from tests.http.stores import BOTH, runtime, store
from tests.http.test_search_by_label_and_author import publish_by
from tests.world import INS, LABORATORY, World

__all__ = ["runtime", "store"]
pytestmark = BOTH
CAMILLE = f"{INS}|284039999900148"
ALL = ["first", "second", "third"]
OF_CAMILLE = "/DocumentReference?patient={camille}&"
CHAINS = [
    ("patient.name=camille", ALL),
    ("subject:Patient.name=camille", ALL),
    ("subject:Patient.name=marc", []),
    ("patient:Patient.birthdate=1984-03-17", ALL),
    ("author:PractitionerRole.practitioner.family=nour", ["third"]),
    ("author:PractitionerRole.organization.name=chu", ["third"]),
    ("author:PractitionerRole.organization.name=other", []),
    ("author:PractitionerRole.practitioner:Practitioner._id={nour}", ["third"]),
    ("author:Practitioner.family=haddad", ["first", "second"]),
    ("custodian.name=chu", ALL),
]
HAS = [
    (f"{OF_CAMILLE}_has:List:item:_id={{lot}}", ["third"]),
    (f"{OF_CAMILLE}_has:Provenance:target:agent=Organization/{{chu}}", ALL),
    (f"{OF_CAMILLE}_has:Provenance:target:agent=Organization/{{other}}", []),
    (f"{OF_CAMILLE}_has:List:item:source:PractitionerRole.practitioner.family=nour", ["third"]),
    ("/Patient?_id={camille}&_has:DocumentReference:subject:status=current", ["camille"]),
    ("/Patient?_id={camille}&_has:DocumentReference:subject:status=superseded", []),
    ("/Patient?_id={camille}&_has:DocumentReference:subject:_has:List:item:_id={lot}", ["camille"]),
    ("/Patient?_id={camille}&_has:DocumentReference:subject:_has:List:item:_id={nour}", []),
    ("/Practitioner?_has:PractitionerRole:practitioner:organization={chu}", ["haddad", "nour"]),
    ("/Practitioner?_has:PractitionerRole:practitioner:organization.name=other", ["haddad"]),
    (f"{OF_CAMILLE}_list={{lot}}", ["third"]),
    (f"{OF_CAMILLE}_list=unknown", []),
]
NOT_ASKED = (
    "_has=x", "_has:List=x", "_has:List:item=x", "_has:Nothing:item:code=x", "_has:List:code:code=x",
    "_has:List:item:nothing=x", "_has:AuditEvent:entity:action=R", "_has:Practitioner:name:family=x", "_list=",
    "author.nothing=x", "title.x=1", "author:Device.type=x", "relatesto.author.x=1",
    "_has:Provenance:target:_has:AuditEvent:entity:action=R",
)  # fmt: skip
THIRD = "/DocumentReference?_id={third}&"
INCLUDES = [
    (f"{THIRD}_include=DocumentReference:author", ["role"]),
    (f"{THIRD}_include=DocumentReference:author&_include:iterate=PractitionerRole:practitioner", ["nour", "role"]),
    (f"{THIRD}_include=DocumentReference:author:Practitioner", []),
    (f"{THIRD}_include=DocumentReference:subject", ["camille"]),
    (f"{THIRD}_include=*", ["camille", "chu", "role"]),
    (f"{THIRD}_include=DocumentReference:*", ["camille", "chu", "role"]),
    ("/List?_id={lot}&_include=List:item", ["third"]),
    (f"{THIRD}_revinclude=List:item", ["lot"]),
    (f"{THIRD}_revinclude=Provenance:target", ["Provenance"]),
    (f"{THIRD}_revinclude=*", ["Provenance", "lot"]),
    ("/Practitioner?_id={nour}&_revinclude=PractitionerRole:practitioner", ["role"]),
    ("/PractitionerRole?_id={role}&_include=*", ["chu", "nour"]),
    ("/Patient?_id={camille}&_revinclude=DocumentReference:subject", ALL),
    ("/Practitioner?_id={nour}&_revinclude=*", ["role"]),
]


@pytest.fixture
def filed(world: World) -> World:
    """Camille has a lot of two documents, and one of Nour's in a lot of its own; Martin reads by consent."""
    world.ids["role"] = world.practice("nour", "chu")
    world.agree("camille", "martin")
    two = world.filing(), world.filing(type_=LABORATORY)
    world.ids["first"], world.ids["second"] = world.publish_all("chu-ehr", *two)
    world.ids["third"], world.ids["lot"] = publish_by(world, {"reference": f"PractitionerRole/{world.ids['role']}"})
    return world


def asked(world: World, path: str, who: str = "camille"):
    answer = world.get(who, path.format(**world.ids), Prefer="handling=strict")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def shown(world: World, path: str, who: str = "camille", mode: str = "match") -> list[str]:
    """Return the names of what a search shows, the type of what has no name."""
    names = {id_: name for name, id_ in world.ids.items() if "@" not in name}
    entries = (entry for entry in asked(world, path, who).get("entry", ()) if entry["search"]["mode"] == mode)
    return sorted(names.get(entry["resource"]["id"], entry["resource"]["resourceType"]) for entry in entries)


def refused(world: World, path: str, who: str = "camille") -> tuple[int, str]:
    answer = world.get(who, path.format(**world.ids))
    assert answer.get_json()["resourceType"] == "OperationOutcome", path
    return answer.status_code, answer.get_json()["issue"][0]["details"]["text"]


def test_a_chain_describes_what_a_match_refers_to(filed: World):
    assert {query: shown(filed, OF_CAMILLE + query) for query, _ in CHAINS} == dict(CHAINS)


def test_three_references_are_followed_in_a_row_and_no_more(filed: World):
    role = "author:PractitionerRole.practitioner.family=nour"
    assert shown(filed, f"/List?patient={{camille}}&item:DocumentReference.{role}") == ["lot"]
    assert shown(filed, f"/List?patient={{camille}}&item:DocumentReference.{role[:-4]}martin") == []
    four = f"/Provenance?patient={{camille}}&target:List.item:DocumentReference.{role}"
    assert refused(filed, four) == (400, "a search follows at most 3 references in a row")


def test_a_type_that_is_not_clear_is_asked_for(filed: World):
    status, text = refused(filed, "/Provenance?patient={camille}&agent.identifier=1")
    assert status == 400
    assert "`agent:Practitioner.identifier`" in text


def test_the_directory_is_joined_within_itself_alone(filed: World):
    assert shown(filed, "/PractitionerRole?practitioner.family=nour&organization.name=chu", "martin") == ["role"]
    for query in ("_has:DocumentReference:author:status=current", "_has:Patient:general-practitioner:name=x"):
        assert refused(filed, f"/Practitioner?{query}")[0] == 400
    brought = asked(filed, "/Practitioner?_id={haddad}&_revinclude=*")["entry"]
    assert {entry["resource"]["resourceType"] for entry in brought} == {"Practitioner", "PractitionerRole"}


def test_a_chain_to_the_identifier_names_the_patient_and_stands_in_no_link(filed: World):
    path = f"/DocumentReference?subject:Patient.identifier={CAMILLE}"
    assert shown(filed, path, "martin") == ALL
    assert "284039999900148" not in str(asked(filed, path, "martin")["link"])
    assert refused(filed, "/DocumentReference?subject:Patient.name=camille", "martin")[0] == 400


def test_has_describes_what_refers_to_a_match(filed: World):
    assert {path: shown(filed, path) for path, _ in HAS} == dict(HAS)


def test_what_cannot_be_asked_is_refused_by_name(filed: World):
    assert {query: refused(filed, OF_CAMILLE + query)[0] for query in NOT_ASKED if query != "_list="} == {
        query: 400 for query in NOT_ASKED if query != "_list="
    }


def test_what_is_named_comes_along(filed: World):
    assert {path: shown(filed, path, mode="include") for path, _ in INCLUDES} == dict(INCLUDES)


def test_everything_comes_once_and_the_total_counts_the_matches(filed: World):
    bundle = asked(filed, "/List?patient={camille}&_include=List:item&_revinclude:iterate=List:item&_count=1")
    ids = [entry["resource"]["id"] for entry in bundle["entry"]]
    assert len(set(ids)) == len(ids)
    assert [entry["search"]["mode"] for entry in bundle["entry"]].count("match") == 1
    assert bundle["total"] == 2


def test_a_hidden_document_neither_comes_nor_brings_anything(filed: World):
    assert filed.hide(filed.ids["first"]).status_code == 200
    assert shown(filed, "/List?patient={camille}&_include=List:item", "martin", "include") == ["second", "third"]
    assert shown(filed, f"{OF_CAMILLE}_has:List:item:code=submissionset", "martin") == ["second", "third"]
    records = asked(filed, f"{OF_CAMILLE}_revinclude=Provenance:target", "martin")
    assert filed.ids["first"] not in str(records)


def test_a_joined_type_needs_a_scope_and_nothing_comes_along_without_one(filed: World):
    scopes = "user/DocumentReference.rs user/Practitioner.rs"
    filed.in_mode("iris", "martin", ("10", "other", ""), scopes=scopes)
    for query in ("_has:Provenance:target:agent=x", "_list={lot}", "custodian.name=chu"):
        assert refused(filed, OF_CAMILLE + query, "iris")[0] == 403
        assert shown(filed, OF_CAMILLE + query, "martin") is not None
    assert shown(filed, f"{OF_CAMILLE}_revinclude=*&_include=*", "iris", "include") == []
    come = shown(filed, f"{OF_CAMILLE}_revinclude=*&_include=*", "martin", "include")
    assert {"Provenance", "camille", "chu"} <= set(come)


def test_a_scope_that_is_missing_is_said_alike_of_an_open_a_closed_and_an_unknown_space(filed: World):
    scopes = "user/DocumentReference.rs"
    filed.in_mode("iris", "martin", ("10", "other", ""), scopes=scopes)
    filed.in_mode("outsider", "zoe", ("28", "other", ""), scopes=scopes)
    unknown = "11111111-2222-4333-8444-555555555555"
    answers = {
        filed.get(who, f"/DocumentReference?patient={id_}&_has:Provenance:target:agent=x").get_data()
        for who in ("iris", "outsider")
        for id_ in (filed.ids["camille"], unknown)
    }
    assert len(answers) == 1


def test_a_patient_s_resources_are_searched_by_the_path_of_the_compartment(filed: World):
    assert shown(filed, "/Patient/{camille}/DocumentReference?status=current", "martin") == ALL
    path, form = f"/Patient/{filed.ids['camille']}/List/_search", "application/x-www-form-urlencoded"
    assert filed.send("martin", "POST", path, b"_summary=count", form).get_json()["total"] == 2
    other = "/Patient/{camille}/DocumentReference?patient={nour}"
    assert refused(filed, other, "martin") == (400, "name the patient once")
    unknown = "11111111-2222-4333-8444-555555555555"
    paths = [f"/Patient/{id_}/DocumentReference" for id_ in (filed.ids["camille"], unknown)]
    answers = [filed.get("zoe", path) for path in (*paths, f"/DocumentReference?patient={unknown}")]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.get_data() for answer in answers}) == 1


@pytest.fixture
def small() -> Iterator[None]:
    before = limits.put_in_force(replace(limits.in_force(), joined=2, included=2, includes=2))
    yield
    limits.put_in_force(before)


@pytest.mark.usefixtures("small")
def test_what_costs_too_much_is_refused_and_leaves_a_trace(filed: World):
    refusals = f"/AuditEvent?patient={filed.ids['camille']}&outcome=4"
    before = len(filed.found("camille", refusals))
    too_much = (
        "_has:Provenance:target:recorded=ge2020&patient.name=camille",
        "patient.name=camille&custodian.name=chu&author:Organization.name=other",
        "_include=*",
        "_include=*&_revinclude=*&_include=DocumentReference:subject",
    )
    for query in too_much:
        status, text = refused(filed, OF_CAMILLE + query)
        assert (status, "at most" in text or "more than" in text) == (400, True)
    assert len(filed.found("camille", refusals)) == before + len(too_much)


def test_who_only_looks_a_patient_up_joins_nothing(filed: World):
    path = f"/Patient?identifier={CAMILLE}"
    assert filed.found("zoe", path) == [filed.ids["camille"]]
    for query in ("_include=*", "_revinclude=*", "_has:DocumentReference:subject:status=current"):
        assert filed.found("zoe", f"{path}&{query}") == []


def test_a_professional_s_own_journal_brings_no_document(filed: World):
    """What is read there is told to nobody: a search of documents is."""
    shown_to = filed.get("martin", f"/DocumentReference/{filed.ids['third']}")
    assert shown_to.status_code == 200
    journal = "/AuditEvent?patient={camille}&_include=AuditEvent:entity&_include=AuditEvent:agent"
    assert set(shown(filed, journal, "martin", "include")) <= {"martin", "other"}
    assert "third" in shown(filed, journal, "camille", "include")
