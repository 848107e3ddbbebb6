"""Stores as earlier versions wrote them, in `tests/ports/earlier`: one archive for each schema and engine.

`schema_1_*.zip` was written by commit 0e11f7f. Before a new step raises VERSION, run
`python -m tests.ports.earlier_stores` with the program as it is: it writes the archives of today's schema.
An archive holds facts.json (ids and secrets of invented people), the key file, the contents, and the rows of both
databases: SQL of the two SQLite files, or Extended JSON of the two MongoDB databases.
"""

import json
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from bson import json_util
from pymongo import IndexModel, MongoClient

from consent_rules.vocabulary import RequesterKind
from fhir_server.adapters import opening
from fhir_server.adapters.mongo import schema as mongo_schema
from fhir_server.adapters.sqlite import schema as sqlite_schema
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import access_tokens, accounts, clients, grants
from fhir_server.application.identity.accounts import (
    Account,
    Grantee,
    Login,
    PractitionerRoleRef,
    RepresentedPatient,
)
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.caller import AppExclusions
from fhir_server.oauth.base.options import Options
from fhir_server.oauth.granted import tokens
from fhir_server.oauth.login import passkeys, sessions
from fhir_server.ports.surroundings import Ports
from tests.engines import MongoEngine, MongoServer, SqliteEngine
from tests.factories import runtime_on, settings_in
from tests.world import HADDAD, World, client_of

