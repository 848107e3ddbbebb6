"""acceptance.csv names all 53 scenarios, each played, tested elsewhere or missing, and says the truth about it."""

import ast
import csv
from pathlib import Path

import pytest

from tests.conformance.project import ROOT
from tests.scenarios.playing import plays

COUNTS = {1: 6, 2: 5, 3: 5, 4: 5, 5: 4, 6: 5, 7: 6, 8: 6, 9: 6, 10: 5}
"""How many scenarios each of the ten people has."""
with (Path(__file__).parent / "acceptance.csv").open(encoding="utf-8", newline="") as _table:
    ROWS = tuple(csv.DictReader(_table))
RULES = ROOT / "tests/rules/scenarios"
PLAYED = {story.number for story in plays()}


def rows(how):
    return [row for row in ROWS if row["how"] == how]


def test_all_fifty_three_are_there_once_and_in_order():
    wanted = [f"P{person}.{number}" for person, count in COUNTS.items() for number in range(1, count + 1)]
    assert len(wanted) == 53
    assert [row["number"] for row in ROWS] == wanted


def test_each_is_played_elsewhere_or_missing():
    assert {row["how"] for row in ROWS} == {"played", "elsewhere", "missing"}


def test_what_is_played_has_its_file_and_no_file_plays_another():
    assert {row["number"] for row in rows("played")} == {number for number in PLAYED if number.startswith("P")}


def test_every_single_decision_of_the_rules_belongs_to_a_scenario_that_is_played():
    names = {".".join(path.stem.split("_")[:2]) for path in RULES.glob("*.toml")}
    assert {name.upper() for name in names} <= PLAYED


def test_what_is_not_played_has_its_reason():
    for row in rows("elsewhere") + rows("missing"):
        assert len(row["reason"]) > 20, row["number"]
    assert not any(row["reason"] or row["test"] for row in rows("played"))
    assert not any(row["test"] for row in rows("missing"))


@pytest.mark.parametrize("row", rows("elsewhere"), ids=lambda row: row["number"])
def test_what_is_shown_elsewhere_has_a_test_that_exists(row):
    path, *names = row["test"].split("::")
    nodes = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for name in names:
        found = next((node for node in nodes if getattr(node, "name", "") == name), None)
        assert found is not None, f"{path} has no {name}"
        nodes = getattr(found, "body", [])


def test_nothing_that_concerns_a_decision_is_left_out_in_silence():
    """Whatever is missing says that it is no decision, or which decision it would be."""
    silent = [row["number"] for row in rows("missing") if "decision" not in row["reason"]]
    assert not silent
