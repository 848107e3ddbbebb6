"""Promises of Snapshot.queue: one order over all spaces, by a date, of what has a lookup token."""

from dataclasses import replace

import pytest

from consent_rules.visibility import AccessFacts
from fhir_server.domain.search.criteria import Place
from fhir_server.ports.store import Change, Queued
from tests.factories import a_resource, a_trace, an_id, creating, deleted, following, next_version

DATE = "due"


@pytest.fixture
def token():
    """Return a token of this test alone: a queue knows no space, and tests share a store."""
    return f"review|urn:test|{an_id()}"


def waiting(token, due, *, id_="", type_="Task", **more):
    dates = {DATE: (due, due + 1)} if due is not None else {}
    listed = frozenset({token})
    return a_resource(type_, AccessFacts(an_id()), id_=id_, tokens=listed, lookup=listed, dates=dates, **more)


def queue(store, token, limit=20, after=None):
    with store.snapshot() as snapshot:
        return snapshot.queue("Task", token, DATE, limit, after)


def ids(store, token, **more):
    return [one.id for one in queue(store, token, **more)]


def test_the_earliest_of_all_spaces_comes_first(store, token):
    late, early, negative = (waiting(token, due) for due in (30, 20, -(10**16)))
    store.commit(creating(late, early, negative))
    assert queue(store, token) == tuple(
        Queued(one.facts.access.compartment, one.id, due)
        for one, due in ((negative, -(10**16)), (early, 20), (late, 30))
    )


def test_what_has_no_date_stands_at_zero(store, token):
    before, none, after = waiting(token, -1), waiting(token, None), waiting(token, 1)
    store.commit(creating(after, none, before))
    assert ids(store, token) == [before.id, none.id, after.id]


def test_ties_go_by_id_and_pages_meet_without_gap_or_repeat(store, token):
    rows = [waiting(token, due) for due in (5, 5, 5, 7, 7, 9)]
    store.commit(creating(*rows))
    expected = sorted((row.facts.dates[DATE][0], row.id) for row in rows)
    found, after = [], None
    while len(found) <= len(rows) and (page := queue(store, token, limit=2, after=after)):
        found += [(one.value, one.id) for one in page]
        after = Place(page[-1].value, page[-1].id)
    assert found == expected


def test_only_the_type_and_the_whole_token_count(store, token):
    other, longer = waiting(token, 1, type_="Consent"), waiting(f"{token}0", 1)
    store.commit(creating(other, longer))
    assert queue(store, token) == ()


def test_a_token_that_is_not_listed_leads_nowhere(store, token):
    unlisted = waiting(token, 1)
    store.commit(creating(replace(unlisted, facts=replace(unlisted.facts, lookup=frozenset()))))
    assert queue(store, token) == ()


def test_what_loses_its_token_or_is_deleted_leaves(store, token):
    done, gone, stays = (waiting(token, due) for due in (1, 2, 3))
    store.commit(creating(done, gone, stays))
    changed = next_version(done, tokens=frozenset({"review|done"}), lookup=frozenset())
    store.commit(Change((a_trace(),), (following(done, changed), following(gone, deleted(gone)))))
    assert ids(store, token) == [stays.id]


def test_what_changes_its_date_changes_its_place(store, token):
    first, second = waiting(token, 1), waiting(token, 2)
    store.commit(creating(first, second))
    listed = frozenset({token})
    sooner = next_version(second, tokens=listed, lookup=listed, dates={DATE: (-7, -6)})
    store.commit(Change((a_trace(),), (following(second, sooner),)))
    assert ids(store, token) == [second.id, first.id]


def test_later_commits_are_not_seen(store, token):
    with store.snapshot() as snapshot:
        assert snapshot.queue("Task", token, DATE, 9, None) == ()
        store.commit(creating(waiting(token, 1)))
        assert snapshot.queue("Task", token, DATE, 9, None) == ()
    assert len(queue(store, token)) == 1
