"""Documents that patients file on a page: added, replaced, withdrawn; wrong files and fields named (J3 to J7)."""

import re
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from flask import request

from tests.pages.visitors import SITE, Visitor, an_account, camille_at_home, left
from tests.world import OF_PATIENT, World

PDF = b"%PDF-1.4 nothing"
RIGHT = {"title": "Mes remarques", "kind": "EXPPAT_2", "date": "2026-01-31"}


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def filed(visitor: Visitor, content: bytes = PDF, path: str = "/own-documents", **fields: str) -> Any:
    csrf = fields.pop("csrf", None) or visitor.csrf(visitor.at("/own-documents"))
    sent = RIGHT | fields | {"csrf": csrf, "file": (BytesIO(content), "x.bin", "application/x-anything")}
    headers = {"Accept-Language": "en"}
    return visitor.web.post(visitor.at(path), data=sent, headers=headers, base_url=SITE)


def id_of(answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    return re.search(r"/documents/([0-9a-f-]{36})", answer.headers["Location"])[1]


def test_a_document_is_added_read_and_shown_to_professionals(world, camille):
    world.agree("camille", "martin")
    id_ = id_of(filed(camille))
    page = camille.get(f"/documents/{id_}?done=filed").text
    assert "The document is filed." in page
    assert "Mes remarques" in page
    stored = world.get("martin", f"/DocumentReference/{id_}").get_json()
    assert stored["type"]["coding"][0]["code"] == "EXPPAT_2"
    assert stored["content"][0]["attachment"]["contentType"] == "application/pdf"
    content = stored["content"][0]["attachment"]["url"].rpartition("/")[2]
    assert camille.get(f"/contents/{content}").data == PDF


def test_a_document_is_hidden_from_the_start(world, camille):
    world.agree("camille", "martin")
    id_ = id_of(filed(camille, hidden="1"))
    assert world.get("martin", f"/DocumentReference/{id_}").status_code == 404
    assert "Hidden from professionals" in camille.get("/documents").text


def test_a_new_version_takes_the_place_of_the_earlier(world, camille):
    first = id_of(filed(camille))
    assert 'value="Mes remarques"' in camille.get(f"/own-documents/{first}/replacement").text
    second = id_of(filed(camille, b"plain text", f"/own-documents/{first}/replacement", title="Mieux"))
    assert world.get("camille", f"/DocumentReference/{first}").get_json()["status"] == "superseded"
    listed = camille.get("/documents").text
    assert second in listed
    assert first not in listed


def test_a_withdrawn_document_is_seen_by_nobody(camille):
    id_ = id_of(filed(camille))
    answer = camille.send(f"/own-documents/{id_}/withdraw")
    assert (
        "Nobody sees a withdrawn document" in camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
    )
    assert camille.get(f"/documents/{id_}").status_code == 410


def test_what_a_professional_filed_is_neither_replaced_nor_withdrawn_here(world, camille):
    document = world.publish()
    page = camille.get(f"/documents/{document}").text
    assert "Withdraw" not in page
    assert camille.get(f"/own-documents/{document}/replacement").status_code == 404
    assert camille.send(f"/own-documents/{document}/withdraw").status_code == 403
    assert filed(camille, path=f"/own-documents/{document}/replacement").status_code in (403, 404, 422)
    assert world.get("camille", f"/DocumentReference/{document}").get_json()["status"] == "current"


WRONG = (
    (b"", {}, "file"),
    (b"<html><script>alert(1)</script>", {}, "file"),
    (b"\x89PNG\r\n\x1a\n", {}, "file"),
    (b"PK\x03\x04\x00", {}, "file"),
    (PDF, {"title": " "}, "title"),
    (PDF, {"kind": "34112-3"}, "kind"),
    (PDF, {"date": "2999-01-01"}, "date"),
    (PDF, {"date": "31/01/2026"}, "date"),
)
"""Contents and fields that are wrong, and the field that is named."""


def test_what_is_wrong_is_named_and_nothing_is_filed(camille):
    csrf = camille.csrf(camille.at("/own-documents"))
    for content, fields, field in WRONG:
        answer = filed(camille, content, csrf=csrf, **fields)
        assert answer.status_code == 422, (content[:10], fields)
        assert f'href="#{field}"' in answer.text
        assert f'id="{field}"' in answer.text
    assert "No document here yet" in camille.get("/documents").text


def test_a_minor_has_no_advance_directives(world: World):
    world.patient("lea", "209019999900183", "2009-01-17")
    an_account(world, "lea", "lea")
    answer = filed(Visitor(world, "lea", world.ids["lea"]), kind="EXPPAT_3")
    assert answer.status_code == 422
    assert "a minor cannot have advance directives" in answer.text


def test_filing_and_withdrawing_leave_the_events_of_an_app(world, camille):
    csrf = camille.csrf(camille.at("/own-documents"))
    by_page = left(world, lambda: filed(camille, csrf=csrf))
    body = world.simplified(**world.as_filed_by("camille"), type_=OF_PATIENT, category=("10", "Compte rendu"))
    by_app = left(world, lambda: world.send("camille", "POST", "/DocumentReference", body))
    assert [kind(event) for event in by_page] == [kind(event) for event in by_app] != []


def kind(event: dict[str, Any]) -> Any:
    return event["subtype"], event["action"], event["outcome"], event["ground"]


def test_a_file_stays_in_memory(world):
    sent = {"file": (BytesIO(b"x" * 400_000), "x.pdf")}
    with world.web.application.test_request_context("/", method="POST", data=sent):
        assert isinstance(request.files["file"].stream, BytesIO)


def test_a_form_that_is_larger_than_a_document_may_be_is_refused(camille):
    sent = {"content_type": "multipart/form-data; boundary=x", "input_stream": BytesIO(b"--x--")}
    answer = camille.web.post(
        camille.at("/own-documents"), base_url=SITE, **sent, environ_overrides={"CONTENT_LENGTH": "300000000"}
    )
    assert answer.status_code == 413


def test_a_file_that_is_too_large_for_a_patient_is_named(world, camille):
    world.web.application.extensions["habilis.runtime"] = replace(
        world.runtime, profile=replace(world.runtime.profile, patient_file_size=20)
    )
    answer = filed(camille, b"%PDF-" + b"x" * 16)
    assert answer.status_code == 422
    assert "larger than" in answer.text


def test_forms_of_nobody_and_of_other_sites_are_refused(world, camille):
    id_ = id_of(filed(camille))
    for path in ("/own-documents", f"/own-documents/{id_}/replacement", f"/own-documents/{id_}/withdraw"):
        assert filed(camille, path=path, csrf="x").status_code == 403
        stranger = world.web.application.test_client()
        assert stranger.post(camille.at(path), data={"csrf": "x"}, base_url=SITE).status_code == 401
    assert world.get("camille", f"/DocumentReference/{id_}").get_json()["status"] == "current"
