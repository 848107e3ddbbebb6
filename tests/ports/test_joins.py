"""Promises for joins: the ids of what matches, and many values at once."""

import pytest

from consent_rules.visibility import Clause
from fhir_server.domain.search.criteria import AnyOf, NoneOf, Search
from fhir_server.ports.store import Change
from tests.factories import Seen, a_document, a_trace, all_of, an_id, creating, deleted, following

MANY = 1001


def ids(store, search, filters, cap=MANY):
    with store.snapshot() as snapshot:
        return snapshot.matching_ids(search, filters, cap)


def references(numbers):
    return frozenset(f"author|ref|Practitioner/{number}" for number in numbers)


@pytest.fixture
def documents(store, patient):
    kept = [a_document(patient, tokens=references((number, f"{number}-also"))) for number in range(4)]
    store.commit(creating(*kept))
    return kept


def test_the_ids_of_all_matches_are_returned_whatever_the_page(store, patient, documents):
    everything = {one.id for one in documents}
    assert ids(store, Search("DocumentReference", limit=1), all_of(patient)) == everything
    assert ids(store, Search("DocumentReference", limit=0), all_of(patient)) == everything
    one = Search("DocumentReference", (AnyOf(references((2,))),))
    assert ids(store, one, all_of(patient)) == {documents[2].id}


def test_above_the_cap_there_is_no_answer(store, patient, documents):
    assert ids(store, Search("DocumentReference"), all_of(patient), len(documents)) is not None
    assert ids(store, Search("DocumentReference"), all_of(patient), len(documents) - 1) is None


def test_only_what_is_visible_counts(store, patient, documents):
    store.commit(Change((a_trace(),), (following(documents[0], deleted(documents[0])),)))
    seen = Seen(patient, (Clause(kinds=frozenset({"none"})),))
    assert ids(store, Search("DocumentReference"), seen, 0) == frozenset()
    assert ids(store, Search("DocumentReference"), Seen(patient, ()), 0) == frozenset()
    assert ids(store, Search("DocumentReference"), all_of(an_id()), 0) == frozenset()
    assert documents[0].id not in ids(store, Search("DocumentReference"), all_of(patient))


@pytest.mark.parametrize("size", [1, 12, 13, MANY])
def test_a_thousand_values_are_one_flat_list(store, patient, documents, size):
    asked = references((*range(1000, 1000 + size - 1), 3))
    assert len(asked) == size
    search = Search("DocumentReference", (AnyOf(asked),))
    assert ids(store, search, all_of(patient)) == {documents[3].id}
    assert ids(store, Search("DocumentReference", (NoneOf(asked),)), all_of(patient)) == {
        one.id for one in documents[:3]
    }
    with store.snapshot() as snapshot:
        assert [row.id for row in snapshot.find(search, all_of(patient)).rows] == [documents[3].id]
        assert snapshot.count(search, all_of(patient), 10) == 1


def test_a_thousand_ids_are_one_search(store, patient, documents):
    asked = frozenset([*(an_id() for _ in range(MANY - 1)), documents[1].id])
    assert ids(store, Search("DocumentReference", ids=asked), all_of(patient)) == {documents[1].id}
