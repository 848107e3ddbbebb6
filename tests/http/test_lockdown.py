"""While only emergencies are let through (K2, P10.5): everything else is one 503, and afterwards all is as before.

Source: docs/operations.md; RFC 9110 10.2.3 (Retry-After).
"""

import json
import sqlite3
from contextlib import closing

import pytest

from consent_rules.vocabulary import Capacity, Purpose
from fhir_server.application.core import lockdown
from fhir_server.application.identity.clients import Client, ClientKind
from tests.holds import holds
from tests.http.spaces import UNKNOWN, call, reason, search, told
from tests.http.test_reviews import staff
from tests.world import JSON_PATCH, World

BTG, ETREAT = Purpose.BREAK_GLASS, Purpose.EMERGENCY
PUBLISHED = ("CapabilityStatement", "OperationDefinition", "CodeSystem", "ValueSet", "StructureDefinition", "Basic")
OPEN = {
    "/fhir/metadata",
    "/fhir/.well-known/smart-configuration",
    *(f"/fhir/{name}{rest}" for name in PUBLISHED for rest in ("", "/<id_>", "/_search")),
    *(f"/fhir/ValueSet{place}/${name}" for place in ("", "/<id_>") for name in ("expand", "validate-code")),
    *(f"/fhir/CodeSystem{place}/${name}" for place in ("", "/<id_>") for name in ("lookup", "validate-code")),
}
"""What needs no token and comes from the code alone (ADR 114): written out, so that nothing opens by a flag."""
NOBODY = ("nour", "camille", "chu-ehr", "keeper", "martin")


@pytest.fixture
def ward(world: World) -> World:
    world.professional("awa", "10", "chu")
    world.professional("roux", "10", "other")
    world.in_mode("awa-btg", "awa", ("10", "chu", Capacity.NONE), BTG)
    world.in_mode("roux-samu", "roux", ("10", "other", Capacity.NONE), ETREAT)
    world.ids["document"] = world.publish()
    assert world.agree("camille", "nour").status_code == 201
    return world


def stop(world):
    return lockdown.switch_on(world.runtime, "eve@desk", "release 42 shows too much")


def go_on(world):
    return lockdown.switch_off(world.runtime, "eve@desk")


def spoken(answer):
    """Return all of an answer but what names the request."""
    return (
        answer.status_code,
        answer.data,
        sorted((n, v) for n, v in answer.headers if n not in {"X-Request-Id", "Date"}),
    )


@holds("RFC 9110")
def test_it_is_said_plainly_and_when_to_come_back(ward):
    stop(ward)
    answer = search(ward, "nour")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
    issue = answer.get_json()["issue"][0]
    assert (issue["code"], issue["details"]["coding"][0]["code"]) == ("transient", "emergencies-only")
    assert "only emergencies are served now" in issue["details"]["text"]
    assert "42" not in answer.get_data(as_text=True)
    assert "eve@" not in answer.get_data(as_text=True)


@holds("K2")
def test_every_route_of_the_endpoint_is_stopped(ward):
    """One that forgot to ask who calls would answer something else."""
    stop(ward)
    routes = [rule for rule in ward.web.application.url_map.iter_rules() if rule.rule.startswith("/fhir")]
    assert len(routes) > 60
    parts = {"<id_>": UNKNOWN, "<version>": "1", "<job>": UNKNOWN, "<int:number>": "1"}
    for rule in routes:
        if rule.rule in OPEN:
            continue
        path = rule.rule.removeprefix("/fhir")
        for name, value in parts.items():
            path = path.replace(name, value)
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            for who in NOBODY:
                answer = ward.send(who, method, path, None if method in {"GET", "DELETE"} else {})
                assert answer.status_code == 503, (method, path, who)
                assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "emergencies-only"


def test_what_needs_no_token_is_served_as_ever(ward):
    paths = ["/fhir/metadata", "/fhir/.well-known/smart-configuration", "/.well-known/smart-configuration", "/api"]
    paths += [f"/fhir/{name}{rest}" for name in PUBLISHED for rest in ("?_count=200", f"/{UNKNOWN}")]
    paths += ["/fhir/CodeSystem/$lookup?system=http://loinc.org&code=11502-2"]
    paths += ["/fhir/OperationDefinition/Patient-match"]
    before = [spoken(ward.web.get(path)) for path in paths]
    stop(ward)
    assert [spoken(ward.web.get(path)) for path in paths] == before


