"""docs/smart.md, every command of it, run by a shell beside what `make run` starts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from time import sleep
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from seed import book
from tests.live import free_port
from tests.oauth.test_documentation import PAGE
from tests.oauth.test_real_clients import packages as packages  # noqa: PLC0414 - pytest finds fixtures by name
from tests.pages.browsing import attribute, follow, is_there

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
SERVING = "http.server"
"""In a block whose command runs until it is stopped."""


@dataclass
class Project:
    """A folder that looks like a fresh clone after `make run`, on ports of its own."""

    home: Path
    printed: list[str] = field(default_factory=list)
    ports: dict[str, str] = field(default_factory=lambda: {"8080": str(free_port()), "9000": str(free_port())})

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HABILIS_")}
        return kept | {"HABILIS_PORT": self.ports["8080"], "HABILIS_LOG_LEVEL": "error"}

    def start(self, script: str) -> subprocess.Popen[str]:
        """Start a shell with commands; the documented ports become those of this test."""
        here = re.sub(r"\b(8080|9000)\b", lambda found: self.ports[found[0]], script)
        return subprocess.Popen(
            ["bash", "-euc", here], cwd=self.home, env=self.environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, script: str) -> str:
        """Run commands to their end and return what they print."""
        process = self.start(script)
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0, printed
        return printed

    def url(self, documented: str) -> str:
        return re.sub(r"\b(8080|9000)\b", lambda found: self.ports[found[0]], documented)


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert process.poll() is None, process.stdout.read()
        try:
            urlopen(url, timeout=5).close()  # noqa: S310 - an address of this test
        except (URLError, OSError):
            sleep(0.2)
        else:
            return
    raise TimeoutError(url)


def stop(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)


def recipe(target: str) -> str:
    """Return the last command of a target of the Makefile, as a shell runs it."""
    lines = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    return lines.strip().splitlines()[-1].strip().removeprefix("@").replace("$(BIN)", ".venv/bin")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Iterator[Project]:
    """The demonstration, started as `make run` starts it, in a folder of its own."""
    home = tmp_path_factory.mktemp("project")
    (home / ".venv").symlink_to(sys.prefix)
    copytree(ROOT / "docs" / "examples", home / "docs" / "examples")
    made = Project(home)
    server = made.start(f"exec {recipe('run')}")
    wait_for(made.url("http://127.0.0.1:8080/fhir/metadata"), server)
    yield made
    stop(server)


@pytest.fixture(scope="module")
def followed(project) -> Project:
    """Follow the commands of the page that need nothing but the server, in their order."""
    project.printed = [project.run(block) for block in BLOCKS if "npm" not in block and SERVING not in block]
    return project


@pytest.fixture(scope="module")
def demo(project) -> book.Demonstration:
    found = book.read(project.home / "var" / "demo")
    assert found is not None
    return found


def test_the_page_has_commands_for_apps_software_and_people():
    assert len(BLOCKS) >= 5
    commands = re.findall(r"^\.venv/bin/habilis (\w+ [\w-]+)", "\n".join(BLOCKS), re.MULTILINE)
    assert {"clients add", "clients make-keys", "users enrol"} <= set(commands)


def test_the_software_of_the_page_finds_what_its_hospital_has_published(followed):
    assert re.search(r"Bundle [1-9]\d* documents", "".join(followed.printed))


def test_each_command_of_the_page_says_what_it_did(followed):
    printed = "".join(followed.printed)
    assert "client my-app registered (none)" in printed
    assert "client my-ehr registered (private_key_jwt)" in printed
    assert re.search(r"code for a first second factor of martin, .*: ([A-Z2-9]{4}-){4}", printed)
    assert "Traceback" not in printed


@pytest.fixture
def site(followed, packages) -> Iterator[str]:
    """Serve the sample app as the page says; the packages come from where the tests have installed them."""
    installing = next(block for block in BLOCKS if "npm" in block)
    here = f"npm() {{ mkdir -p my-app/node_modules; cp -r {packages}/fhirclient my-app/node_modules/; }}\n{installing}"
    followed.run(here)
    server = followed.start(f"exec {next(block for block in BLOCKS if SERVING in block)}")
    origin = followed.url("http://127.0.0.1:9000")
    wait_for(origin, server)
    yield origin
    stop(server)


@pytest.mark.browser
@pytest.mark.npm
def test_the_app_of_the_page_shows_what_its_patient_left_ticked(followed, demo, site, chromium):
    page = chromium.new_context(locale="en-GB").new_page()
    page.goto(f"{site}/app.html")
    page.fill("[name=iss]", followed.url("http://127.0.0.1:8080/fhir"))
    page.fill("[name=client]", "my-app")
    page.click("text=Connect")
    page.fill("#login", "camille")
    page.fill("#password", demo.logins["camille"])
    follow(page.locator("main button[type=submit]").first)
    if is_there(page.locator("input[name=patient]")):
        page.check(f"input[name=patient][value='{demo.patients['camille']}']")
        follow(page.locator("main button[type=submit]").first)
    page.click("details summary")
    kept, left_out = page.locator("input[name=document] >> nth=1"), page.locator("input[name=document] >> nth=2")
    ids = [attribute(box, "value") for box in (kept, left_out)]
    left_out.uncheck()
    with page.expect_response(lambda answer: "/fhir/DocumentReference?" in answer.url) as searched:
        page.click("button[value=allow]")
    found = [entry["resource"]["id"] for entry in searched.value.json()["entry"]]
    assert [id_ in found for id_ in ids] == [True, False]
    expect(page.locator("#status")).to_contain_text(f"patient {demo.patients['camille']}")
    expect(page.locator("#documents li")).to_have_count(len(found))
    page.context.close()
