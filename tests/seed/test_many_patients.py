"""Bulk data: whole, the same each time, and under the same rules as everything else."""

from io import StringIO

import pytest

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from seed import many_patients
from tests.seed.conftest import Stage, settings_in

PATIENTS, DOCUMENTS = 3, 24


@pytest.fixture(scope="module")
def loaded_bulk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bulk")
    settings = settings_in(folder)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    told = StringIO()
    demo = many_patients.load_bulk(served, folder, PATIENTS, DOCUMENTS, told)
    yield Stage(demo, served, create_app(settings, served).test_client()), told.getvalue()
    served.ports.store.close()


def search(stage, who, patient):
    return stage.ask(who, "GET", f"DocumentReference?patient={patient}&_count=100").json


def test_the_reader_sees_nine_of_twelve_types(loaded_bulk):
    stage, _ = loaded_bulk
    for patient in stage.demo.patients.values():
        found = search(stage, "reader", patient)
        types = {entry["resource"]["type"]["coding"][0]["code"] for entry in found["entry"]}
        assert found["total"] == DOCUMENTS * 9 // 12
        assert len(types) == 9
        assert "34112-3" in types


def test_the_publisher_reads_back_all_it_filed(loaded_bulk):
    stage, _ = loaded_bulk
    assert len(stage.demo.patients) == PATIENTS
    for patient in stage.demo.patients.values():
        assert search(stage, "publisher", patient)["total"] == DOCUMENTS


def test_each_content_can_be_read_and_is_what_its_document_says(loaded_bulk):
    stage, _ = loaded_bulk
    patient = next(iter(stage.demo.patients.values()))
    attachment = search(stage, "reader", patient)["entry"][0]["resource"]["content"][0]["attachment"]
    path = attachment["url"].removeprefix(f"{stage.demo.fhir}/")
    headers = {"Authorization": f"Bearer {stage.demo.tokens['reader']}", "Accept": "application/pdf"}
    content = stage.web.get(f"/fhir/{path}", headers=headers).data
    assert len(content) == attachment["size"]
    assert content.startswith(b"%PDF")


def test_every_submission_has_left_its_trace(loaded_bulk):
    stage, _ = loaded_bulk
    patient = next(iter(stage.demo.patients.values()))
    path = f"AuditEvent?patient={patient}&date=ge2020-01-01&subtype=ITI-65"
    assert stage.ask("publisher", "GET", path).json["total"] == -(-DOCUMENTS // 10)


def test_progress_is_told_to_the_end(loaded_bulk):
    _, told = loaded_bulk
    total = PATIENTS * 2 * (DOCUMENTS + 3)
    assert told.splitlines()[-1].strip().startswith(f"{total} of {total} resources")


def test_a_terminal_gets_a_bar():
    class Terminal(StringIO):
        def isatty(self):
            return True

    out = Terminal()
    many_patients.Progress(10, out).show(5, 5)
    assert out.getvalue().startswith(f"\r[{'#' * 15}{'.' * 15}]")


def test_every_number_is_another_person_with_a_valid_identity():
    people = [many_patients.person(number) for number in range(0, 2_000_000, 997)]
    assert len({part.ins_value for part in people}) == len(people)
    assert all((int(part.ins) + int(part.ins_value[13:])) % 97 == 0 for part in people)
    assert all(part.ins[5:10] == "99999" for part in people)
    assert many_patients.person(7) == many_patients.person(7)
