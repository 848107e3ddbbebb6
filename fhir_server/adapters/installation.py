"""The check that data, keys and contents belong together, so that a start never recreates what was lost.

An installation has a mark, a random id that is stored in its data, its keys and its contents. An installation of an
earlier version has no mark: the three must then fit together, and all get a mark.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from fhir_server.adapters.files import write_durably
from fhir_server.ports.store import StoreUnavailable

MARKER = ".installation"
"""File with the mark, in the folder of the contents."""
_RESTORE = "put back the copies of one backup (docs/operations.md, Restore)"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an installation.

    name: for the operator. mark: "" while there is none. used: whether the part holds something that cannot be
        recreated.
    """

    name: str
    mark: str = ""
    used: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of an installation. expects_contents: whether the data refer to contents."""

    data: Part
    keys: Part
    contents: Part
    expects_contents: bool = False


def mark_of(parts: Parts) -> str:
    """Return the mark that all parts shall have.

    Raises: StoreUnavailable when a part is lost, or belongs to another installation.
    """
    if parts.data.mark:
        for part in (parts.keys, parts.contents):
            _demand_same(parts.data, part)
    elif parts.data.used:
        _demand_used(parts.data, parts.keys, needed=True)
        _demand_used(parts.data, parts.contents, needed=parts.expects_contents)
    else:
        for part in (parts.keys, parts.contents):
            if part.used:
                raise StoreUnavailable(
                    f"{parts.data.name} is missing or empty, although {part.name} is not: {_RESTORE}"
                )
    return parts.data.mark or parts.keys.mark or str(uuid4())


def carry(mark: str, keep_keys: Callable[[str], str], contents: Path, keep_data: Callable[[str], str]) -> None:
    """Store a mark in keys, contents and data, in this order: data with a mark mean that all parts have it.

    keep_keys, keep_data: store a mark unless there is one, and return the stored mark.
    Raises: StoreUnavailable.
    """
    kept = keep_keys(mark)
    try:
        if read_marker(contents) != kept:
            contents.mkdir(parents=True, exist_ok=True)
            write_durably(contents / MARKER, f"{kept}\n".encode())
    except OSError as error:
        raise StoreUnavailable(f"{contents} cannot be written: {error.strerror}") from error
    keep_data(kept)


def contents_part(contents: Path) -> Part:
    """Inspect the folder of the contents."""
    try:
        used = contents.is_dir() and any(not entry.name.startswith(".") for entry in contents.iterdir())
    except OSError as error:
        raise StoreUnavailable(f"{contents} cannot be read: {error.strerror}") from error
    return Part(f"{contents}/", read_marker(contents), used)


def read_marker(contents: Path) -> str:
    """Return the mark in a folder of contents, "" when there is none."""
    try:
        return (contents / MARKER).read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _demand_same(data: Part, part: Part) -> None:
    if not part.mark:
        lost = f"write {data.mark} into {part.name}{MARKER} to serve without them" if part.name.endswith("/") else ""
        advice = f"{_RESTORE}; if they are lost for good, {lost}" if lost else _RESTORE
        raise StoreUnavailable(f"{part.name} is missing or empty, although {data.name} is there: {advice}")
    if part.mark != data.mark:
        raise StoreUnavailable(f"{part.name} belongs to another installation than {data.name}: {_RESTORE}")


def _demand_used(data: Part, part: Part, *, needed: bool) -> None:
    if needed and not part.used:
        raise StoreUnavailable(f"{part.name} is missing or empty, although {data.name} holds data: {_RESTORE}")
