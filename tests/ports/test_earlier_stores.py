"""Stores of earlier versions open: every step in order, once, after a sudden death too; later versions are refused."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo import MongoClient

from consent_rules.vocabulary import NO_SPACE
from fhir_server import worker
from fhir_server.adapters import opening
from fhir_server.adapters.mongo import schema as mongo_schema
from fhir_server.adapters.sqlite import schema as sqlite_schema
from fhir_server.application.identity import accounts, clients, grants
from fhir_server.application.spaces import reindexing
from fhir_server.domain import record_codec
from fhir_server.oauth.base.options import Options
from fhir_server.oauth.granted.records import find_refresh
from fhir_server.oauth.login import passkeys, sessions
from fhir_server.ports.outbox import Handled
from fhir_server.ports.store import Change, StoreUnavailable
from tests.http.spaces import announce
from tests.ports import earlier_stores
from tests.ports.earlier_stores import AT, PASSWORD, archive, unpack_mongo, unpack_sqlite, world_on
from tests.world import HADDAD, INS, World

EARLIER = range(1, sqlite_schema.VERSION)
KILLED = -signal.SIGKILL


def unpacked(engine, schema, folder, request):
    """Unpack the kept store of an earlier schema; for today's, write one and unpack that."""
    (folder / "of").mkdir(parents=True)
    if engine == "sqlite":
        kept = schema in EARLIER
        return unpack_sqlite(archive(schema, engine) if kept else earlier_stores.pack_sqlite(folder / "of"), folder)
    server = request.getfixturevalue("mongo_server")
    kept = schema < mongo_schema.VERSION
    return unpack_mongo(
        archive(schema, engine) if kept else earlier_stores.pack_mongo(folder / "of", server), folder, server
    )


KINDS = [
    *(pytest.param(("sqlite", schema), id=f"sqlite {schema}") for schema in (*EARLIER, sqlite_schema.VERSION)),
    *(
        pytest.param(("mongo", schema), id=f"mongo {schema}", marks=pytest.mark.mongo)
        for schema in range(1, mongo_schema.VERSION + 1)
    ),
]


@pytest.fixture(scope="module", params=KINDS)
def opened(request, tmp_path_factory):
    """The world of a store that an earlier version wrote, and its facts."""
    folder = tmp_path_factory.mktemp("earlier")
    earlier = unpacked(*request.param, folder, request)
    if request.param[0] == "mongo":
        with request.getfixturevalue("mongo_server").strays.not_judging():  # a migration goes through everything
            opening.apply_schema(earlier.place)
    ports = earlier.open()
    world = world_on(folder, ports)
    world.ids, world.tokens, world.count = earlier.facts["ids"], earlier.facts["tokens"], 2
    yield world, earlier.facts
    ports.store.close()


@pytest.fixture
def world(opened) -> World:
    return opened[0]


def test_a_document_and_its_content_are_read(world):
    answer = world.get("nour", f"/DocumentReference/{world.ids['seen']}")
    assert answer.status_code == 200
    url = answer.get_json()["content"][0]["attachment"]["url"].partition("/fhir")[2]
    assert world.get("nour", url, Accept="text/plain").data == b"content number 1"


def test_a_hidden_document_stays_hidden_and_a_blocked_person_blocked(world):
    assert world.get("nour", f"/DocumentReference/{world.ids['hidden']}").status_code == 404
    assert world.get("martin", f"/DocumentReference/{world.ids['seen']}").status_code == 404
    assert world.get("camille", f"/DocumentReference/{world.ids['hidden']}").status_code == 200


def test_searches_find_by_patient_identifier_and_date(world):
    patient = f"/DocumentReference?patient={world.ids['camille']}&status=current"
    assert world.ids["seen"] in world.found("nour", f"{patient}&date=2026-02-01")
    assert world.ids["hidden"] not in world.found("nour", patient)
    assert {world.ids["seen"], world.ids["hidden"]} <= set(world.found("camille", patient))
    assert world.found("keeper", f"/Patient?identifier={INS}|284039999900148") == [world.ids["camille"]]
    assert world.found("keeper", "/Organization?name=chu") == [world.ids["chu"]]


