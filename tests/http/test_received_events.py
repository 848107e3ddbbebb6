"""A registered audit source posts events of its own system (ITI-20, docs/adr/0134), on both stores."""

import json
from copy import deepcopy

import pytest

from fhir_server.application.audit_sources import receiving
from fhir_server.application.identity import client_changes, clients
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from fhir_server.domain.audit.received_events import RECEIVED_FROM
from fhir_server.domain.audit.stored_events import kind_of_event
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.kinds import EventKind
from fhir_server.settings import limits
from tests.adversarial.two_worlds import Ticking
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_reviews import staff
from tests.world import World

DAY = "date=ge2026-03-02&date=lt2026-03-03"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
UNKNOWN = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
def clock() -> Ticking:
    """A clock by which no two events happen at the same instant."""
    return Ticking()


@pytest.fixture
def office(world: World) -> World:
    """Dana audits, `pacs` is a registered audit source, `plain` is other software with the same scope."""
    staff(world, "dana")
    for name, is_source in (("pacs", True), ("plain", False)):
        given = {"scopes": "system/AuditEvent.c", "auth_method": AuthMethod.PRIVATE_KEY_JWT, "jwks": {"keys": [{}]}}
        client = Client(name, name, ClientKind.BACKEND, **given, audit_source=is_source)
        clients.register(world.runtime, client)
        world.tokens[name] = world.mint(client=client, scopes="system/AuditEvent.c")
    return world


def event(world: World, by="pacs", **changes):
    told = {
        "resourceType": "AuditEvent",
        "type": {"system": DCM, "code": "110112", "display": "Query"},
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": "search"}],
        "action": "E",
        "recorded": "2026-03-02T08:59:00Z",
        "outcome": "0",
        "agent": [{"who": {"display": "Dr Inconnu"}, "requestor": True}],
        "source": {"observer": {"identifier": {"value": by}}},
        "entity": [
            {"what": {"reference": f"Patient/{world.ids['camille']}"}},
            {"what": {"reference": f"https://pacs.example/fhir/DocumentReference/{UNKNOWN}"}},
        ],
    }
    return {name: value for name, value in (told | changes).items() if value is not None}


def found(world: World, who="dana", more=""):
    answer = world.get(who, f"/AuditEvent?{DAY}&_count=200{more}")
    return [entry["resource"] for entry in answer.get_json().get("entry", ())]


