"""Filing at the desk: what is filed as by an app, marks, and what a form that is not right leads to."""

import re
from dataclasses import replace
from io import BytesIO

import pytest

from fhir_server.settings import limits
from tests.pages.professionals import DECLARED, at_desk
from tests.pages.visitors import SITE, left
from tests.world import LABORATORY

PDF = b"%PDF-1.7 result"
KEY = re.compile(r'name="key" value="([^"]+)"')
FILED = {"title": "Consultation of today", "kind": LABORATORY[1], "day": "2026-03-01", "label": "N"}


@pytest.fixture
def martin(world):
    return at_desk(world)


def deposit(martin, file=("a.pdf", PDF, "application/pdf"), patient="camille", **form):
    path = martin.of_patient("/deposit", patient)
    name, content, type_ = file
    key = KEY.search(martin.get(path).text)[1]
    return martin.send(path, **({"key": key} | FILED | form | {"file": (BytesIO(content), name, type_)}))


def filed(world, who="camille"):
    answer = world.get(who, f"/DocumentReference?patient={world.ids['camille']}").get_json()
    return [entry["resource"] for entry in answer.get("entry", ())]


def test_a_document_is_filed_without_ground_to_read_and_names_its_author(world, martin):
    page = martin.follows(deposit(martin))
    assert "The document is filed" in page.text
    (document,) = filed(world)
    assert document["author"][0]["reference"] == f"Practitioner/{world.ids['martin']}"
    assert document["custodian"]["reference"] == f"Organization/{world.ids['other']}"
    assert document["type"]["coding"][0]["code"] == LABORATORY[1]
    assert document["date"].startswith("2026-03-01")
    assert document["content"][0]["attachment"]["title"] == FILED["title"]
    told = world.get("camille", f"/Provenance?patient={world.ids['camille']}&target=DocumentReference/{document['id']}")
    assert world.ids["martin"] in told.get_data(as_text=True)


WRONG = [
    (("a.pdf", b"no pdf", "application/pdf"), {}, "file"),
    (("a.html", b"<p>", "text/html"), {}, "file"),
    (("a.txt", b"\xff\xfe", "text/plain"), {}, "file"),
    (None, {"title": " "}, "title"),
    (None, {"kind": "x"}, "kind"),
    (None, {"day": "2026-03-03"}, "day"),
    (None, {"day": "tomorrow"}, "day"),
    (None, {"label": "x"}, "label"),
    (None, {"mark": "INVISIBLE_PATIENT"}, "INVISIBLE_PATIENT"),
    (None, {"mark": "INVISIBLE_REPRESENTANTS_LEGAUX"}, "INVISIBLE_REPRESENTANTS_LEGAUX"),
]


def test_what_is_wrong_is_told_at_its_field_and_nothing_is_filed(world, martin):
    for file, sent, field in WRONG:
        answer = deposit(martin, file or ("a.pdf", PDF, "application/pdf"), **sent)
        assert (field, answer.status_code) == (field, 422)
        assert f'<a href="#{field}">' in answer.text
        assert f'id="{field}"' in answer.text
    assert filed(world) == []


def test_a_form_that_is_sent_twice_files_once(world, martin):
    key = KEY.search(martin.get(martin.of_patient("/deposit")).text)[1]
    assert {deposit(martin, key=key).status_code for _ in range(2)} == {303}
    assert len(filed(world)) == 1


def test_a_result_is_held_until_it_is_announced(world, martin):
    world.admit(place="other")
    martin.send(martin.of_patient(), **DECLARED)
    assert "2 April 2026 at the latest" in martin.get(martin.of_patient("/deposit")).text
    deposit(martin, mark="INVISIBLE_PATIENT")
    assert filed(world) == []
    (document,) = filed(world, "martin")
    page = martin.get(martin.of_patient(f"/documents/{document['id']}")).text
    assert "waits until it is announced" in page
    done = martin.send(martin.of_patient(f"/documents/{document['id']}/announce"))
    assert "The patient sees this document now" in martin.follows(done).text
    assert [one["id"] for one in filed(world)] == [document["id"]]


def test_the_deposit_leaves_the_events_of_the_same_publication_of_an_app(world, martin):
    martin.send(martin.of_patient(), **DECLARED)
    path = martin.of_patient("/deposit")
    key, csrf = KEY.search(martin.get(path).text)[1], martin.csrf(martin.at("/patients"))
    sent = {"key": key, "csrf": csrf, **FILED}
    by_page = left(world, lambda: martin.send(path, **sent, file=(BytesIO(PDF), "a.pdf", "application/pdf")))
    other = world.simplified(**world.as_filed_by("martin"), type_=LABORATORY)
    other["author"] = [{"reference": f"Practitioner/{world.ids['martin']}"}]
    other["contained"] = [one for one in other["contained"] if one["id"] == "source"]
    by_app = left(world, lambda: world.send("martin", "POST", "/DocumentReference", other))
    said = ("type", "subtype", "action", "outcome", "purposeOfEvent")
    kinds = [[[one[name] for name in said] for one in each] for each in (by_page, by_app)]
    assert kinds[0] == kinds[1] != []


def test_deposits_on_pages_and_by_apps_share_the_ceiling(world, martin):
    profile = world.runtime.profile
    few = replace(profile, ceilings=replace(profile.ceilings, deposits_an_hour=1))
    world.web.application.extensions["habilis.runtime"] = replace(world.runtime, profile=few)
    assert [deposit(martin).status_code for _ in range(2)] == [303, 401]
    assert len(filed(world)) == 1


def test_a_blocked_professional_still_files_and_reads_nothing(world, martin):
    """Rule F4."""
    world.agree("camille", "martin", "deny")
    assert deposit(martin).status_code == 303
    assert martin.get(martin.of_patient("/documents")).status_code == 403
    assert len(filed(world)) == 1


def test_a_file_above_the_limit_is_refused_and_a_form_without_a_file_stays_small(martin, monkeypatch):
    few = replace(limits.in_force(), body_bytes=200_000)
    monkeypatch.setattr(limits, "in_force", lambda: few)
    assert deposit(martin, ("a.pdf", PDF + b"x" * 100_000, "application/pdf")).status_code == 303
    assert deposit(martin, ("a.pdf", PDF + b"x" * 300_000, "application/pdf")).status_code == 413
    assert martin.send("/patients", number="1" * 100_000).status_code == 413


@pytest.mark.parametrize("path", ["/deposit", "/documents/00000000-0000-4000-8000-000000000009/announce"])
def test_forms_are_refused_without_token_by_a_foreign_origin_and_after_sign_out(world, martin, path):
    path, csrf = martin.of_patient(path), martin.csrf(martin.at("/patients"))
    assert martin.send(path, **(FILED | {"csrf": "x"})).status_code == 403
    assert martin.send(path, {"Origin": "https://elsewhere.example"}, **(FILED | {"csrf": csrf})).status_code == 403
    martin.web.post("/logout", data={"csrf": csrf}, base_url=SITE)
    assert martin.send(path, **(FILED | {"csrf": csrf})).status_code == 401
    assert filed(world) == []
