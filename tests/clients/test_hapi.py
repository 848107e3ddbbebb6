"""An integrator's day with HAPI's generic client, from Maven: no step needs a work-around in the script."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.maven import installed

HERE = Path(__file__).parent / "hapi"
STEPS = [
    "capabilities", "conditional create", "update", "conditional update", "FHIRPath Patch", "history", "version",
    "search by name", "validate", "unknown id", "compressed body", "transaction (ITI-65)", "search and pages (ITI-67)",
    "previous page", "count", "include and revinclude", "chain", "_has", "submission sets (ITI-66)", "content (ITI-68)",
    "$meta", "$everything", "$docref", "batch", "XML",
]  # fmt: skip


@pytest.fixture(scope="session")
def library() -> str:
    """Install HAPI's client; return the class path."""
    return installed(HERE / "pom.xml")


@pytest.mark.live
@pytest.mark.maven
def test_every_step_of_the_day_works(day, library):
    command = ["java", "-cp", library, str(HERE / "IntegratorsDay.java"), day.base, day.patient]
    ran = subprocess.run(
        command, env=os.environ | day.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert [line for line in ran.stdout.splitlines() if line in STEPS] == STEPS, ran.stdout[-2000:] + ran.stderr[-3000:]
    assert ran.returncode == 0
