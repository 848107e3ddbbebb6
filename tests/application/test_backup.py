"""`habilis backup` and `restore`: one instant over data, keys and contents; all sign in again; journals say so."""

import io
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from fhir_server.application.identity import clients
from fhir_server.application.identity.accounts import Account, RepresentedPatient, find_account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.cli import main
from fhir_server.cli.stores import KEPT
from fhir_server.domain.search.criteria import Search
from fhir_server.http.pages.patient.journal_lines import line_of
from fhir_server.ports.store import Change, SpaceWrite, Write
from tests.factories import a_document, a_trace, all_of, an_id, settings_in
from tests.holds import holds
from tests.world import World, client_of


@dataclass
class Service:
    """A service that runs, and the commands of whoever runs it. said: what the last command printed."""

    folder: Path
    world: World
    capsys: pytest.CaptureFixture[str]
    said: str = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def saved(self) -> Path:
        return self.folder / "saved"

    def run(self, *arguments: str) -> int:
        status = main(list(arguments))
        captured = self.capsys.readouterr()
        self.said = captured.out + captured.err
        return status

    def lose(self) -> None:
        """Stop the service and put its data aside."""
        self.world.runtime.ports.store.close()
        self.data.rename(self.folder / "lost")

    def restore(self) -> int:
        return self.run("restore", str(self.saved))

    def start(self) -> None:
        settings = settings_in(self.folder)
        served = build_runtime(settings)
        self.world = World(served, client_of(settings, served), self.world.ids, self.world.tokens)


@pytest.fixture
def service(tmp_path, monkeypatch, capsys):
    settings = settings_in(tmp_path)
    for name, value in (("DATA_DIR", settings.data_dir), ("KEY_FILE", settings.key_file), ("LOG_LEVEL", "ERROR")):
        monkeypatch.setenv(f"HABILIS_{name}", str(value))
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    made = Service(tmp_path, World(served, client_of(settings, served)).open(), capsys)
    made.world.ids["document"] = made.world.publish()
    yield made
    made.world.runtime.ports.store.close()


def refused(service):
    """Return the one line with which a restore is refused, after showing that it left nothing."""
    assert service.restore() == 2
    assert service.said.count("\n") == 1
    assert not service.data.exists() or list(service.data.iterdir()) == []
    return service.said


def read_events(world, who="camille"):
    answer = world.get(who, f"/AuditEvent?patient={world.ids['camille']}&_sort=-date")
    return [entry["resource"] for entry in answer.get_json()["entry"]]


def test_what_was_saved_is_there_again_and_what_came_after_it_is_not(service):
    assert service.run("backup", str(service.saved)) == 0
    later = service.world.publish()
    service.lose()
    assert service.restore() == 0
    service.start()
    service.world.tokens["camille"] = again(service.world, "camille")
    found = service.world.found("camille", f"/DocumentReference?patient={service.world.ids['camille']}")
    assert found == [service.world.ids["document"]]
    assert later not in found
    document = service.world.get("camille", f"/DocumentReference/{found[0]}").get_json()
    content = service.world.get("camille", "/" + document["content"][0]["attachment"]["url"].split("/fhir/")[1])
    assert content.status_code == 200


def again(world, name):
    """Let a patient in again, as a sign-in would."""
    person = f"Patient/{world.ids[name]}"
    represented = RepresentedPatient(world.ids[name], person, name)
    account = Account(name, RequesterKind.PATIENT, person, name, patients=(represented,), subject=name)
    app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
    return world.mint(client=app, account=account, scopes="patient/*.cruds", launch_patient=represented.patient)


@holds("AC47")
def test_the_key_file_is_never_saved(tmp_path, service, monkeypatch):
    inside = service.data / "keys.json"
    inside.write_bytes((tmp_path / "keys.json").read_bytes())
    monkeypatch.setenv("HABILIS_KEY_FILE", str(inside))
    assert service.run("backup", str(service.saved)) == 0
    key = json.loads(inside.read_text())["keys"][0]["key"]
    assert [path for path in service.saved.rglob("*") if path.is_file() and key.encode() in path.read_bytes()] == []
    assert "keep it apart" in service.said


def test_data_and_keys_are_of_one_instant_while_spaces_come_and_go(service):
    ports, stop = service.world.runtime.ports, Event()

    def live():
        while not stop.is_set():
            patient = an_id()
            ports.store.commit(
                Change((a_trace(patient),), (Write(a_document(patient), (0, 0)),), (SpaceWrite(patient, 0, b"s"),))
            )

    threads = [Thread(target=live) for _ in range(3)]
    [thread.start() for thread in threads]
    try:
        assert service.run("backup", str(service.saved)) == 0
    finally:
        stop.set()
        [thread.join() for thread in threads]
    kept = opening.open_sqlite(_opened(service), service.folder / "keys.json")
    with closing(sqlite3.connect(service.folder / "copy" / "habilis.sqlite3")) as connection:
        documents = connection.execute("SELECT compartment, id FROM heads WHERE type = 'DocumentReference'").fetchall()
    with kept.store.snapshot() as snapshot:
        assert documents
        assert all(snapshot.read("DocumentReference", id_, all_of(patient)) for patient, id_ in documents)
    kept.store.close()


