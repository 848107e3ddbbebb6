"""Every search parameter of AuditEvent, and the rendering for the French platform of traces (TDE)."""

import pytest

from fhir_server.domain.audit import tde
from fhir_server.registry import REGISTRY
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_reviews import of_people
from tests.world import RPPS, World

DAY = "date=ge2026-03-02&date=lt2026-03-03"
TYPES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
R4 = (
    "action address agent agent-name agent-role altid date entity entity-name entity-role entity-type outcome patient"
    " policy site source subtype type"
)


@pytest.fixture
def office(world: World) -> World:
    of_people(world)
    world.ids["one"] = world.publish()
    world.agree("camille", "martin")
    assert world.get("martin", f"/DocumentReference/{world.ids['one']}").status_code == 200
    assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200
    return world


def events(world, more, who="dana"):
    answer = world.get(who, f"/AuditEvent?{DAY}&_count=200&{more}", Prefer="handling=strict")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", ())]


def agents(event):
    return {agent["who"].get("reference") for agent in event["agent"]}


def test_every_parameter_of_r4_is_there():
    assert set(R4.split()) <= {param.name for param in REGISTRY["AuditEvent"].search}


@BOTH
def test_events_are_found_by_each_parameter_that_they_have_a_value_for(office):
    every, martin = events(office, ""), f"Practitioner/{office.ids['martin']}"
    assert {event["id"] for event in events(office, "address=127.0.0")} >= {event["id"] for event in every}
    assert events(office, "address=10.0") == []
    assert agents(events(office, "agent-role=10")[0]) & {martin}
    assert events(office, "agent-role=96") == []
    policy = next(agent["policy"][0] for agent in events(office, f"agent={martin}")[0]["agent"] if "policy" in agent)
    assert all(martin in agents(event) for event in events(office, f"policy={policy}"))
    found = events(office, f"entity-type={TYPES}|1&agent={martin}")
    assert len(found) == len(events(office, f"agent={martin}")) == 2
    (queried,) = events(office, f"entity-role={ROLES}|24&agent={martin}")
    assert queried["subtype"][0]["code"] == "search"
    software = events(office, "agent.identifier=desk")[0]["agent"][0]
    assert software["who"]["identifier"]["value"] == "desk"


@BOTH
@pytest.mark.parametrize("name", ["agent-name", "altid", "entity-name", "site", "source", "source.identifier"])
def test_no_event_has_a_value_for_the_others(office, name):
    assert events(office, f"{name}=Device/x") == []


@BOTH
def test_somebody_is_found_by_a_number_of_the_directory(office):
    number = {"system": RPPS, "value": "899700000001"}
    path = f"/Practitioner/{office.ids['martin']}"
    known = office.get("keeper", path)
    numbered = known.get_json() | {"identifier": [number]}
    assert office.send("keeper", "PUT", path, numbered, If_Match=known.headers["ETag"]).status_code == 200
    found = events(office, f"agent.identifier={RPPS}|899700000001")
    assert {f"Practitioner/{office.ids['martin']}"} <= agents(found[0])
    assert len(found) == 2


@BOTH
def test_a_type_of_entity_tells_nothing_of_what_a_reader_does_not_see(office):
    """A search that has found documents, of which a reader sees none, is not found by their type either."""
    types = "http://hl7.org/fhir/resource-types"
    assert events(office, f"entity-type={types}|DocumentReference") == []


# --- TDE -----------------------------------------------------------------------------------------------------------


@holds("TDE-1")
@BOTH
def test_an_event_for_tde_has_one_subtype_two_agents_and_a_period(office):
    for who, more in (("dana", ""), ("camille", "")):
        shown = events(office, f"_profile={tde.PROFILE}&{more}", who)
        assert shown
        for event in shown:
            assert event["meta"]["profile"] == [tde.PROFILE]
            assert len(event["subtype"]) == 1
            assert len(event["agent"]) <= 2
            assert all("who" in agent for agent in event["agent"])
            assert event["period"] == {"start": event["recorded"]}


@BOTH
def test_the_person_comes_first_and_then_the_software(office):
    martin = f"Practitioner/{office.ids['martin']}"
    found = events(office, f"_profile={tde.PROFILE}&agent={martin}")
    assert [[agent["who"].get("reference", "software") for agent in event["agent"]] for event in found] == [
        [martin, "software"]
    ] * 2
    assert {event["subtype"][0]["code"] for event in found} == {"read", "ITI-67"}


@BOTH
def test_one_event_is_rendered_and_searched_by_the_beginning_of_its_period(office):
    (one, *_) = events(office, "")
    shown = office.get("dana", f"/AuditEvent/{one['id']}?_profile={tde.PROFILE}").get_json()
    assert (shown["id"], shown["period"]) == (one["id"], {"start": one["recorded"]})
    span = "period-start=ge2026-03-02&period-start=lt2026-03-03"
    answer = office.get("dana", f"/AuditEvent?{span}&_profile={tde.PROFILE}&_count=2").get_json()
    assert len(answer["entry"]) == 2
    following = next(link["url"] for link in answer["link"] if link["relation"] == "next").partition("/fhir")[2]
    assert office.get("dana", following).get_json()["entry"][0]["resource"]["meta"]["profile"] == [tde.PROFILE]
    assert office.get("dana", f"/AuditEvent?_profile={tde.PROFILE}").status_code == 400
