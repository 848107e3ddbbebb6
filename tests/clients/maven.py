"""Libraries of Java from Maven, for tests that run a class of theirs in a process of its own."""

import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path
from shutil import copyfile

_BUILD = Path(__file__).parents[2] / "build"


def installed(pom: Path) -> str:
    """Install what a pom.xml names, once, and return the class path. Processes of one run take turns."""
    build = _BUILD / pom.parent.name
    build.mkdir(parents=True, exist_ok=True)
    with (build / "turn").open("w") as turn:
        flock(turn, LOCK_EX)
        if not (build / "done").exists():
            copyfile(pom, build / "pom.xml")
            command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
            subprocess.run(command, cwd=build, check=True)
            (build / "done").touch()
    return f"{build / 'lib'}/*"