ARCHIVES = Path(__file__).with_name("earlier")
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When the archives were filled."""
PASSWORD = "a long old password"
SQLITE_FILES, MONGO_FILES = ("habilis", "keys"), ("data", "keys")


@dataclass
class StandingClock:
    """A clock that shows one instant."""

    at: datetime = AT

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Earlier:
    """An unpacked store. facts: what facts.json says."""

    folder: Path
    place: opening.SqlitePlace | opening.MongoPlace
    facts: dict[str, Any]

    def open(self) -> Ports:
        """Open the store as a start does."""
        if isinstance(self.place, opening.SqlitePlace):
            return opening.open_sqlite(self.place.data_dir, self.place.key_file)
        return opening.open_mongo(self.place.uri, self.place.database, self.folder / "data", self.place.key_file)


def archive(schema: int, engine: str) -> Path:
    """Return the archive of one schema and engine."""
    return ARCHIVES / f"schema_{schema}_{engine}.zip"


def unpack_sqlite(packed: Path, folder: Path) -> Earlier:
    """Put a SQLite store back as files."""
    facts = _unpack(packed, folder)
    for name in SQLITE_FILES:
        with closing(sqlite3.connect(folder / "data" / f"{name}.sqlite3")) as connection:
            connection.executescript((folder / f"{name}.sql").read_text())
    return Earlier(folder, opening.SqlitePlace(folder / "data", folder / "key_file.json"), facts)


def unpack_mongo(packed: Path, folder: Path, server: MongoServer) -> Earlier:
    """Put a MongoDB store back into two new databases."""
    facts = _unpack(packed, folder)
    place = opening.MongoPlace(server.uri, f"habilis-test-{uuid4().hex}", folder / "key_file.json")
    with MongoClient(server.uri) as client, server.strays.not_judging():
        for name, database in zip(MONGO_FILES, (place.database, place.keys_database), strict=True):
            for collection, kept in json_util.loads((folder / f"{name}.json").read_text()).items():
                client[database].create_collection(collection)
                models = [IndexModel([*map(tuple, one["key"])], unique=one["unique"]) for one in kept["indexes"]]
                if models:
                    client[database][collection].create_indexes(models)
                if kept["rows"]:
                    client[database][collection].insert_many(kept["rows"])
    return Earlier(folder, place, facts)


def _unpack(packed: Path, folder: Path) -> dict[str, Any]:
    with zipfile.ZipFile(packed) as opened:
        for name in opened.namelist():
            target = folder / "data" / name if name.startswith("contents/") else folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(opened.read(name))
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return facts


def pack_sqlite(folder: Path) -> Path:
    """Write the archive of a new SQLite store into a folder."""
    engine = SqliteEngine(folder)
    facts = _filled(folder, engine.ports)
    engine.close()
    rows = {}
    for name in SQLITE_FILES:
        with closing(sqlite3.connect(folder / "data" / f"{name}.sqlite3")) as connection:
            stamps = (
                f"PRAGMA {pragma} = {connection.execute(f'PRAGMA {pragma}').fetchone()[0]};"
                for pragma in ("application_id", "user_version")
            )
            rows[f"{name}.sql"] = "\n".join((*stamps, *connection.iterdump()))
    return _pack(folder, engine, sqlite_schema.VERSION, {"facts.json": json.dumps(facts)} | rows)


def pack_mongo(folder: Path, server: MongoServer) -> Path:
    """Write the archive of a new MongoDB store into a folder."""
    engine = MongoEngine(folder, server)
    facts = _filled(folder, engine.ports)
    rows = {}
    with MongoClient(server.uri) as client, server.strays.not_judging():
        for name, database in zip(MONGO_FILES, (engine.database, engine.place.keys_database), strict=True):
            names = sorted(client[database].list_collection_names())
            found = {one: _collection(client[database][one]) for one in names}
            rows[f"{name}.json"] = json_util.dumps(found)
    engine.close()
    return _pack(folder, engine, mongo_schema.VERSION, {"facts.json": json.dumps(facts)} | rows)


def _collection(collection: Any) -> dict[str, Any]:
    indexes = (one for name, one in collection.index_information().items() if name != "_id_")
    kept = [{"key": [list(pair) for pair in one["key"]], "unique": bool(one.get("unique"))} for one in indexes]
    return {"indexes": kept, "rows": list(collection.find())}


def _pack(folder: Path, engine: SqliteEngine | MongoEngine, schema: int, texts: dict[str, str]) -> Path:
    packed = folder / archive(schema, "sqlite" if isinstance(engine, SqliteEngine) else "mongo").name
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in texts.items():
            opened.writestr(name, text)
        opened.write(engine.key_file, "key_file.json")
        for path in sorted((folder / "data" / "contents").rglob("*")):
            if path.is_file():
                opened.write(path, path.relative_to(folder / "data"))
    return packed


def world_on(folder: Path, ports: Ports) -> World:
    """Build an empty world on a store, at the instant of the archives."""
    settings = settings_in(folder)
    runtime = runtime_on(replace(ports, clock=StandingClock()), settings.base_url)
    return World(runtime, client_of(settings, runtime))


def _filled(folder: Path, ports: Ports) -> dict[str, Any]:
    """Fill a new store with one of each, and return the facts by which a test finds them again."""
    world = world_on(folder, ports)
    world.software("keeper", "system/*.cruds")
    for place, number in (("chu", "990000018"), ("other", "990000026")):
        identifier = {"system": "https://finess.esante.gouv.fr", "value": number}
        world.record(place, {"resourceType": "Organization", "identifier": [identifier], "name": place})
    world.software("chu-ehr", "system/*.cruds", "chu")
    world.colleague("haddad", HADDAD, "chu")
    world.patient("camille", "284039999900148")
    for name in ("nour", "martin"):
        world.professional(name, "10", "other")
    lot = world.filing(title="Compte rendu"), world.filing(title="Compte rendu masqué")
    world.ids["seen"], world.ids["hidden"] = world.publish_all("chu-ehr", *lot)
    world.hide(world.ids["hidden"])
    world.agree("camille", "martin", "deny")
    world.agree("camille", "nour")
    assert world.get("nour", f"/DocumentReference/{world.ids['seen']}").status_code == 200
    return {"ids": world.ids, "tokens": world.tokens} | _identities(world.runtime, world)


def _identities(runtime: Runtime, world: World) -> dict[str, Any]:
    own = RepresentedPatient(world.ids["camille"], f"Patient/{world.ids['camille']}", "camille")
    patient = Account("camille", RequesterKind.PATIENT, own.person, "Camille", patients=(own,), totp="JBSWY3DPEHPK3PXP")
    account = accounts.add_account(runtime, patient, PASSWORD)
    practice = PractitionerRoleRef("", f"Organization/{world.ids['other']}", "other", "10", label="nour")
    person = f"Practitioner/{world.ids['nour']}"
    nour = Account("nour", RequesterKind.PROFESSIONAL, person, "Nour", (practice,), national_id="899700000001")
    accounts.add_account(runtime, nour, PASSWORD)
    scopes = "patient/*.rs offline_access"
    app = Client("carnet", "Carnet", ClientKind.PATIENT_APP, ("https://app.example/cb",), scopes)
    clients.register(runtime, replace(app, origins=("https://app.example",)))
    excluded = AppExclusions(documents=(world.ids["hidden"],))
    drafted = grants.draft_grant(runtime, Grantee(app, account, None, own.patient), scopes)
    grant = replace(drafted, proof=Login(AT, "eidas1", ("pwd", "otp")), withheld=excluded)
    grants.store_grant(runtime, grant)
    world.tokens["carnet"] = access_tokens.issue_access(runtime, grant, lifetime=timedelta(days=3650))[0]
    passkeys.keep(runtime, account, passkeys.Passkey("a2V5", "Téléphone", "cHVibGlj", 3, AT))
    return {
        "refresh_token": tokens._new_refresh(runtime, grant),
        "session": sessions.start(runtime, Options(), account, Login(AT, "eidas1", ("pwd",))),
        "grant": grant.id,
        "subject": account.subject,
    }


def main() -> None:
    """Write the archives of today's schemas."""
    with tempfile.TemporaryDirectory() as made:
        for name in ("sqlite", "mongo", "server"):
            (Path(made) / name).mkdir()
        server = MongoServer(Path(made) / "server")
        try:
            for packed in (pack_sqlite(Path(made) / "sqlite"), pack_mongo(Path(made) / "mongo", server)):
                print(shutil.move(packed, ARCHIVES / packed.name))  # noqa: T201 - for the developer
        finally:
            server.close()


if __name__ == "__main__":
    main()
