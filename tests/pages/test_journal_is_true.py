"""What the journal tells a patient is so: apps are named, nobody hides others' accesses, each event has its sentence.

Found by use: an app read fifteen documents and the journal said that the patient did, by default nothing at all; a
break-glass read "filed documents", and an app's many reads pushed the accesses of others out of sight.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity import access_tokens
from fhir_server.application.identity.accounts import Account, Grantee, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.audit.audit_event import ISSUANCE, Stamp, trace_of
from fhir_server.domain.audit.audit_event_parts import ENTITY_TYPE, RESOURCE_TYPE
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.patient import journal_lines
from fhir_server.registry import REGISTRY, AccessRule
from tests.factories import a_caller

AT = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)
TARGETS = {Interaction.READ: "/x", Interaction.VREAD: "/x/_history/1", Interaction.HISTORY: "/x"}
"""What stands behind the type in the target of a reading of one resource; a history of a type has no target."""
CAMILLE = Requester(RequesterKind.PATIENT, person="Patient/camille", client="Device/notebook")


def _event(audited, client="notebook", requester=CAMILLE, **outcome):
    caller = a_caller(requester, client_id=client, client_name="Mon Carnet", display="Camille Laurent")
    stamp = Stamp("id", AT, "https://habilis.example/fhir", AT)
    return orjson.loads(trace_of(audited, Outcome(**outcome), caller, "camille", stamp).body)


@pytest.fixture
def line(demo):
    def told(*given, language="en", **more):
        with demo.web.application.test_request_context(f"/journal?lang={language}"):
            return journal_lines.line_of(_event(*given, **more), {})

    return told


@pytest.fixture
def app_of_camille(demo):
    """A token of an app that Camille has let in."""
    id_ = demo.people.patients["camille"]
    represented = RepresentedPatient(id_, f"Patient/{id_}", "Camille Laurent")
    account = Account(
        "c", RequesterKind.PATIENT, represented.person, "Camille Laurent", patients=(represented,), subject="c"
    )
    client = Client(id="notebook", name="Mon Carnet", kind=ClientKind.PATIENT_APP)
    grantee = Grantee(client, account, launch_patient=id_)
    return access_tokens.mint_token(demo.runtime, grantee, "patient/*.rs", lifetime=timedelta(hours=1))


def _journal(demo, query="person=camille&lang=fr"):
    return demo.web.get(f"/journal?{query}").get_data(as_text=True)


def test_what_an_app_did_for_the_patient_bears_the_name_of_the_app_and_is_shown(demo, app_of_camille):
    document = demo.people.documents["camille-hospital-report"]
    answer = demo.web.get(f"/fhir/DocumentReference/{document}", headers={"Authorization": f"Bearer {app_of_camille}"})
    assert answer.status_code == 200
    page = _journal(demo)
    assert "<strong>Mon Carnet</strong> (application utilisée par Camille Laurent)" in page
    assert "vous avez autorisé cette application à agir en votre nom" in page


def test_what_the_reader_does_on_these_pages_pushes_nothing_out_of_sight(demo):
    search = f"DocumentReference?patient={demo.people.patients['camille']}"
    assert demo.get(search, "paul").status_code == 200
    for _ in range(20):  # each look leaves three lines, and a page has fifty
        _journal(demo)
    assert "<strong>Paul Morel</strong>" in _journal(demo)
    assert "n’est pas montré" in _journal(demo)
    assert "<strong>Paul Morel</strong>" not in _journal(demo, "person=camille&own=1&lang=fr")


def test_an_app_cannot_take_the_place_of_the_pages(line):
    assert line(AuditedInteraction(Interaction.READ, "DocumentReference"), client="journal").who == "Mon Carnet"
    assert (
        line(AuditedInteraction(Interaction.READ, "DocumentReference"), client="urn:habilis:pages").who
        == "Camille Laurent"
    )


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_kind_of_event_has_its_own_sentence(line, language):
    rows = [row for row in REGISTRY.values() if row.access is not AccessRule.DIRECTORY]
    deeds = [
        AuditedInteraction(interaction.value, row.name, target=row.name + TARGETS[interaction])
        if interaction in TARGETS
        else AuditedInteraction(interaction.value, row.name)
        for row in rows
        for interaction in row.interactions
    ]
    deeds += [AuditedInteraction(step, "") for step in ("login", "logout", "authorize", "revoke")]
    deeds.append(AuditedInteraction(Interaction.TOKEN, "", operation=ISSUANCE))
    spoken = {}
    for audited in deeds:
        touched = (f"{audited.resource_type}/x",) if audited.resource_type else ()
        if audited.interaction == Interaction.SEARCH:
            audited = replace(audited, query=f"GET https://habilis.example/fhir/{audited.resource_type}?x=y")  # noqa: PLW2901
            touched = ()
        spoken[audited.interaction, audited.resource_type] = line(audited, language=language, touched=touched).act
    generic = ("something in the space", "un élément de l’espace", "%(")
    assert {kind: text for kind, text in spoken.items() if not text or any(part in text for part in generic)} == {}
    assert "filed documents" not in spoken.values()
    assert "a déposé des documents" not in spoken.values()


@pytest.mark.parametrize(
    ("audited", "told"),
    [
        (AuditedInteraction(Interaction.AUTHORIZE, ""), "let the app Mon Carnet act for them"),
        (AuditedInteraction(Interaction.REVOKE, ""), "ended the right of the app Mon Carnet to act"),
        (AuditedInteraction(Interaction.TOKEN, "", operation=ISSUANCE), "received an access token"),
        (AuditedInteraction(Interaction.TRANSACTION, "DocumentReference", "ITI-65"), "filed documents"),
    ],
)
def test_the_steps_of_signing_in_are_no_filing(line, audited, told):
    assert line(audited, requester=replace(CAMILLE, person="Practitioner/diallo")).act == told


FILED = AuditedInteraction(Interaction.TRANSACTION, "DocumentReference", "ITI-65")
OPENED = AuditedInteraction(Interaction.READ, "Binary", "ITI-68")
FOUND = AuditedInteraction(
    Interaction.SEARCH, "List", "ITI-66", query="GET https://habilis.example/fhir/List?patient=camille"
)


@pytest.mark.parametrize(
    ("audited", "touched", "titles"),
    [
        (FILED, ("List/l", "DocumentReference/a", "DocumentReference/b"), ("Report", "1 other document")),
        (OPENED, ("Binary/x", "DocumentReference/a"), ("Report",)),
        (OPENED, ("Binary/x", "DocumentReference/b"), ("1 other document",)),
        (FOUND, ("List/l", "List/m"), ()),
        (
            AuditedInteraction(Interaction.OPERATION, "Patient", operation="x"),
            ("Patient/camille", "DocumentReference/b"),
            ("1 other document",),
        ),
        (AuditedInteraction(Interaction.CREATE, "Patient"), ("Patient/camille", "Consent/a", "Consent/b"), ()),
        (AuditedInteraction(Interaction.UPDATE, "Consent"), ("Consent/a",), ()),
    ],
)
def test_events_of_earlier_versions_are_told_in_the_same_words(demo, audited, touched, titles):
    event = _event(audited, touched=touched)
    before = orjson.loads(orjson.dumps(event))
    for entity in before["entity"]:
        if entity["type"]["system"] == RESOURCE_TYPE and entity["type"]["code"] != "Consent":
            entity["type"] = {"system": ENTITY_TYPE, "code": "2"}
    with demo.web.application.test_request_context("/journal?lang=en"):
        lines = [journal_lines.line_of(one, {"a": "Report"}) for one in (event, before)]
        documents = [journal_lines.documents_of(one) for one in (event, before)]
    assert lines[0] == lines[1]
    assert documents[0] == documents[1]
    assert lines[0].documents == titles


def test_times_are_those_of_paris_in_summer_and_in_winter(line):
    assert line(AuditedInteraction(Interaction.READ, "Patient")).at.strftime("%H:%M") == "11:00"


def test_the_page_promises_no_more_than_holds(demo):
    english = _journal(demo, "person=camille&lang=en")
    assert "nobody can change or delete a line" not in english
    assert "No page and no app can change or delete a line." in english
    assert "Europe/Paris" in english


def test_a_withdrawal_names_its_document(demo):
    letter = demo.people.documents["camille-discharge-letter"]
    title = demo.get(f"DocumentReference/{letter}").get_json()["content"][0]["attachment"]["title"]
    token = {"Authorization": f"Bearer {demo.people.tokens['chu-a-ehr']}"}
    assert demo.web.delete(f"/fhir/DocumentReference/{letter}", headers=token).status_code == 204
    page = _journal(demo)
    told = page[page.index("a retiré un document") :]
    assert title in told[: told.index("</li>\n<li") if "</li>\n<li" in told else None]
