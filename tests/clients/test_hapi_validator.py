"""HAPI's validator finds no error in what the server emits on a day at which every door is used.

It judges by R4 4.0.1 and by the profiles of IHE (MHD, BALP, PCF) and ANS (PDSm) that a resource claims. The compiled
guides are kept beside the repository; without them the test judges by R4 alone, and says so.
"""

import json
import subprocess
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder, TestResponse

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from tests.adversarial.asked import asked
from tests.adversarial.two_worlds import Ticking
from tests.audit_profiles import FOLDER
from tests.clients.emitted import Emitted
from tests.clients.maven import installed
from tests.factories import settings_in
from tests.http import exports
from tests.http.spaces import UNKNOWN
from tests.http.test_audit_profiles import live_a_day
from tests.http.test_reviews import break_glass, of_people, review
from tests.live import free_port, serving
from tests.world import JSON_PATCH, World

HERE = Path(__file__).parent / "hapi_validator"
GUIDES = ("mhd", "balp", "pcf", "pdsm")
NO_FAULT_OF_OURS = {"ERROR_GENERATING_SNAPSHOT"}
"""The validator cannot make the snapshot of any constraint on Extension without the packages of the core."""
OF_HISTORIES = {"Bundle_BUNDLE_MultipleMatches", "Reference_REF_CantMatchChoice"}
"""The versions of a resource have one fullUrl in a history (R4, bdl-7), to which the validator resolves no reference.

Each version is judged alone besides.
"""
READERS = ("camille", "nour", "martin", "zoe", "chu-ehr", "keeper", "dana")


@pytest.fixture(scope="session")
def library() -> str:
    """Install the validator; return the class path."""
    return installed(HERE / "pom.xml")


class OverTheWire:
    """A client of the tests that asks a server on a port, and lets somebody hear every answer."""

    def __init__(self, base: str, emitted: Emitted) -> None:
        self.place, self.emitted = base.partition("//")[2], emitted

    def open(self, path: str, data=None, content_type=None, headers=None, method="GET") -> TestResponse:
        """Send a request; the parameters are those of the tests' client."""
        sent = dict(headers or {}) | ({"Content-Type": content_type} if content_type else {})
        connection = HTTPConnection(self.place, timeout=60)
        try:
            connection.request(method, path, data, sent)
            got = connection.getresponse()
            asked_for = EnvironBuilder(path=path, method=method).get_request()
            answer = TestResponse([got.read()], f"{got.status} {got.reason}", got.getheaders(), asked_for)
        finally:
            connection.close()
        self.emitted.hear(answer)
        return answer


@pytest.fixture(scope="module")
def emitted(tmp_path_factory) -> Emitted:
    """What a server on a port emits on a day at which everybody uses every door."""
    base, found = f"http://localhost:{free_port()}", Emitted()
    settings = settings_in(tmp_path_factory.mktemp("day"), base)
    opening.create_keys(settings.key_file)
    runtime = build_runtime(settings)
    runtime = replace(runtime, ports=replace(runtime.ports, clock=Ticking()))
    app = create_app(settings, runtime)
    world = World(runtime, OverTheWire(base, found))
    try:
        with serving(app, base):
            _live(world)
    finally:
        world.runtime.ports.store.close()
    return found


def _live(world: World) -> None:
    world.open()
    of_people(world)
    live_a_day(world)
    assert review(world, break_glass(world)).status_code == 200
    _name_what_is_asked(world)
    for who in READERS:
        for path in _paths(world):
            assert world.get(who, path).status_code < 500, path
    _write(world)
    _fail(world)
    _export(world)


def _name_what_is_asked(world: World) -> None:
    camille = f"patient={world.ids['camille']}"
    world.ids |= {"plain": world.publish(), "other": world.publish(), "unknown": UNKNOWN, "space": world.ids["camille"]}
    of_plain = f"DocumentReference/{world.ids['plain']}"
    world.ids["lot"] = world.ids["secret_lot"] = world.found("camille", f"/List?item={of_plain}&{camille}")[0]
    world.ids["record"] = world.found("camille", f"/Provenance?target={of_plain}&{camille}")[0]
    shown = world.get("camille", f"/{of_plain}").get_json()
    world.ids["content"] = shown["content"][0]["attachment"]["url"].rpartition("/")[2]


