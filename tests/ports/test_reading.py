"""Promises of Snapshot for single resources: one moment, judged by today's facts."""

from datetime import timedelta

import pytest

from consent_rules.visibility import AccessFacts, Clause
from consent_rules.vocabulary import Mark
from fhir_server.application.core.access import KnownFilters
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, Location, SpaceWrite
from tests.factories import (
    AT,
    Seen,
    a_document,
    a_list,
    a_resource,
    a_trace,
    all_of,
    an_id,
    creating,
    deleted,
    following,
    marked,
    next_version,
)
from tests.holds import holds

LATER = AT + timedelta(days=1)


def not_masked(patient):
    return Seen(patient, (Clause(closed_by=Mark.MASQUE_PS),))


def update(store, before, after):
    store.commit(Change((a_trace(),), (following(before, after),)))
    return after


def test_later_commits_are_not_seen(store, patient):
    first, second = a_document(patient), a_document(patient)
    store.commit(creating(first))
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", first.id)
        store.commit(creating(second))
        update(store, first, next_version(first))
        store.commit(Change((a_trace(patient),), spaces=(SpaceWrite(patient, 0, b"state"),)))
        assert snapshot.read("DocumentReference", first.id, all_of(patient)).version == 1
        assert snapshot.read("DocumentReference", second.id, all_of(patient)) is None
        assert snapshot.count(Search("DocumentReference"), all_of(patient), 9) == 1
        assert snapshot.count(Search("AuditEvent"), all_of(patient), 9) == 0
        assert snapshot.load_space(patient) is None
        assert snapshot.locate("DocumentReference", second.id) is None
    with store.snapshot() as snapshot:
        assert snapshot.count(Search("DocumentReference"), all_of(patient), 9) == 2


@holds("AC22")
def test_an_acknowledged_commit_is_seen_by_the_next_snapshot(store, patient):
    for expected in range(5):
        store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, expected, str(expected).encode()),)))
        with store.snapshot() as snapshot:
            assert snapshot.load_space(patient).state == str(expected).encode()


def test_an_error_inside_a_snapshot_leaves_the_store_usable(store, patient):
    with pytest.raises(RuntimeError), store.snapshot():
        raise RuntimeError
    with store.snapshot() as outer, store.snapshot() as inner:
        assert outer.load_space(patient) is inner.load_space(patient) is None


def test_an_id_is_located_whoever_asks(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id) == Location(patient, deleted=False)
        assert snapshot.locate("List", document.id) is None
        assert snapshot.locate("DocumentReference", an_id()) is None
    update(store, document, deleted(document))
    with store.snapshot() as snapshot:
        assert snapshot.locate("DocumentReference", document.id) == Location(patient, deleted=True)


def test_a_trace_is_located_and_read_like_any_resource(store, patient):
    trace = a_trace(patient)
    store.commit(Change((trace,)))
    with store.snapshot() as snapshot:
        assert snapshot.locate("AuditEvent", trace.event.id) == Location(patient, deleted=False)
        assert snapshot.read("AuditEvent", trace.event.id, all_of(patient)) == trace.event
        assert snapshot.read_version("AuditEvent", trace.event.id, 1, all_of(patient)) == trace.event
        assert snapshot.read_version("AuditEvent", trace.event.id, 2, all_of(patient)) is None
        assert snapshot.history("AuditEvent", trace.event.id, all_of(patient)) == (trace.event,)
        assert snapshot.read("AuditEvent", trace.event.id, all_of(an_id())) is None
        assert snapshot.visible_ids("AuditEvent", [trace.event.id], all_of(patient)) == {trace.event.id}


