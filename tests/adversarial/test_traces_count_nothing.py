"""Fear: that a trace says how much was shown, to somebody who may not see all of it (AC07, AC29, B10)."""

from tests.holds import holds
from tests.seed.conftest import Stage, copied, loaded, stage

__all__ = ["copied", "loaded", "stage"]  # fixtures of the seed's tests


def sentences(stage: Stage, who: str, of: str) -> set[str]:
    """Return the narratives of the searches for documents in a journal, without their beginning."""
    journal = f"AuditEvent?patient={stage.demo.patients[of]}&action=E&_count=200"
    found = stage.ask(who, "GET", journal).json
    told = [entry["resource"]["text"]["div"] for entry in found["entry"]]
    return {text.partition("UTC, ")[2] for text in told if "la liste des documents" in text}


def test_the_representative_reads_no_number_that_counts_a_minors_secret(stage):
    seen = stage.keys("anna", "ines")
    assert "ines-midwife-visit" in seen
    told = sentences(stage, "camille/ines", "ines")
    assert told
    assert not {text for text in told if any(symbol.isdigit() for symbol in text)}


@holds("AC29")
def test_the_holder_reads_no_number_that_counts_a_result_that_waits(stage):
    assert "camille-pathology" in stage.keys("nour")
    told = sentences(stage, "camille", "camille")
    assert told
    assert not {text for text in told if any(symbol.isdigit() for symbol in text)}
