"""An integrator's day with fhirpy: no step needs a work-around."""

import json

import pytest
from fhirpy import SyncFHIRClient

FINESS = "https://finess.esante.gouv.fr"


@pytest.fixture
def clients(day):
    def client(name: str) -> SyncFHIRClient:
        return SyncFHIRClient(day.base, authorization=f"Bearer {day.tokens[name]}")

    return client


def organization(client, **more):
    return client.resource(
        "Organization", identifier=[{"system": FINESS, "value": "990000034"}], name="Clinique", **more
    )


@pytest.mark.live
def test_the_directory_is_kept(clients):
    keeper = clients("keeper")
    number = f"{FINESS}|990000034"
    made, is_new = keeper.resources("Organization").search(identifier=number).get_or_create(organization(keeper))
    assert is_new
    again, is_new = keeper.resources("Organization").search(identifier=number).get_or_create(organization(keeper))
    assert (again.id, is_new) == (made.id, False)
    made["name"] = "Clinique des Lilas"
    made.save()
    renamed, is_new = keeper.resources("Organization").search(identifier=number).update(organization(keeper))
    assert (renamed.id, is_new) == (made.id, False)
    patched = keeper.resources("Organization").search(identifier=number).patch(name="Clinique du Lac")
    assert patched["name"] == "Clinique du Lac"
    assert made.is_valid()


@pytest.mark.live
def test_documents_are_published_found_and_read(clients, day):
    software, person = clients("chu-ehr"), clients("camille")
    filed = software.execute("", method="post", data=json.loads(day.submission.read_text()))
    assert filed["type"] == "transaction-response"
    documents = person.resources("DocumentReference").search(patient=day.patient)
    assert documents.count() == 2
    assert len(list(documents.limit(1))) == 2
    assert len(documents.sort("-date", "type").fetch()) == 2
    assert len(documents.search(author__family="haddad").fetch()) == 2
    assert len(documents.has("List", "item", code="submissionset").fetch()) == 2
    joined = documents.include("DocumentReference", "subject").revinclude("Provenance", "target").fetch_raw()
    assert {entry.resource.resource_type for entry in joined.entry} == {"DocumentReference", "Patient", "Provenance"}
    everything = person.execute(f"Patient/{day.patient}/$everything", method="get")
    assert len(everything["entry"]) > 2