def test_the_index_of_an_earlier_store_is_renewed_without_a_new_version(world):
    camille, space = world.ids["camille"], world.runtime.ports.store
    with space.snapshot() as snapshot:
        patients = snapshot.patients(NO_SPACE, 10)
    before = world.get("camille", f"/Patient/{camille}")
    done = dict(reindexing.reindex(world.runtime, "ada"))
    assert list(done) == [NO_SPACE, *patients]
    assert all(done.values())
    after = world.get("camille", f"/Patient/{camille}")
    assert (after.data, after.headers["ETag"]) == (before.data, before.headers["ETag"])
    for type_ in ("Patient?deceased=false", f"Consent?patient={camille}&status=active", "Organization?name=chu"):
        assert world.get("camille", f"/{type_}").get_json()["total"] > 0, type_


def test_the_decision_state_is_read_whole(world):
    with world.runtime.ports.store.snapshot() as snapshot:
        record = record_codec.load(snapshot.load_space(world.ids["camille"]).state)
    actors = {actor for directive in record.directives for actor in directive.actors}
    assert {f"Practitioner/{world.ids[name]}" for name in ("nour", "martin")} <= actors
    assert not record.unread


def test_documents_are_filed_hidden_and_refused_when_they_are_there_already(world):
    if "haddad" not in world.ids:  # earlier versions let software name anybody as author
        world.colleague("haddad", HADDAD, "chu")
    filed = world.publish(title="Compte rendu de suite")
    assert world.ids["seen"] != filed
    assert world.hide(filed).status_code == 200
    assert world.get("nour", f"/DocumentReference/{filed}").status_code == 404
    world.count = 0
    assert world.send("chu-ehr", "POST", "", world.bundle(world.filing())).status_code == 409
    world.count = 3


def test_the_audit_log_goes_on_where_it_ended(world):
    path = f"/AuditEvent?patient={world.ids['camille']}&_count=100"
    before = world.found("camille", path)
    assert len(before) >= 8
    assert world.get("nour", f"/DocumentReference/{world.ids['seen']}").status_code == 200
    assert set(before) < set(world.found("camille", path))


def test_people_sign_in_and_stay_signed_in(opened):
    world, facts = opened
    runtime = world.runtime
    camille = accounts.authenticate(runtime, "camille", PASSWORD)
    assert camille == accounts.find_account(runtime, "camille")
    assert (camille.subject, camille.totp, camille.generation) == (facts["subject"], "JBSWY3DPEHPK3PXP", 0)
    assert [one.patient for one in camille.patients] == [world.ids["camille"]]
    assert accounts.find_account(runtime, "nour").practices[0].profession == "10"
    session = sessions.find_session(runtime, Options(), facts["session"])
    assert (session.account, session.proof.amr) == (camille, ("pwd",))
    assert [(key.name, key.sign_count, key.added) for key in passkeys.of(runtime, camille)] == [("Téléphone", 3, AT)]


def test_apps_keep_what_they_were_granted_and_no_more(opened):
    world, facts = opened
    runtime = world.runtime
    assert clients.find(runtime, "carnet").redirect_uris == ("https://app.example/cb",)
    assert clients.works_from(runtime, "https://app.example")
    grant = next(one for one in grants.grants_of(runtime, facts["subject"]) if one.id == facts["grant"])
    assert (grant.proof.amr, grant.withheld.documents) == (("pwd", "otp"), (world.ids["hidden"],))
    assert find_refresh(runtime, facts["refresh_token"], AT).grant_id == grant.id
    assert world.get("carnet", f"/DocumentReference/{world.ids['seen']}").status_code == 200
    assert world.get("carnet", f"/DocumentReference/{world.ids['hidden']}").status_code == 404


def test_the_first_worker_finds_the_terms_that_run(world):
    ports = world.runtime.ports
    announce(world)
    planned = ports.outbox.ready("terms", datetime(9000, 1, 1, tzinfo=UTC), 10)
    ports.store.commit(Change((), handled=tuple(Handled(message, None) for message in planned)))
    worker.build(world.runtime).work_once()
    found = ports.outbox.ready("terms", datetime(9000, 1, 1, tzinfo=UTC), 10)
    assert {(one.body, one.due) for one in planned} <= {(one.body, one.due) for one in found}


