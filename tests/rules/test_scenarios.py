"""Single decisions of the acceptance scenarios, each a file that says what should come out; see tests/scenarios."""

from pathlib import Path

import pytest

from consent_rules.decision.decide import decide
from consent_rules.model import Permit
from consent_rules.tools.scenario import parse
from consent_rules.vocabulary import View

SAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "scenario.toml"
FILES = [*sorted((Path(__file__).parent / "scenarios").glob("*.toml")), SAMPLE]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_comes_out_as_the_file_says(path):
    told = parse(path.read_text("utf-8"))
    answer = decide(told.request, told.stage.record, told.stage.matrix, told.stage.profile)
    if "reason" in told.expect:
        assert getattr(answer, "reason", answer) == told.expect["reason"]
        return
    assert isinstance(answer, Permit), answer
    assert answer.basis == told.expect["basis"]
    visibility = answer.sees(View.DOCUMENTS)
    shown = {name for name, facts in told.documents.items() if visibility.admits(facts)}
    assert set(told.expect.get("seen", [])) <= shown
    assert not set(told.expect.get("hidden", [])) & shown
    if "obligations" in told.expect:
        assert answer.obligations == set(told.expect["obligations"])
    if "consents" in told.expect:
        assert [c for rule in answer.rules for c in rule.consents] == told.expect["consents"]


def test_every_persona_with_decisions_has_one():
    assert {path.stem.split("_")[0] for path in FILES if path != SAMPLE} == {"p1", "p2", "p3", "p4", "p5", "p6", "p10"}
