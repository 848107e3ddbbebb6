"""The record of a deposit: who filed which documents, for whom, through what; visible as the documents are.

Source: https://hl7.org/fhir/R4/provenance.html, https://hl7.org/fhir/R4/search.html#revinclude.
"""

from typing import Any

import pytest

from fhir_server.domain.values import Json
from fhir_server.http.pages.patient.journal_lines import line_of
from tests.holds import holds
from tests.http.choices import choose, relative, said
from tests.world import JSON_PATCH, OF_PATIENT, World

INCLUDE = "_revinclude=Provenance:target"


def records(world: World, who: str, query: str = "", patient: str = "camille") -> list[Json]:
    answer = world.get(who, f"/Provenance?patient={world.ids[patient]}{query}", Prefer="handling=strict")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", ())]


def agents(record: Json) -> dict[str, Json]:
    return {agent["type"]["coding"][0]["code"]: agent for agent in record["agent"]}


def targets(record: Json) -> list[str]:
    return [one["reference"] for one in record["target"]]


def documents_of(record: Json) -> set[str]:
    return {target.partition("/")[2] for target in targets(record) if target.startswith("DocumentReference/")}


def included(world: World, who: str, query: str = "", include: str = INCLUDE) -> tuple[list[Json], list[Json]]:
    """Return the matches and what comes with them."""
    answer = world.get(who, f"/DocumentReference?patient={world.ids['camille']}&{include}{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    entries = answer.get_json().get("entry", ())
    modes: dict[str, list[Json]] = {"match": [], "include": [], "outcome": []}
    for entry in entries:
        modes[entry["search"]["mode"]].append(entry["resource"])
    return modes["match"], modes["include"]


class TestWhatItSays:
    def test_a_professional_files_for_the_establishment_through_an_app(self, world: World):
        document = world.publish("nour")
        (record,) = records(world, "camille")
        (lot,) = world.found("camille", f"/List?patient={world.ids['camille']}")
        who = agents(record)
        place = {"reference": f"Organization/{world.ids['chu']}", "display": "chu"}
        assert targets(record) == [f"DocumentReference/{document}", f"List/{lot}"]
        assert who["enterer"]["who"] == {"reference": f"Practitioner/{world.ids['nour']}", "display": "nour"}
        assert who["enterer"]["onBehalfOf"] == place
        assert who["custodian"]["who"] == place
        software = {"type": "Device", "identifier": {"value": "desk"}, "display": "desk"}
        assert who["assembler"] == {"type": who["assembler"]["type"], "who": software}
        assert record["recorded"] == record["occurredDateTime"] == "2026-03-02T09:00:00.000Z"

    def test_software_files_for_its_establishment(self, world: World):
        world.publish("chu-ehr")
        who = agents(records(world, "camille")[0])
        assert who.keys() == {"assembler", "custodian"}
        assert who["assembler"]["onBehalfOf"]["reference"] == f"Organization/{world.ids['chu']}"

    def test_a_carer_files_for_the_patient(self, world: World):
        carer = relative(world, "rose")
        choose(world, said(world, "permit", carer, rule="carer", period={"end": "2026-03-30"}))
        world.publish("rose", type_=OF_PATIENT, mime="application/pdf")
        who = agents(records(world, "camille")[0])
        assert who["enterer"]["who"]["reference"] == carer
        assert who["enterer"]["onBehalfOf"] == {"reference": f"Patient/{world.ids['camille']}"}

    @holds("V15")
    @pytest.mark.parametrize("way", ["ITI-65", "ITI-105"])
    def test_every_submission_leaves_one(self, world: World, way):
        if way == "ITI-65":
            filed = set(world.publish_all("chu-ehr", world.filing(), world.filing()))
        else:
            filed = {world.send("chu-ehr", "POST", "/DocumentReference", world.simplified()).get_json()["id"]}
        assert [documents_of(record) for record in records(world, "camille")] == [filed]

    def test_a_refused_submission_leaves_none(self, world: World):
        world.send("chu-ehr", "POST", "", world.bundle(world.filing(replaces=world.ids["chu"])))
        assert records(world, "camille") == []


@holds("V15")
@pytest.mark.parametrize(("who", "told"), [("nour", ("nour", "chu", "desk")), ("chu-ehr", ("chu-ehr", "chu", ""))])
def test_the_journal_names_person_establishment_and_software(world: World, who, told):
    """Filed by whom, of what and through what: where software acts alone, it is who filed."""
    world.publish(who)
    path = f"/AuditEvent?patient={world.ids['camille']}&subtype=ITI-65"
    (event,) = world.get("camille", path).get_json()["entry"]
    with world.web.application.test_request_context("/journal"):
        line = line_of(event["resource"], {})
    assert (line.who, line.where or "chu", line.through) == told


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("target=DocumentReference/{own}", {"own"}),
            ("target={ehr}", {"ehr"}),
            ("agent=Practitioner/{nour}", {"own"}),
            ("agent={nour}", {"own"}),
            ("agent=Organization/{chu}", {"own", "ehr"}),
            ("agent:identifier=|desk", {"own"}),
            ("agent-type=enterer", {"own"}),
            ("recorded=2026-03-02", {"own", "ehr"}),
            ("recorded=lt2026-03-02", set()),
            ("recorded=ge2026-03-02&agent=Practitioner/{nour}", {"own"}),
        ],
    )
    def test_finds_by_document_party_and_time(self, world: World, query, found):
        filed = {"own": world.publish("nour"), "ehr": world.publish("chu-ehr")}
        named = query.format(**world.ids, **filed)
        seen = {id_ for record in records(world, "camille", f"&{named}") for id_ in documents_of(record)}
        assert seen == {filed[name] for name in found}

    def test_is_read_in_one_version_and_written_by_nobody(self, world: World):
        world.publish()
        (record,) = records(world, "camille")
        path = f"/Provenance/{record['id']}"
        assert world.get("camille", path).get_json() == record
        assert world.get("camille", f"{path}/_history/1").get_json() == record
        assert world.get("camille", f"{path}/_history").get_json()["total"] == 1
        for method, at in (("POST", "/Provenance"), ("PUT", path), ("DELETE", path)):
            assert world.send("keeper", method, at, record).status_code == 405
        assert world.send("keeper", "PATCH", path, [], JSON_PATCH).status_code == 405

    def test_a_scope_for_documents_is_no_scope_for_their_records(self, world: World):
        world.publish()
        world.professional("iris", "10", "chu")
        world.agree("camille", "iris")
        world.in_mode("iris", "iris", ("10", "chu", ""), scopes="user/DocumentReference.rs")
        assert world.get("iris", f"/Provenance?patient={world.ids['camille']}").status_code == 403
        matches, come_along = included(world, "iris")
        assert len(matches) == 1
        assert come_along == []