def _paths(world: World) -> list[str]:
    """Return what all doors are asked in the two worlds, and what needs no patient."""
    given = world.ids | {"since": "2026-01-01T00:00:00Z"}
    paths = [*asked("OPEN"), *(path for _, path in asked("TOLD"))]
    paths += [path % name for door, name in (("BY_ID", "plain"), ("BY_LOT", "lot"), ("BY_RECORD", "record"))
              for path in asked(door)]  # fmt: skip
    paths += [
        "/metadata",
        "/metadata?mode=terminology",
        "/Practitioner",
        "/PractitionerRole?_include=*",
        "/Organization",
    ]
    paths += [
        f"/{name}?_count=200" for name in ("CapabilityStatement", "OperationDefinition", "CodeSystem", "ValueSet")
    ]
    paths += ["/StructureDefinition", "/CodeSystem/$lookup?system=http://loinc.org&code=11502-2"]
    paths += ["/ValueSet/document-kinds/$expand", "/AuditEvent?date=ge2026-03-01&date=lt2026-03-20"]
    paths += ["/Patient?identifier=urn:oid:1.2.250.1.213.1.4.10|284039999900148", "/Patient/{space}/$space-status"]
    return [path.format(**given) for path in paths]


def _write(world: World) -> None:
    """Write in bundles and alone, in every way that answers a body."""
    practitioner = {"resourceType": "Practitioner", "name": [{"family": "Roy"}]}
    entries = [
        {"fullUrl": "urn:uuid:6a9b0c1e-3f6a-4a5e-9f3f-9a3a6f9d0001", "resource": practitioner,
         "request": {"method": "POST", "url": "Practitioner"}},
        {"request": {"method": "GET", "url": f"Practitioner/{world.ids['nour']}"}},
        {"request": {"method": "GET", "url": f"DocumentReference/{UNKNOWN}"}},
        {"request": {"method": "HEAD", "url": "metadata"}},
    ]  # fmt: skip
    for kind in ("batch", "transaction", "collection"):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": entries if kind != "transaction" else entries[:2]}
        for prefer in ("return=minimal", "return=representation", "return=OperationOutcome"):
            world.send("keeper", "POST", "", bundle, Prefer=prefer)
            world.send("keeper", "POST", "/Practitioner", practitioner, Prefer=prefer)
    traits = {"resourceType": "Patient", "name": [{"family": "Camille"}], "birthDate": "1984-03-17", "gender": "female"}
    asks = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": traits}]}
    for who in READERS:
        world.send(who, "POST", "/Patient/$match", asks)
        world.send(who, "POST", "/Patient/$validate", traits)
        world.send(who, "POST", "/Patient/$validate", traits | {"birthDate": "soon", "name": []})
    for number in range(3):
        world.hide(world.ids["other"], mark=("MASQUE_PS", "INVISIBLE_PATIENT", "NONSENSE")[number])
    for end in ("", "?_summary=true", "?_summary=text", "?_summary=data", "?_elements=status,date"):
        world.get("camille", f"/DocumentReference/{world.ids['plain']}{end}")
    patch = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
    world.send("chu-ehr", "PATCH", f"/DocumentReference/{world.ids['other']}", patch, JSON_PATCH)


def _fail(world: World) -> None:
    """Let each refusal be told that one person alone can cause."""
    document = f"/DocumentReference/{world.ids['plain']}"
    world.tokens["nobody"] = "garbage"
    world.get("nobody", document)
    world.get("camille", document, Accept="image/png")
    world.get("camille", document, If_None_Match='W/"1"')
    world.send("camille", "PUT", document, {"resourceType": "DocumentReference"})
    world.send("camille", "POST", "/Consent", b"{", "application/fhir+json")
    world.send("camille", "POST", "/Consent", b"x", "image/png")
    world.send("camille", "POST", "/Consent", {"resourceType": "Consent", "status": "no"})
    world.send("camille", "DELETE", document)
    nour = {"resourceType": "Practitioner", "id": world.ids["nour"], "name": [{"family": "Nour"}]}
    world.send("keeper", "PUT", f"/Practitioner/{nour['id']}", nour, If_Match='W/"9"')
    world.get("camille", f"/DocumentReference/{world.ids['other']}")
    world.get("camille", "/Observation")
    world.get("camille", "/DocumentReference?colour=blue", Prefer="handling=strict")
    world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&colour=blue")
    world.get("camille", f"/DocumentReference?patient={world.ids['camille']}&_text=x")


