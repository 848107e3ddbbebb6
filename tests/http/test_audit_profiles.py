"""AuditEvents keep the profiles that they claim, and claim none that they do not keep.

Sources: IHE BALP 1.1 (https://profiles.ihe.net/ITI/BALP/), IHE MHD 4.2 (https://profiles.ihe.net/ITI/MHD/).
"""

from collections import defaultdict

import pytest

from tests.audit_profiles import demand_profiles, faults
from tests.holds import holds
from tests.world import JSON_PATCH, World

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD."
OBJECTS = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
TYPES = "http://hl7.org/fhir/resource-types"
CLAIMS = {
    "ITI-65": f"{MHD}ProvideBundle.Audit.Recipient",
    "ITI-66": f"{MHD}FindDocumentLists.Audit.Responder",
    "ITI-67": f"{MHD}FindDocumentReferences.Audit.Responder",
    "ITI-68": f"{MHD}RetrieveDocument.Audit.Responder",
    "ITI-105": f"{MHD}SimplifiedPublish.Audit.Recipient",
    "read": f"{BALP}PatientRead",
    "vread": f"{BALP}PatientRead",
    "search": f"{BALP}PatientQuery",
    "create": f"{BALP}PatientCreate",
    "update": f"{BALP}PatientUpdate",
    "patch": f"{BALP}PatientUpdate",
    "delete": f"{BALP}PatientDelete",
    "history-instance": "",
    "operation": "",
}


def live_a_day(world: World) -> None:
    """Do every interaction and transaction on Camille's space."""
    camille = world.ids["camille"]
    first, second = world.publish_all("chu-ehr", world.filing(), world.filing())
    world.publish(replaces=second)
    published = world.send("chu-ehr", "POST", "/DocumentReference", world.simplified()).get_json()["id"]
    agreed = world.agree("camille", "martin").get_json()
    stored = world.get("camille", f"/Consent/{agreed['id']}")
    patient = world.get("keeper", f"/Patient/{camille}")
    content = world.get("camille", f"/DocumentReference/{first}").get_json()["content"][0]["attachment"]["url"]
    named = f"patient={camille}"
    answers = [
        world.hide(first),
        world.send("camille", "PUT", f"/Consent/{agreed['id']}", stored.get_json(), If_Match=stored.headers["ETag"]),
        world.send("keeper", "PUT", f"/Patient/{camille}", patient.get_json(), If_Match=patient.headers["ETag"]),
        *(
            world.get("camille", f"/{type_}?{named}")
            for type_ in ("DocumentReference", "List", "Consent", "AuditEvent")
        ),
        world.get("martin", f"/DocumentReference?{named}"),
        world.get("camille", f"/Patient/{camille}"),
        world.get("camille", f"/Consent/{agreed['id']}/_history"),
        world.get("camille", content.split("/fhir")[1]),
        world.get("camille", f"/DocumentReference/{first}/_history/1"),
        world.get("camille", f"/DocumentReference/{first}/_history"),
        world.get("camille", f"/DocumentReference/{first}/$audience"),
        world.send("camille", "PATCH", f"/DocumentReference/{first}", [], JSON_PATCH),
        world.send("chu-ehr", "DELETE", f"/DocumentReference/{published}"),
        long_search(world),
    ]
    assert [answer.status_code for answer in answers if answer.status_code >= 300] == []
    assert world.get("zoe", f"/DocumentReference?{named}").status_code == 403


def long_search(world: World):
    """Search with a query that is too long to be kept as a whole."""
    types = ",".join(f"http://loinc.org|{number}" for number in range(300))
    return world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&type={types}")


