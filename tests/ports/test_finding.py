"""Promises of Snapshot.find and count: criteria, order, pages and caps."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent_rules.visibility import AccessFacts, Clause, Extent
from consent_rules.vocabulary import Mark
from fhir_server.domain.search.criteria import DATE_OPS, AnyOf, DateIs, NoneOf, Place, Search
from fhir_server.ports.store import Change
from tests.factories import (
    AT,
    Seen,
    a_document,
    a_resource,
    a_trace,
    all_of,
    an_id,
    creating,
    deleted,
    following,
    marked,
)

EPOCH_MICROS = int(AT.timestamp()) * 1_000_000


def found(store, search, visibility):
    with store.snapshot() as snapshot:
        return [row.id for row in snapshot.find(search, visibility).rows]


def documents(**more):
    return Search("DocumentReference", **more)


def test_only_the_type_asked_for_is_found(store, patient):
    document, consent = a_document(patient), a_resource("Consent", AccessFacts(patient))
    store.commit(creating(document, consent))
    assert found(store, Search("Consent"), all_of(patient)) == [consent.id]


def test_any_of_and_none_of_look_at_whole_tokens(store, patient):
    one = a_document(patient, tokens=frozenset({"type|s|a", "status|s|current"}))
    two = a_document(patient, tokens=frozenset({"type|s|ab"}))
    store.commit(creating(one, two))
    assert found(store, documents(criteria=(AnyOf(frozenset({"type|s|a"})),)), all_of(patient)) == [one.id]
    assert found(store, documents(criteria=(NoneOf(frozenset({"type|s|a"})),)), all_of(patient)) == [two.id]
    assert found(store, documents(criteria=(AnyOf(frozenset()),)), all_of(patient)) == []
    assert len(found(store, documents(criteria=(NoneOf(frozenset()),)), all_of(patient))) == 2
    both = (AnyOf(frozenset({"type|s|a"})), AnyOf(frozenset({"status|s|current"})))
    assert found(store, documents(criteria=both), all_of(patient)) == [one.id]


def test_thousands_of_alternatives_are_one_search(store, patient):
    document = a_document(patient, tokens=frozenset({"type|s|4999"}))
    store.commit(creating(document))
    wide = AnyOf(frozenset(f"type|s|{number}" for number in range(5000)))
    assert found(store, documents(criteria=(wide,)), all_of(patient)) == [document.id]
    assert found(store, documents(criteria=(NoneOf(wide.tokens),)), all_of(patient)) == []


def test_ids_restrict(store, patient):
    one, two = a_document(patient), a_document(patient)
    store.commit(creating(one, two))
    assert found(store, documents(ids=frozenset({one.id, an_id()})), all_of(patient)) == [one.id]
    assert found(store, documents(ids=frozenset()), all_of(patient)) == []


@pytest.mark.parametrize("op", sorted(DATE_OPS))
def test_every_date_comparison_means_what_the_table_says(store, patient, op):
    intervals = [(low, low + size) for low in (-2, 0, 1, 3) for size in (1, 2, 5)]
    dated = [a_document(patient, dates={"date": interval}) for interval in intervals]
    undated = a_document(patient)
    store.commit(creating(*dated, undated))
    for value in ((0, 1), (1, 3), (-2, 6)):
        wanted = {one.id for one in dated if DATE_OPS[op](one.facts.dates["date"], value)}
        search = documents(criteria=(DateIs("date", ((op, value),)),), limit=100)
        assert set(found(store, search, all_of(patient))) == wanted


@pytest.mark.parametrize("op", sorted(DATE_OPS))
def test_a_page_may_be_as_large_as_a_date_that_is_compared(store, patient, op):
    """SQLite counts the values of a statement: one that a comparison did not use was one too many."""
    store.commit(Change((a_trace(patient, dates={"date": (3, 9)}),)))
    for limit in (2, 8):
        search = Search("AuditEvent", (DateIs("date", ((op, (3, 9)),)),), limit=limit)
        assert len(found(store, search, all_of(patient))) == DATE_OPS[op]((3, 9), (3, 9))


def test_a_date_may_match_one_of_several_values(store, patient):
    early, late, none = (a_document(patient, dates={"date": (at, at + 1)}) for at in (1, 9, 5))
    store.commit(creating(early, late, none))
    search = documents(criteria=(DateIs("date", (("eq", (0, 2)), ("eq", (9, 10)))),))
    assert set(found(store, search, all_of(patient))) == {early.id, late.id}


def test_parameter_names_with_dashes_are_found(store, patient):
    document = a_document(patient, dates={"valid-period": (1, 2)})
    store.commit(creating(document))
    search = documents(criteria=(DateIs("valid-period", (("eq", (1, 2)),)),), sort="valid-period")
    assert found(store, search, all_of(patient)) == [document.id]


def test_last_updated_is_compared_as_the_caller_sees_it(store, patient):
    document = a_document(patient)
    store.commit(creating(document))
    hidden = marked(document, Mark.MASQUE_PS, at=AT + timedelta(hours=1))
    store.commit(Change((a_trace(),), (following(document, hidden),)))
    hour = 3_600_000_000
    later = documents(criteria=(DateIs("_lastUpdated", (("ge", (EPOCH_MICROS + hour, EPOCH_MICROS + hour + 1)),)),))
    knowing = Seen(patient, (Clause(knows_marks=True),))
    assert found(store, later, all_of(patient)) == []
    assert found(store, later, knowing) == [document.id]


@pytest.mark.parametrize(
    ("criterion", "knowing", "not_knowing"),
    [
        (AnyOf(frozenset({"label|s|R"}), Mark.MASQUE_PS), {"hidden", "labelled"}, {"labelled"}),
        (AnyOf(frozenset(), Mark.MASQUE_PS | Mark.MASQUE_PT), {"hidden"}, set()),
        (NoneOf(frozenset(), Mark.MASQUE_PS), {"labelled"}, {"hidden", "labelled"}),
        (NoneOf(frozenset({"label|s|R"}), Mark.MASQUE_PS), set(), {"hidden"}),
        (NoneOf(frozenset(), Mark.MASQUE_PT), {"hidden", "labelled"}, {"hidden", "labelled"}),
    ],
)
def test_marks_are_searched_by_whoever_may_know_them_and_by_nobody_else(
    store, patient, criterion, knowing, not_knowing
):
    labelled = a_document(patient, tokens=frozenset({"label|s|R"}))
    hidden = a_document(patient, marks=Mark.MASQUE_PS)
    store.commit(creating(labelled, hidden))
    names = {labelled.id: "labelled", hidden.id: "hidden"}
    for clause, wanted in ((Clause(knows_marks=True), knowing), (Clause(), not_knowing)):
        seen = Seen(patient, (clause,))
        assert {names[id_] for id_ in found(store, documents(criteria=(criterion,)), seen)} == wanted
        with store.snapshot() as snapshot:
            assert snapshot.count(documents(criteria=(criterion,)), seen, 10) == len(wanted)


def test_traces_are_found_by_token_and_date_newest_first(store, patient):
    old, new = (a_trace(patient, at=AT + timedelta(days=day), tokens={"action|s|R"}) for day in (0, 1))
    other = a_trace(patient, at=AT + timedelta(days=2), tokens={"action|s|C"}, dates={"date": (1, 2)})
    store.commit(Change((old, new, other)))
    reading = Search("AuditEvent", (AnyOf(frozenset({"action|s|R"})),))
    assert found(store, reading, all_of(patient)) == [new.event.id, old.event.id]
    assert found(store, replace(reading, descending=False), all_of(patient)) == [old.event.id, new.event.id]
    dated = Search("AuditEvent", (DateIs("date", (("ge", (1, 2)),)),))
    assert found(store, dated, all_of(patient)) == [other.event.id]
    assert found(store, Search("AuditEvent", sort="date", ids=frozenset({old.event.id})), all_of(patient)) == [
        old.event.id
    ]


def test_pages_go_on_where_the_last_one_ended_even_after_changes(store, patient):
    rows = [a_document(patient, at=AT + timedelta(seconds=number // 2)) for number in range(7)]
    store.commit(creating(*rows))
    order = [row.id for row in sorted(rows, key=lambda row: (row.last_updated, row.id), reverse=True)]
    with store.snapshot() as snapshot:
        first = snapshot.find(documents(limit=3), all_of(patient))
    assert [row.id for row in first.rows] == order[:3]
    newest = a_document(patient, at=AT + timedelta(days=1))
    gone = next(row for row in rows if row.id == order[2])
    store.commit(Change((a_trace(),), (*creating(newest).writes, following(gone, deleted(gone)))))
    with store.snapshot() as snapshot:
        second = snapshot.find(documents(limit=3, after=first.next), all_of(patient))
        third = snapshot.find(documents(limit=3, after=second.next), all_of(patient))
    assert [row.id for row in (*second.rows, *third.rows)] == order[3:]
    assert third.next is None


def test_a_full_last_page_has_no_next(store, patient):
    store.commit(creating(*(a_document(patient) for _ in range(4))))
    with store.snapshot() as snapshot:
        first = snapshot.find(documents(limit=2), all_of(patient))
        second = snapshot.find(documents(limit=2, after=first.next), all_of(patient))
    assert isinstance(first.next, Place)
    assert len(second.rows) == 2
    assert second.next is None


def test_no_rows_are_given_when_only_the_count_is_wanted(store, patient):
    store.commit(creating(a_document(patient)))
    with store.snapshot() as snapshot:
        page = snapshot.find(documents(limit=0), all_of(patient))
        assert (page.rows, page.next) == ((), None)
        assert snapshot.count(documents(limit=0), all_of(patient), 10) == 1


def test_counts_ignore_the_page_and_stop_above_the_cap(store, patient):
    store.commit(creating(*(a_document(patient) for _ in range(5))))
    with store.snapshot() as snapshot:
        after = snapshot.find(documents(limit=2), all_of(patient)).next
        for search in (documents(limit=2, after=after), documents(limit=1)):
            assert snapshot.count(search, all_of(patient), 5) == 5
            assert snapshot.count(search, all_of(patient), 4) is None


def test_a_missing_date_sorts_as_zero(store, patient):
    minus, none, plus = (a_document(patient, dates=dates) for dates in ({"date": (-1, 0)}, {}, {"date": (1, 2)}))
    store.commit(creating(minus, none, plus))
    search = documents(sort="date", descending=False)
    assert found(store, search, all_of(patient)) == [minus.id, none.id, plus.id]
    with store.snapshot() as snapshot:
        page = snapshot.find(replace(search, limit=2), all_of(patient))
    assert page.next == Place(0, none.id)


def test_the_directory_is_searched_by_token_id_and_order(store):
    word = an_id()
    martin, roux, awa = (
        a_resource(
            "Practitioner", AccessFacts(""), at=AT + timedelta(days=day), tokens=frozenset({token, "active|s|true"})
        )
        for day, token in ((1, f"name|~|{word}"), (2, f"name|~|{word}"), (3, f"name|~|{an_id()}"))
    )
    store.commit(creating(martin, roux, awa))
    named = AnyOf(frozenset({f"name|~|{word}", f"name|~|{an_id()}"}))
    search = Search("Practitioner", (AnyOf(frozenset({"active|s|true"})), named))
    assert found(store, search, all_of("")) == [roux.id, martin.id]
    assert found(store, replace(search, ids=frozenset({martin.id})), all_of("")) == [martin.id]
    with store.snapshot() as snapshot:
        assert snapshot.count(search, all_of(""), 10) == 2
        first = snapshot.find(Search("Practitioner", limit=1), all_of(""))
        assert (
            snapshot.find(Search("Practitioner", limit=1, after=first.next), all_of("")).rows[0].id != first.rows[0].id
        )
    assert found(store, Search("Practitioner", (AnyOf(frozenset()),)), all_of("")) == []


def test_deleted_resources_are_found_only_when_they_are_asked_for_and_hidden_ones_never(store, patient):
    here, gone, hidden = (a_document(patient, at=AT + timedelta(seconds=number)) for number in range(3))
    store.commit(creating(here, gone, hidden))
    store.commit(Change((a_trace(),), (following(gone, deleted(gone)), following(hidden, deleted(hidden)))))
    but_hidden = Seen(patient, (Clause(barred=(Extent(documents=frozenset({hidden.id})),)),))
    assert found(store, documents(), all_of(patient)) == [here.id]
    assert set(found(store, documents(gone=True), all_of(patient))) == {here.id, gone.id, hidden.id}
    assert set(found(store, documents(gone=True), but_hidden)) == {here.id, gone.id}
    assert found(store, documents(gone=True), all_of(an_id())) == []
