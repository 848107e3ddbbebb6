"""The npm packages of the real clients, installed once for all tests of a run."""

import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path
from shutil import copyfile

SCRIPTS = Path(__file__).parent / "oauth" / "clients"
BUILD = Path(__file__).parents[1] / "build" / "clients"


def install(scripts: Path = SCRIPTS, build: Path = BUILD) -> Path:
    """Lay the scripts out beside the npm packages, which are installed once; processes of one run take turns.

    Returns the folder of the packages.
    """
    build.mkdir(parents=True, exist_ok=True)
    with (build / "turn").open("w") as turn:
        flock(turn, LOCK_EX)
        for path in filter(Path.is_file, scripts.iterdir()):
            _copy_changed(path, build / path.name)
        installed = build / "node_modules" / "package-lock.json"
        if _is_other(scripts / "package-lock.json", installed):
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
            subprocess.run(command, cwd=build, check=True)
            _copy_changed(scripts / "package-lock.json", installed)
    return build / "node_modules"


def _copy_changed(source: Path, target: Path) -> None:
    """Copy a file unless the same is there: another process may be reading it."""
    if _is_other(source, target):
        copyfile(source, target)


def _is_other(source: Path, target: Path) -> bool:
    return not target.exists() or target.read_bytes() != source.read_bytes()