def test_every_earlier_schema_has_its_kept_store():
    kept = {path.name for path in earlier_stores.ARCHIVES.glob("*.zip")}
    assert kept == {f"schema_{schema}_sqlite.zip" for schema in EARLIER} | {
        f"schema_{schema}_mongo.zip" for schema in range(1, mongo_schema.VERSION)
    }
    assert [step.number for step in sqlite_schema.STEPS] == [*range(1, sqlite_schema.VERSION + 1)]
    assert [step.number for step in mongo_schema.STEPS] == [*range(2, mongo_schema.VERSION + 1)]


@pytest.mark.parametrize("schema", EARLIER)
def test_the_steps_up_to_a_schema_make_the_tables_of_its_kept_store(tmp_path, schema):
    earlier = unpack_sqlite(archive(schema, "sqlite"), tmp_path)
    with closing(sqlite3.connect(":memory:")) as made, closing(sqlite3.connect(data_of(earlier))) as kept:
        for step in sqlite_schema.STEPS[:schema]:
            made.executescript(step.statements)
        assert sqlite_schema._parts_of(made) == sqlite_schema._parts_of(kept)


def data_of(earlier):
    return earlier.place.data_dir / "habilis.sqlite3"


def number_of(earlier):
    with closing(sqlite3.connect(data_of(earlier))) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def habilis(earlier, *command, **more):
    """Run a command of its own process on a store; return its process."""
    program = Path(sys.executable).with_name("habilis")
    environment = {
        "HABILIS_BASE_URL": "http://localhost:8080", "HABILIS_DATA_DIR": str(earlier.folder / "data"),
        "HABILIS_KEY_FILE": str(earlier.place.key_file), "PATH": os.environ["PATH"],
    }  # fmt: skip
    return subprocess.Popen([program, *command], env=environment | more, stderr=subprocess.PIPE, text=True)


def on_mongo(earlier):
    return {
        "HABILIS_STORE": "mongodb", "HABILIS_MONGODB_URI": earlier.place.uri,
        "HABILIS_MONGODB_DATABASE": earlier.place.database,
    }  # fmt: skip


def migrations(told):
    """Return the numbers of the steps of which log lines tell."""
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    return [line["schema"] for line in lines if line["event"] == "store_migrated"]


def test_two_processes_that_open_at_once_migrate_once(tmp_path):
    earlier = unpack_sqlite(archive(1, "sqlite"), tmp_path)
    started = [habilis(earlier, "schema") for _ in range(2)]
    told = "".join(process.communicate()[1] for process in started)
    assert [process.returncode for process in started] == [0, 0]
    assert migrations(told) == [*range(2, sqlite_schema.VERSION + 1)]
    earlier.open().store.close()


@pytest.mark.mongo
def test_two_processes_may_migrate_one_database_at_once(tmp_path, mongo_server):
    earlier = unpack_mongo(archive(1, "mongo"), tmp_path, mongo_server)
    started = [habilis(earlier, "schema", **on_mongo(earlier)) for _ in range(2)]
    told = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert {2} <= {*migrations("".join(told))}
    with mongo_server.strays.not_judging():  # the first start looks through everything for the mark
        earlier.open().store.close()


@pytest.mark.mongo
@pytest.mark.parametrize("schema", range(1, mongo_schema.VERSION))
def test_a_migrated_database_has_the_indexes_of_a_new_one(tmp_path, mongo_server, schema):
    earlier = unpack_mongo(archive(schema, "mongo"), tmp_path, mongo_server)
    with mongo_server.strays.not_judging(), MongoClient(mongo_server.uri) as client:
        opening.apply_schema(earlier.place)
        database = client[earlier.place.database]
        found = {name: indexes_of(database[name]) for name in database.list_collection_names()}
    assert found == {
        name: {(index.fields, index.unique) for index in indexes} for name, indexes in mongo_schema.INDEXES.items()
    }


def indexes_of(collection):
    kept = (index for name, index in collection.index_information().items() if name != "_id_")
    return {(tuple(field for field, _ in index["key"]), bool(index.get("unique"))) for index in kept}


