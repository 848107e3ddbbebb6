"""Real clients at first contact: npm and PyPI packages, and a browser, against the server on a real port.

The npm packages are those of tests/oauth/clients/package-lock.json; they are installed when they are missing.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfile, which
from threading import Thread
from time import time
from urllib.parse import urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from flask import Flask
from playwright.sync_api import expect

from fhir_server.adapters.system import SystemClock
from fhir_server.app import create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import change_account, find_account
from fhir_server.application.identity.clients import Client, ClientKind, register
from tests import npm
from tests.factories import runtime_on, settings_in
from tests.live import free_port, serving
from tests.oauth.conftest import EC, PASSWORD, PATIENT_SCOPES, Person, query_of
from tests.world import World

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
pytestmark = pytest.mark.live


@pytest.fixture(scope="session")
def packages() -> Path:
    return npm.install()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def base() -> str:
    return f"http://localhost:{free_port()}"


@pytest.fixture
def runtime(ports, base: str) -> Runtime:
    return runtime_on(ports, base)


@pytest.fixture
def app(runtime: Runtime, base: str, tmp_path: Path) -> Iterator[Flask]:
    settings = settings_in(tmp_path, base)
    served = create_app(settings, runtime)
    furnish(runtime, served)
    with serving(served, base):
        yield served


def furnish(runtime: Runtime, served: Flask) -> None:
    """Give Camille a space with one document in it."""
    world = World(runtime, served.test_client()).open()
    world.publish(title="Compte rendu du genou")
    account = find_account(runtime, "camille")
    change_account(runtime, replace(account, person=f"Patient/{world.ids['camille']}"))


def camille(runtime: Runtime) -> str:
    """Return the id of Camille's record."""
    return find_account(runtime, "camille").person.partition("/")[2]


class Human(Person):
    """A person who answers the pages of the server on a port."""

    def __init__(self, app: Flask, base: str) -> None:
        super().__init__(app)
        self.base = base

    def follow(self, address: str) -> str:
        """Walk from an authorization request to the redirect."""
        parts = urlsplit(address)
        return self.walk(self.web.get(f"{parts.path}?{parts.query}", base_url=self.base))


