"""A start that finds keys, contents, data or schema missing refuses, and never makes anew what was lost."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from pymongo import MongoClient

from consent_rules.visibility import AccessFacts
from fhir_server.adapters import opening
from fhir_server.adapters.keys import KeyProblem
from fhir_server.ports.store import StoreUnavailable
from tests.engines import MongoEngine, SqliteEngine
from tests.factories import a_resource, an_id, creating

MARKER = ".installation"
BY_TIME = "SELECT name FROM sqlite_master WHERE name = 'trail_by_time'"


@pytest.fixture
def filled(tmp_path):
    """An installation that holds something of each kind, closed."""
    engine = SqliteEngine(tmp_path)
    fill(engine.ports)
    engine.close()
    return engine


def fill(ports):
    patient = an_id()
    ports.blobs.put(patient, b"content")
    ports.store.commit(creating(a_resource("Binary", AccessFacts(patient))))


def data(engine):
    return engine.folder / "data"


def lose(folder, name):
    for path in folder.glob(f"{name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def refused(engine, kind=StoreUnavailable):
    """Return the one line with which a start is refused, after showing that it changes nothing."""
    before = sorted(path.name for path in data(engine).rglob("*"))
    with pytest.raises(kind) as caught:
        opening.open_sqlite(data(engine), engine.key_file).store.close()
    assert sorted(path.name for path in data(engine).rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def make_as_earlier(engine):
    """Take away what the earlier version of the program did not write."""
    (data(engine) / "contents" / MARKER).unlink()
    for name in ("habilis.sqlite3", "keys.sqlite3"):
        with closing(sqlite3.connect(data(engine) / name)) as connection:
            connection.execute("DROP TABLE meta")
    with closing(sqlite3.connect(data(engine) / "habilis.sqlite3")) as connection:
        connection.executescript("DROP TABLE outbox; DROP TABLE leases; DROP TABLE counters; DROP INDEX trail_by_time")
        connection.execute("PRAGMA user_version = 1")


EARLIER = pytest.mark.parametrize("earlier", [False, True], ids=["this version's", "an earlier version's"])


@EARLIER
@pytest.mark.parametrize("lost", ["habilis.sqlite3", "keys.sqlite3", "contents"])
def test_a_lost_part_is_named_with_what_to_do(filled, lost, earlier):
    if earlier:
        make_as_earlier(filled)
    lose(data(filled), lost)
    told = refused(filled)
    assert f"{lost} is missing" in told.replace("/ is", " is")
    assert "backup" in told


def test_an_emptied_folder_of_contents_is_a_lost_one(filled):
    lose(data(filled), "contents")
    (data(filled) / "contents").mkdir()
    assert "contents/ is missing or empty" in refused(filled)


def test_contents_that_are_lost_for_good_can_be_given_up(filled):
    lose(data(filled), "contents")
    mark = refused(filled).partition("write ")[2].partition(" into ")[0]
    (data(filled) / "contents").mkdir()
    (data(filled) / "contents" / MARKER).write_text(mark)
    filled.open().store.check()
    filled.close()


@EARLIER
def test_a_lost_key_file_is_named_and_no_new_one_is_advised(filled, earlier):
    if earlier:
        make_as_earlier(filled)
    filled.key_file.unlink()
    told = refused(filled, KeyProblem)
    assert f"{filled.key_file} is missing" in told
    assert "keys create" not in told


def test_a_key_file_of_another_installation_is_named(filled):
    filled.key_file.unlink()
    opening.create_keys(filled.key_file)
    assert f"{filled.key_file} is not the one of these data" in refused(filled, KeyProblem)


@pytest.mark.parametrize("part", ["keys.sqlite3", "contents"])
def test_a_part_of_another_installation_is_named(filled, tmp_path, part):
    (tmp_path / "other").mkdir()
    other = SqliteEngine(tmp_path / "other")
    fill(other.ports)
    other.close()
    lose(data(filled), part)
    copy = shutil.copytree if part == "contents" else shutil.copy
    copy(data(other) / part, data(filled) / part)
    told = refused(filled, (StoreUnavailable, KeyProblem))
    assert part in told
    assert "another installation" in told


@pytest.mark.parametrize(
    ("harm", "what"),
    [("DROP TABLE claims", "table claims"), ("DROP TABLE trail", "table trail")],
)
def test_a_table_that_is_missing_is_never_made_anew(filled, harm, what):
    with closing(sqlite3.connect(data(filled) / "habilis.sqlite3")) as connection:
        connection.execute(harm)
    assert f"{what} is missing" in refused(filled)
    with pytest.raises(StoreUnavailable, match="missing"):
        opening.apply_schema(filled.place)


@pytest.mark.parametrize(
    ("harm", "what"),
    [("DROP TRIGGER trail_is_never_cut", "trigger trail_is_never_cut"), ("DROP INDEX trail_by_patient", "index")],
)
def test_a_trigger_that_is_missing_is_laid_out_again_only_by_command(filled, harm, what):
    with closing(sqlite3.connect(data(filled) / "habilis.sqlite3")) as connection:
        connection.execute(harm)
    assert what in refused(filled)
    opening.apply_schema(filled.place)
    filled.open().store.check()
    filled.close()


def test_an_installation_of_an_earlier_version_starts_and_is_marked(filled):
    make_as_earlier(filled)
    for _ in range(2):
        filled.open().store.check()
        filled.close()
    with closing(sqlite3.connect(data(filled) / "habilis.sqlite3")) as connection:
        assert connection.execute(BY_TIME).fetchone()
    mark = (data(filled) / "contents" / MARKER).read_text().strip()
    for name in ("habilis.sqlite3", "keys.sqlite3"):
        with closing(sqlite3.connect(data(filled) / name)) as connection:
            assert connection.execute("SELECT value FROM meta").fetchall() == [(mark,)]


def test_a_step_that_finds_its_index_takes_it_as_it_is(filled):
    path = data(filled) / "habilis.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version - 1}")
        assert connection.execute(BY_TIME).fetchone()
    filled.open().store.check()
    filled.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_a_first_start_that_was_cut_short_is_finished(tmp_path):
    engine = SqliteEngine(tmp_path)
    engine.close()
    lose(data(engine), "habilis.sqlite3")  # nothing was filed: keys and contents carry the mark already
    engine.open().store.check()
    engine.close()


def test_what_fits_together_and_what_does_not():
    from fhir_server.adapters.installation import Part, Parts, mark_of  # noqa: PLC0415 - new with these tests

    new, keys, contents = Part("data"), Part("keys"), Part("contents/")
    assert len(mark_of(Parts(new, keys, contents))) == 36
    assert mark_of(Parts(new, Part("keys", "m"), contents)) == "m"
    assert mark_of(Parts(Part("data", "m"), Part("keys", "m", used=True), Part("contents/", "m"))) == "m"
    assert mark_of(Parts(Part("data", used=True), Part("keys", "m", used=True), contents)) == "m"
    for wrong in (
        Parts(new, Part("keys", used=True), contents),
        Parts(new, keys, Part("contents/", used=True)),
        Parts(Part("data", used=True), keys, contents),
        Parts(Part("data", used=True), Part("keys", used=True), contents, expects_contents=True),
        Parts(Part("data", "m"), Part("keys", "n", used=True), Part("contents/", "m")),
        Parts(Part("data", "m"), Part("keys", "", used=True), Part("contents/", "m")),
    ):
        with pytest.raises(StoreUnavailable):
            mark_of(wrong)


@pytest.mark.mongo
@pytest.mark.parametrize("lost", ["data", "keys", "contents", "trail"])
def test_on_mongodb_a_lost_part_is_named(tmp_path, mongo_server, lost):
    engine = MongoEngine(tmp_path, mongo_server)
    fill(engine.ports)
    with MongoClient(mongo_server.uri) as client:
        if lost == "contents":
            lose(data(engine), "contents")
        elif lost == "trail":
            client[engine.database]["trail"].drop()
        else:
            client.drop_database(engine.database if lost == "data" else engine.place.keys_database)
    with pytest.raises(StoreUnavailable, match="is missing"):
        engine.open()
    engine.close()
