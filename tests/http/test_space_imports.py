"""Bringing a copy of a space to another server: the same documents, choices and files; nothing of a changed archive."""

import json
from dataclasses import replace
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from fhir_server.http.fhir.operations import space_copies
from tests.conftest import FixedClock
from tests.factories import settings_in
from tests.http.spaces import UNKNOWN, parent
from tests.http.test_space_copies import files, path
from tests.world import OF_PATIENT, World, client_of

KEPT = ("masterIdentifier", "type", "category", "date", "status")
NOUR, ZOE = "99700009901", "99700009902"
ZIP = "application/zip"


class Server(World):
    """One of two servers in this process: each request is answered by the one that is asked."""

    def send(self, *args, **named):
        self.web.application.extensions["habilis.runtime"] = self.runtime
        return super().send(*args, **named)


def opened(folder, base: str) -> Server:
    settings = settings_in(folder, base)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    served = replace(served, ports=replace(served.ports, clock=FixedClock()))
    server = Server(served, client_of(settings, served)).open()
    for name, number in (("rpps-nour", NOUR), ("rpps-zoe", ZOE)):
        server.colleague(name, number, "chu")
    return server


@pytest.fixture
def servers(tmp_path):
    """Return a server on which Camille has documents, one hidden, an agreement and a block; and an empty one."""
    pair = [opened(tmp_path / name, f"https://{name}.example") for name in ("here", "there")]
    first = pair[0]
    first.publish(), first.publish(date="2025-06-01T10:00:00+01:00"), first.publish("camille", type_=OF_PATIENT)
    assert first.hide(first.publish("other-ehr", place="other")).status_code == 200
    assert first.agree("camille", "rpps-nour").status_code == 201
    assert first.agree("camille", "rpps-zoe", "deny").status_code == 201
    yield pair
    for server in pair:
        server.runtime.ports.store.close()


def bring(server: World, archive: bytes, who: str = "camille", patient: str = "camille", mime: str = ZIP):
    id_ = server.ids.get(patient, patient)
    return server.send(who, "POST", f"/Patient/{id_}/$import-space", archive, mime)


def told(answer) -> dict[str, list]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, list] = {"recorded": [], "known": [], "leftOut": []}
    for part in answer.get_json().get("parameter", []):
        found[part["name"]].append(part.get("valueReference", part.get("part")))
    return found


def documents(server: World, who: str = "camille") -> list[dict]:
    answer = server.get(who, f"/DocumentReference?patient={server.ids['camille']}&_count=50").get_json()
    return sorted(
        (one["resource"] for one in answer.get("entry", [])), key=lambda one: one["masterIdentifier"]["value"]
    )


def contents(server: World, found: list[dict]) -> list[bytes]:
    urls = [one["content"][0]["attachment"]["url"] for one in found]
    return [server.get("camille", url.partition("/fhir")[2]).get_data() for url in urls]


def labels(document: dict) -> set[str]:
    return {coding["code"] for label in document.get("securityLabel", []) for coding in label["coding"]}


def choices(server: World) -> list[tuple[str, str]]:
    """Return type and actor, by the name in this world, of the choices about Nour and Zoe."""
    answer = server.get("camille", f"/Consent?patient={server.ids['camille']}&_count=50").get_json()
    named = {f"Practitioner/{server.ids[name]}": name for name in ("rpps-nour", "rpps-zoe")}
    provisions = [entry["resource"]["provision"] for entry in answer["entry"]]
    actors = [(one.get("type"), actor.get("reference", {})) for one in provisions for actor in one.get("actor", [])]
    return sorted((type_, named[who["reference"]]) for type_, who in actors if who.get("reference") in named)


def copied(server: World) -> bytes:
    answer = server.get("camille", path(server))
    assert answer.status_code == 200
    return answer.get_data()


def test_documents_contents_and_choices_are_the_same_on_the_other_server(servers):
    here, there = servers
    report = told(bring(there, copied(here)))
    assert (len(report["recorded"]), report["known"], report["leftOut"]) == (6, [], [])
    before, after = documents(here), documents(there)
    assert [{name: one.get(name) for name in KEPT} for one in after] == [
        {name: one.get(name) for name in KEPT} for one in before
    ]
    assert contents(there, after) == contents(here, before)
    assert [labels(one) - {"PATRPT"} for one in after] == [labels(one) for one in before]
    shown = [[one["content"][0]["attachment"][name] for name in ("title", "hash", "contentType")] for one in after]
    assert shown == [
        [one["content"][0]["attachment"][name] for name in ("title", "hash", "contentType")] for one in before
    ]
    assert choices(there) == choices(here) == [("deny", "rpps-zoe"), ("permit", "rpps-nour")]


def test_every_reader_sees_that_the_patient_has_brought_a_document(servers):
    here, there = servers
    told(bring(there, copied(here)))
    for one in documents(there):
        assert "PATRPT" in labels(one)
        assert one["author"] == [{"reference": f"Patient/{there.ids['camille']}"}]
        assert one["description"].startswith("Brought by the patient from https://here.example/fhir.")
    assert any("Haddad" in one["description"] for one in documents(there))
    answer = there.get("camille", f"/Provenance?patient={there.ids['camille']}").get_json()
    assert {entry["resource"]["reason"][0]["text"] for entry in answer["entry"]} == {
        "brought by the patient from another server"
    }


