"""The line that each request leaves in the log: which software asked for what, and nothing about a person."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from fhir_server import telemetry
from tests.world import INS, World

NUMBER = "284039999900148"
FIELDS = {
    "timestamp", "level", "event", "request_id", "client_id", "method", "route", "status", "duration_ms", "category",
}  # fmt: skip
"""Fields that docs/operations.md explains."""


@pytest.fixture
def lines(monkeypatch, capsys):
    """Return what reads the lines that requests have left since the last time."""
    monkeypatch.setattr(telemetry, "_log", telemetry.structlog.get_logger("habilis"))
    telemetry.configure("INFO")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    telemetry.configure("ERROR")


def test_a_line_names_the_software_and_the_route(shared_world, lines):
    shared_world.get("nour", f"/DocumentReference/{'0' * 8}-5b1c-4b1c-8b1c-0123456789ab", X_Request_Id="mine")
    (line,) = lines()
    assert {name: line[name] for name in ("request_id", "client_id", "method", "route", "status", "category")} == {
        "request_id": "mine",
        "client_id": "desk",
        "method": "GET",
        "route": "/fhir/DocumentReference/<id_>",
        "status": 404,
        "category": "not-found",
    }
    assert set(line) == FIELDS


def test_a_line_without_a_token_names_no_software(shared_world, lines):
    shared_world.web.get("/fhir/Patient/1?client_id=desk")
    (line,) = lines()
    assert set(line) == FIELDS - {"client_id"}


def test_a_request_for_a_token_names_registered_software_only(shared_world, lines):
    form = {"grant_type": "client_credentials", "client_id": f"stranger {NUMBER}"}
    shared_world.web.post("/oauth/token", data=form)
    (line,) = lines()
    assert (line["route"], "client_id" in line) == ("/oauth/token", False)


@pytest.mark.parametrize("path", ["/status", "/health/live", "/health/ready"])
def test_a_probe_that_succeeds_leaves_no_line(shared_world, lines, path):
    assert shared_world.web.get(path).status_code == 200
    assert lines() == []


def test_a_probe_that_fails_leaves_a_line(shared_world, lines):
    assert shared_world.web.post("/status").status_code == 405
    assert [line["status"] for line in lines()] == [405]


@pytest.mark.parametrize("sent", [NUMBER, f"ins-{NUMBER}", "2-84-03-99-999-001-48", "two words", "x" * 65])
def test_an_id_of_a_request_that_may_not_be_logged_is_replaced(shared_world, lines, sent):
    answer = shared_world.web.get("/", headers={"X-Request-Id": sent})
    (line,) = lines()
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["request_id"] != sent


def test_no_person_number_token_or_query_reaches_the_log(shared_world: World, lines):
    """Each value stands in each place that a client can write to."""
    token = shared_world.tokens["nour"]
    secrets = {
        "a number": NUMBER,
        "a name": "Camille",
        "an id": shared_world.ids["camille"],
        "a token": token,
        "a word": "psychiatrie",
    }
    for value in secrets.values():
        plain = quote(value, safe="")
        basic = b64encode(f"{value}:{value}".encode()).decode()
        for path in (
            f"/Patient?identifier={quote(INS)}%7C{plain}", f"/Patient/{plain}", f"/{plain}",
            f"/Patient/{plain}/$explain",
            f"/DocumentReference?patient={plain}", f"/DocumentReference?_id={plain}&{plain}={plain}",
        ):  # fmt: skip
            shared_world.get("nour", path)
        shared_world.send("nour", "POST", "/Consent", {"resourceType": "Consent", "id": value})
        shared_world.send(
            "nour", "POST", "/Patient/_search", f"family={plain}".encode(), "application/x-www-form-urlencoded"
        )
        shared_world.web.post("/oauth/token", data={"client_id": value, "code": value, "refresh_token": value})
        shared_world.web.post("/oauth/revoke", data={"token": value}, headers={"Authorization": f"Basic {basic}"})
        shared_world.web.get(f"/oauth/authorize?client_id={plain}&login_hint={plain}&launch={plain}")
        shared_world.web.post("/login", data={"username": value, "password": value})
        shared_world.web.get("/", headers={"User-Agent": plain, "Referer": plain, "Cookie": f"{plain}={plain}"})
    text = json.dumps(lines())
    assert text.count('"event": "request"') == len(secrets) * 13
    assert [what for what, value in secrets.items() if value in text] == []
