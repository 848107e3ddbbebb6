"""A copy of a whole space over HTTP: what it holds, for whom, with one event; and nothing hidden."""

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity import access_tokens, grants
from fhir_server.application.space_copies import copying
from fhir_server.domain.caller import Login, Origin
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.settings import limits
from tests.http.spaces import UNKNOWN, call, parent, sign_in
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_everything import full, names, searched  # noqa: F401 - a fixture
from tests.world import World

MANIFEST, README = "manifest.json", "README.txt"


def path(world: World, patient: str = "camille") -> str:
    return f"/Patient/{world.ids.get(patient, patient)}/$export-space"


def files(answer) -> dict[str, bytes]:
    """Return the files of an archive by their names."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "application/zip"
    with ZipFile(BytesIO(answer.get_data())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def lines(content: bytes) -> list[dict]:
    return [json.loads(line) for line in content.splitlines()]


def resources(found: dict[str, bytes]) -> list[dict]:
    return [one for name, content in found.items() if name.startswith("resources/") for one in lines(content)]


@BOTH
def test_it_holds_what_single_searches_show_with_the_contents_and_the_journal(full):  # noqa: F811
    journal = full.found("camille", f"/AuditEvent?patient={full.ids['camille']}&date=ge2020&_count=200")
    shown = searched(full, "camille")
    found = files(full.get("camille", path(full)))
    copied = set(names(resources(found)))
    assert copied >= shown
    assert {name.partition("/")[0] for name in copied - shown} <= {"Practitioner", "PractitionerRole", "Organization"}
    assert f"Practitioner/{full.ids['nour']}" in copied
    assert {one["id"] for one in lines(found["journal/AuditEvent.ndjson"])} >= set(journal)
    urls = [
        one["content"][0]["attachment"]["url"] for one in resources(found) if one["resourceType"] == "DocumentReference"
    ]
    contents = {full.get("camille", url.partition("/fhir")[2]).get_data() for url in urls}
    assert {content for name, content in found.items() if name.startswith("files/")} == contents
    assert len(contents) == 3


def test_the_manifest_has_the_size_and_the_hash_of_every_file_and_the_readme_has_both_languages(full):  # noqa: F811
    found = files(full.get("camille", path(full)))
    manifest = json.loads(found.pop(MANIFEST))
    assert manifest["patient"] == f"Patient/{full.ids['camille']}"
    listed = {one["path"]: (one["size"], one["sha256"]) for one in manifest["files"]}
    assert listed == {name: (len(content), sha256(content).hexdigest()) for name, content in found.items()}
    text = found[README].decode()
    assert "COPIE DE VOTRE ESPACE DE SANTÉ" in text
    assert "A COPY OF YOUR HEALTH SPACE" in text


def test_one_event_names_every_document_and_nobody_else_is_told(full):  # noqa: F811
    files(full.get("camille", path(full)))
    own = f"/AuditEvent?patient={full.ids['camille']}&subtype=urn:habilis:operation|export-space"
    (event,) = [entry["resource"] for entry in full.get("camille", own).get_json()["entry"]]
    named = {entity["what"]["reference"] for entity in event["entity"] if "reference" in entity.get("what", {})}
    assert len([one for one in named if "DocumentReference/" in one]) == 3
    assert "copie de tout ce qui" in event["text"]["div"]


@pytest.mark.parametrize("who", ["nour", "chu-ehr", "keeper"])
def test_professionals_and_software_take_no_copy(full, who):  # noqa: F811
    answers = [full.get(who, path(full, patient)) for patient in ("camille", UNKNOWN)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].get_data() == answers[1].get_data()


def test_another_patient_gets_the_answer_for_an_unknown_one(full):  # noqa: F811
    full.patient("zora", "284039999900999")
    answers = [full.get("zora", path(full, patient)) for patient in ("camille", UNKNOWN)]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].status_code in (403, 404)
    assert answers[0].get_data() == answers[1].get_data()


def test_nobody_takes_a_copy_of_a_closed_space(full):  # noqa: F811
    assert call(full, "camille", "close-space").status_code == 200
    assert full.get("camille", path(full)).status_code == 404


def test_a_parent_gets_nothing_that_a_teenager_keeps_back(world):
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    plain = world.publish(patient="ines")
    secret = world.publish(patient="ines", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
    own, by_parent = (files(world.get(who, path(world, "ines"))) for who in ("ines", "marc"))
    assert {one["id"] for one in resources(own) if one["resourceType"] == "DocumentReference"} == {plain, secret}
    assert all(secret.encode() not in content for content in by_parent.values())
    assert len([name for name in by_parent if name.startswith("files/")]) == 1


def test_a_token_without_the_scopes_takes_nothing(full):  # noqa: F811
    account = access_tokens.find_access(full.runtime, full.tokens["camille"]).grant
    narrow = replace(account, id=full.runtime.ports.ids.new(), scopes="patient/DocumentReference.rs patient/Patient.r")
    grants.store_grant(full.runtime, narrow)
    full.tokens["narrow"] = access_tokens.issue_access(full.runtime, narrow)[0]
    answer = full.get("narrow", path(full))
    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def test_an_old_login_is_asked_for_again(full, clock):  # noqa: F811
    grant = access_tokens.find_access(full.runtime, full.tokens["camille"]).grant
    signed = replace(grant, id=full.runtime.ports.ids.new(), proof=Login(at=clock.at, session="s"))
    grants.store_grant(full.runtime, signed)
    full.tokens["signed"] = access_tokens.issue_access(full.runtime, signed, lifetime=timedelta(days=1))[0]
    assert full.get("signed", path(full)).status_code == 200
    clock.advance(minutes=16)
    answer = full.get("signed", path(full))
    assert answer.status_code == 401
    assert 'max_age="900"' in answer.headers["WWW-Authenticate"]


def test_a_space_with_more_than_the_limit_is_refused_before_anything_leaves(full, monkeypatch):  # noqa: F811
    monkeypatch.setattr(limits, "_in_force", [replace(limits.in_force(), copied=3)])
    answer = full.get("camille", path(full))
    assert answer.status_code == 400
    assert "too-costly" in answer.get_data(as_text=True)


@pytest.mark.parametrize("accept", ["application/fhir+json", "application/zip;q=0"])
def test_who_takes_no_zip_file_gets_406(full, accept):  # noqa: F811
    assert full.get("camille", path(full), Accept=accept).status_code == 406


def test_an_entry_of_a_batch_is_refused(full):  # noqa: F811
    entry = {"request": {"method": "GET", "url": path(full)[1:]}}
    answer = full.send("camille", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert answer.get_json()["entry"][0]["response"]["status"].startswith("406")


def test_a_copy_ends_when_the_token_ends_and_is_then_no_whole_archive(full, monkeypatch):  # noqa: F811
    monkeypatch.setattr(copying, "PAGE_ROWS", 1)
    sent = full.web.get(
        f"/fhir{path(full)}", headers={"Authorization": f"Bearer {full.tokens['camille']}"}, buffered=False
    )
    parts = iter(sent.response)
    next(parts)
    grant = access_tokens.find_access(full.runtime, full.tokens["camille"]).grant
    grants.revoke_grant(full.runtime, grant.id)
    with pytest.raises(copying.CopyStopped):
        list(parts)


def test_closing_the_space_ends_a_copy(world, monkeypatch):
    """What the person may not see any more is not sent, though the copy has begun."""
    monkeypatch.setattr(copying, "PAGE_ROWS", 1)
    for _ in range(3):
        world.publish()
    asked = copying.Asked(_caller(world), world.ids["camille"], None)
    parts = copying.begin(world.runtime, asked).archive()
    next(parts)
    assert call(world, "camille", "close-space").status_code == 200
    with pytest.raises(copying.CopyStopped):
        list(parts)


def _caller(world: World):
    return caller_of(world.runtime, f"Bearer {world.tokens['camille']}", Origin("127.0.0.1"))
