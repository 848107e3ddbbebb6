"""Loading: once and for all, through the use cases, and nothing secret where it does not belong."""

import stat

import orjson
import pytest

from fhir_server.app import build_runtime
from seed import book, cast
from seed.documents import documents
from seed.loading import load_demonstration
from tests.seed.conftest import settings_in


def test_every_document_and_every_person_is_there(stage):
    assert set(stage.demo.documents) == {part.key for part in documents()}
    assert set(stage.demo.patients) == {part.key for part in cast.PATIENTS}
    assert set(stage.demo.professionals) == {part.key for part in cast.PROFESSIONALS}
    assert {"camille", "paul", "zoe", "martin", "stern", "chu-a-ehr", "matension", "dana"} <= set(stage.demo.tokens)


def test_a_second_start_finds_all_of_it_and_changes_nothing(copied):
    before = (copied / "demo.json").read_bytes()
    served = build_runtime(settings_in(copied))
    load_demonstration(served, copied)
    served.ports.store.close()
    assert (copied / "demo.json").read_bytes() == before


def test_a_lost_book_is_written_again_without_doubling_anything(copied):
    before = book.read(copied)
    (copied / "demo.json").unlink()
    served = build_runtime(settings_in(copied))
    after = load_demonstration(served, copied)
    served.ports.store.close()
    assert after.patients == before.patients
    assert after.documents == before.documents
    assert after.professionals == before.professionals


def test_tokens_that_no_longer_open_anything_are_made_anew(copied):
    demo = book.read(copied)
    demo.tokens["paul"] = "expired"
    demo.save(copied)
    served = build_runtime(settings_in(copied))
    again = load_demonstration(served, copied)
    served.ports.store.close()
    assert again.tokens["paul"] != "expired"
    assert again.documents == demo.documents


def test_the_book_is_readable_by_its_owner_alone(copied):
    assert stat.S_IMODE((copied / "demo.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"base": 1}', b'{"unknown": {}}'])
def test_a_damaged_book_counts_as_none(tmp_path, content):
    (tmp_path / "demo.json").write_bytes(content)
    assert book.read(tmp_path) is None


def test_software_has_a_key_of_its_own_and_the_store_only_its_public_part(stage):
    key = stage.demo.clients["chu-a-ehr"]["jwk"]
    assert key["crv"] == "P-384"
    assert key["d"]
    assert key["d"] != stage.demo.clients["labo-lis"]["jwk"]["d"]


def test_everything_was_filed_through_the_use_cases_and_left_its_trace(stage):
    path = f"AuditEvent?patient={stage.demo.patients['camille']}&date=ge2020-01-01&action=C&_count=100"
    events = stage.ask("camille", "GET", path).json["entry"]
    named = orjson.dumps(events).decode()
    visible = [part for part in documents() if part.patient == "camille" and part.key != "camille-pathology"]
    assert all(stage.demo.documents[part.key] in named for part in visible)


def test_the_content_that_comes_back_is_the_content_that_was_filed(stage):
    for part in documents()[:6]:
        attachment = stage.read("martin", part.key).json["content"][0]["attachment"]
        path = attachment["url"].removeprefix(f"{stage.demo.fhir}/")
        headers = {"Authorization": f"Bearer {stage.demo.tokens['martin']}", "Accept": part.mime}
        answer = stage.web.get(f"/fhir/{path}", headers=headers)
        assert answer.data == part.content()
        assert attachment["title"] == part.title