def _opened(service):
    """Return a data directory with the files of a backup as they are."""
    copy = service.folder / "copy"
    (copy / "contents").mkdir(parents=True)
    for name in ("habilis.sqlite3", "keys.sqlite3", "contents/.installation"):
        (copy / name).write_bytes((service.saved / name).read_bytes())
    return copy


def test_nobody_is_signed_in_after_a_restore_and_everybody_is_still_known(service, monkeypatch):
    world = service.world
    monkeypatch.setenv("HABILIS_ACCEPT_INFERRED_MATRIX", "yes")
    monkeypatch.setattr(sys, "stdin", io.StringIO("four quiet words in a row\n"))
    assert main(["users", "add", "camille", "--display", "Camille", "--patient", world.ids["camille"]]) == 0
    app = ["--name", "Carnet", "--kind", "patient-app", "--scopes", "patient/DocumentReference.rs"]
    assert main(["clients", "add", "carnet", *app, "--redirect-uri", "https://carnet.example/cb"]) == 0
    service.run("backup", str(service.saved))
    service.lose()
    service.restore()
    service.start()
    for who in ("camille", "nour", "chu-ehr", "keeper"):
        assert service.world.get(who, "/Organization").status_code == 401
    with closing(sqlite3.connect(service.data / "habilis.sqlite3")) as connection:
        kinds = {row[0] for row in connection.execute("SELECT DISTINCT kind FROM vault")}
    assert kinds <= KEPT
    assert find_account(service.world.runtime, "camille").person == f"Patient/{world.ids['camille']}"
    assert clients.find(service.world.runtime, "carnet").name == "Carnet"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "The service is in its state of"),
        ("fr", "Le service est revenu à son état du"),
    ],
)
def test_every_journal_says_to_which_state_the_service_went_back(service, language, words):
    service.run("backup", str(service.saved))
    instant = json.loads((service.saved / "manifest.json").read_text())["manifest"]["instant"]
    service.lose()
    service.restore()
    assert "journals in which this is recorded: 1" in service.said
    assert "For the data-protection officer" in service.said
    service.start()
    service.world.tokens["camille"] = again(service.world, "camille")
    event = next(e for e in read_events(service.world) if e.get("outcomeDesc"))
    assert event["outcomeDesc"][:19] == instant[:19]
    assert event["agent"][0]["who"]["display"] == "Habilis"
    assert "état antérieur" in event["text"]["div"]
    with service.world.web.application.test_request_context(headers={"Accept-Language": language}):
        assert words in line_of(event, {}).why


@holds("H8")
def test_the_trail_of_the_operator_says_who_saved_and_who_restored(service):
    service.run("backup", str(service.saved), "--by", "eve")
    service.lose()
    assert service.run("restore", str(service.saved), "--by", "adam") == 0
    service.start()
    with service.world.runtime.ports.store.snapshot() as snapshot:
        events = [json.loads(row.body) for row in snapshot.find(Search("AuditEvent", limit=500), all_of("")).rows]
    said = {code["code"]: event["agent"] for event in events for code in event["subtype"]}
    assert "eve" in json.dumps(said["backup"])
    assert "adam" in json.dumps(said["restore"])


def test_a_restore_goes_into_an_empty_directory_only(service):
    service.run("backup", str(service.saved))
    assert service.restore() == 2
    assert "is not empty" in service.said
    assert service.run("backup", str(service.saved)) == 2
    assert "is not empty" in service.said


def harm(saved, what):
    content = max((p for p in (saved / "contents").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    manifest = saved / "manifest.json"
    if what == "a file was changed":
        kept = content.read_bytes()
        content.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    elif what == "a file is missing":
        content.unlink()
    elif what == "the manifest was changed":
        manifest.write_text(manifest.read_text().replace('"schema": ', '"schema": 9'))
    elif what == "the backup was cut short":
        manifest.unlink()
    elif what == "the data were replaced":
        with closing(sqlite3.connect(saved / "habilis.sqlite3")) as connection, connection:
            connection.execute("DELETE FROM spaces")
    else:
        manifest.write_text("[]")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("a file was changed", "is not the file that the manifest"),
        ("a file is missing", "is missing"),
        ("the manifest was changed", "was changed"),
        ("the backup was cut short", "no whole backup"),
        ("the data were replaced", "is not the file that the manifest"),
        ("the manifest is no manifest", "is no manifest"),
    ],
)
def test_a_backup_that_is_not_as_it_was_made_is_refused(service, what, told):
    service.run("backup", str(service.saved))
    service.lose()
    harm(service.saved, what)
    assert told in refused(service)


def test_a_backup_needs_the_key_file_of_its_service(service):
    service.run("backup", str(service.saved))
    service.lose()
    (service.folder / "keys.json").rename(service.folder / "right.json")
    opening.create_keys(service.folder / "keys.json")
    assert "is not the one of the backup" in refused(service)


def test_a_backup_from_before_a_rotation_of_the_keys_is_taken(service):
    service.run("backup", str(service.saved))
    assert service.run("keys", "rotate") == 0
    service.lose()
    assert service.restore() == 0


def test_mongodb_is_saved_with_its_own_tools(service, monkeypatch):
    monkeypatch.setenv("HABILIS_STORE", "mongodb")
    monkeypatch.setenv("HABILIS_MONGODB_URI", "mongodb://127.0.0.1:1")
    assert service.run("backup", str(service.saved)) == 2
    assert "its own tools" in service.said