@BOTH
@holds("ATNA-20-2")
def test_an_event_is_kept_as_it_was_told_with_the_name_of_its_source(office: World):
    sent = event(office)
    answer = office.send("pacs", "POST", "/AuditEvent", sent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    (kept,) = found(office, more="&source.identifier=pacs")
    assert {name: value for name, value in kept.items() if name not in ("id", "meta")} == sent
    assert kept["meta"]["tag"][-1]["system"] == RECEIVED_FROM
    assert kept["meta"]["tag"][-1]["code"] == "pacs"
    assert answer.headers["Location"].endswith(f"/AuditEvent/{kept['id']}/_history/1")
    assert office.get("dana", f"/AuditEvent/{kept['id']}").get_json() == kept
    (own,) = found(office, more=f"&action=C&entity=AuditEvent/{kept['id']}")
    assert kind_of_event(own) is EventKind.AUDIT_EVENT_RECEIVED
    assert RECEIVED_FROM not in json.dumps(own)


@BOTH
@holds("ATNA-20-2")
def test_no_journal_and_nobody_but_an_auditor_reads_it(office: World):
    patient = office.ids["camille"]
    id_ = office.send("pacs", "POST", "/AuditEvent", event(office)).get_json()["id"]
    unknown = office.get("camille", f"/AuditEvent/{UNKNOWN}")
    for who in ("camille", "martin", "pacs", "chu-ehr"):
        hidden = office.get(who, f"/AuditEvent/{id_}")
        assert hidden.status_code in (403, 404)
    assert office.get("camille", f"/AuditEvent/{id_}").get_data(as_text=True).replace(id_, UNKNOWN) == unknown.get_data(
        as_text=True
    )
    for who in ("camille", "dana"):
        assert id_ not in office.get(who, f"/AuditEvent?patient={patient}&_count=200").get_data(as_text=True)


@pytest.mark.parametrize("who", ["plain", "chu-ehr", "martin", "camille", "dana"])
def test_whoever_is_no_registered_source_tells_nothing(office: World, who):
    assert office.send(who, "POST", "/AuditEvent", event(office, who)).status_code == 403
    assert found(office, more=f"&source.identifier={who}") == []


def test_a_source_that_is_registered_no_longer_tells_nothing_more(office: World):
    client = clients.find(office.runtime, "pacs")
    ended = Client(**{name: getattr(client, name) for name in client.__slots__} | {"audit_source": False})
    client_changes.edit_client(office.runtime, Caller.of_operator("op"), ended, ("audit_source",))
    assert office.send("pacs", "POST", "/AuditEvent", event(office)).status_code == 403


FORGED = {
    "another source": ({"source": {"observer": {"identifier": {"value": "plain"}}}}, "source.observer"),
    "two sources": (
        {"source": {"observer": {"reference": "Device/plain", "identifier": {"value": "pacs"}}}}, "source.observer",
    ),
    "this server": ({"source": {"observer": {"display": "http://localhost:8080/fhir"}}}, "source.observer"),
    "a kind of ours": ({"extension": [{"url": "urn:habilis:event-kind", "valueCode": "login"}]}, ""),
    "a tag of ours": ({"meta": {"tag": [{"system": "URN:habilis:received-from", "code": "x"}]}}, ""),
    "an operation of ours": ({"subtype": [{"system": "urn:habilis:operation", "code": "break-glass"}]}, ""),
    "the future": ({"recorded": "2027-01-01T00:00:00Z"}, "recorded"),
    "no action": ({"action": None}, "action"),
    "no outcome": ({"outcome": None}, "outcome"),
    "no subtype": ({"subtype": None}, "subtype"),
    "nobody": ({"agent": [{"requestor": True}]}, "agent[0].who"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_an_event_that_speaks_for_others_or_says_too_little_is_refused_by_element(office: World, case):
    changes, element = FORGED[case]
    answer = office.send("pacs", "POST", "/AuditEvent", event(office, **changes))
    assert answer.status_code == 422, answer.get_data(as_text=True)
    expressions = [issue["expression"][0] for issue in answer.get_json()["issue"]]
    assert f"AuditEvent.{element}".rstrip(".") in expressions
    assert found(office, more="&source.identifier=pacs") == []


def test_an_id_and_versions_are_the_servers_own(office: World):
    sent = event(office) | {"id": UNKNOWN, "meta": {"versionId": "7", "lastUpdated": "2020-01-01T00:00:00Z"}}
    stored = office.send("pacs", "POST", "/AuditEvent", sent).get_json()
    assert stored["id"] != UNKNOWN
    assert (stored["meta"]["versionId"], stored["meta"]["lastUpdated"][:4]) == ("1", "2026")
    assert office.send("pacs", "PUT", f"/AuditEvent/{stored['id']}", stored).status_code == 405
    assert office.send("pacs", "DELETE", f"/AuditEvent/{stored['id']}").status_code == 405


def test_an_event_has_a_greatest_size(office: World):
    before = limits.put_in_force(limits.Limits(received_event_bytes=400))
    try:
        answer = office.send("pacs", "POST", "/AuditEvent", event(office))
    finally:
        limits.put_in_force(before)
    assert (answer.status_code, "400 bytes" in answer.get_data(as_text=True)) == (413, True)


@BOTH
def test_a_batch_is_taken_entry_by_entry(office: World):
    good, bad = event(office), event(office, by="plain")
    entries = [{"resource": one, "request": {"method": "POST", "url": "AuditEvent"}} for one in (good, bad, good)]
    answer = office.send("pacs", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries}).get_json()
    assert [one["response"]["status"][:3] for one in answer["entry"]] == ["201", "422", "201"]
    assert len(found(office, more="&source.identifier=pacs")) == 2


def answers(world: World, ids):
    """Post one event about each id; return the answers without ids and instants."""
    told = []
    for id_ in ids:
        sent = event(world, entity=[{"what": {"reference": f"DocumentReference/{id_}"}}])
        answer = world.send("pacs", "POST", "/AuditEvent", sent)
        body = deepcopy(answer.get_json())
        body.pop("id", None)
        body.get("meta", {}).pop("lastUpdated", None)
        told.append((answer.status_code, json.dumps(body).replace(id_, UNKNOWN)))
    return told


@BOTH
def test_the_answer_is_the_same_whatever_the_event_names(office: World):
    hidden = office.publish()
    for id_ in (hidden, office.ids["camille"], UNKNOWN):
        assert answers(office, [id_, UNKNOWN])[0] == answers(office, [UNKNOWN])[0]


def test_the_leak_of_a_source_that_is_told_what_exists_is_found(office: World, monkeypatch):
    """The fault is planted: an event about something that is not here is refused."""
    right = receiving._stored

    def leaking(work, request, source):
        reference = request.resource["entity"][0]["what"]["reference"]
        if work.snapshot.locate(*reference.split("/")) is None:
            raise receiving.Problem.of(receiving.Category.BUSINESS_RULE, "this is not known here")
        return right(work, request, source)

    monkeypatch.setattr(receiving, "_stored", leaking)
    told = answers(office, [office.publish(), UNKNOWN])
    assert told[0] != told[1]
