"""H4: a professional's own traces never tell what the answers did not tell."""

import pytest

from fhir_server.app import create_app
from fhir_server.settings.server import Settings
from seed.loading import load_demonstration
from tests.conftest import Loaded

UNKNOWN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def server(settings: Settings, runtime):
    people = load_demonstration(runtime, settings.data_dir)
    return Loaded(create_app(settings, runtime).test_client(), runtime, people)


def own_traces(server, who):
    answer = server.get(f"AuditEvent?patient={server.people.patients['camille']}&_count=200", who)
    assert answer.status_code == 200
    return [entry["resource"] for entry in answer.json.get("entry", ())]


def block(server, who):
    body = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "INFA"}]}],
        "patient": {"reference": f"Patient/{server.people.patients['camille']}"},
        "dateTime": "2026-03-02T09:00:00Z",
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {
            "type": "deny",
            "actor": [
                {
                    "role": {
                        "coding": [
                            {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
                        ]
                    },
                    "reference": {"reference": f"Practitioner/{server.people.professionals[who]}"},
                }
            ],
        },
    }
    headers = {"Authorization": f"Bearer {server.people.tokens['camille']}"}
    answer = server.web.post("/fhir/Consent", json=body, headers=headers | {"Content-Type": "application/fhir+json"})
    assert answer.status_code == 201, answer.json


def test_a_blocked_professional_finds_no_reason_in_the_own_traces(server):
    patient = server.people.patients["camille"]
    before = own_traces(server, "paul")
    block(server, "paul")
    assert server.get(f"DocumentReference?patient={patient}", "paul").status_code == 403
    after = own_traces(server, "paul")
    assert not [event for event in after if event["outcome"] != "0" or "outcomeDesc" in event]
    assert {event["id"] for event in before} <= {event["id"] for event in after}


def test_the_holder_reads_why_somebody_was_refused(server):
    block(server, "paul")
    server.get(f"DocumentReference?patient={server.people.patients['camille']}", "paul")
    told = [event for event in own_traces(server, "camille") if event["outcome"] == "4"]
    assert [event["outcomeDesc"] for event in told] == ["blocked"]


def test_asking_for_a_document_by_id_leaves_nothing_to_find_for_whoever_may_not_see_it(server):
    hidden = next(
        entry["resource"]["id"]
        for entry in server.get(f"DocumentReference?patient={server.people.patients['camille']}&_count=200").json[
            "entry"
        ]
        if server.get(f"DocumentReference/{entry['resource']['id']}", "paul").status_code == 404
    )
    own = own_traces(server, "paul")
    assert hidden not in str(own)
    assert not [event for event in own if event["outcome"] != "0"]
    assert (
        server.get(f"DocumentReference/{UNKNOWN}", "paul").data
        == server.get(f"DocumentReference/{hidden}", "paul").data
    )
