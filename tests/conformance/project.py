"""The project as files: what the tests of this folder look at."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("consent_rules", "fhir_server", "seed")
_PROSE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "NOTICE", "Makefile", "pyproject.toml", ".ci/run")
_TEXT = {".py", ".md", ".html", ".css", ".js", ".csv", ".json", ".toml", ".po", ".txt"}


def text_of(path: str) -> str:
    """Return the text of one file, named from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def modules(*folders: str) -> Iterator[Path]:
    """Yield every Python file of these folders, in order."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def texts() -> Iterator[Path]:
    """Yield every text that the project publishes."""
    yield from (ROOT / name for name in _PROSE)
    for folder in (*PACKAGES, "tests", "docs"):
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in _TEXT)


def declared(*extras: str) -> set[str]:
    """Return the distributions that pyproject.toml asks for at run time and for these extras."""
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    asked = [*project["dependencies"], *(line for e in extras for line in project["optional-dependencies"][e])]
    return {normal(line) for line in asked}


def normal(requirement: str) -> str:
    """Return the normalised name of a requirement: lower case, hyphens, no version."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    if name is None:
        raise ValueError(requirement)
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def make_targets() -> set[str]:
    """Return what `make` offers."""
    return set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), flags=re.MULTILINE))
