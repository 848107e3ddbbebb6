"""docs/smart.md from beginning to end on a server of its own: register by its commands, run its examples."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from shutil import copyfile
from threading import Thread

import pytest
from joserfc.jwk import ECKey

from seed import book
from tests.live import Live, running
from tests.oauth.test_documentation import PAGE, commands
from tests.oauth.test_real_clients import Quiet
from tests.oauth.test_real_clients import packages as packages  # noqa: PLC0414 - pytest finds fixtures by name

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
FHIR_CLIENT = "fhirclient/build/fhir-client.js"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Live]:
    """The demonstration, whose hospital has published documents."""
    folder = tmp_path_factory.mktemp("examples") / "data"
    folder.mkdir()
    live = Live(folder, settings={"HABILIS_DEMO": "yes"})
    with running(live):
        yield live


@pytest.fixture(scope="module")
def demo(server) -> book.Demonstration:
    found = book.read(server.data_dir)
    assert found is not None
    return found


def run_page_command(server: Live, name: str, place: Path, **known: str) -> None:
    """Run the command of the page that registers a client, with what the page leaves open filled in."""
    command = next(found for found in commands() if name in found)
    filled = [known.get(word, word) for word in command]
    program = "import sys; from fhir_server.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", program, *filled], env=server.environment, check=True, cwd=place)


def test_the_backend_of_the_page_finds_what_its_hospital_has_published(server, demo, tmp_path):
    key = ECKey.generate_key("P-384", {"kid": "my-key"})
    public = {"keys": [key.as_dict(private=False)]}
    (tmp_path / "public-keys.json").write_text(json.dumps(public))
    (tmp_path / "private-key.json").write_text(json.dumps(key.as_dict(private=True)))
    hospital = demo.organizations["chu-a"]
    run_page_command(server, "my-ehr", tmp_path, **{"ORGANIZATION-ID": hospital})
    line = next(line for line in PAGE.splitlines() if line.startswith("python docs/examples/backend.py"))
    words = shlex.split(line)[1:]
    known = {"http://127.0.0.1:8080/fhir": demo.fhir, "PATIENT-ID": demo.patients["camille"]}
    arguments = [known.get(word, word) for word in words[1:]]
    done = subprocess.run(
        [sys.executable, str(ROOT / words[0]), *arguments], check=True, capture_output=True, text=True, timeout=60,
        cwd=tmp_path,
    )  # fmt: skip
    assert re.fullmatch(r"200 Bundle [1-9]\d* documents", done.stdout.strip())


@pytest.fixture
def site(server, packages, tmp_path) -> Iterator[str]:
    """Serve the sample app from an origin of its own, registered by the command of the page."""
    for source, name in ((ROOT / "docs/examples/app.html", "app.html"), (packages / FHIR_CLIENT, "fhir-client.js")):
        copyfile(source, tmp_path / name)
    files = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    origin = f"http://127.0.0.1:{files.server_port}"
    documented = "http://127.0.0.1:9000"
    run_page_command(server, "my-app", tmp_path, **{documented: origin, f"{documented}/app.html": f"{origin}/app.html"})
    Thread(target=files.serve_forever, daemon=True).start()
    yield origin
    files.shutdown()
    files.server_close()


@pytest.mark.browser
@pytest.mark.npm
def test_the_app_of_the_page_shows_what_its_patient_left_ticked(server, demo, site, chromium):
    page = chromium.new_context(locale="en-GB").new_page()
    page.goto(f"{site}/app.html")
    page.fill("[name=iss]", f"{server.base_url}/fhir")
    page.fill("[name=client]", "my-app")
    page.click("text=Connect")
    page.fill("#login", "camille")
    page.fill("#password", demo.logins["camille"])
    page.click("main button[type=submit]")
    if page.locator("input[name=patient]").count():
        page.check(f"input[name=patient][value='{demo.patients['camille']}']")
        page.click("main button[type=submit]")
    page.click("details summary")
    kept, left_out = page.locator("input[name=document] >> nth=1"), page.locator("input[name=document] >> nth=2")
    ids = [box.get_attribute("value") for box in (kept, left_out)]
    left_out.uncheck()
    with page.expect_response(lambda answer: "/fhir/DocumentReference?" in answer.url) as searched:
        page.click("button[value=allow]")
    found = [entry["resource"]["id"] for entry in searched.value.json()["entry"]]
    assert [id_ in found for id_ in ids] == [True, False]
    page.wait_for_function("document.getElementById('status')?.textContent.length > 0")
    assert f"patient {demo.patients['camille']}" in page.text_content("#status")
    assert page.locator("#documents li").count() == len(found)
    page.context.close()
