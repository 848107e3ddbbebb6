"""What a join asks of the embedded store does not depend on how many other patients there are.

Steps of SQLite's virtual machine are counted, which are the same in every run: a scan of other patients' rows would add
some for each row.
"""

from collections import Counter

import pytest

from fhir_server.domain.search.criteria import AnyOf, Search
from tests.engines import SqliteEngine
from tests.factories import a_document, a_list, all_of, an_id, creating

PATIENTS = {"few": 2, "many": 40}
DOCUMENTS = 15


@pytest.fixture
def engine(tmp_path):
    opened = SqliteEngine(tmp_path)
    yield opened
    opened.ports.store.close()


def of_patient(patient):
    """Return documents of a patient and a list that gathers them."""
    documents = [a_document(patient, id_=f"{patient}-{n}", tokens=frozenset({f"type|s|{n}"})) for n in range(DOCUMENTS)]
    return [*documents, a_list(patient, [one.id for one in documents], id_=f"{patient}-list")]


def steps(engine, patient):
    """Return the steps of each call of a join in the space of a patient, and how much it found."""
    counted, found = Counter(), {}
    ids = frozenset(f"{patient}-{n}" for n in range(DOCUMENTS))
    many = AnyOf(frozenset(f"type|s|{n}" for n in range(DOCUMENTS)))
    calls = {
        "what comes with a page": lambda store, seen: store.find(Search("DocumentReference", ids=ids), seen).rows,
        "its count": lambda store, seen: range(store.count(Search("DocumentReference", ids=ids), seen, 100)),
        "a step of a chain": lambda store, seen: store.matching_ids(Search("DocumentReference", (many,)), seen, 100),
        "which of these": lambda store, seen: store.visible_ids("DocumentReference", ids, seen),
        "the lists": lambda store, seen: store.find(Search("List"), seen).rows,
    }
    for name, call in calls.items():
        with engine.ports.store.snapshot() as snapshot:
            snapshot._connection.set_progress_handler(lambda name=name: counted.update([name]), 1)
            found[name] = len(call(snapshot, all_of(patient)))
            snapshot._connection.set_progress_handler(None, 1)
    return counted, found


def test_a_join_takes_as_many_steps_among_many_patients_as_among_few(engine):
    patient, taken, there = an_id(), {}, 0
    engine.ports.store.commit(creating(*of_patient(patient)))
    for name, number in PATIENTS.items():
        others = [creating(*of_patient(an_id())) for _ in range(number - there)]
        engine.ports.store.commit_many(others)
        there = number
        taken[name] = steps(engine, patient)
    counted, found = taken["few"]
    assert set(found.values()) == {DOCUMENTS, 1}
    assert min(counted.values()) > DOCUMENTS
    for call, few in counted.items():  # where a random id lies in its index makes a few steps
        assert abs(taken["many"][0][call] - few) <= max(5, few // 50), call
    assert taken["many"][1] == found