DYING = """
import os, signal, sys
from pathlib import Path
from fhir_server.adapters.sqlite.schema import apply_schema
from fhir_server.adapters.sqlite.writer import Writer

path, fatal, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def die(statement):
    global left
    left -= fatal in statement
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def work(connection):
    connection.set_trace_callback(die)
    apply_schema(connection)

Writer(path).outside(work)
"""


def die_in(path, fatal, count):
    """Apply the schema in a process that is killed at the statement that contains `fatal` for the n-th time."""
    return subprocess.run([sys.executable, "-c", DYING, path, fatal, str(count)], check=False).returncode


@pytest.mark.parametrize("fatal", ["BEGIN IMMEDIATE", "CREATE", "user_version = 2", "COMMIT"])
def test_a_death_within_a_step_leaves_the_schema_before_it(tmp_path, fatal):
    earlier = unpack_sqlite(archive(1, "sqlite"), tmp_path)
    assert die_in(data_of(earlier), fatal, 1) == KILLED
    assert number_of(earlier) == 1
    earlier.open().store.close()
    assert number_of(earlier) == sqlite_schema.VERSION


def test_a_death_between_two_steps_leaves_the_first_one(tmp_path):
    assert die_in(tmp_path / "habilis.sqlite3", "BEGIN IMMEDIATE", 2) == KILLED
    with closing(sqlite3.connect(tmp_path / "habilis.sqlite3")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        sqlite_schema.apply_schema(connection)
        assert sqlite_schema.is_current(connection)


DYING_ON_MONGO = """
import os, signal, sys
from pathlib import Path
from pymongo import monitoring
from fhir_server.adapters.opening import MongoPlace

class Death(monitoring.CommandListener):
    left = int(sys.argv[4])
    def started(self, event):
        Death.left -= event.command_name in ("insert", "update")
        if not Death.left:
            os.kill(os.getpid(), signal.SIGKILL)
    def succeeded(self, event):
        pass
    def failed(self, event):
        pass

monitoring.register(Death())
MongoPlace(sys.argv[1], sys.argv[2], Path(sys.argv[3])).apply_schema()
"""


@pytest.mark.mongo
def test_a_migration_of_mongodb_that_died_is_run_again(tmp_path, mongo_server):
    earlier = unpack_mongo(archive(1, "mongo"), tmp_path, mongo_server)
    place = earlier.place
    arguments = [place.uri, place.database, str(place.key_file)]
    for count in (2, 5):  # after the first locators, and before the number of the schema
        died = subprocess.run([sys.executable, "-c", DYING_ON_MONGO, *arguments, str(count)], check=False)
        assert died.returncode == KILLED
        with mongo_server.strays.not_judging(), pytest.raises(StoreUnavailable, match="has schema 1"):
            earlier.open()
    with mongo_server.strays.not_judging():
        opening.apply_schema(place)
        ports = earlier.open()
    with ports.store.snapshot() as snapshot:
        located = snapshot.locate("DocumentReference", earlier.facts["ids"]["seen"])
    assert located.compartment == earlier.facts["ids"]["camille"]
    ports.store.close()


def test_a_store_of_a_later_version_is_refused_in_one_line_that_says_what_to_do(tmp_path):
    earlier = unpack_sqlite(archive(1, "sqlite"), tmp_path)
    with closing(sqlite3.connect(data_of(earlier))) as connection:
        connection.execute("PRAGMA user_version = 99")
    process = habilis(earlier, "schema")
    told = process.communicate()[1].splitlines()
    assert process.returncode == 2
    assert len(told) == 1
    assert "has schema 99" in told[0]
    assert "install the version that wrote" in told[0]
    assert number_of(earlier) == 99


@pytest.mark.mongo
def test_a_database_of_a_later_version_is_refused_in_one_line_that_says_what_to_do(tmp_path, mongo_server):
    earlier = unpack_mongo(archive(1, "mongo"), tmp_path, mongo_server)
    with MongoClient(mongo_server.uri) as client:
        client[earlier.place.database]["meta"].update_one({"_id": "schema"}, {"$set": {"version": 99}})
    for start in (earlier.open, earlier.place.apply_schema):
        refused = pytest.raises(StoreUnavailable, match=r"has schema 99, .*: install the version that wrote")
        with mongo_server.strays.not_judging(), refused:
            start()
