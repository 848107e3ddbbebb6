"""Headers of requests and answers, and what is not offered: R4 http.html#general and #custom; RFC 9110 and 7240."""

import gzip
import json

import pytest

from tests.holds import holds
from tests.world import BASE, JSON_PATCH, World

PRACTITIONER = {"resourceType": "Practitioner", "active": True}


def test_options_says_which_methods_an_address_takes(shared_world: World):
    allowed = {
        path: shared_world.send("nour", "OPTIONS", path).headers.get("Allow")
        for path in ("/Patient", "/DocumentReference/x", "/Patient/x/_history", "/metadata", "/nothing/of/this")
    }
    assert allowed == {
        "/Patient": "GET, HEAD, OPTIONS, PATCH, POST, PUT",
        "/DocumentReference/x": "DELETE, GET, HEAD, OPTIONS, PATCH",
        "/Patient/x/_history": "GET, HEAD, OPTIONS",
        "/metadata": "GET, HEAD, OPTIONS",
        "/nothing/of/this": None,
    }


def test_a_preflight_of_a_browser_is_answered_as_before(shared_world: World):
    answer = shared_world.web.options("/fhir/Patient", headers={"Origin": "https://app.example"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Correlation-Id" in answer.headers["Access-Control-Expose-Headers"]


@holds("REST-36")
@pytest.mark.parametrize(
    ("sent", "named", "correlated"),
    [
        ({"X-Request-Id": "abc-1"}, "abc-1", None),
        ({"X-Request-Id": "abc-1", "X-Correlation-Id": "mine"}, "abc-1", "mine"),
        ({"X-Request-Id": "a/b:c"}, None, "a/b:c"),
        ({"X-Request-Id": "x" * 201}, None, None),
        ({"X-Request-Id": "284039999900148"}, None, None),
        ({"X-Correlation-Id": "284039999900148"}, None, None),
        ({"X-Correlation-Id": "mine"}, None, "mine"),
        ({}, None, None),
    ],
)
def test_the_own_name_of_a_request_comes_back(shared_world: World, sent, named, correlated):
    answer = shared_world.web.get("/fhir/metadata", headers=sent)
    assert answer.headers.get("X-Correlation-Id") == correlated
    assert named is None or answer.headers["X-Request-Id"] == named


def test_an_update_that_may_only_create_replaces_nothing(world: World):
    path = f"/Practitioner/{world.ids['nour']}"
    before = world.get("nour", path).data
    direct = world.send("keeper", "PUT", path, PRACTITIONER | {"id": world.ids["nour"]}, If_None_Match="*")
    by_criteria = "/Practitioner?identifier=urn:x|1"
    numbered = PRACTITIONER | {"identifier": [{"system": "urn:x", "value": "1"}]}
    made = world.send("keeper", "PUT", by_criteria, numbered, If_None_Match="*")
    again = world.send("keeper", "PUT", by_criteria, numbered, If_None_Match="*")

    assert (direct.status_code, made.status_code, again.status_code) == (412, 201, 412)
    assert world.get("nour", path).data == before
    assert (
        world.get("nour", made.headers["Location"].removeprefix(BASE).partition("/_history")[0]).headers["ETag"]
        == 'W/"1"'
    )


def test_who_may_not_write_learns_nothing_by_asking_to_create_only(world: World):
    document = {"resourceType": "Consent"} | world.consent("martin")
    consent = world.agree("camille", "martin").get_json()["id"]
    answers = [
        world.send("zoe", "PUT", f"/Consent/{id_}", document | {"id": id_}, If_None_Match="*")
        for id_ in (consent, "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e")
    ]
    assert {one.status_code for one in answers} == {404}
    assert answers[0].data == answers[1].data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/Patient/_search", "/AuditEvent/_history"])
def test_the_word_of_an_interaction_is_no_id(shared_world: World, method, path):
    answer = shared_world.send("camille", method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == ("OPTIONS, POST" if path.endswith("_search") else "")


def test_the_endpoint_is_searched_with_and_without_a_final_slash(shared_world: World):
    query = f"?_type=DocumentReference&patient={shared_world.ids['camille']}"
    first, second = (shared_world.get("camille", f"{path}{query}") for path in ("", "/"))
    assert (first.status_code, first.data) == (200, second.data)


def test_work_beside_the_request_is_preferred_in_vain_where_nothing_offers_it(shared_world: World):
    path = f"/DocumentReference?patient={shared_world.ids['camille']}"
    answer = shared_world.get("camille", path, Prefer="respond-async")
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers


def test_an_answer_is_compressed_for_who_takes_it(shared_world: World):
    plain = shared_world.get("nour", "/metadata")
    packed = shared_world.get("nour", "/metadata", Accept_Encoding="gzip, deflate")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 3
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert packed.headers["ETag"] == plain.headers["ETag"]
    for refused in ("identity", "gzip;q=0", "gzip;q=0.1, identity", "br", ""):
        assert "Content-Encoding" not in shared_world.get("nour", "/metadata", Accept_Encoding=refused).headers
    small = shared_world.get("nour", "/Practitioner/x", Accept_Encoding="gzip")
    assert (small.status_code, "Content-Encoding" in small.headers) == (404, False)


def test_the_size_of_a_compressed_answer_varies_from_one_to_the_next(shared_world: World):
    sizes = {len(shared_world.get("nour", "/metadata", Accept_Encoding="gzip").data) for _ in range(12)}
    assert len(sizes) > 1


def test_no_page_and_no_content_is_compressed(world: World):
    assert "Content-Encoding" not in world.web.get("/", headers={"Accept-Encoding": "gzip"}).headers
    document = world.publish(content=b"x" * 4096)
    content = world.get("camille", f"/DocumentReference/{document}").get_json()["content"][0]["attachment"]["url"]
    answer = world.get("camille", content.removeprefix(BASE), Accept="text/plain", Accept_Encoding="gzip")
    assert (answer.data, answer.headers.get("Content-Encoding")) == (b"x" * 4096, None)


def test_entries_of_a_bundle_are_not_compressed_inside_it(shared_world: World):
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "metadata"}}]}
    answer = shared_world.send("nour", "POST", "", bundle, Accept_Encoding="gzip")
    told = json.loads(gzip.decompress(answer.data))
    assert told["entry"][0]["resource"]["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize(
    ("body", "mime"),
    [
        ([], JSON_PATCH),
        ({"resourceType": "Parameters"}, "application/fhir+json"),
        (b"<diff/>", "application/xml-patch+xml"),
    ],
)
def test_a_patch_without_operations_changes_nothing_in_any_format(world: World, body, mime):
    path = f"/Practitioner/{world.ids['nour']}"
    before = world.get("nour", path).get_json()
    answer = world.send("keeper", "PATCH", path, body, mime)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.get_json() | {"meta": {}} == before | {"meta": {}}


def test_a_304_says_how_answers_vary(shared_world: World):
    answer = shared_world.get("nour", f"/Practitioner/{shared_world.ids['nour']}", If_None_Match="*")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (304, "no-store")
    assert "Accept" in answer.headers["Vary"]
