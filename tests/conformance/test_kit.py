"""`habilis conformance`: this server does what each requirement says, and a server that does not is found out."""

import gzip
import json
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import fromstring

import pytest
from werkzeug.wrappers import Request, Response

from fhir_server.adapters import opening
from fhir_server.app import create_app
from fhir_server.cli import main
from fhir_server.conformance import exchange
from fhir_server.conformance.requirement import Need, Target
from fhir_server.conformance.running import Verdict, ask, requirements, run
from tests.factories import settings_in
from tests.http.test_reviews import staff
from tests.live import free_port, serving
from tests.world import World

EVERY = {wanted.name: wanted for wanted in requirements()}


class Altered:
    """The application, with its answers altered on the way out."""

    def __init__(self, app) -> None:
        self.app = app
        self.alter: Callable[[Request, Response], None] | None = None

    def __call__(self, environ, start_response):
        asked = Request(environ)
        answer = Response.from_app(self.app, environ, buffered=True)
        if self.alter:
            self.alter(asked, answer)
        return answer(environ, start_response)


@pytest.fixture(scope="module")
def tested(tmp_path_factory) -> Iterator[tuple[Altered, Target]]:
    """Serve a world with a patient who has three documents; return the application and what a tester gives."""
    base = f"http://localhost:{free_port()}"
    settings = settings_in(tmp_path_factory.mktemp("kit"), base)
    opening.create_keys(settings.key_file)
    app = create_app(settings)
    world = World(app.extensions["habilis.runtime"], app.test_client()).open()
    for _ in range(3):
        world.publish()
    staff(world, "dana")
    who = {Need.READER: "camille", Need.PUBLISHER: "chu-ehr", Need.AUDITOR: "dana"}
    tokens = {need: world.tokens[name] for need, name in who.items()}
    altered = Altered(app)
    with serving(altered, base):
        yield altered, Target(f"{base}/fhir", world.ids["camille"], tokens, world.bundle())
    world.runtime.ports.store.close()


def test_this_server_does_what_every_requirement_says(tested):
    results = list(run(tested[1]))
    assert len(results) == len(EVERY) > 50
    assert [result for result in results if result.verdict is not Verdict.PASSED] == []


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_requirement_says_what_it_wants_and_where_it_stands(name):
    wanted = EVERY[name]
    assert wanted.statement.endswith(".")
    assert wanted.source.startswith("https://")


def edited(change: Callable[[dict], None], where: str = "") -> Callable[[Request, Response], None]:
    """Change the JSON of answers whose path holds a text."""

    def alter(asked: Request, answer: Response) -> None:
        if where in asked.path and answer.mimetype.endswith("json") and answer.get_data():
            body = answer.get_data()
            resource = json.loads(gzip.decompress(body) if answer.headers.get("Content-Encoding") else body)
            change(resource)
            answer.headers.pop("Content-Encoding", None)
            answer.set_data(json.dumps(resource))

    return alter


def with_status(status: int, when: Callable[[Request, Response], bool]) -> Callable[[Request, Response], None]:
    """Answer another status where a condition holds."""

    def alter(asked: Request, answer: Response) -> None:
        if when(asked, answer):
            answer.status_code = status

    return alter


def each(change: Callable[[dict], None]) -> Callable[[dict], None]:
    """Change each resource of a Bundle."""
    return lambda bundle: (
        [change(entry["resource"]) for entry in bundle.get("entry", ()) if "resource" in entry] and None
    )


def without(*names: str) -> Callable[[dict], None]:
    return lambda resource: [resource.pop(name, None) for name in names] and None


def without_header(name: str) -> Callable[[Request, Response], None]:
    return lambda _asked, answer: answer.headers.pop(name, None) and None


def says_created(_asked: Request, answer: Response) -> bool:
    return answer.status_code >= 400


def twice(bundle: dict) -> None:
    bundle["entry"] = bundle.get("entry", []) * 2


def other_content(asked: Request, answer: Response) -> None:
    if "/Binary/" in asked.path:
        answer.set_data(answer.get_data() + b"!")


def finds_nothing_by(name: str) -> Callable[[Request, Response], None]:
    """Find nothing when a parameter is given, unless it asks for the future."""
    none = edited(lambda bundle: bundle.pop("entry", None))

    def alter(asked: Request, answer: Response) -> None:
        if name in asked.args and not asked.args[name].startswith("gt"):
            none(asked, answer)

    return alter


