"""A resource type is added by touching six files: the trial plays it in a copy of the project, over HTTP.

The product has no such type. The copy is tested by checks of the project, and by `trial/played.py`.
"""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conformance.project import ROOT
from tests.conformance.trial.edits import edit
from tests.conformance.type_names import conditions_on_types, types_of
from tests.conformance.walls import asked_rules, import_report, made_filters, ports_at_the_edge

MOST = 6
NAME = "Immunization"
COPIED = ("consent_rules", "fhir_server", "seed", "tests", "docs")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", "images", "bench", "fuzz", "golden")
CAPABILITIES = "tests/conformance/test_capabilities.py"
OPENAPI = "tests/conformance/test_openapi.py"
CHECKS = (
    "tests/application/test_handlers.py::test_every_write_of_the_registry_has_its_handler",
    f"{CAPABILITIES}::test_the_statement_names_every_registered_type_and_no_other",
    f"{CAPABILITIES}::test_the_statement_offers_what_the_registry_offers[{NAME}]",
    f"{CAPABILITIES}::test_every_interaction_of_the_registry_is_described_and_routed[{NAME}]",
    f"{CAPABILITIES}::test_nothing_is_described_that_the_registry_does_not_offer",
    f"{CAPABILITIES}::test_the_page_of_types_says_what_the_registry_says",
    f"{OPENAPI}::test_it_is_valid_and_every_reference_leads_somewhere",
    f"{OPENAPI}::test_a_search_lists_what_the_statement_lists[{NAME}]",
    "tests/pages/test_journal_is_true.py::test_every_kind_of_event_has_its_own_sentence",
    "tests/pages/test_translations.py",
)
"""Tests of the project that must hold for the copy too."""


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the project with the new type."""
    root = tmp_path_factory.mktemp("trial")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=LEFT_OUT)
    shutil.copy(ROOT / "pyproject.toml", root)
    edit(root)
    return root


def test_a_new_type_touches_at_most_six_files(copied):
    files = (path for path in copied.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    named = ((path, ROOT / path.relative_to(copied)) for path in files)
    touched = [path for path, before in named if not before.exists() or before.read_bytes() != path.read_bytes()]
    assert 0 < len(touched) <= MOST
    assert types_of(copied) - types_of(ROOT) == {NAME}


def test_the_new_type_does_end_to_end_what_its_row_says(copied):
    checked = checked_in(copied, "tests/conformance/trial/played.py", *CHECKS)
    assert checked.returncode == 0, checked.stdout


def test_the_walls_hold_with_the_new_type(copied):
    assert made_filters(copied) + asked_rules(copied) + ports_at_the_edge(copied) + conditions_on_types(copied) == []
    report = import_report(copied)
    assert (report.broken, report.unlisted) == (frozenset(), frozenset())


def checked_in(root, *names):
    """Run tests in the copy, which imports nothing of this project but itself."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *names]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    surroundings = alone | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=root, env=surroundings, capture_output=True, text=True, check=False)
