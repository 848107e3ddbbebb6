"""The golden record: two runs read the same, and what is planted is found."""

import ast
import copy
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.adapters import opening
from fhir_server.app import build_runtime
from tests.conftest import FixedClock
from tests.factories import settings_in
from tests.golden import recording
from tests.golden.comparing import differences
from tests.golden.normal import Normal
from tests.golden.recording import Record
from tests.world import World, client_of

FOLDER = Path(__file__).parent


def record_of(folder, *, hidden=False):
    """Record a few answers of a world of its own."""
    settings = settings_in(folder)
    opening.create_keys(settings.key_file)
    served = build_runtime(settings)
    runtime = replace(served, ports=replace(served.ports, clock=FixedClock()))
    world = World(runtime, client_of(settings, runtime)).open()
    document = world.publish()
    world.agree("camille", "martin")
    if hidden:
        world.hide(document)
    record = Record()
    record.begin("world")
    for who in ("camille", "martin", "zoe"):
        for path in (f"/DocumentReference/{document}", f"/DocumentReference?patient={world.ids['camille']}"):
            record.answer(f"{who} GET {path}", world.get(who, path))
    served.ports.store.close()
    return record


@pytest.fixture
def told(tmp_path):
    return record_of(tmp_path).told()


def test_two_runs_read_the_same_byte_for_byte(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        record_of(tmp_path / name).save(tmp_path / f"{name}.json.gz")
    assert (tmp_path / "one.json.gz").read_bytes() == (tmp_path / "two.json.gz").read_bytes()
    told = recording.load(tmp_path / "one.json.gz")
    assert [answer["status"] for answer in told["sections"]["world"]] == [200, 200, 200, 200, 404, 403]


def test_a_server_that_answers_otherwise_is_found(told, tmp_path):
    (tmp_path / "other").mkdir()
    found = differences(told, record_of(tmp_path / "other", hidden=True).told())
    where = [place for one in found for place in one.where]
    assert {place.split()[1] for place in where} == {"camille", "martin"}
    assert any("MASQUE_PS" in line for one in found for line in one.lines)


def _plant(answers, plant):
    first = answers[0]
    if plant == "status":
        first["status"] = 201
    elif plant == "header":
        first["headers"] = ["Cache-Control: public"]
    elif plant == "order":
        first["body"] = dict(reversed(first["body"].items()))
    elif plant == "value":
        first["body"]["status"] = "superseded"
    elif plant == "one less":
        del answers[0]
    elif plant == "one more":
        answers.insert(0, {"asked": "stern GET /", "status": 200, "body": None})


@pytest.mark.parametrize("plant", ["status", "header", "order", "value", "one less", "one more"])
def test_what_is_planted_is_found_once(told, plant):
    other = copy.deepcopy(told)
    _plant(other["sections"]["world"], plant)
    (found,) = differences(told, other)
    assert len(found.where) == 1
    assert found.told(5).startswith("=== world: ")


def test_the_same_change_in_many_answers_is_told_once(told):
    other = copy.deepcopy(told)
    for answer in other["sections"]["world"]:
        answer["headers"] = [*answer.get("headers", []), "Server: other"]
    assert len(differences(told, other)) < len(told["sections"]["world"])


def test_a_test_that_has_moved_is_known_by_its_name():
    answers = [{"asked": "GET /", "status": 200, "body": None}]
    before = {"usual": {}, "sections": {"tests/a/test_x.py::test_it[1]": answers}}
    after = {"usual": {}, "sections": {"tests/b/test_y.py::test_it[1]": answers}}
    assert differences(before, after) == []
    changed = {"usual": {}, "sections": {"tests/b/test_y.py::test_it[1]": [answers[0] | {"status": 404}]}}
    assert len(differences(before, changed)) == 1


def test_what_chance_gives_is_named_by_its_first_appearance():
    normal = Normal({"correct-horse": "<password camille>"})
    one, two = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    assert normal.text(f"{two} {one} {two} correct-horse") == "<id 1> <id 2> <id 1> <password camille>"
    assert normal.text("id=urn%3Ahabilis%3Asealed%7Cw_ryWpa1-x&a=1") == "id=urn%3Ahabilis%3Asealed%7C<sealed>&a=1"
    assert normal.text(f"request_uri%3A{'aB3-' * 10}xyz") == "request_uri%3A<secret 1>"
    assert normal.text("2026-03-02T09:00:00.123Z") == "2026-03-02T09:00:00Z"
    assert normal.value({"query": "R0VUIC9QYXRpZW50P19pZD0x"}) == {"query": "base64: GET /Patient?_id=1"}


def test_only_one_module_knows_names_of_the_product():
    for path in FOLDER.rglob("*.py"):
        if path.name in ("server.py", Path(__file__).name):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith(("fhir_server", "consent_rules")) for name in named), path