def test_who_has_no_token_is_still_told_so(ward):
    stop(ward)
    assert ward.web.get(f"/fhir/Patient/{UNKNOWN}").status_code == 401


def test_a_batch_is_refused_whole(ward):
    stop(ward)
    entry = {"request": {"method": "GET", "url": f"Patient/{ward.ids['camille']}"}}
    answer = ward.send("nour", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert answer.status_code == 503


@holds("K2")
@pytest.mark.parametrize(
    ("who", "operation", "why"), [("awa-btg", "break-glass", "P6.3"), ("roux-samu", "regulation-access", "P6.1")]
)
def test_both_modes_are_opened_and_read(ward, who, operation, why):
    """P10.5: from finding the patient to the content."""
    stop(ward)
    found = ward.get(who, "/Patient?identifier=urn:oid:1.2.250.1.213.1.4.10|284039999900148").get_json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [ward.ids["camille"]]
    told(call(ward, who, operation, body=reason(why)))
    assert ward.found(who, f"/DocumentReference?patient={ward.ids['camille']}") == [ward.ids["document"]]
    document = ward.get(who, f"/DocumentReference/{ward.ids['document']}").get_json()
    path = document["content"][0]["attachment"]["url"].split("/fhir")[1]
    assert ward.get(who, path, Accept="text/plain").status_code == 200


def test_an_emergency_is_opened_and_read_in_one_batch(ward):
    """Entries are decided as alone: the access has its trace and its review, and nobody else's batch is let in."""
    stop(ward)
    patient = ward.ids["camille"]
    opening = {
        "request": {"method": "POST", "url": f"Patient/{patient}/$break-glass"},
        "resource": reason("unconscious, found at home"),
    }
    reading = {"request": {"method": "GET", "url": f"DocumentReference/{ward.ids['document']}"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [reading, opening, reading]}
    answer = ward.send("awa-btg", "POST", "", bundle)
    before, opened, read = answer.get_json()["entry"]
    assert [one["response"]["status"][:3] for one in (before, opened, read)] == ["404", "200", "200"]
    assert read["resource"]["id"] == ward.ids["document"]
    assert ward.send("nour", "POST", "", bundle).status_code == 503
    go_on(ward)
    staff(ward, "dana")
    queue = ward.get("dana", "/Consent/$review-queue").get_data(as_text=True)
    consent = next(p for p in opened["resource"]["parameter"] if p["name"] == "consent")
    assert consent["valueReference"]["reference"] in queue
    events = ward.get("camille", f"/AuditEvent?patient={patient}&agent=Practitioner/{ward.ids['awa']}&_summary=count")
    assert events.get_json()["total"] == 3


def test_software_that_states_an_emergency_by_itself_is_none(ward):
    """K2: the purpose of a grant to software is what the software says."""
    organization = f"Organization/{ward.ids['chu']}"
    client = Client(id="sly", name="sly", kind=ClientKind.REGULATION, scopes="system/*.rs", organization=organization)
    ward.tokens["sly"] = ward.mint(client=client, scopes="system/*.rs", purpose=ETREAT)
    assert search(ward, "sly").status_code == 200
    stop(ward)
    assert search(ward, "sly").status_code == 503


def test_a_refusal_is_traced_in_the_space_that_the_request_names(ward):
    stop(ward)
    sent = {"X_Request_Id": "stopped-1"}
    assert ward.get("nour", f"/DocumentReference?patient=Patient/{ward.ids['camille']}", **sent).status_code == 503
    go_on(ward)
    found = ward.get("camille", f"/AuditEvent?patient={ward.ids['camille']}").get_json()["entry"]
    event = next(e["resource"] for e in found if "stopped-1" in json.dumps(e))
    assert (event["outcome"], event["outcomeDesc"]) == ("4", "emergencies-only")
    assert {"type": "rules", "valueString": "K2"} in event["entity"][0]["detail"]


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("nour", "GET", f"/DocumentReference/{UNKNOWN}"),
        ("nour", "GET", f"/DocumentReference/{UNKNOWN}/_history"),
        ("nour", "GET", f"/DocumentReference/{UNKNOWN}/_history/1"),
        ("nour", "GET", f"/DocumentReference?patient={UNKNOWN}"),
        ("nour", "POST", "/DocumentReference/_search"),
        ("nour", "GET", "/Organization"),
        ("chu-ehr", "POST", ""),
        ("chu-ehr", "POST", "/DocumentReference"),
        ("camille", "PUT", f"/Consent/{UNKNOWN}"),
        ("camille", "PATCH", f"/DocumentReference/{UNKNOWN}"),
        ("camille", "DELETE", f"/DocumentReference/{UNKNOWN}"),
        ("nour", "POST", f"/Patient/{UNKNOWN}/$explain"),
        ("keeper", "POST", "/Patient/$announce-space"),
    ],
)
def test_each_refusal_leaves_one_trace(ward, settings, who, method, path):
    stop(ward)
    before = _traces(settings)
    assert ward.send(who, method, path, None if method in {"GET", "DELETE"} else {}).status_code == 503
    assert _traces(settings) == before + 1