def test_another_compartment_sees_nothing(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    with store.snapshot() as snapshot:
        for stranger in (all_of(an_id()), all_of(""), Seen(patient)):
            assert snapshot.read("DocumentReference", document.id, stranger) is None
            assert snapshot.history("DocumentReference", document.id, stranger) == ()
            assert snapshot.find(Search("DocumentReference"), stranger).rows == ()
            assert snapshot.count(Search("DocumentReference"), stranger, 9) == 0
            assert snapshot.visible_ids("DocumentReference", [document.id], stranger) == frozenset()


def test_history_is_newest_first_with_the_bytes_of_each_version(store, patient):
    first = a_document(patient)
    store.commit(creating(first))
    second = update(store, first, next_version(first, at=LATER))
    update(store, second, deleted(second, at=LATER))
    with store.snapshot() as snapshot:
        rows = snapshot.history("DocumentReference", first.id, all_of(patient))
        assert [(row.version, row.deleted, row.body, row.last_updated) for row in rows] == [
            (3, True, b"", LATER),
            (2, False, second.body, LATER),
            (1, False, first.body, AT),
        ]
        for row in rows:
            assert snapshot.read_version("DocumentReference", first.id, row.version, all_of(patient)) == row
        assert snapshot.read_version("DocumentReference", first.id, 4, all_of(patient)) is None
        assert snapshot.read_version("DocumentReference", an_id(), 1, all_of(patient)) is None


@holds("AC03")
def test_hiding_closes_every_version(store, patient):
    first = a_document(patient)
    store.commit(creating(first))
    second = update(store, first, next_version(first))
    update(store, second, marked(second, Mark.MASQUE_PS, at=LATER))
    with store.snapshot() as snapshot:
        assert snapshot.history("DocumentReference", first.id, not_masked(patient)) == ()
        assert snapshot.read_version("DocumentReference", first.id, 1, not_masked(patient)) is None
        seen = snapshot.history("DocumentReference", first.id, all_of(patient))
    assert [(row.version, row.mark, row.marked_at, row.facts.access.marks) for row in seen] == [
        (2, 1, LATER, Mark.MASQUE_PS),
        (1, 1, LATER, Mark.MASQUE_PS),
    ]


def test_a_deleted_resource_reads_as_deleted_and_is_not_found(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    update(store, document, deleted(document))
    with store.snapshot() as snapshot:
        assert snapshot.read("DocumentReference", document.id, all_of(patient)).deleted
        assert snapshot.find(Search("DocumentReference"), all_of(patient)).rows == ()
        assert snapshot.count(Search("DocumentReference"), all_of(patient), 9) == 0
        assert snapshot.visible_ids("DocumentReference", [document.id], all_of(patient)) == frozenset()


def test_patients_who_have_a_space_are_listed_in_pages(store):
    mine = sorted(an_id() for _ in range(3))
    for patient in mine:
        store.commit(Change((a_trace(),), spaces=(SpaceWrite(patient, 0, b"state"),)))
    with store.snapshot() as snapshot:
        everybody = snapshot.patients("", 10_000)
        assert sorted(set(everybody) & set(mine)) == mine
        assert list(everybody) == sorted(everybody)
        assert snapshot.patients(mine[0], 1) == everybody[everybody.index(mine[0]) + 1 :][:1]
        assert snapshot.patients(everybody[-1], 9) == ()


def test_lookup_tokens_are_found_without_naming_a_patient(store):
    value, people = an_id(), sorted(an_id() for _ in range(3))
    shared, own = f"identifier|s|{value}", [f"identifier|own|{an_id()}" for _ in people]
    for person, mine in zip(people, own, strict=True):
        lookup = frozenset({shared, mine})
        store.commit(creating(a_resource("Patient", AccessFacts(person), id_=person, tokens=lookup, lookup=lookup)))
    with store.snapshot() as snapshot:
        everybody = tuple((person, person) for person in people)
        assert snapshot.compartments_with("Patient", frozenset({shared}), 9) == everybody
        assert snapshot.compartments_with("Patient", frozenset({shared}), 2) == everybody[:2]
        assert snapshot.compartments_with("Patient", frozenset({shared, own[1]}), 9) == everybody[1:2]
        assert snapshot.compartments_with("Patient", frozenset({own[0], own[1]}), 9) == ()
        assert snapshot.compartments_with("Practitioner", frozenset({shared}), 9) == ()
        assert snapshot.compartments_with("Patient", frozenset(), 9) == ()


def test_tokens_outside_lookup_find_nothing_without_a_patient(store, patient):
    token = f"type|s|{an_id()}"
    store.commit(creating(a_document(patient, tokens=frozenset({token}))))
    store.commit(creating(a_resource("Practitioner", AccessFacts(""), tokens=frozenset({token}))))
    with store.snapshot() as snapshot:
        assert snapshot.compartments_with("DocumentReference", frozenset({token}), 9) == ()
        assert snapshot.compartments_with("Practitioner", frozenset({token}), 9) == ()


def test_a_deleted_resource_is_not_looked_up(store, patient):
    token = f"identifier|s|{an_id()}"
    person = a_resource("Patient", AccessFacts(patient), id_=patient, lookup=frozenset({token}))
    store.commit(creating(person))
    update(store, person, deleted(person))
    with store.snapshot() as snapshot:
        assert snapshot.compartments_with("Patient", frozenset({token}), 9) == ()


def test_visible_ids_are_the_visible_ones_among_those_asked(store, patient):
    plain, hidden, unasked = a_document(patient), a_document(patient, marks=Mark.MASQUE_PS), a_document(patient)
    store.commit(creating(plain, hidden, unasked))
    with store.snapshot() as snapshot:
        asked = [plain.id, hidden.id, an_id()]
        assert snapshot.visible_ids("DocumentReference", asked, not_masked(patient)) == {plain.id}
        assert snapshot.visible_ids("DocumentReference", [], all_of(patient)) == frozenset()


def test_a_list_is_visible_through_one_of_its_documents(store, patient):
    plain, hidden = a_document(patient), a_document(patient, marks=Mark.MASQUE_PS)
    both, closed = a_list(patient, [hidden.id, plain.id]), a_list(patient, [hidden.id])
    store.commit(creating(plain, hidden, both, closed))
    with store.snapshot() as snapshot:
        assert snapshot.find(Search("List"), not_masked(patient)).rows[0].facts.documents == (hidden.id, plain.id)
        assert snapshot.count(Search("List"), not_masked(patient), 9) == 1
        assert snapshot.read("List", both.id, not_masked(patient)) is not None
        assert snapshot.read("List", closed.id, not_masked(patient)) is None
        assert snapshot.visible_ids("List", [both.id, closed.id], not_masked(patient)) == {both.id}


def test_a_list_of_a_deleted_document_is_not_visible_through_it(store, patient):
    document = a_document(patient)
    gathering = a_list(patient, [document.id])
    store.commit(creating(document, gathering))
    update(store, document, deleted(document))
    with store.snapshot() as snapshot:
        assert snapshot.read("List", gathering.id, all_of(patient)) is None
        assert snapshot.find(Search("List"), all_of(patient)).rows == ()


def test_a_list_does_not_borrow_from_another_compartment(store, patient):
    foreign = a_document(an_id())
    gathering = a_list(patient, [foreign.id])
    store.commit(creating(foreign, gathering))
    with store.snapshot() as snapshot:
        assert snapshot.read("List", gathering.id, all_of(patient)) is None
        assert snapshot.read("List", gathering.id, all_of(foreign.facts.access.compartment)) is None


def test_the_depositor_sees_a_list_of_hidden_documents(store, patient):
    hidden = a_document(patient, marks=Mark.MASQUE_PS)
    mine = a_list(patient, [hidden.id], owner="Practitioner/nour")
    store.commit(creating(hidden, mine))
    own = Seen(patient, (Clause(owned_by=frozenset({"Practitioner/nour"})),))
    with store.snapshot() as snapshot:
        assert snapshot.read("List", mine.id, own) is not None
        assert snapshot.count(Search("List"), own, 9) == 1


def test_an_empty_list_is_judged_by_its_own_facts(store, patient):
    empty = a_list(patient)
    store.commit(creating(empty))
    with store.snapshot() as snapshot:
        assert snapshot.read("List", empty.id, all_of(patient)) is not None
        assert snapshot.read("List", empty.id, Seen(patient, (Clause(kinds=frozenset({"x"})),))) is None


def test_each_type_is_read_through_its_own_filter(store, patient):
    document, consent = a_document(patient), a_resource("Consent", AccessFacts(patient))
    store.commit(creating(document, consent))
    only = KnownFilters({"DocumentReference": all_of(patient), "Consent": Seen(patient)})
    with store.snapshot() as snapshot:
        assert snapshot.read("DocumentReference", document.id, only) is not None
        assert seen_of(snapshot, consent, only) == []
        assert seen_of(snapshot, consent, all_of(patient)) == [
            "read",
            "read_version",
            "history",
            "find",
            "count",
            "ids",
        ]


def test_a_type_without_a_filter_shows_nothing(store, patient):
    consent = a_resource("Consent", AccessFacts(patient))
    store.commit(creating(consent))
    with store.snapshot() as snapshot:
        assert seen_of(snapshot, consent, KnownFilters({"DocumentReference": all_of(patient)})) == []


def seen_of(snapshot, stored, filters):
    """Return the queries that show a resource."""
    type_, id_, search = stored.type, stored.id, Search(stored.type)
    shown = {
        "read": snapshot.read(type_, id_, filters),
        "read_version": snapshot.read_version(type_, id_, 1, filters),
        "history": snapshot.history(type_, id_, filters),
        "find": snapshot.find(search, filters).rows,
        "count": snapshot.count(search, filters, 9),
        "ids": snapshot.visible_ids(type_, [id_], filters),
    }
    return [name for name, found in shown.items() if found]
