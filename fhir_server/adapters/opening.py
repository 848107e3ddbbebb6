"""Opening the stores: the one module of the adapters that the composition root and the command line need."""

from dataclasses import dataclass
from pathlib import Path

from fhir_server.adapters.blobs import FileBlobs
from fhir_server.adapters.keyring import Keyring, KeyShelf
from fhir_server.adapters.keys import KeyFile, KeyProblem, add_key, create_keys, cursor_key
from fhir_server.adapters.sqlite.shelf import SqliteShelf
from fhir_server.adapters.sqlite.store import Database, SqliteStore
from fhir_server.adapters.sqlite.vault import SqliteVault
from fhir_server.adapters.system import SystemClock, SystemIds
from fhir_server.ports import Ports

__all__ = ["KeyProblem", "SqlitePlace", "create_keys", "cursor_key", "open_sqlite", "rotate_keys"]


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """Where the embedded store is: habilis.sqlite3, keys.sqlite3 and contents in one folder."""

    data_dir: Path
    key_file: Path

    def open_shelf(self) -> KeyShelf:
        """Open the wrapped keys."""
        return SqliteShelf(self.data_dir / "keys.sqlite3")


def open_sqlite(data_dir: Path, key_file: Path) -> Ports:
    """Open the embedded store, and lay it out when the folder is empty.

    Raises: KeyProblem when the key file is missing or not the one of these data; StoreUnavailable.
    """
    place = SqlitePlace(data_dir, key_file)
    keys = KeyFile(key_file)
    data_dir.mkdir(parents=True, exist_ok=True)
    keyring = _open_keyring(place.open_shelf(), keys)
    database = Database.open(data_dir / "habilis.sqlite3")
    return Ports(
        store=SqliteStore(database, keyring),
        vault=SqliteVault(database, keyring),
        blobs=FileBlobs(data_dir / "contents", keyring),
        clock=SystemClock(),
        ids=SystemIds(),
    )


def rotate_keys(place: SqlitePlace) -> int:
    """Add a fresh key-encryption key to the key file and wrap all data keys with it; return how many.

    Running servers go on. The older keys stay in the file: they open backups of the wrapped keys.
    Raises: KeyProblem, StoreUnavailable.
    """
    keys = KeyFile(place.key_file)
    keyring = _open_keyring(place.open_shelf(), keys)
    try:
        add_key(place.key_file)
        keys.reload()
        return keyring.rewrap()
    finally:
        keyring.shelf.close()


def _open_keyring(shelf: KeyShelf, keys: KeyFile) -> Keyring:
    try:
        return Keyring(shelf, keys)
    except KeyProblem:
        shelf.close()
        raise