def test_turning_it_on_and_off_is_traced_with_who_and_why(ward, settings):
    before = _traces(settings)
    stop(ward)
    assert _traces(settings) == before + 1
    stop(ward)
    assert _traces(settings) == before + 1, "it was on already"
    go_on(ward)
    go_on(ward)
    assert _traces(settings) == before + 2


def test_a_stop_needs_a_reason_and_stays_as_it_was_first_said(ward):
    with pytest.raises(ValueError, match="say why"):
        lockdown.switch_on(ward.runtime, "eve", " ")
    assert lockdown.find(ward.runtime) is None
    first = stop(ward)
    assert lockdown.switch_on(ward.runtime, "bob", "another") == first
    assert lockdown.find(ward.runtime) == first
    assert (go_on(ward), go_on(ward)) == (first, None)


def test_afterwards_every_answer_is_the_one_of_before(ward, settings):
    """P10.5: no consent and no mark is lost."""
    assert ward.hide(ward.publish()).status_code == 200
    patient = ward.ids["camille"]
    asked = [(who, f"/{what}?patient={patient}") for who in NOBODY for what in ("DocumentReference", "Consent")]
    before = [spoken(ward.get(*each)) for each in asked]
    rows = ward.dump(settings.data_dir)
    stop(ward)
    ward.send("camille", "PATCH", f"/DocumentReference/{ward.ids['document']}", [], JSON_PATCH)
    ward.agree("camille", "nour", "deny")
    assert {spoken(ward.get(*each))[0] for each in asked} == {503}
    go_on(ward)
    assert ward.dump(settings.data_dir) == rows
    assert [spoken(ward.get(*each)) for each in asked] == before


def _traces(settings):
    with closing(sqlite3.connect(settings.data_dir / "habilis.sqlite3")) as connection:
        return connection.execute("SELECT count(*) FROM trail").fetchone()[0]


class TestTheStatusPage:
    """`/status`: for anybody, without a token; it names nobody and gives no reason."""

    def status(self, world, accept="*/*"):
        return world.web.get("/status", headers={"Accept": accept})

    def test_for_programs(self, world):
        done = {"worker": {"dead_letters": False, "lag_seconds": 0}}
        assert self.status(world).get_json() == {"status": "serving"} | done
        stop(world)
        answer = self.status(world)
        assert answer.get_json() == {"status": "emergencies-only", "since": "2026-03-02T09:00:00+00:00"} | done
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        go_on(world)
        assert self.status(world).get_json() == {"status": "serving"} | done

    @pytest.mark.parametrize(
        ("language", "words", "since"),
        [
            ("fr", "Seules les urgences sont servies", "2 mars 2026, 10:00 (Europe/Paris)"),
            ("en", "Only emergencies", "2 March 2026, 10:00 (Europe/Paris)"),
        ],
    )
    def test_for_people(self, world, language, words, since):
        stop(world)
        answer = world.web.get("/status", headers={"Accept": "text/html", "Accept-Language": language})
        page = answer.get_data(as_text=True)
        assert words in page
        assert since in page
        assert not [secret for secret in ("release", "42", "eve@") if secret in page]

    def test_a_store_that_cannot_be_read_is_said(self, world):
        world.runtime.ports.store.close()
        for accept in ("application/json", "text/html"):
            answer = self.status(world, accept)
            assert answer.status_code == 503
        assert self.status(world, "application/json").get_json() == {"status": "unavailable"}
