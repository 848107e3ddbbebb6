"""Promises of Snapshot.find_everywhere: audit events of all spaces by their date, at a bounded cost."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from consent_rules.visibility import AccessFacts, Clause, Visibility, micros
from fhir_server.adapters.mongo.schema import INDEXES
from fhir_server.adapters.sqlite import schema, whole_trail
from fhir_server.application.core.access import KnownFilters
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.search.criteria import AnyOf, DateIs, NoneOf, Place, Search
from fhir_server.ports.store import Change, Trace
from tests.engines import MongoEngine
from tests.factories import AT, Seen, a_document, a_resource, all_of, an_id, creating

READS = AnyOf(frozenset({"action|s|R"}))
ALL = KnownFilters({"AuditEvent": Visibility("", (Clause(kinds=frozenset({"access", "refusal"})),), everywhere=True)})
MOST = 1000


@pytest.fixture
def at():
    """A stretch of time of one test alone: engines are shared."""
    at.next = getattr(at, "next", micros(AT)) + 10_000_000_000
    return at.next


def an_event(patient, when, *, kind="access", tokens=(), id_=""):
    facts = AccessFacts(patient, kind, owner_person="Practitioner/nour")
    dates = {"date": (when, when + 1)}
    event = a_resource("AuditEvent", facts, id_=id_, tokens=frozenset(tokens), dates=dates)
    return Trace(event, EventKind.RESOURCE_READ, OutcomeCode.DONE)


def keep(store, *traces):
    for trace in traces:
        store.commit(Change((trace,)))


def ids(rows):
    return [row.id for row in rows]


def look(store, at, *criteria, filters=ALL, looks=MOST, **more):
    with store.snapshot() as snapshot:
        return snapshot.find_everywhere(Search("AuditEvent", criteria, **more), (at, at + 1000), filters, looks)


def test_the_events_of_all_spaces_and_of_none_are_found_by_their_date(store, at):
    first, second, third = an_event(an_id(), at + 2), an_event("", at + 1), an_event(an_id(), at + 999)
    keep(store, first, second, third, an_event(an_id(), at - 1), an_event(an_id(), at + 1000))
    page = look(store, at)
    assert ids(page.rows) == [third.event.id, first.event.id, second.event.id]
    assert page.next is None
    assert [row.body for row in page.rows] == [third.event.body, first.event.body, second.event.body]
    assert ids(look(store, at, descending=False).rows) == [second.event.id, first.event.id, third.event.id]


def test_the_filter_shows_what_its_clauses_show_and_no_choice(store, at):
    seen, choice = an_event(an_id(), at, kind="refusal"), an_event(an_id(), at, kind="choice")
    keep(store, seen, choice)
    assert ids(look(store, at).rows) == [seen.event.id]


@pytest.mark.parametrize(
    "filters",
    [
        KnownFilters({}),
        KnownFilters({"AuditEvent": Visibility("", (Clause(),))}),
        KnownFilters({"AuditEvent": Visibility("", (), everywhere=True)}),
        KnownFilters({"AuditEvent": Visibility("", (Clause(of_seen=True),), everywhere=True)}),
    ],
    ids=["none", "of one space", "without a clause", "that asks for documents"],
)
def test_no_other_filter_finds_anything(store, at, filters):
    keep(store, an_event("", at), an_event(an_id(), at))
    assert look(store, at, filters=filters).rows == ()


def test_a_filter_for_everywhere_shows_no_space_to_any_other_query(store, patient, at):
    event, document = an_event(patient, at), a_document(patient)
    keep(store, event)
    store.commit(creating(document))
    everything = Seen("", (Clause(),), everywhere=True)
    with store.snapshot() as snapshot:
        assert ids(snapshot.find(Search("DocumentReference", limit=200), everything).rows) == []
        assert event.event.id not in ids(snapshot.find(Search("AuditEvent", limit=200), everything).rows)
        assert snapshot.count(Search("DocumentReference"), everything, 9) == 0
        assert snapshot.visible_ids("DocumentReference", [document.id], everything) == frozenset()
        assert snapshot.read("AuditEvent", event.event.id, everything) is None
        assert snapshot.history("DocumentReference", document.id, everything) == ()


def test_criteria_hold_in_every_space_alike(store, at):
    one, two = an_event(an_id(), at, tokens={"action|s|R"}), an_event(an_id(), at + 1, tokens={"action|s|R", "x|s|1"})
    other = an_event("", at + 2, tokens={"action|s|C"})
    keep(store, one, two, other)
    assert ids(look(store, at, READS).rows) == [two.event.id, one.event.id]
    assert ids(look(store, at, READS, NoneOf(frozenset({"x|s|1"}))).rows) == [one.event.id]
    assert ids(look(store, at, NoneOf(READS.tokens)).rows) == [other.event.id]
    assert ids(look(store, at, DateIs("date", (("eq", (at + 1, at + 2)),))).rows) == [two.event.id]
    with store.snapshot() as snapshot:
        assert snapshot.count_everywhere(Search("AuditEvent", (READS,)), (at, at + 1000), ALL, MOST) == 2


@pytest.mark.parametrize("descending", [True, False])
def test_pages_hold_each_event_once_whatever_the_looks(store, at, descending):
    kept = [an_event(an_id(), at + number // 3, tokens={f"n|s|{number % 2}"}) for number in range(13)]
    keep(store, *kept)
    even = AnyOf(frozenset({"n|s|0"}))
    for looks, limit in ((1, 5), (4, 2), (5, 1), (13, 3), (100, 100)):
        found, after = [], None
        for _ in range(20):
            page = look(store, at, even, looks=looks, limit=limit, after=after, descending=descending)
            assert len(page.rows) <= min(limit, looks)
            found += ids(page.rows)
            after = page.next
            if after is None:
                break
        wanted = sorted((t.event.facts.dates["date"][0], t.event.id) for t in kept[::2])
        assert found == [id_ for _, id_ in (reversed(wanted) if descending else wanted)]


def test_a_count_of_more_than_may_be_looked_at_is_no_number(store, at):
    keep(store, *(an_event(an_id(), at + number) for number in range(4)))
    with store.snapshot() as snapshot:
        count = lambda looks: snapshot.count_everywhere(Search("AuditEvent"), (at, at + 1000), ALL, looks)  # noqa: E731
        assert (count(4), count(3)) == (4, None)


def test_the_events_of_an_erased_space_are_nowhere(store, patient, at):
    kept, gone = an_event(an_id(), at), an_event(patient, at)
    keep(store, kept, gone)
    store.erase(patient, Change((an_event("", at + 5000),)))
    assert ids(look(store, at).rows) == [kept.event.id]
    with store.snapshot() as snapshot:
        assert set(snapshot.locate_all("AuditEvent", [kept.event.id, gone.event.id])) == {kept.event.id}


def test_ids_are_located_together(store, patient):
    one, two = a_document(patient), a_document(an_id())
    store.commit(creating(one))
    store.commit(creating(two))
    with store.snapshot() as snapshot:
        found = snapshot.locate_all("DocumentReference", [one.id, two.id, an_id()])
    assert found == {one.id: patient, two.id: two.facts.access.compartment}


def test_sqlite_reads_one_range_of_the_index_and_then_rows_by_their_key():
    search = Search("AuditEvent", (READS,), after=Place(3, "i"))
    statements = [
        whole_trail.stretch(search, (1, 9), 100),
        whole_trail.stretch(replace(search, descending=False), (1, 9), 100),
        whole_trail.visible([1, 2], ALL.of("AuditEvent")),
        whole_trail.bodies([1, 2]),
        whole_trail.located("DocumentReference", ["i"]),
    ]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.apply_schema(connection)
        for statement in statements:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
            assert any(step.startswith("SEARCH h ") for step in plan), plan
            assert not any("TEMP B-TREE" in step for step in plan), plan
            assert [step for step in plan if step.startswith("SCAN ") and not step[5:].startswith("json_each")] == []


@pytest.mark.mongo
def test_mongodb_reads_one_range_of_an_index(mongo_server, tmp_path):
    engine = MongoEngine(tmp_path, mongo_server)
    with mongo_server.recording() as commands, engine.ports.store.snapshot() as snapshot:
        snapshot.find_everywhere(Search("AuditEvent"), (1, 9), ALL, 100)
    engine.close()
    first = next(command for name, command in commands if name == "aggregate")
    match, order, *_ = first["pipeline"]
    assert tuple(dict.fromkeys((*match["$match"], *order["$sort"]))) in {index.fields for index in INDEXES["trail"]}


def test_a_filter_of_one_space_is_not_for_everywhere(store, patient, at):
    keep(store, an_event(patient, at))
    assert look(store, at, filters=all_of(patient)).rows == ()
