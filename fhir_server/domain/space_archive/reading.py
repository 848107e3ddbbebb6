"""Reads the archive of a space that somebody brings: it is checked whole before anything of it is used.

An archive comes from outside, so each check bounds what the next one costs: the size of the directory before it is
parsed, names and stated sizes before anything is unpacked, and each file while it is unpacked.
Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, clauses 4.3.12 and 4.3.16;
docs/adr/0150-bringing-a-copy-of-a-space.md.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import orjson

from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.space_archive.writing import FORMAT, MANIFEST
from fhir_server.domain.values import Json

_NAME = re.compile(
    r"(README\.txt|manifest\.json|(resources|journal)/[A-Za-z]{1,40}\.ndjson|files/[A-Za-z0-9.\-]{1,80})"
)
_END = b"PK\x05\x06"
_END_BYTES, _LOCATOR_BYTES = 22, 20
_LOCATOR = b"PK\x06\x07"
_ENTRY_BYTES = 200
"""More than an entry of the directory takes whose name is one that our archives have."""
_PIECE = 64 * 1024
_ENCRYPTED = 1
_BROKEN = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)
"""What the library raises for an archive that is damaged or made to mislead."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may hold. files: how many. file_bytes: of one, unpacked. whole_bytes: of all, unpacked."""

    files: int
    file_bytes: int
    whole_bytes: int


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of which every file is what the manifest says."""

    manifest: Json
    opened: ZipFile
    entries: Mapping[str, ZipInfo]

    def resources(self, type_: str) -> Iterator[Json]:
        """Yield the resources of a type. Raises: Problem(INVALID) for a line that is no JSON object."""
        name = f"resources/{type_}.ndjson"
        if name not in self.entries:
            return
        for number, line in enumerate(self.content(name).splitlines()):
            try:
                found = orjson.loads(line)
            except ValueError:
                found = None
            if not isinstance(found, dict) or found.get("resourceType") != type_:
                raise _unfit(f"line {number + 1} of `{name}` is no {type_}")
            yield found

    def content_of(self, id_: str) -> bytes | None:
        """Return the content with an id, None when the archive does not hold it."""
        names = [name for name in self.entries if name.startswith(f"files/{id_}.")]
        return self.content(names[0]) if len(names) == 1 else None

    def content(self, name: str) -> bytes:
        """Return one file."""
        return self.opened.read(self.entries[name])


def opened(data: bytes, bounds: Bounds) -> Archive:
    """Return an archive that was checked whole.

    Raises: Problem(INVALID) with every file that is missing, was added or changed; TOO_COSTLY beyond the bounds.
    """
    _demand_small_directory(data, bounds)
    try:
        archive = ZipFile(BytesIO(data))
    except _BROKEN as error:
        raise _unfit("the body is no ZIP archive, or it is cut off") from error
    entries = _entries(archive, bounds)
    if MANIFEST not in entries:
        raise _unfit(f"the archive has no `{MANIFEST}`")
    manifest = _manifest(archive, entries.pop(MANIFEST))
    faults = [*_faults(archive, entries, manifest)]
    if faults:
        raise Problem(Category.INVALID, *faults)
    return Archive(manifest, archive, entries)


def _unfit(text: str) -> Problem:
    return Problem.of(Category.INVALID, text, code="archive")


def _demand_small_directory(data: bytes, bounds: Bounds) -> None:
    """Refuse an archive with a directory that is larger than ours can be; ours has no comment and is no ZIP64."""
    tail = data[-_END_BYTES:]
    before = data[-_END_BYTES - _LOCATOR_BYTES : -_END_BYTES]
    if not tail.startswith(_END) or len(tail) < _END_BYTES or tail[-2:] != b"\0\0" or before.startswith(_LOCATOR):
        raise _unfit("the body is no ZIP archive of a space, or it is cut off")
    (size,) = struct.unpack("<L", tail[12:16])
    if size > bounds.files * _ENTRY_BYTES:
        raise Problem.of(Category.TOO_COSTLY, f"an archive holds at most {bounds.files} files", code="archive")


def _entries(archive: ZipFile, bounds: Bounds) -> dict[str, ZipInfo]:
    found: dict[str, ZipInfo] = {}
    for number, info in enumerate(archive.infolist()):
        if not _NAME.fullmatch(info.orig_filename) or info.filename != info.orig_filename or info.filename in found:
            raise _unfit(
                f"entry {number + 1} of the archive has a name that no archive of a space has, or has it twice"
            )
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (ZIP_DEFLATED, ZIP_STORED):
            raise _unfit(f"`{info.filename}` is packed in a way that this server does not read")
        found[info.filename] = info
    sizes = [info.file_size for info in found.values()]
    if len(found) > bounds.files or max(sizes, default=0) > bounds.file_bytes or sum(sizes) > bounds.whole_bytes:
        text = (
            f"an archive holds at most {bounds.files} files of {bounds.file_bytes} bytes, {bounds.whole_bytes} in all"
        )
        raise Problem.of(Category.TOO_COSTLY, text, code="archive")
    return found


def _manifest(archive: ZipFile, info: ZipInfo) -> Json:
    try:
        found = orjson.loads(archive.read(info))
    except (*_BROKEN, orjson.JSONDecodeError) as error:
        raise _unfit(f"`{MANIFEST}` cannot be read") from error
    files = found.get("files") if isinstance(found, dict) else None
    is_listed = isinstance(files, list) and all(isinstance(one, dict) for one in files)
    if not isinstance(found, dict) or found.get("format") != FORMAT or not is_listed:
        raise _unfit(f"`{MANIFEST}` is not of the format {FORMAT}")
    return found


def _faults(archive: ZipFile, entries: Mapping[str, ZipInfo], manifest: Json) -> Iterator[Issue]:
    listed = {str(one.get("path")): one for one in manifest["files"]}
    for name in sorted(listed.keys() - entries.keys()):
        shown = name if _NAME.fullmatch(name) else "a file"
        yield Issue(f"`{shown}` is in the manifest and not in the archive", code="archive")
    for name, info in entries.items():
        if name not in listed:
            yield Issue(f"`{name}` is in the archive and not in the manifest", code="archive")
        elif _digest(archive, info) != (listed[name].get("size"), listed[name].get("sha256")):
            yield Issue(f"`{name}` was changed or damaged: it is not what the manifest says", code="archive")


def _digest(archive: ZipFile, info: ZipInfo) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file, (-1, "") when it cannot be unpacked; a piece is held at a time."""
    digest, size = sha256(), 0
    try:
        with archive.open(info) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                digest.update(piece)
    except _BROKEN:
        return -1, ""
    return size, digest.hexdigest()
