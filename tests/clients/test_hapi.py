"""An integrator's day with HAPI's generic client, from Maven: no step needs a work-around in the script."""

import os
import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path
from shutil import copyfile

import pytest

HERE = Path(__file__).parent / "hapi"
BUILD = Path(__file__).parents[2] / "build" / "hapi"
STEPS = [
    "capabilities", "conditional create", "update", "conditional update", "FHIRPath Patch", "history", "version",
    "search by name", "validate", "unknown id", "compressed body", "transaction (ITI-65)", "search and pages (ITI-67)",
    "previous page", "count", "include and revinclude", "chain", "_has", "submission sets (ITI-66)", "content (ITI-68)",
    "$meta", "$everything", "$docref", "batch", "XML",
]  # fmt: skip


@pytest.fixture(scope="session")
def library() -> str:
    """Install HAPI's client once; return the class path. Processes of one run take turns."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "turn").open("w") as turn:
        flock(turn, LOCK_EX)
        if not (BUILD / "done").exists():
            copyfile(HERE / "pom.xml", BUILD / "pom.xml")
            command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
            subprocess.run(command, cwd=BUILD, check=True)
            (BUILD / "done").touch()
    return f"{BUILD / 'lib'}/*"


@pytest.mark.live
@pytest.mark.maven
def test_every_step_of_the_day_works(day, library):
    command = ["java", "-cp", library, str(HERE / "IntegratorsDay.java"), day.base, day.patient]
    ran = subprocess.run(
        command, env=os.environ | day.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert [line for line in ran.stdout.splitlines() if line in STEPS] == STEPS, ran.stdout[-2000:] + ran.stderr[-3000:]
    assert ran.returncode == 0