@pytest.fixture(scope="module")
def day(shared_world: World):
    """Return the events of a day of Camille's space, by transaction, else by interaction."""
    live_a_day(shared_world)
    found = defaultdict(list)
    path = f"/AuditEvent?patient={shared_world.ids['camille']}&_count=200"
    for entry in shared_world.get("camille", path).get_json()["entry"]:
        codes = [subtype["code"] for subtype in entry["resource"]["subtype"]]
        found[next((code for code in codes if code.startswith("ITI-")), codes[0])].append(entry["resource"])
    return found


def done(events):
    return [event for event in events if event["outcome"] == "0"]


def claim(event):
    return event["meta"].get("profile", [""])[0]


def is_cut(event):
    return any(one["type"] == "query-bytes" for entity in event["entity"] for one in entity.get("detail", ()))


def objects(event):
    return [
        entity for entity in event["entity"] if (entity["type"]["system"], entity["type"]["code"]) == (OBJECTS, "2")
    ]


def references(entities):
    return [entity.get("what", {}).get("reference", "").split("/")[0] for entity in entities]


@pytest.mark.parametrize("kind", CLAIMS)
def test_each_kind_of_event_claims_its_profile_or_none(day, kind):
    events = [event for event in done(day[kind]) if not is_cut(event)]
    assert events
    assert {claim(event) for event in events} == {CLAIMS[kind]}


@pytest.mark.parametrize("kind", CLAIMS)
@holds("MHD-audit")
def test_each_event_keeps_the_profile_that_it_claims(day, kind):
    demand_profiles()
    events = [event for event in day[kind] if claim(event)]
    assert events or not CLAIMS[kind]
    assert [fault for event in events for fault in faults(event, claim(event))] == []


def test_the_judge_of_profiles_finds_what_breaks_them(day):
    demand_profiles()
    event = next(event for event in day["ITI-67"] if claim(event) and len(event["entity"]) > 3)
    twice = event | {"entity": [*event["entity"], *objects(event)]}
    assert any("entity:query is there 2 times" in fault for fault in faults(twice, claim(event)))
    assert any(
        "entity:patient is there 0" in fault for fault in faults(event | {"entity": objects(event)}, claim(event))
    )
    assert any("AuditEvent.action" in fault for fault in faults(event | {"action": "C"}, claim(event)))
    assert any("agent:server" in fault for fault in faults(event | {"agent": event["agent"][:1]}, claim(event)))
    assert any("anyRead" in fault for fault in faults(day["history-instance"][0], f"{BALP}PatientRead"))


def test_no_event_has_more_than_one_system_object(day):
    assert [event for events in day.values() for event in events if len(objects(event)) > 1] == []


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("ITI-65", "List"), ("ITI-68", "Binary"), ("ITI-105", "DocumentReference"), ("delete", "DocumentReference")],
)
def test_the_system_object_is_what_the_transaction_is_about(day, kind, type_):
    assert {tuple(references(objects(event))) for event in done(day[kind])} == {(type_,)}


@pytest.mark.parametrize("kind", ["ITI-66", "ITI-67", "search"])
def test_the_system_object_of_a_search_is_its_query(day, kind):
    assert all(["query" in entity for entity in objects(event)] == [True] for event in done(day[kind]))


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("ITI-65", "DocumentReference"),
        ("ITI-66", "List"),
        ("ITI-67", "DocumentReference"),
        ("ITI-68", "DocumentReference"),
    ],
)
def test_what_else_was_named_has_its_resource_type(day, kind, type_):
    others = [one for event in done(day[kind]) for one in event["entity"] if one["type"]["system"] == TYPES]
    assert type_ in references(others)
    assert all(one["type"]["code"] == one["what"]["reference"].split("/")[0] for one in others)


def test_what_was_refused_claims_no_profile(day):
    refused = [event for events in day.values() for event in events if event["outcome"] != "0"]
    assert refused
    assert {claim(event) for event in refused} == {""}


def test_a_query_that_is_not_kept_as_a_whole_claims_no_profile(day):
    cut = [event for event in day["ITI-67"] if is_cut(event)]
    assert [claim(event) for event in cut] == [""]