def _export(world: World) -> None:
    """Fetch every file of a patient's and of an establishment's export."""
    for who, path in (("camille", "/Patient/$export"), ("chu-ehr", "/$export"), ("keeper", "/$export")):
        place = exports.planned(world, who, path)
        for urls in exports.files(world, who, place).values():
            for url in urls:
                assert world.get(who, url).status_code == 200


def test_the_day_is_a_whole_one(emitted):
    """What is not emitted is not judged."""
    kinds = emitted.kinds()
    assert {status for status, _ in kinds} >= {200, 201, 400, 401, 403, 404, 405, 406, 410, 412, 415, 422}
    assert {type_ for _, type_ in kinds} >= {
        "AuditEvent", "Bundle", "CapabilityStatement", "Communication", "Consent", "DocumentReference", "List",
        "OperationOutcome", "Parameters", "Patient", "Practitioner", "Provenance",
        "ValueSet",
    }  # fmt: skip
    bundles = {body.resource["type"] for body in emitted.bodies if body.resource["resourceType"] == "Bundle"}
    assert bundles >= {"searchset", "history", "batch-response", "transaction-response", "document"}


def test_every_narrative_of_the_server_names_its_language(emitted):
    texts = [json.dumps(body.resource, ensure_ascii=False) for body in emitted.bodies]
    assert sum(text.count("<div xmlns") for text in texts) > 10
    assert sum(text.count("<div xmlns") - text.count(' xml:lang=\\"') for text in texts) == 0


@pytest.mark.maven
@pytest.mark.live
def test_the_validator_finds_no_error(emitted, library, tmp_path):
    guides = [str(FOLDER / guide) for guide in GUIDES if (FOLDER / guide).is_dir()]
    found = [line.split("\t") for line in judged(emitted, library, tmp_path / "emitted.ndjson", guides)]
    errors = [
        f"{body.asked}: {place}: {text}"
        for number, severity, place, id_, text in found
        if severity in ("error", "fatal")
        and (body := emitted.bodies[int(number)])
        and id_ not in NO_FAULT_OF_OURS | (OF_HISTORIES if body.resource.get("type") == "history" else set())
    ]
    assert errors == []
    if len(guides) < len(GUIDES):
        pytest.skip(f"judged by R4 alone: {FOLDER} has not all of {', '.join(GUIDES)}")


@pytest.mark.maven
@pytest.mark.live
def test_the_validator_finds_what_is_wrong(library, tmp_path):
    """The control: without it a validator that judges nothing would pass."""
    emitted = Emitted()
    for wrong in ({"resourceType": "Patient", "name": []}, {"resourceType": "AuditEvent"}):
        given = EnvironBuilder(path="/fhir/Patient").get_request()
        emitted.hear(
            TestResponse([json.dumps(wrong).encode()], "200 OK", [("Content-Type", "application/fhir+json")], given)
        )
    errors = [line for line in judged(emitted, library, tmp_path / "wrong.ndjson", []) if "\terror\t" in line]
    assert {line.partition("\t")[0] for line in errors} == {"0", "1"}


def judged(emitted: Emitted, library: str, file: Path, guides: list[str]) -> list[str]:
    """Let the validator judge all bodies in a process of its own; return its messages."""
    emitted.write(file)
    command = ["java", "-Xmx1500m", "-cp", library, str(HERE / "ValidateEmitted.java"), str(file), *guides]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    *messages, last = ran.stdout.splitlines() or [""]
    assert (ran.returncode, last) == (0, f"judged {len(emitted.bodies)}"), ran.stderr[-3000:]
    return messages
