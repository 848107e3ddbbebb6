"""Document contents as encrypted files: named by a keyed hash, written whole or not at all, encrypted piece by piece.

Layout of a file: one byte of format, eight bytes of key id, seven random bytes; then pieces of one mebibyte. Each piece
    is encrypted under (random bytes, number of the piece, whether it is the last), so that nobody can reorder pieces or
    cut some off.

Source: Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance
(the construction STREAM).
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

from cryptography.exceptions import InvalidTag

from consent_rules.vocabulary import PatientId
from fhir_server.adapters.files import sync_folder, write_durably
from fhir_server.adapters.hashing import Hashes
from fhir_server.adapters.sealing import KEY_ID_BYTES, DataKey, Keyring, Sealed, bound
from fhir_server.ports.store import StoreUnavailable

_FORMAT = b"\x02"
_PREFIX_BYTES = 7
_HEAD = len(_FORMAT) + KEY_ID_BYTES + _PREFIX_BYTES
_PIECE = 1024 * 1024
_TAG = 16
_PROBE = ".probe"
_REFERENCE = re.compile(r"[0-9a-f]{64}")


class FileBlobs:
    """Contents in one folder. It keeps the promises of `ports.surroundings.Blobs`."""

    def __init__(self, folder: Path, keyring: Keyring) -> None:
        """Keep the folder; it is created when there is something to store."""
        self._folder = folder
        self._keyring = keyring
        self._hashes = Hashes(keyring.index_key)

    def put(self, compartment: PatientId, content: bytes) -> str:
        """Store a content durably and return its reference."""
        reference = self._hashes.content(compartment, content)
        path = self._path(compartment, reference)
        try:
            if path.exists() and self._holds(path, content):
                sync_folder(path.parent)
            else:
                self._make(path.parent)
                write_durably(path, self._sealed(self._keyring.sealing(compartment), reference, content))
        except OSError as error:
            raise StoreUnavailable(f"a content cannot be kept: {error.strerror}") from error
        return reference

    def get(self, compartment: PatientId, reference: str) -> bytes:
        """Return a content.

        Raises: StoreUnavailable when the content is missing or damaged.
        """
        if not _REFERENCE.fullmatch(reference):
            raise StoreUnavailable("there is no content of this name")
        return self._read(self._path(compartment, reference))

    def check(self) -> None:
        """Raise StoreUnavailable when no content could be stored now; to find out, write one byte and sync it."""
        try:
            write_durably(self._folder / _PROBE, b".")
        except OSError as error:
            raise StoreUnavailable(f"a content cannot be kept: {error.strerror}") from error

    def erase(self, compartment: PatientId) -> None:
        """Remove all contents of a compartment."""
        folder = self._hashes.folder(compartment)
        place = self._folder / folder[:2] / folder
        try:
            if place.is_dir():
                rmtree(place)
                sync_folder(place.parent)
        except OSError as error:
            raise StoreUnavailable(f"contents cannot be removed: {error.strerror}") from error

    def _holds(self, path: Path, content: bytes) -> bool:
        """Tell whether a file is a readable copy; a damaged copy, or one whose key was destroyed, does not count."""
        try:
            return self._read(path) == content
        except StoreUnavailable:
            return False

    def _read(self, path: Path) -> bytes:
        try:
            sealed = path.read_bytes()
        except OSError as error:
            raise StoreUnavailable(f"a content cannot be read: {error.strerror}") from error
        return self._opened(path.name, sealed)

    def _path(self, compartment: PatientId, reference: str) -> Path:
        folder = self._hashes.folder(compartment)
        return self._folder / folder[:2] / folder / reference

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)

    def _sealed(self, key: DataKey, reference: str, content: bytes) -> bytes:
        prefix = secrets.token_bytes(_PREFIX_BYTES)
        name = bound(Sealed("content", reference), key.id)
        pieces = [content[start : start + _PIECE] for start in range(0, len(content), _PIECE)] or [b""]
        nonces = _nonces(prefix, len(pieces))
        sealed = (key.cipher.encrypt(nonce, piece, name) for nonce, piece in zip(nonces, pieces, strict=True))
        return b"".join((_FORMAT, key.id, prefix, *sealed))

    def _opened(self, reference: str, sealed: bytes) -> bytes:
        if sealed[:1] != _FORMAT or len(sealed) < _HEAD + _TAG:
            raise StoreUnavailable("a content is damaged")
        key = self._keyring.by_id(sealed[1 : 1 + KEY_ID_BYTES])
        prefix, closed = sealed[1 + KEY_ID_BYTES : _HEAD], memoryview(sealed)[_HEAD:]  # a view, because it may be large
        name = bound(Sealed("content", reference), key.id)
        step = _PIECE + _TAG
        pieces = [closed[start : start + step] for start in range(0, len(closed), step)]
        nonces = _nonces(prefix, len(pieces))
        try:
            return b"".join(key.cipher.decrypt(n, piece, name) for n, piece in zip(nonces, pieces, strict=True))
        except (InvalidTag, ValueError):
            raise StoreUnavailable("a content is damaged") from None


def _nonces(prefix: bytes, count: int) -> Iterator[bytes]:
    for number in range(count):
        yield prefix + number.to_bytes(4, "big") + (b"\x01" if number == count - 1 else b"\x00")
