"""Two versions of the matrix: what changes, who must approve, what stands in the way."""

from datetime import date

import pytest

from consent_rules.matrix.comparison import (
    Activation,
    CellChange,
    by_profession,
    differences,
    faults,
    may_activate,
    touched,
)
from consent_rules.matrix.table import of_cells
from consent_rules.model import RuleApplied
from tests.rules.builders import MATRIX

TODAY = date(2026, 3, 2)
KEY, OTHER = ("70", "11502-2"), ("70", "34112-3")


def version(*changed, effective="2026-06-01", without=()):
    cells = {key: cell for key, cell in MATRIX.cells.items() if key not in without}
    for key in changed:
        cells[key] = cells[key]._replace(access=not cells[key].access)
    return of_cells(cells.values(), effective)


WIDER, NARROWER = version(KEY), version(OTHER)


def activate(newer, *approvers, noticed_on=None):
    return may_activate(MATRIX, newer, Activation(frozenset(approvers), noticed_on, TODAY))


def test_only_cells_that_decide_otherwise_are_told():
    assert differences(MATRIX, WIDER) == (CellChange("70", "11502-2", before=False, after=True),)
    assert differences(MATRIX, NARROWER) == (CellChange("70", "34112-3", before=True, after=False),)
    assert differences(MATRIX, MATRIX) == ()
    assert [c.widens for c in differences(MATRIX, version(KEY, OTHER))] == [True, False]


def test_a_cell_that_goes_missing_is_a_denial():
    assert differences(MATRIX, version(without=(OTHER,))) == (CellChange("70", "34112-3", before=True, after=False),)
    assert differences(MATRIX, version(without=(KEY,))) == ()
    assert differences(version(without=(OTHER,)), MATRIX) == (CellChange("70", "34112-3", before=False, after=True),)


def test_a_narrowing_needs_nobody():
    assert activate(NARROWER) == RuleApplied("D3", "permit")


@pytest.mark.parametrize(
    ("approvers", "noticed_on", "reason"),
    [
        ((), TODAY, "second-approver-missing"),
        (("dana",), TODAY, "second-approver-missing"),
        (("dana", "oscar"), None, "notice-missing"),
        (("dana", "oscar"), date(2026, 6, 1), "notice-missing"),
    ],
)
def test_a_widening_needs_two_persons_and_an_earlier_notice(approvers, noticed_on, reason):
    assert activate(WIDER, *approvers, noticed_on=noticed_on).reason == reason


def test_a_widening_approved_and_announced_may_come():
    assert activate(WIDER, "dana", "oscar", noticed_on=date(2026, 5, 31)) == RuleApplied("D3", "permit")


@pytest.mark.parametrize("effective", ["2026-03-01", "2023-10-26", "2020-01-01"])
def test_no_version_comes_into_force_in_the_past(effective):
    assert activate(version(OTHER, effective=effective)).reason == "too-early"


def test_a_version_may_come_into_force_today():
    assert activate(version(OTHER, effective="2026-03-02")) == RuleApplied("D3", "permit")


def test_changes_are_counted_for_each_profession():
    others = version(KEY, OTHER, ("50", "11502-2"))
    assert by_profession(differences(MATRIX, others)) == {"50": (0, 1), "70": (1, 1)}
    assert by_profession(()) == {}


def test_patients_touched_are_counted_once():
    documents = [("camille", "11502-2"), ("camille", "11502-2"), ("leo", "11502-2"), ("ines", "34112-3")]
    assert touched(differences(MATRIX, WIDER), documents) == 2


def test_production_refuses_inferred_grants_unless_they_are_accepted():
    assert faults(MATRIX, accept_inferred=False) == ("1137 cells grant access without a source",)
    assert faults(MATRIX, accept_inferred=True) == ()
    sourced = of_cells([c for c in MATRIX.cells.values() if c.confidence == "sourced"], "2023-10-26")
    assert "profession 50 has no row: everything is denied" in faults(sourced, accept_inferred=False)
    assert not any("cells grant" in fault for fault in faults(sourced, accept_inferred=False))