class TestComingAlong:
    def test_each_document_comes_with_the_record_of_its_deposit(self, world: World):
        first, second = world.publish_all("chu-ehr", world.filing(), world.filing())
        third = world.publish("nour")
        matches, come_along = included(world, "camille")
        assert {one["id"] for one in matches} == {first, second, third}
        assert sorted(map(sorted, map(documents_of, come_along))) == sorted([sorted([first, second]), [third]])

    def test_it_counts_in_no_total_and_stays_on_each_page(self, world: World):
        for _ in range(3):
            world.publish()
        answer = world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&{INCLUDE}&_count=2")
        told = answer.get_json()
        assert told["total"] == 3
        assert [entry["search"]["mode"] for entry in told["entry"]] == ["match", "match", "include", "include"]
        following = next(link["url"] for link in told["link"] if link["relation"] == "next")
        page = world.get("camille", following.partition("/fhir")[2]).get_json()
        assert [entry["search"]["mode"] for entry in page["entry"]] == ["match", "include"]

    @pytest.mark.parametrize(
        "include", ["_revinclude=Provenance:agent", "_revinclude=AuditEvent:entity", "_include=Provenance:target"]
    )
    def test_what_is_not_offered_is_said(self, world: World, include):
        world.publish()
        path = f"/DocumentReference?patient={world.ids['camille']}&{include}"
        assert world.get("camille", path, Prefer="handling=strict").status_code == 400
        assert included(world, "camille", include=include)[1] == []

    def test_the_read_record_stands_in_the_audit_log(self, world: World):
        world.publish()
        (record,) = included(world, "camille")[1]
        query = f"patient={world.ids['camille']}&entity=Provenance/{record['id']}"
        (event,) = world.get("camille", f"/AuditEvent?{query}").get_json()["entry"]
        assert event["resource"]["subtype"][-1]["code"] == "ITI-67"

    def test_the_statement_offers_it(self, world: World):
        rest = world.web.get("/fhir/metadata").get_json()["rest"][0]["resource"]
        (row,) = [one for one in rest if one["type"] == "DocumentReference"]
        assert "Provenance:target" in row["searchRevInclude"]


class TestHidden:
    """Who does not see a document sees no record of it, and in the record of its lot no trace of it."""

    @pytest.fixture
    def lot(self, world: World) -> tuple[World, str, str]:
        world.agree("camille", "martin")
        secret, plain = world.publish_all("chu-ehr", world.filing(), world.filing())
        assert world.hide(secret).status_code == 200
        return world, secret, plain

    @holds("V15")
    def test_in_a_common_lot_only_the_seen_document_shows(self, lot):
        world, secret, plain = lot
        for found in (records(world, "martin"), included(world, "martin")[1]):
            assert [documents_of(record) for record in found] == [{plain}]
            assert secret not in str(found)
        for query in (f"target=DocumentReference/{secret}", f"target={secret}"):
            assert records(world, "martin", f"&{query}") == []
        (full,) = records(world, "camille")
        assert documents_of(full) == {secret, plain}

    def test_a_record_of_hidden_documents_alone_is_unknown(self, lot):
        world, _, plain = lot
        assert world.hide(plain).status_code == 200
        (record,) = records(world, "camille")
        hidden = world.get("martin", f"/Provenance/{record['id']}")
        unknown = world.get("martin", f"/Provenance/{world.ids['chu']}")
        assert (
            (hidden.status_code, hidden.get_data()) == (unknown.status_code, unknown.get_data()) == (404, _any(unknown))
        )
        assert records(world, "martin") == []
        assert included(world, "martin") == ([], [])

    def test_a_block_closes_it(self, lot):
        world, _, _ = lot
        (record,) = records(world, "martin")
        world.agree("camille", "martin", "deny")
        assert world.get("martin", f"/Provenance/{record['id']}").status_code == 404
        assert world.get("martin", f"/Provenance?patient={world.ids['camille']}").status_code == 403

    def test_a_withdrawn_document_leaves_the_record(self, lot):
        world, secret, plain = lot
        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{plain}").status_code == 204
        assert records(world, "martin") == []
        assert [documents_of(record) for record in records(world, "camille")] == [{secret}]
        assert world.send("chu-ehr", "DELETE", f"/DocumentReference/{secret}").status_code == 204
        assert records(world, "camille") == []


def _any(answer: Any) -> bytes:
    body: bytes = answer.get_data()
    return body
