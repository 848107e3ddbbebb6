"""Tools of integrators read the OpenAPI document: collections of Postman and Bruno, a linter, a generator of clients.

The tools come from npm and run as processes of their own.
"""

import json
import subprocess

import pytest

from fhir_server.http.fhir.examples.placing import PERSONAS
from tests import npm
from tests.conformance.api_collections import FOLDER, files, token_variable
from tests.conformance.example_requests import TOKENS
from tests.conformance.examples import demonstration
from tests.conformance.openapi_requests import examples
from tests.live import HOST, free_port, serving

SCRIPTS = npm.SCRIPTS.parents[1] / "conformance" / "api_tools"
BUILD = npm.BUILD.with_name("api_tools")


@pytest.fixture(scope="module")
def document(web):
    return web.get("/api/openapi.json").get_json()


@pytest.fixture
def site(tmp_path):
    """A demonstration of its own on a port: the address, and the variables that a collection needs."""
    base = f"http://{HOST}:{free_port()}"
    with demonstration(tmp_path, base) as (web, demo), serving(web.application, base):
        told = {token_variable(persona): demo.tokens[name] for persona, name in TOKENS.items() if name}
        yield told | {"baseUrl": base}


def run(*command, seconds=120):
    npm.install(SCRIPTS, BUILD)
    return subprocess.run(
        ["npx", "--no-install", *command], cwd=BUILD, capture_output=True, text=True, timeout=seconds, check=False
    )


def test_the_collections_hold_the_requests_of_the_document(document):
    written = {str(path.relative_to(FOLDER)): path.read_text("utf-8") for path in FOLDER.rglob("*") if path.is_file()}
    written.pop("README.md", None)
    assert written == files(document), "python -m tests.conformance.api_collections renews them"


def test_a_collection_holds_each_example_and_no_token(document):
    collection = json.loads(files(document)["habilis.postman_collection.json"])
    assert sum(len(folder["item"]) for folder in collection["item"]) == len(examples(document))
    assert {one["key"]: one["value"] for one in collection["variable"] if one["value"]} == {
        "baseUrl": "http://localhost:8080"
    }


@pytest.mark.live
@pytest.mark.npm
def test_newman_runs_the_collection_of_postman_twice(site):
    for _ in range(2):
        given = [part for name, value in site.items() for part in ("--env-var", f"{name}={value}")]
        ran = run("newman", "run", str(FOLDER / "habilis.postman_collection.json"), *given, "--color", "off")
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.live
@pytest.mark.npm
def test_bruno_runs_its_collection(site, tmp_path, document):
    given = [part for name, value in site.items() for part in ("--env-var", f"{name}={value}")]
    npm.install(SCRIPTS, BUILD)
    command = ["node", str(BUILD / "node_modules/@usebruno/cli/bin/bru.js"), "run", *PERSONAS, "--env", "demonstration"]
    ran = subprocess.run(
        [*command, *given, "--output", str(tmp_path / "told.json")], cwd=FOLDER / "bruno",
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr
    told = json.loads((tmp_path / "told.json").read_text("utf-8"))
    assert told[0]["summary"]["passedRequests"] == len(examples(document))


@pytest.mark.npm
def test_a_strict_linter_finds_no_error(document, tmp_path):
    (tmp_path / "openapi.json").write_text(json.dumps(document), "utf-8")
    npm.install(SCRIPTS, BUILD)
    ran = run("redocly", "lint", str(tmp_path / "openapi.json"), "--config", "redocly.yaml", "--format", "json")
    found = json.loads(ran.stdout[ran.stdout.index("{") :])
    assert found["totals"]["errors"] == 0, found


@pytest.mark.live
@pytest.mark.npm
def test_a_generated_client_searches(document, site, tmp_path):
    (tmp_path / "openapi.json").write_text(json.dumps(document), "utf-8")
    made = run("openapi-typescript", str(tmp_path / "openapi.json"), "--output", "generated.d.ts")
    assert made.returncode == 0, made.stderr
    checked = run("tsc", "--strict", "--noEmit", "--skipLibCheck", "--module", "nodenext", "search.mts")
    assert checked.returncode == 0, checked.stdout
    built = run("tsc", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "search.mts")
    assert built.returncode == 0, built.stdout
    command = ["node", "search.mjs", site["baseUrl"], site["tokenPatient"]]
    ran = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.split() == ["200", "Bundle", "DocumentReference"], ran.stdout + ran.stderr
