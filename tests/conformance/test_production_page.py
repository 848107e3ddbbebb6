"""docs/production.md, followed to the letter behind a proxy that ends TLS; then the restore of docs/operations.md."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.project import ROOT, text_of
from tests.live import free_port
from tests.tls import certificate, proxy

pytestmark = pytest.mark.live
STARTED = """habilis serve > serve.log 2>&1 &
echo $! > serve.pid
for _ in $(seq 200); do curl -sf "http://127.0.0.1:$HABILIS_PORT/health/live" > live.txt && break; sleep 0.1; done
"""


@dataclass
class Followed:
    """What following the pages left: the folder, the environment, and what each part printed."""

    folder: Path
    environment: dict[str, str]
    page: str
    base: str

    def bash(self, script: str) -> str:
        text = self.local(script).replace("habilis serve\n", STARTED)
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{text}"], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        log = (self.folder / "serve.log").read_text() if (self.folder / "serve.log").exists() else ""
        assert done.returncode == 0, done.stderr + done.stdout + log
        return done.stdout

    def local(self, text: str) -> str:
        """Name this machine and these folders where the page names others."""
        for other, own in (
            ("https://sante.example", self.base),
            ("/srv/habilis", str(self.folder / "srv")),
            ("/etc/habilis", str(self.folder / "etc")),
        ):
            text = text.replace(other, own)
        return text

    def stop(self) -> None:
        """Stop the server; it must end by itself."""
        pid = int((self.folder / "serve.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)```", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("production")
    (folder / "docs").symlink_to(ROOT / "docs")
    page, outer, inner, pem = text_of("docs/production.md"), free_port(), free_port(), certificate(folder)
    (nginx,) = blocks(page, "nginx")
    headers = dict(re.findall(r'proxy_set_header (\S+) "?([^";]*)"?;', nginx))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HABILIS_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HABILIS_PORT": str(inner),
        "SSL_CERT_FILE": str(pem),
        "CURL_CA_BUNDLE": str(pem),
    }
    made = Followed(folder, environment, page, f"https://localhost:{outer}")
    with proxy(outer, inner, pem, headers):
        yield made
        made.stop()


def test_the_pages_lead_from_nothing_to_a_restored_server(followed):
    said = followed.bash("\n".join(blocks(followed.page, "sh")))
    for line in blocks(followed.page, "text")[0].split():
        assert line in said
    assert (followed.folder / "chu.token").read_text().strip()
    assert "habilis: serving" in (followed.folder / "serve.log").read_text()
    kept = subprocess.run(
        ["bash", "-c", followed.local(". /etc/habilis/settings; habilis users list; habilis clients list")],
        env=followed.environment, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert {"nour", "camille", "annuaire", "chu-ehr"} <= set(re.findall(r"^\S+", kept, flags=re.MULTILINE))
    everything = [path for path in followed.folder.rglob("*") if path.parts[-2] in {"srv", "etc"}]
    assert all(path.stat().st_mode & 0o077 == 0 for path in everything if not path.is_symlink())

    followed.stop()
    restore = re.search(r"^    (habilis restore .*)$", text_of("docs/operations.md"), flags=re.MULTILINE)[1]
    backup = blocks(followed.page, "sh")[-1].split()[-1]
    command = re.sub(r"restore \S+", f"restore {backup}", restore)
    said = followed.bash(
        f". /etc/habilis/settings\nmv /srv/habilis /srv/habilis-lost\n{command}\nhabilis serve\n"
        "curl -sSf https://sante.example/health/ready"
    )
    assert "journals in which this is recorded: 1" in said
    assert "ready" in said
