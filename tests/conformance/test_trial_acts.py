"""A new operation, a new kind of choice, and a new notice touch five files at most: the trial plays them in one copy.

The five are the command, the row of the event with its words, the French words, and the test; for the operation also
its name at the edge, for the choice its kind in the rules, for the notice its kind with its words. Pages that are
renewed from the code are not counted.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.commands import unnamed_at_the_edge
from tests.conformance.project import ROOT
from tests.conformance.test_trial_type import COPIED, LEFT_OUT, checked_in
from tests.conformance.trial.acts import CHOICE, NOTICE, OPERATION, edit
from tests.conformance.type_names import conditions_on_types
from tests.conformance.walls import asked_rules, made_filters, ports_at_the_edge

MOST = 5
TRIALS = {trial.name: trial for trial in (OPERATION, CHOICE, NOTICE)}
RENEWED = {"docs/commands.md": "tests.conformance.commands", "docs/journal.md": "tests.domain.journal_docs"}
"""Pages that are made from the code, and the module that makes each."""
CHECKS = (
    "tests/domain/test_events.py",
    "tests/application/test_choices.py::test_the_kinds_above_are_all_that_somebody_records",
    "tests/conformance/test_commands.py",
    "tests/conformance/test_openapi.py::test_it_is_valid_and_every_reference_leads_somewhere",
    "tests/pages/test_journal_is_true.py::test_every_kind_of_event_has_its_own_sentence",
    "tests/rules/test_recording.py",
)
"""Tests of the project that must hold for the copy too."""


@dataclass(frozen=True)
class Copy:
    """A copy of the project with the three acts. touched: by trial, the files that its edit has changed."""

    root: Path
    touched: Mapping[str, frozenset[str]]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The acts are added one after the other, each to the copy with the earlier ones."""
    root = tmp_path_factory.mktemp("trial")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=LEFT_OUT)
    shutil.copy(ROOT / "pyproject.toml", root)
    touched = {}
    for name, trial in TRIALS.items():
        before = contents(root)
        edit(root, trial)
        touched[name] = changed(before, contents(root))
    for module in RENEWED.values():
        subprocess.run([sys.executable, "-m", module], cwd=root, env={"PYTHONPATH": str(root)}, check=True)
    return Copy(root, touched)


def contents(root):
    """Return the bytes of every file of a tree, by name."""
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def changed(before, after):
    return frozenset(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


@pytest.mark.parametrize("name", TRIALS)
def test_a_new_act_touches_at_most_five_files(played, name):
    trial = TRIALS[name]
    assert played.touched[name] == trial.files
    own_test = {f"tests/conformance/trial/played_{name}.py"} - trial.files
    tests = {name for name in trial.files if name.startswith("tests/")} or own_test
    assert len(trial.files | tests) <= MOST


def test_nothing_else_is_touched_but_pages_that_are_renewed(played):
    now = contents(played.root)
    touched = {name for name, text in now.items() if (ROOT / name).read_bytes() != text}
    assert touched - RENEWED.keys() == frozenset().union(*played.touched.values())


def test_the_new_acts_do_what_they_say_and_are_told(played):
    own = (f"tests/conformance/trial/played_{name}.py" for name in TRIALS)
    checked = checked_in(played.root, *own, *CHECKS)
    assert checked.returncode == 0, checked.stdout


def test_the_walls_hold_with_the_new_acts(played):
    root = played.root
    assert made_filters(root) + asked_rules(root) + ports_at_the_edge(root) + conditions_on_types(root) == []
    assert unnamed_at_the_edge(root) == []
