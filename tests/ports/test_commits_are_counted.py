"""Both stores count what they write: transactions, and the changes in them."""

import pytest

from fhir_server.ports.store import AlreadyClaimed, StoreUnavailable
from tests.factories import a_document, creating
from tests.metrics import counting_in, grown

WRITTEN, TRANSACTIONS, FAILED = "habilis_changes ", "habilis_commit_seconds ", "habilis_failed_commits "


@pytest.fixture
def counted(tmp_path):
    with counting_in(tmp_path / "metrics") as folder:
        yield lambda act: grown(folder, act)


def test_a_commit_counts_as_one_change_in_one_transaction(store, patient, counted):
    store.commit(creating(a_document(patient)))  # the first document of a space makes a key besides
    found = counted(lambda: store.commit(creating(a_document(patient))))
    assert (found[WRITTEN], found[TRANSACTIONS]) == (1, 1)


def test_changes_that_are_written_together_all_count(store, patient, counted):
    store.commit(creating(a_document(patient)))
    found = counted(lambda: store.commit_many([creating(a_document(patient)) for _ in range(7)]))
    assert found[WRITTEN] >= 1
    assert found[TRANSACTIONS] == 1


def test_a_change_that_is_refused_counts_neither_as_written_nor_as_failed(store, patient, counted):
    claim = f"patient|{patient}"
    store.commit(creating(a_document(patient), claims=[claim]))

    def again():
        with pytest.raises(AlreadyClaimed):
            store.commit(creating(a_document(patient), claims=[claim]))

    found = counted(again)
    assert WRITTEN not in found
    assert FAILED not in found


def test_a_transaction_that_is_lost_counts_as_failed(sqlite_engine, counted):
    def lose():
        with pytest.raises(StoreUnavailable):
            sqlite_engine.ports.store._database.writer.run(lambda connection: connection.execute("ROLLBACK").close())

    assert counted(lose) == {FAILED: 1}
