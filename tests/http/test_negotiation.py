"""Formats of answers and what stands beside them: RFC 9110, 8.7, 12.5.1 and 13.1; https://hl7.org/fhir/R4/http.html."""

import pytest

from tests.holds import holds
from tests.world import BASE, JSON_PATCH, World

JSON, XML = "application/fhir+json", "application/fhir+xml"
HAPI = f"{XML};q=1.0, {JSON};q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9"
PRACTITIONER = {"resourceType": "Practitioner", "name": [{"family": "Léger"}]}


@holds("RFC 9110")
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (HAPI, JSON),
        (f"{XML}, {JSON}", JSON),
        (f"{JSON};q=0.5, {XML}", XML),
        (f"{XML}, */*", XML),
        (f"{JSON};q=0, */*", XML),
        (f"{XML};q=0, application/*;q=0.1", JSON),
    ],
)
def test_the_format_that_is_most_welcome_is_sent_and_json_where_both_are(shared_world: World, accept, kind):
    assert shared_world.get("nour", "/metadata", Accept=accept).mimetype == kind


@pytest.mark.parametrize("accept", [f"{JSON};q=0", "*/*;q=0", f"{JSON};q=0, {XML};q=0", "image/png"])
def test_a_quality_of_zero_refuses_a_format(shared_world: World, accept):
    assert shared_world.get("nour", "/metadata", Accept=accept).status_code == 406


def test_a_known_statement_is_not_sent_again_whatever_the_client_has_of_it(shared_world: World):
    tag = shared_world.get("nour", "/metadata").headers["ETag"]
    for sent in ("*", tag, f'"other", {tag}'):
        assert shared_world.get("nour", "/metadata", If_None_Match=sent).status_code == 304


def test_a_resource_is_not_sent_to_who_wants_it_only_when_there_is_none(shared_world: World):
    path = f"/Practitioner/{shared_world.ids['nour']}"
    assert shared_world.get("nour", path, If_None_Match="*").status_code == 304


@holds("RFC 9110")
def test_an_answer_without_a_body_names_no_media_type(world: World):
    created = world.send("keeper", "POST", "/Practitioner", PRACTITIONER, Prefer="return=minimal")
    deleted = world.send("chu-ehr", "DELETE", f"/DocumentReference/{world.publish()}")
    known = world.get("nour", f"/Practitioner/{world.ids['nour']}", If_None_Match="*")
    preflight = world.send("nour", "OPTIONS", "/Patient")

    for answer, status in ((created, 201), (deleted, 204), (known, 304), (preflight, 204)):
        assert (answer.status_code, answer.data, answer.headers.get("Content-Type")) == (status, b"", None)


def test_a_change_says_where_the_version_is_that_it_answers(world: World):
    path = f"/Practitioner/{world.ids['nour']}"
    put = world.send("keeper", "PUT", path, PRACTITIONER | {"id": world.ids["nour"]})
    change = [{"op": "add", "path": "/active", "value": True}]
    patched = world.send("keeper", "PATCH", path, change, JSON_PATCH)

    assert put.headers["Content-Location"] == f"{BASE}{path}/_history/2"
    assert patched.headers["Content-Location"] == f"{BASE}{path}/_history/3"


@pytest.mark.parametrize(
    ("preferred", "status"),
    [
        ("handling=strict", 400),
        ('return=minimal; handling = "strict"', 400),
        ("mishandling=strict", 200),
        ("handling=strictly", 200),
    ],
)
def test_only_the_preference_for_strict_handling_refuses_an_unknown_parameter(shared_world: World, preferred, status):
    path = f"/DocumentReference?patient={shared_world.ids['camille']}&colour=blue"
    assert shared_world.get("camille", path, Prefer=preferred).status_code == status


@pytest.mark.parametrize("path", ["/fhirx", "/fhirx/Patient"])
def test_an_address_that_only_begins_like_the_endpoint_is_none_of_its_addresses(shared_world: World, path):
    other, endpoint = (shared_world.web.get(found) for found in (path, "/fhir/metadata"))
    assert other.status_code == 404
    assert other.mimetype == "text/html"
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Content-Security-Policy" in other.headers
    assert endpoint.headers["Access-Control-Allow-Origin"] == "*"
