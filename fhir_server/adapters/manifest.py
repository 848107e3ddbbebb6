"""The list of files in a backup, authenticated by the key file: a restore accepts no backup of another key file."""

import hmac
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from fhir_server.adapters.files import write_durably
from fhir_server.adapters.keys import KeyFile, KeyProblem
from fhir_server.ports.store import StoreUnavailable

NAME = "manifest.json"
FORMAT = 1
PURPOSE = "backup manifest"
_FILE = re.compile(r"(habilis|keys)\.sqlite3|contents/(\.installation|[0-9a-f]{2}/[0-9a-f]+/[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its SHA-256 in hexadecimal, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is a copy of, and its files by relative path.

    instant: of data and keys, in UTC. program, schema: their versions. installation: the mark.
    """

    instant: datetime
    program: str
    schema: int
    installation: str
    files: dict[str, Entry] = field(default_factory=dict)


def write(folder: Path, manifest: Manifest, keys: KeyFile) -> None:
    """Write the manifest of a backup, after all files that it lists."""
    content = orjson.dumps({"format": FORMAT, "store": "sqlite", **asdict(manifest)}, option=orjson.OPT_SORT_KEYS)
    sealed = {"manifest": orjson.loads(content), "seal": _seal(keys.derive(PURPOSE), content)}
    write_durably(folder / NAME, orjson.dumps(sealed, option=orjson.OPT_INDENT_2) + b"\n")


def read(folder: Path, keys: KeyFile) -> Manifest:
    """Read the manifest of a backup.

    Raises: StoreUnavailable when there is none that this program can read; KeyProblem when another key file made it.
    """
    try:
        held = orjson.loads((folder / NAME).read_bytes())
        said, seal = held["manifest"], str(held["seal"])
        if (said["format"], said["store"]) != (FORMAT, "sqlite"):
            raise StoreUnavailable(f"{folder / NAME} has a format that this version does not read")
    except FileNotFoundError:
        raise StoreUnavailable(f"{folder} holds no whole backup: there is no {NAME}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreUnavailable(f"{folder / NAME} is no manifest of a backup") from error
    content = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    if not any(hmac.compare_digest(_seal(key, content), seal) for key in keys.derive_all(PURPOSE)):
        raise KeyProblem(
            f"the key file {keys.path} is not the one of the backup in {folder}, or its {NAME} was changed"
        )
    return _manifest(said)


def digest(path: Path) -> Entry:
    """Compute the hash and size of one file."""
    summed, size = sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            summed.update(piece)
            size += len(piece)
    return Entry(summed.hexdigest(), size)


def _manifest(said: dict[str, Any]) -> Manifest:
    files = {name: Entry(**entry) for name, entry in said["files"].items()}
    for name in files:
        if not _FILE.fullmatch(name):
            raise StoreUnavailable(f"a backup cannot hold {name}")
    instant = datetime.fromisoformat(said["instant"])
    return Manifest(instant, said["program"], said["schema"], said["installation"], files)


def _seal(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, sha256).hexdigest()
