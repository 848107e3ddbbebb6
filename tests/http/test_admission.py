"""The front of the application takes a body in whole and within limits, or refuses it in the dialect of the address."""

import gzip
import json

import pytest

from tests.world import FHIR_JSON

MIB = 1024 * 1024

FORM = "application/x-www-form-urlencoded"
CONSENT = json.dumps({"resourceType": "Consent"}).encode()
ADDRESSES = ["/fhir/DocumentReference/_search", "/oauth/token"]


def said(answer) -> str:
    """Return the code of an OperationOutcome or of an OAuth error."""
    told = answer.get_json()
    return told["issue"][0]["code"] if "issue" in told else told["error"]


# --- size ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2 * MIB, 65 * MIB])
@pytest.mark.parametrize("path", ADDRESSES)
def test_a_form_that_is_too_large_is_refused_without_a_token_in_the_dialect_of_the_address(shared_world, path, size):
    answer = shared_world.web.post(path, data=b"a=" + b"a" * size, content_type=FORM)
    assert answer.status_code in (400, 401, 413), answer.get_data(as_text=True)
    assert answer.is_json


@pytest.mark.parametrize("who", ["camille", "nobody"])
def test_a_body_above_the_limit_is_refused_with_413(shared_world, who):
    shared_world.tokens.setdefault("nobody", "none")
    answer = shared_world.send(who, "POST", "/Consent", b" " * (25 * MIB))
    assert (answer.status_code, said(answer)) == (413, "too-long")


# --- compressed bodies ---------------------------------------------------------------------------------------------


def test_a_body_in_gzip_is_read_like_the_plain_one(shared_world):
    world = shared_world
    answers = [
        world.send("camille", "POST", "/Consent", CONSENT),
        world.send("camille", "POST", "/Consent", gzip.compress(CONSENT), Content_Encoding="gzip"),
    ]
    assert answers[0].status_code == 400
    assert answers[0].get_data() == answers[1].get_data()


def test_a_document_in_gzip_is_filed(world):
    body = gzip.compress(json.dumps(world.bundle()).encode())
    answer = world.send("chu-ehr", "POST", "", body, FHIR_JSON, Content_Encoding="gzip")
    assert answer.status_code == 200, answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b" " * (25 * MIB)), 413),
        (b"no gzip", 400),
        (gzip.compress(CONSENT)[:-4], 400),
        (gzip.compress(CONSENT) + b"more", 400),
    ],
    ids=["too large", "no gzip", "cut off", "more behind it"],
)
def test_a_body_in_gzip_is_held_to_its_size_after_decoding(shared_world, body, status):
    answer = shared_world.send("camille", "POST", "/Consent", body, Content_Encoding="gzip")
    assert answer.status_code == status
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_another_coding_is_refused_by_saying_which_one_is_read(shared_world):
    answer = shared_world.send("camille", "POST", "/Consent", CONSENT, Content_Encoding="br")
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip")
    assert said(answer) == "not-supported"


# --- head ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/fhir/metadata", "/oauth/jwks"])
def test_a_url_that_is_too_long_is_refused_with_414(shared_world, path):
    answer = shared_world.web.get(path, query_string="a" * 40_000)
    assert answer.status_code == 414
    assert said(answer) in ("too-long", "invalid_request")


@pytest.mark.parametrize("path", ["/fhir/metadata", "/oauth/jwks"])
def test_headers_that_are_too_large_are_refused_with_431(shared_world, path):
    answer = shared_world.web.get(path, headers={"X-Much": "a" * 70_000})
    assert answer.status_code == 431
    assert said(answer) in ("too-long", "invalid_request")
