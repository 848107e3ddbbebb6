"""Non-interference of trail, journal, notices and totals: what a secret leaves for whom it is kept from is nothing."""

from dataclasses import replace

import pytest

from fhir_server.domain import audit
from tests.adversarial.two_worlds import KINDS, differences, sides, unknown_names
from tests.holds import holds

TRIALS = 400
"""Deeds for each of the five kinds of secrets: 2,000 together."""


@holds("AC29", "AC30")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whom_a_secret_is_kept_from_is_told_the_same_in_both_worlds(tmp_path, kind):
    with sides(tmp_path, kind) as pair:
        found = next(differences(pair, kind, TRIALS, seed=8), None)
        unknown = {who: unknown_names(pair[1], who) for who in kind.blind}
    assert found is None, f"{found.who}: {found.what}\n{found.without}\n---\n{found.with_it}\n{found.deeds}"
    assert unknown == {who: set() for who in kind.blind}


def test_the_leak_of_a_trace_that_is_not_judged_by_what_it_is_about_is_found(tmp_path, monkeypatch):
    """The fault is planted: traces are about no document, as it was before."""
    monkeypatch.setattr(audit, "about", lambda _deed, _verdict: ())
    with sides(tmp_path, KINDS[0]) as pair:
        assert next(differences(pair, KINDS[0], TRIALS, seed=8), None) is not None


def test_the_secret_is_noticed_by_whoever_may_know_it(tmp_path):
    """The control: the same comparison for somebody who may know finds the difference."""
    kind = replace(KINDS[0], blind=("ines",))
    with sides(tmp_path, kind) as pair:
        assert next(differences(pair, kind, 40, seed=8), None) is not None
