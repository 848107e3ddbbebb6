"""Fear: that somebody has two identities merged to read the space of the other one (AC51), or learns by asking.

Four people: a stranger without a token, a colleague with a valid one, a parent of a child, a patient at the journal.
"""

from dataclasses import replace

import pytest

from consent_rules.merging import under_both
from fhir_server.application.core import access
from tests.http.merges import agreed, documents, merge, named, twice, unmerge
from tests.http.spaces import parent

PEOPLE = ("camille", "double", "marc", "nour", "martin", "zoe", "chu-ehr", "other-ehr", "keeper")
SPACES = ("camille", "double")


@pytest.fixture
def two(world):
    """Two open spaces with a document each, and people who each may enter one of them."""
    world.patient("child", "214039999900311", "2020-01-05")
    twice(world)
    for name in SPACES:
        world.publish(patient=name)
    agreed(world, "camille", "nour")
    agreed(world, "double", "martin")
    parent(world, "marc", "child")
    return world


def shown(world):
    """Return which documents each person is shown in each space."""
    return {(who, name): set(documents(world, who, name)[1]) for who in PEOPLE for name in SPACES}


def learned(world):
    """Return who is shown more after the merge than before, and where."""
    before = shown(world)
    assert merge(world).status_code == 200
    return {place for place, seen in shown(world).items() if seen - before[place]}


def test_nobody_is_shown_more_by_a_merge(two):
    assert learned(two) == set()


def test_the_leak_of_a_merge_that_joins_what_opens_is_found(two, monkeypatch):
    """The fault is planted: the agreements of the other space count too."""

    def joins_all(own, other, at, profile):
        joined = under_both(own, other, at, profile)
        return replace(joined, directives=(*joined.directives, *other.directives))

    monkeypatch.setattr(access, "under_both", joins_all)
    assert learned(two) == {("nour", "double"), ("martin", "camille")}


def test_the_leak_of_a_merge_that_forgets_the_other_space_is_found(two, monkeypatch):
    """The fault is planted: the other space's choices do not count, so that somebody blocked there is let in."""
    agreed(two, "double", "nour", "deny")
    assert merge(two).status_code == 200
    assert documents(two, "nour", "camille")[0] == 403
    monkeypatch.setattr(access, "under_both", lambda own, *_: own)
    assert documents(two, "nour", "camille")[0] == 200


@pytest.mark.parametrize("who", ["camille", "double", "marc", "nour", "chu-ehr"])
def test_who_may_not_merge_learns_nothing_by_asking(two, who):
    answers = set()
    for source, target in (("camille", "double"), ("double", "00000000-0000-4000-8000-000000000009")):
        for preview in (True, False):
            answer = two.send(who, "POST", "/Patient/$merge", named(two, source, target, preview=preview))
            answers.add((answer.status_code, answer.data))
    assert len(answers) == 1
    assert answers.pop()[0] == 403


def test_a_stranger_is_asked_for_a_token(two):
    for operation in ("merge", "unmerge"):
        assert two.web.post(f"/fhir/Patient/${operation}", json=named(two)).status_code == 401


def test_a_block_by_the_other_space_answers_as_no_consent(two):
    """The colleague cannot tell a block of the merged space from a space without any consent."""
    never = two.get("zoe", f"/DocumentReference?patient={two.ids['camille']}").data
    agreed(two, "double", "nour", "deny")
    merge(two)
    assert two.get("nour", f"/DocumentReference?patient={two.ids['camille']}").data == never


def test_the_journal_names_no_consent_of_the_other_space(two):
    block = agreed(two, "double", "nour", "deny")
    merge(two)
    documents(two, "nour", "camille")
    journal = two.get("camille", f"/AuditEvent?patient={two.ids['camille']}&_count=100")
    assert journal.status_code == 200
    assert block not in journal.get_data(as_text=True)


def test_the_undoing_gives_everybody_what_they_had(two):
    agreed(two, "double", "nour", "deny")
    before = shown(two)
    merge(two)
    unmerge(two)
    assert shown(two) == before