def test_a_document_that_was_hidden_stays_hidden(servers):
    here, there = servers
    told(bring(there, copied(here)))
    assert there.agree("camille", "martin").status_code == 201
    assert len(documents(there, "martin")) == len(documents(there)) - 1


def test_an_archive_that_is_brought_twice_changes_nothing(servers):
    here, there = servers
    archive = copied(here)
    told(bring(there, archive))
    before = documents(there), choices(there)
    again = told(bring(there, archive))
    assert (again["recorded"], len(again["known"]), again["leftOut"]) == ([], 6, [])
    assert (documents(there), choices(there)) == before


def test_a_choice_about_somebody_who_is_not_known_is_left_out_by_name(servers):
    here, there = servers
    assert here.agree("camille", "nour").status_code == 201  # without a number in any register
    (left,) = told(bring(there, copied(here)))["leftOut"]
    texts = {part["name"]: part.get("valueString", part.get("valueCode")) for part in left}
    assert texts["archived"].startswith("Consent/")
    assert "does not know" in texts["reason"]


def changed(archive: bytes) -> bytes:
    """Return an archive of which one content is changed, and the manifest is as it was."""
    with ZipFile(BytesIO(archive)) as before:
        content = {name: before.read(name) for name in before.namelist()}
    made = BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as after:
        for name, data in content.items():
            after.writestr(name, data + b"!" if name.startswith("files/") else data)
    return made.getvalue()


def test_a_changed_archive_is_refused_by_the_names_of_its_files_and_nothing_is_stored(servers, tmp_path):
    here, there = servers
    before = there.dump(tmp_path / "there")
    answer = bring(there, changed(copied(here)))
    assert answer.status_code == 400
    texts = [issue["details"]["text"] for issue in answer.get_json()["issue"]]
    assert len(texts) == 4
    assert all(text.startswith("`files/") and "was changed" in text for text in texts)
    assert there.dump(tmp_path / "there") == before
    assert bring(there, b"PK").status_code == 400
    assert bring(there, copied(here), mime="application/octet-stream").status_code == 415


def test_the_archive_of_another_person_is_refused(servers):
    here, there = servers
    for server in servers:
        server.patient("zora", "284039999900999")
    archive = here.get("zora", path(here, "zora")).get_data()
    answer = bring(there, archive)
    assert answer.status_code == 422
    assert "another person" in answer.get_data(as_text=True)
    assert documents(there) == []


def test_only_the_patients_side_brings_a_copy_and_into_the_own_space_alone(servers):
    here, there = servers
    there.patient("zora", "284039999900999")
    archive = copied(here)
    for who in ("nour", "keeper", "chu-ehr", "zora"):
        answers = [bring(there, archive, who, patient) for patient in ("camille", UNKNOWN)]
        assert [answer.status_code for answer in answers] == [403, 403], who
        assert answers[0].get_data() == answers[1].get_data()
    assert documents(there) == []


def test_a_parent_brings_the_copy_of_a_child(servers):
    for server in servers:
        server.patient("leo", "184039999900255", "2018-06-01")
        parent(server, "marc", "leo")
    here, there = servers
    here.publish(patient="leo")
    report = told(bring(there, here.get("marc", path(here, "leo")).get_data(), "marc", "leo"))
    assert [one["reference"].partition("/")[0] for one in report["recorded"]] == ["DocumentReference"]


def test_one_event_tells_of_the_import_and_one_of_each_document(servers):
    here, there = servers
    told(bring(there, copied(here)))
    trail = there.get("camille", f"/AuditEvent?patient={there.ids['camille']}&date=ge2020&_count=100").get_json()
    subtypes = [coding["code"] for entry in trail["entry"] for coding in entry["resource"]["subtype"]]
    assert subtypes.count("import-space") == 1
    assert subtypes.count("ITI-105") == 4


def test_the_manifest_cannot_open_what_the_patient_never_chose(servers):
    """A declared agreement of a professional does not become the patient's own by an import."""
    here = servers[0]
    here.in_mode("declaring", "rpps-nour", ("10", "chu", ""))
    assert here.send("declaring", "POST", "/Consent", here.consent("rpps-nour")).status_code in (201, 403)
    manifest = json.loads(files(here.get("camille", path(here)))["manifest.json"])
    assert len(manifest["choices"]) == 2


def test_an_import_ends_with_the_token_and_what_was_recorded_stays(servers, monkeypatch):
    here, there = servers
    archive, held = copied(here), iter([True, True])
    monkeypatch.setattr(space_copies, "is_in_force", lambda *_: next(held, False))
    assert bring(there, archive).status_code == 401
    assert len(documents(there)) == 2
    monkeypatch.undo()
    assert len(told(bring(there, archive))["known"]) == 2
