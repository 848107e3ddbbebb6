"""Backup and restore of the embedded store: data and keys of one instant, with the contents that they refer to.

The writers of both files wait while two read transactions begin, and then continue; the backup copies what these
transactions see. Contents are stored before the rows that refer to them and never change, so they are copied
afterwards.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from sqlite3 import Connection

from fhir_server.adapters.files import sync_folder
from fhir_server.adapters.installation import MARKER
from fhir_server.adapters.manifest import Entry, Manifest, digest
from fhir_server.adapters.sqlite.connections import connect, failures_named
from fhir_server.adapters.sqlite.parts import CONTENTS, DATA, KEYS, look
from fhir_server.adapters.sqlite.schema import VERSION
from fhir_server.ports.store import StoreUnavailable

STAGE = ".restoring"
"""Folder inside the data directory in which a restore prepares the files that it moves at the end."""
_PARTS = (CONTENTS, KEYS, DATA)
"""The data are moved last: a start refuses keys or contents without the data."""


def back_up(data_dir: Path, target: Path, program: str) -> Manifest:
    """Copy an installation into an empty or new folder while servers run. The caller writes the manifest.

    Raises: StoreUnavailable.
    """
    with failures_named(), _files_named():
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise StoreUnavailable(f"{target} is not empty: name a new folder for the backup")
        with _one_instant(data_dir) as sources:
            instant = datetime.now(UTC)
            files = {name: _copied(source, target / name) for name, source in zip((DATA, KEYS), sources, strict=True)}
        files |= dict(_copied_contents(data_dir / CONTENTS, target / CONTENTS))
        sync_folder(target)
    return Manifest(instant, program, VERSION, look(target).data.mark, files)


def stage(source: Path, data_dir: Path, manifest: Manifest, spared: Path) -> Path:
    """Copy a backup into a folder of the data directory; check each file against the manifest; return the folder.

    spared: the one file that may be in the directory, the key file.
    Raises: StoreUnavailable when another file is there, or when a file is missing or differs from the manifest.
    """
    with _files_named():
        if manifest.schema > VERSION:
            raise StoreUnavailable(
                f"the backup was made by version {manifest.program}, which is newer than this one: install that version"
            )
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for found in sorted(data_dir.iterdir()):
            if found.resolve() != spared.resolve():
                raise StoreUnavailable(f"{data_dir} is not empty ({found.name}): a restore needs an empty directory")
        stage = data_dir / STAGE
        try:
            for name, entry in manifest.files.items():
                _take(source / name, stage / name, entry)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
        return stage


def put_in_place(stage: Path) -> None:
    """Move the files that a restore has prepared to where a start looks for them."""
    with failures_named(), _files_named():
        for name in (KEYS, DATA):
            with closing(connect(stage / name, durable=True)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        for name in _PARTS:
            (stage / name).rename(stage.parent / name)
            sync_folder(stage.parent)
        shutil.rmtree(stage)


def drop_kinds_but(data_dir: Path, kept: Iterable[str]) -> int:
    """Remove all entries of the vault except those of the kinds in `kept`; return how many."""
    kinds = sorted(kept)
    with failures_named(), closing(connect(data_dir / DATA, durable=True)) as connection:
        among = ", ".join("?" * len(kinds))
        return connection.execute(f"DELETE FROM vault WHERE kind NOT IN ({among})", kinds).rowcount


@contextmanager
def _one_instant(data_dir: Path) -> Iterator[tuple[Connection, Connection]]:
    """Begin to read data and keys while nobody writes to either of them."""
    paths = (data_dir / DATA, data_dir / KEYS)
    with ExitStack() as open_ones:
        data, keys = (open_ones.enter_context(closing(connect(path, durable=False))) for path in paths)
        with ExitStack() as turns:
            for path in paths:
                turn = turns.enter_context(path.with_name(f"{path.name}-writer").open("ab"))
                flock(turn, LOCK_EX)
            for connection in (data, keys):
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the first read fixes the moment
        yield data, keys


def _copied(source: Connection, target: Path) -> Entry:
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return digest(target)


def _copied_contents(source: Path, target: Path) -> Iterator[tuple[str, Entry]]:
    """Copy contents; skip one that is erased meanwhile."""
    for path in sorted(source.rglob("*")):
        if not path.is_file() or (path.name.startswith(".") and path.name != MARKER):
            continue
        name = path.relative_to(source)
        try:
            _copy(path, target / name)
        except FileNotFoundError:
            continue
        yield f"{CONTENTS}/{name}", digest(target / name)


def _take(source: Path, target: Path, entry: Entry) -> None:
    try:
        _copy(source, target)
    except FileNotFoundError:
        raise StoreUnavailable(f"{source} is missing: the backup is not whole") from None
    if digest(target) != entry:
        raise StoreUnavailable(f"{source} is not the file that the manifest of the backup names")


def _copy(source: Path, target: Path) -> None:
    """Copy one file durably; only its owner can read the copy."""
    with source.open("rb") as read:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:  # noqa: PTH123 - its mode
            shutil.copyfileobj(read, written, 1 << 20)
            written.flush()
            os.fsync(written.fileno())


@contextmanager
def _files_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{error.filename}: {error.strerror}") from error