def keep_in_self(bundle: dict) -> None:
    for link in bundle.get("link", ()):
        link["url"] += "&nosuchparameter=1"


def stale(asked: Request, answer: Response) -> None:
    if asked.method == "HEAD":
        answer.headers["ETag"] = 'W/"stale"'


def swapped(bundle: dict) -> None:
    bundle.get("entry", []).reverse()


def older(resource: dict) -> None:
    """Make what is listed first look oldest."""
    older.day = getattr(older, "day", 0) % 27 + 1
    resource["meta"]["lastUpdated"] = f"2026-01-{older.day:02}T00:00:00Z"


def twice_types(statement: dict) -> None:
    statement["rest"][0]["resource"] *= 2


def keep_one(bundle: dict) -> None:
    """Drop the other matches of a page that has several."""
    if len(bundle.get("entry", ())) > 1:
        bundle["entry"] = bundle["entry"][:1]
        bundle["link"] = [link for link in bundle["link"] if link["relation"] != "next"]


NOT_FOUND_IS_FINE = with_status(200, lambda _asked, answer: answer.status_code == 404)
REFUSALS_ARE_FINE = with_status(200, says_created)
FAULTS = {
    "R4-capabilities": edited(without("kind"), "metadata"),
    "R4-capabilities-unique": edited(twice_types, "metadata"),
    "R4-json": lambda _asked, answer: answer.headers.set("Content-Type", "application/json"),
    "R4-xml": lambda _asked, answer: answer.headers.set("Content-Type", "application/fhir+json"),
    "R4-not-acceptable": REFUSALS_ARE_FINE,
    "R4-unknown-type": NOT_FOUND_IS_FINE,
    "R4-outcome": edited(lambda one: one.pop("issue", None), "DocumentReference"),
    "R4-unknown-id": NOT_FOUND_IS_FINE,
    "R4-read": without_header("ETag"),
    "R4-conditional-read": with_status(200, lambda _asked, answer: answer.status_code == 304),
    "R4-vread": edited(without("description", "date"), "_history/"),
    "R4-history": edited(lambda one: [entry.pop("response", None) for entry in one.get("entry", ())], "_history"),
    "R4-head": stale,
    "R4-malformed": REFUSALS_ARE_FINE,
    "R4-media-type": REFUSALS_ARE_FINE,
    "R4-batch": edited(swapped),
    "R4-bundle-type": REFUSALS_ARE_FINE,
    "R4-unknown-operation": REFUSALS_ARE_FINE,
    "R4-definitions": with_status(404, lambda asked, _answer: "OperationDefinition" in asked.path),
    "R4-searchset": edited(lambda one: one.pop("link", None)),
    "R4-search-by-form": edited(lambda one: one.pop("entry", None), "_search"),
    "R4-strict": REFUSALS_ARE_FINE,
    "R4-lenient": edited(keep_in_self),
    "R4-declared-parameters": with_status(400, lambda asked, _answer: "event" in asked.args),
    "R4-pages": edited(keep_one),
    "R4-total": edited(lambda one: one.update(total=one.get("total", 0) + 1)),
    "R4-count-alone": edited(lambda one: one.pop("total", None)),
    "R4-by-id": edited(twice),
    "R4-last-updated": finds_nothing_by("_lastUpdated"),
    "R4-sort": edited(each(older)),
    "R4-elements": edited(each(lambda one: one.get("meta", {}).pop("tag", None))),
    "R4-bad-value": REFUSALS_ARE_FINE,
    "R4-no-match": edited(
        lambda one: one.setdefault("entry", [{"resource": {"id": "x"}, "search": {"mode": "match"}}])
    ),
    "SMART-discovery": edited(without("token_endpoint")),
    "SMART-pkce": edited(lambda one: one.update(code_challenge_methods_supported=["plain", "S256"])),
    "SMART-tls": edited(lambda one: one.update(token_endpoint="http://sante.example/token")),
    "SMART-token-error": without_header("Cache-Control"),
    "RFC6750-no-token": without_header("WWW-Authenticate"),
    "RFC6750-bad-token": without_header("WWW-Authenticate"),
    "SMART-cors": without_header("Access-Control-Allow-Origin"),
    "MHD-67-parameters": with_status(400, lambda asked, _answer: "facility" in asked.args),
    "MHD-67-by-identifier": finds_nothing_by("patient.identifier"),
    "MHD-67-status": edited(each(lambda one: one.update(status="superseded"))),
    "MHD-67-metadata": edited(each(without("content"))),
    "MHD-66-parameters": with_status(400, lambda asked, _answer: "sourceId" in asked.args),
    "MHD-66-sets": edited(each(without("code"))),
    "MHD-68-content": other_content,
    "MHD-65-publish": edited(lambda one: one.update(type="batch-response"), "/fhir"),
    "MHD-65-whole-or-nothing": REFUSALS_ARE_FINE,
    "MHD-65-unique": edited(twice, "DocumentReference"),
    "DSUBM-topics": edited(each(without("extension")), "Basic"),
    "BALP-read-is-traced": edited(each(without("entity")), "AuditEvent"),
    "BALP-events": edited(each(without("source")), "AuditEvent"),
    "ITI-81-parameters": with_status(400, lambda asked, _answer: "subtype" in asked.args),
    "ITI-81-date": with_status(200, lambda asked, _answer: "AuditEvent" in asked.path),
    "PCF-consents": edited(lambda one: one.update(entry=[{"resource": {"id": "x"}}]), "Consent"),
}
"""For each requirement, an answer that breaks it."""


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_server_that_breaks_a_requirement_is_found_out(name, tested):
    altered, target = tested
    altered.alter = FAULTS[name]
    try:
        result = ask(target, EVERY[name])
    finally:
        altered.alter = None
    assert result.verdict is (Verdict.FAILED if EVERY[name].level == "SHALL" else Verdict.ADVISED), result
    assert result.expected


