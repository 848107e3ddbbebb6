"""What `make run` and `make test` install: the versions that were tested, each file held by its hash."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conformance.project import text_of

FILES = {"constraints.txt": (), "constraints-test.txt": ("test",)}


def _project():
    return tomllib.loads(text_of("pyproject.toml"))


def _asked_for(extras):
    project = _project()
    lines = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    for extra in extras:
        lines += project["project"]["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def _pins(file):
    """Return each pinned name with its versions; a name may have one for each version of Python."""
    pins = {}
    for line in re.findall(r"^(\S+==\S+)", text_of(file), flags=re.MULTILINE):
        name, _, version = line.partition("==")
        pins.setdefault(canonicalize_name(re.sub(r"\[.*\]", "", name)), set()).add(version)
    return pins


@pytest.mark.parametrize(("file", "extras"), FILES.items())
def test_every_dependency_is_pinned_to_a_version_that_is_allowed(file, extras):
    pins = _pins(file)
    wrong = {
        str(asked)
        for asked in _asked_for(extras)
        if not pins.get(canonicalize_name(asked.name))
        or any(not asked.specifier.contains(v, prereleases=True) for v in pins[canonicalize_name(asked.name)])
    }
    assert wrong == set()


def test_tests_run_with_the_versions_that_are_served():
    served, tested = _pins("constraints.txt"), _pins("constraints-test.txt")
    assert {name: tested.get(name) for name in served} == served


@pytest.mark.parametrize("file", FILES)
def test_every_pin_carries_the_hashes_of_its_files(file):
    entries = re.split(r"\n(?=\S)", text_of(file).strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("file", FILES)
def test_no_pin_names_an_address(file):
    assert "://" not in text_of(file)
    assert "index-url" not in text_of(file)
    assert "--find-links" not in text_of(file)


def test_the_makefile_installs_by_hash_and_nothing_beside_it():
    installs = re.findall(r"^pinned = ((?:.*\\\n)*.*)", text_of("Makefile"), flags=re.MULTILINE)
    assert len(installs) == 1
    assert "--require-hashes --no-deps -r $(1)" in installs[0]
    assert "--no-deps --no-build-isolation --editable ." in installs[0]
