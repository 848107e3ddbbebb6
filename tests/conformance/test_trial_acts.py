"""A new operation, a new kind of choice, and a new notice touch five files at most: the trial plays them in copies.

The five are the command, the row of the event with its words, the French words, and the test; for the operation also
its name at the edge, for the choice its kind in the rules, for the notice its kind with its words. Pages that are
renewed from the code are not counted.
"""

import shutil
import subprocess
import sys

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
"""Tests of the project that must hold for a copy too."""


@pytest.fixture(scope="module", params=TRIALS)
def played(request, tmp_path_factory):
    """A trial, and a copy of the project with its act."""
    root = tmp_path_factory.mktemp(request.param)
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=LEFT_OUT)
    shutil.copy(ROOT / "pyproject.toml", root)
    edit(root, TRIALS[request.param])
    for module in RENEWED.values():
        subprocess.run([sys.executable, "-m", module], cwd=root, env={"PYTHONPATH": str(root)}, check=True)
    return TRIALS[request.param], root


def test_a_new_act_touches_at_most_five_files(played):
    trial, root = played
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    named = {path.relative_to(root).as_posix(): path for path in files}
    touched = {name for name, path in named.items() if (ROOT / name).read_bytes() != path.read_bytes()}
    own_test = {f"tests/conformance/trial/played_{trial.name}.py"} - trial.files
    assert trial.files <= touched <= trial.files | RENEWED.keys()
    tests = {name for name in trial.files if name.startswith("tests/")} or own_test
    assert len(trial.files | tests) <= MOST


def test_the_new_act_does_what_it_says_and_is_told(played):
    trial, root = played
    checked = checked_in(root, f"tests/conformance/trial/played_{trial.name}.py", *CHECKS)
    assert checked.returncode == 0, checked.stdout


def test_the_walls_hold_with_the_new_act(played):
    _, root = played
    assert made_filters(root) + asked_rules(root) + ports_at_the_edge(root) + conditions_on_types(root) == []
    assert unnamed_at_the_edge(root) == []
