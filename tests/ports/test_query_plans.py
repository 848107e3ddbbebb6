"""How a store finds what is asked: by a key, not by a look at all rows; a page costs the same in a large store."""

import sqlite3
from contextlib import closing

import pytest

from consent_rules.visibility import DIRECTORY, Clause, Visibility
from consent_rules.vocabulary import Mark
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.mongo.schema import INDEXES
from fhir_server.adapters.sqlite import joins, schema, tables
from fhir_server.application.core.access import KnownFilters
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, DateIs, Place, Search
from tests.engines import MongoEngine

HASHES = Hashes(b"k" * 32)
SEEN = Visibility("p", (Clause(frozenset({"a", "b"}), closed_by=Mark.MASQUE_PS), Clause(owned_by=frozenset({"x"}))))
TYPE = AnyOf(frozenset({"type|s|a"}))
MANY = AnyOf(frozenset(f"target|ref|List/{number}" for number in range(100)))
DATE = DateIs("date", (("ge", (1, 2)),))
LATER = Place(1, "i")


def page(type_, *criteria, seen=SEEN, **more):
    return tables.page(Search(type_, criteria, **more), seen, HASHES)


def total(type_, *criteria, seen=SEEN, **more):
    return tables.total(Search(type_, criteria, **more), seen, HASHES, 100)


STATEMENTS = {
    "read": tables.one("DocumentReference", "i"),
    "read a trace": tables.one("AuditEvent", "i"),
    "history": tables.older("DocumentReference", "i"),
    "page": page("DocumentReference"),
    "page of a type": page("DocumentReference", TYPE),
    "page by a date, sorted by it": page("DocumentReference", DATE, sort="date"),
    "next page": page("DocumentReference", after=LATER),
    "page by ids": page("DocumentReference", ids=frozenset({"i", "j"})),
    "page of lists": page("List"),
    "page of traces": page("AuditEvent"),
    "next page of traces": page("AuditEvent", DATE, after=LATER),
    "total": total("DocumentReference"),
    "total of lists": total("List", TYPE),
    "a step of a chain": tables.matching(Search("List", (TYPE,)), SEEN, HASHES, 100),
    "page of what refers to many": page("Provenance", MANY),
    "total of what refers to many": total("Provenance", MANY),
    "total by ids": total("DocumentReference", ids=frozenset({"i", "j"})),
    "total of traces": total("AuditEvent"),
    "which of these": tables.seen_among("DocumentReference", frozenset({"i", "j"}), SEEN),
    "page by ids, through a space": tables.page(
        Search("DocumentReference", ids=frozenset("ij")), SEEN, HASHES, through=True
    ),
    "total by ids, through a space": tables.total(
        Search("DocumentReference", ids=frozenset("ij")), SEEN, HASHES, 100, through=True
    ),
    "which of these, through a space": tables.seen_among("DocumentReference", frozenset("ij"), SEEN, through=True),
    "who has this identifier": tables.having("Patient", [b"12345678"], 2),
    "queue over all spaces": tables.queue("Task", b"12345678", "due", 20, LATER),
    "directory": page("Practitioner", seen=DIRECTORY),
    "directory by name": page("Practitioner", TYPE, seen=DIRECTORY),
    "total of the directory": total("Practitioner", seen=DIRECTORY),
}
SITUATIONS = Search("PractitionerRole", (AnyOf(tokens.reference("practitioner", "Practitioner/p")),))
"""The practice situations of one person, which say whether a colleague may be named."""
DERIVED = ("m", "named", "json_each", "(subquery")
"""What a statement has gathered itself, or has been given: the only rows that may be gone through from end to end."""


@pytest.fixture(scope="module")
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        schema.apply_schema(opened)
        joins.register(opened)
        yield opened


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_table_is_gone_through(connection, name):
    statement = STATEMENTS[name]
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
    assert any(step.startswith("SEARCH ") for step in plan)
    assert [step for step in plan if step.startswith("SCAN ") and not step[5:].startswith(DERIVED)] == []


def test_the_situations_of_a_person_are_found_by_one_key_each(connection):
    statement = tables.page(SITUATIONS, DIRECTORY, HASHES)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
    first, *others = [step for step in plan if step.startswith(("SEARCH l ", "SEARCH h "))]
    assert first == "SEARCH l USING PRIMARY KEY (hash=?)"
    assert {*others} == {"SEARCH h USING INTEGER PRIMARY KEY (rowid=?)"}


def over(ids):
    """Return the texts of the statements over so many ids."""
    some = frozenset(f"i{number}" for number in range(ids))
    return (
        tables.seen_among("DocumentReference", some, SEEN).sql,
        page("DocumentReference", ids=some).sql,
        total("DocumentReference", ids=some).sql,
    )


def test_sqlite_compiles_a_statement_over_many_ids_once_for_any_number_of_them():
    assert over(4) == over(5) == over(50)


def test_up_to_three_ids_are_compared_one_by_one_which_is_quicker():
    assert all("h.id IN (?" in one for ids in (1, 2, 3) for one in over(ids))
    assert not any("h.id IN (?" in one for one in over(4))


def test_many_ids_in_a_small_space_are_found_by_going_through_its_rows_alone(connection):
    for name in (name for name in STATEMENTS if name.endswith("through a space")):
        statement = STATEMENTS[name]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
        assert "SEARCH h USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan, name
    first = tables.row_range("p", "DocumentReference")[0]
    assert tables.is_small("p", "DocumentReference", first + 79, 20)
    assert not tables.is_small("p", "DocumentReference", first + 80, 20)
    assert not tables.is_small("p", "DocumentReference", None, 20)


@pytest.mark.mongo
def test_the_situations_of_a_person_are_found_by_the_index_over_tokens_of_mongodb(mongo_server, tmp_path):
    engine = MongoEngine(tmp_path, mongo_server)
    with mongo_server.recording() as commands, engine.ports.store.snapshot() as snapshot:
        snapshot.find(SITUATIONS, KnownFilters({"PractitionerRole": DIRECTORY}))
    engine.close()
    (sent,) = (command for name, command in commands if name == "aggregate")
    assert {"type", "words"} <= set(sent["pipeline"][0]["$match"])
    assert ("type", "words") in {index.fields for index in INDEXES[sent["aggregate"]]}


@pytest.mark.mongo
def test_a_page_of_the_queue_of_mongodb_is_read_in_the_order_of_an_index(mongo_server, tmp_path):
    engine = MongoEngine(tmp_path, mongo_server)
    with mongo_server.recording() as commands, engine.ports.store.snapshot() as snapshot:
        snapshot.queue("Task", "review|s|waiting", "due", 20, LATER)
    engine.close()
    (sent,) = (command for name, command in commands if name == "aggregate")
    first, second, *_ = sent["pipeline"]
    order = (*first["$match"], *second["$sort"])
    assert tuple(dict.fromkeys(order)) in {index.fields for index in INDEXES[sent["aggregate"]]}


@pytest.mark.mongo
def test_a_filter_without_its_shard_key_is_noticed(mongo_server, tmp_path):
    engine = MongoEngine(tmp_path, mongo_server)
    heads = engine.ports.store._database["heads"]
    heads.find_one({"_id": "List/1"})
    heads.find_one_and_update({"_id": "List/1", "compartment": {"$gt": ""}}, {"$set": {"mark": 1}})
    heads.delete_one({"compartment": "p"})
    engine.close()
    noticed, mongo_server.strays.found[:] = [*mongo_server.strays.found], []
    assert [one.split(":")[0] for one in noticed] == ["find on heads", "findAndModify on heads", "delete on heads"]