def test_every_requirement_can_fail():
    assert FAULTS.keys() == EVERY.keys()


@pytest.fixture
def options(tested, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{tested[1].tokens[Need.READER]}\n")
    return ["conformance", "--base", tested[1].base, "--patient", tested[1].patient, "--reader-token-file", str(token)]


def test_the_command_prints_what_failed_and_never_the_token(options, tested, capsys):
    tested[0].alter = FAULTS["R4-read"]
    try:
        assert main([*options, "--guide", "rest"]) == 1
    finally:
        tested[0].alter = None
    told = capsys.readouterr().out
    assert "FAIL    R4-read" in told
    assert "expected: ETag" in told
    assert "request:  GET http://localhost" in told
    assert "1 failed" in told.splitlines()[-1]
    assert tested[1].tokens[Need.READER] not in told


def test_machines_read_json_and_junit(options, capsys):
    assert main([*options, "--guide", "smart", "--format", "json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert {result["verdict"] for result in results} == {"passed"}
    assert "Authorization" not in json.dumps(results) or '"Authorization": "…"' in json.dumps(
        results, ensure_ascii=False
    )
    assert main([*options, "--guide", "smart", "--format", "junit"]) == 0
    suite = fromstring(capsys.readouterr().out)  # noqa: S314 - made by this program
    assert (suite.get("tests"), suite.get("failures")) == (str(len(results)), "0")


def test_what_needs_more_is_skipped_and_says_what_to_give(tested, capsys):
    assert main(["conformance", "--base", tested[1].base, "--guide", "mhd"]) == 0
    told = capsys.readouterr().out
    assert "give --patient and --reader-token-file" in told
    assert "0 passed" in told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--base", "ftp://sante.example"], "--base: is no http or https address"),
        (["--base", "http://localhost:1"], "GET http://localhost:1/metadata: ConnectionRefusedError"),
    ],
)
def test_a_wrong_address_is_one_line(given, said, capsys):
    assert main(["conformance", *given]) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith(f"habilis: {said}")
    assert "\n" not in line


def test_a_file_that_is_no_submission_is_refused(options, tmp_path, capsys):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"resourceType": "Bundle", "type": "batch"}')
    assert main([*options, "--submission", str(wrong)]) == 2
    assert "--submission: no transaction Bundle in JSON" in capsys.readouterr().err


def test_a_busy_server_is_asked_again_after_the_pause_that_it_names(tested, monkeypatch):
    pauses: list[int] = []
    monkeypatch.setattr(exchange.time, "sleep", pauses.append)

    def busy(_asked: Request, answer: Response) -> None:
        if len(pauses) < 2:
            answer.status_code = 429
            answer.headers["Retry-After"] = "7"

    tested[0].alter = busy
    try:
        assert ask(tested[1], EVERY["R4-read"]).verdict is Verdict.PASSED
    finally:
        tested[0].alter = None
    assert pauses == [7, 7]
