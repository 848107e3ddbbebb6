"""Writes the archive of a space as a ZIP file, piece by piece, so that no more than a piece is in memory.

Beside the files it holds a README in French and English and, at the end, a manifest with the size and the SHA-256 of
every file.
Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (ZIP with data descriptors, clause 4.4.4);
docs/adr/0149-a-copy-of-the-whole-space.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from fhir_server.domain.space_archive.readme import README
from fhir_server.domain.values import Json

FORMAT = "urn:habilis:space-archive:1"
MANIFEST, TEXT = "manifest.json", "README.txt"
MEDIA_TYPE = "application/zip"
NDJSON = "application/fhir+ndjson"
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""A ZIP file knows no earlier time."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an archive. path: within the archive, with slashes. parts: its bytes, made while they are written."""

    path: str
    media_type: str
    parts: Iterable[bytes]


def written(files: Iterable[File], about: Json, at: datetime) -> Iterator[bytes]:
    """Yield the bytes of an archive. about: what the manifest says besides its files. at: when it is made."""
    sink = _Sink()
    listed: list[Json] = []
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for file in chain((File(TEXT, "text/plain; charset=utf-8", (README.encode(),)),), files):
            yield from _file(archive, sink, file, at, listed)
        manifest = orjson.dumps({"format": FORMAT, **about, "files": listed}, option=orjson.OPT_INDENT_2)
        yield from _file(archive, sink, File(MANIFEST, "application/json", (manifest,)), at, [])
    yield sink.taken()


def _file(archive: ZipFile, sink: "_Sink", file: File, at: datetime, listed: list[Json]) -> Iterator[bytes]:
    """Yield the bytes of one file, and list it for the manifest."""
    info = ZipInfo(file.path, max(at, _EARLIEST).timetuple()[:6])
    info.compress_type, info.external_attr = ZIP_DEFLATED, 0o600 << 16
    digest, size = sha256(), 0
    with archive.open(info, "w") as entry:
        for part in file.parts:
            digest.update(part)
            size += len(part)
            entry.write(part)
            if found := sink.taken():
                yield found
    listed.append({"path": file.path, "mediaType": file.media_type, "size": size, "sha256": digest.hexdigest()})
    yield sink.taken()


class _Sink:
    """What `ZipFile` writes to: it keeps what was written until somebody takes it. It cannot be sought."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes, /) -> int:
        """Keep some bytes."""
        self._kept += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: `ZipFile` asks for it."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def taken(self) -> bytes:
        """Return what was kept, and keep it no longer."""
        found = bytes(self._kept)
        self._kept.clear()
        return found
