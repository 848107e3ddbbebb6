"""docs/interop.md says what tests show: a clause is done with a test, or not done with a reason."""

from tests.conformance import coverage_docs, interop_docs
from tests.holds import INTEROP


def test_the_page_is_what_the_index_and_the_marks_say():
    assert interop_docs.PAGE.read_text(encoding="utf-8") == interop_docs.page(), "run `make coverage-docs`"


def test_every_clause_has_a_test_or_a_reason_and_never_both():
    assert interop_docs.faults() == []


def test_every_number_stands_once():
    numbers = [one.number for one in interop_docs.clauses()]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) == INTEROP.keys()


def test_every_requirement_of_the_kit_belongs_to_a_clause():
    named = {name for one in interop_docs.clauses() for name in one.kit}
    assert named == {wanted.name for wanted in interop_docs.requirements()}


def test_a_clause_without_a_test_is_found(monkeypatch):
    monkeypatch.setattr(coverage_docs, "by_number", dict)
    assert "MHD-65-3: neither a test nor a reason" in interop_docs.faults()