def run_node(script: str, base: str, human: Human | None = None, **environment: str) -> dict[str, object]:
    """Run a script; when it prints an address, walk there and type back where the browser ended."""
    known = {"PATH": f"{Path(str(which('node'))).parent}:/usr/bin:/bin"} | environment
    with subprocess.Popen(
        ["node", script, base], cwd=npm.BUILD, env=known, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        answer = ""
        if human:
            first = process.stdout.readline().strip()
            answer = human.follow(first) + "\n" if first else ""
        out, err = process.communicate(answer, timeout=60)
    assert process.returncode == 0, err
    found: dict[str, object] = json.loads(out.strip().splitlines()[-1])
    return found


@pytest.mark.npm
@pytest.mark.usefixtures("packages")
def test_openid_client_pushes_proves_renews_and_reads(app, base, runtime):
    found = run_node("openid-client.mjs", base, Human(app, base))
    patient = camille(runtime)
    assert found == {
        "type": "dpop", "patient": patient, "fhirUser": f"{base}/fhir/Patient/{patient}", "status": 200,
        "resource": "Bundle", "total": 1,
    }  # fmt: skip


@pytest.mark.npm
@pytest.mark.usefixtures("packages", "app")
def test_oauth4webapi_gets_a_backend_token(base):
    found = run_node("oauth4webapi.mjs", base, CLIENT_KEY=json.dumps(EC.as_dict(private=True)))
    assert found == {"type": "bearer", "scope": "system/DocumentReference.crus", "seconds": 300}


_JOINING = "patient/DocumentReference.rs patient/List.rs patient/Provenance.rs patient/Patient.rs"


def token_of(app: Flask, base: str, scope: str = "patient/DocumentReference.rs") -> str:
    with OAuth2Session("app", redirect_uri="https://app.example/cb", code_challenge_method="S256") as session:
        address, state = session.create_authorization_url(
            f"{base}/oauth/authorize", code_verifier="v" * 43, aud=f"{base}/fhir", scope=scope
        )
        back = Human(app, base).follow(address)
        assert query_of(back)["state"] == state
        found = session.fetch_token(f"{base}/oauth/token", authorization_response=back, code_verifier="v" * 43)
    assert found["patient"]
    return str(found["access_token"])


@pytest.mark.npm
@pytest.mark.usefixtures("packages")
def test_fhir_kit_client_finds_the_endpoints_and_searches(app, base, runtime):
    found = run_node("fhir-kit-client.mjs", base, TOKEN=token_of(app, base, _JOINING), PATIENT=camille(runtime))
    assert found == {"token": f"{base}/oauth/token", "resource": "Bundle", "chained": 1, "has": 1, "within": 1}


@pytest.mark.usefixtures("app")
def test_authlib_s_client_gets_a_backend_token(base):
    claims = {"exp": int(time()) + 240}  # by itself it signs for an hour, and SMART allows five minutes
    method = PrivateKeyJWT(f"{base}/oauth/token", claims, {"kid": EC.kid}, alg="ES384")
    with OAuth2Session("ehr", EC, token_endpoint_auth_method=method) as session:
        found = session.fetch_token(
            f"{base}/oauth/token", grant_type="client_credentials", scope="system/DocumentReference.crus"
        )
    assert found["expires_in"] == 300


def test_pypi_fhirclient_connects_and_searches(app, base, runtime):
    from fhirclient import client  # noqa: PLC0415 - slow to import
    from fhirclient.models.documentreference import DocumentReference  # noqa: PLC0415 - slow to import

    smart = client.FHIRClient({
        "app_id": "app", "api_base": f"{base}/fhir", "redirect_uri": "https://app.example/cb",
        "scope": "openid fhirUser launch/patient patient/DocumentReference.rs",
    })  # fmt: skip
    address = smart.authorize_url
    smart.handle_callback(Human(app, base).follow(address))
    assert smart.ready
    assert smart.patient_id == camille(runtime)
    found = DocumentReference.where({"patient": smart.patient_id}).perform_resources_iter(smart.server)
    assert [document.content[0].attachment.title for document in found] == ["Compte rendu du genou"]


def test_fhirpy_searches_with_a_token(app, base, runtime):
    from fhirpy import SyncFHIRClient  # noqa: PLC0415 - slow to import

    client = SyncFHIRClient(f"{base}/fhir", authorization=f"Bearer {token_of(app, base)}")
    found = client.resources("DocumentReference").search(patient=camille(runtime)).fetch()
    assert [document["type"]["coding"][0]["code"] for document in found] == ["34112-3"]


def test_fhirpy_joins(app, base, runtime):
    from fhirpy import SyncFHIRClient  # noqa: PLC0415 - slow to import

    client = SyncFHIRClient(f"{base}/fhir", authorization=f"Bearer {token_of(app, base, _JOINING)}")
    documents = client.resources("DocumentReference").search(patient=camille(runtime))
    (document,) = documents.fetch()
    assert [one.id for one in documents.has("List", "item", code="submissionset").fetch()] == [document.id]
    assert documents.has("List", "item", code="folder").fetch() == []
    assert [one.id for one in documents.search(subject__Patient__name="x").fetch()] == []
    bundle = documents.revinclude("Provenance", "target").fetch_raw()
    assert [entry.search.mode for entry in bundle.entry] == ["match", "include"]


def test_the_python_example_runs_as_documented(app, base, tmp_path):  # noqa: ARG001 - the server must run
    key = tmp_path / "key.json"
    key.write_text(json.dumps(EC.as_dict(private=True)))
    command = [sys.executable, str(EXAMPLES / "backend.py"), f"{base}/fhir", "ehr", str(key), "camille"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[0] == "Bundle"


class Quiet(SimpleHTTPRequestHandler):
    """Serves the example from an origin of its own."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere(packages: Path, runtime: Runtime, tmp_path: Path) -> Iterator[str]:
    """Serve the sample app from another origin, and register it."""
    home = tmp_path / "site"
    home.mkdir()
    copyfile(EXAMPLES / "app.html", home / "app.html")
    copyfile(packages / "fhirclient" / "build" / "fhir-client.js", home / "fhir-client.js")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(home)))
    origin = f"http://127.0.0.1:{server.server_port}"
    uris = (f"{origin}/app.html",)
    register(runtime, Client("sample", "Exemple", ClientKind.PATIENT_APP, uris, PATIENT_SCOPES, origins=(origin,)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield origin
    server.shutdown()
    server.server_close()


@pytest.mark.npm
@pytest.mark.browser
@pytest.mark.usefixtures("app")
def test_the_sample_app_launches_reads_and_renews_in_a_browser(base, elsewhere, runtime, chromium):
    page = chromium.new_context(locale="en-GB").new_page()
    page.goto(f"{elsewhere}/app.html")
    page.fill("[name=iss]", f"{base}/fhir")
    page.fill("[name=client]", "sample")
    page.click("text=Connect")
    page.fill("#login", "camille")
    page.fill("#password", PASSWORD)
    page.click("text=Sign in >> nth=-1")
    page.click("button[value=allow]")
    page.wait_for_url(f"{elsewhere}/app.html*")
    expect(page.locator("#status")).to_contain_text(f"patient {camille(runtime)}")
    expect(page.locator("#documents")).to_contain_text(re.compile(r"\S"))
    page.click("#again")
    expect(page.locator("#status")).to_contain_text("renewed")
    page.context.close()
