"""The key file: key-encryption keys; the newest is in use, and the older ones still open what they encrypted.

One JSON object per file: {"format": 1, "keys": [{"id": …, "key": base64 of 32 bytes}, …]}; the last key encrypts.
The file must be stored apart from the data and from the backups of the data.
"""

import os
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fhir_server.adapters.files import write_durably

KEY_BYTES = 32
NONCE_BYTES = 12
_FORMAT = 1


class KeyProblem(Exception):
    """The keys do not fit the data, or are missing. The text says what to do, and the server must not start."""


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """One key-encryption key; its id is derived from it, so that a wrong key file is noticed."""

    id: str
    key: bytes

    @classmethod
    def fresh(cls) -> "WrappingKey":
        """Create a new random key."""
        return cls.of(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def of(cls, key: bytes) -> "WrappingKey":
        """Compute the id of a key."""
        return cls(sha256(b"habilis key id" + key).hexdigest()[:16], key)


class KeyFile:
    """The key-encryption keys of one file. `reload` reads keys that a rotation has added."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises: KeyProblem.
        """
        self.path = path
        self._keys: dict[str, WrappingKey] = {}
        self.reload()

    @property
    def active(self) -> WrappingKey:
        """The key that encrypts."""
        return next(reversed(self._keys.values()))

    def reload(self) -> None:
        """Read the file again.

        Raises: KeyProblem.
        """
        self._keys = {key.id: key for key in _read(self.path)}

    def wrap(self, key: bytes, name: str) -> tuple[str, bytes]:
        """Return the id of the active key, and a key encrypted with it under a name."""
        active = self.active
        nonce = secrets.token_bytes(NONCE_BYTES)
        return active.id, nonce + AESGCM(active.key).encrypt(nonce, key, _bound(name, active.id))

    def unwrap(self, wrapped_by: str, wrapped: bytes, name: str) -> bytes:
        """Decrypt a key.

        Raises: KeyProblem when the key file lacks the key that encrypted it, or the encrypted key is damaged.
        """
        if wrapped_by not in self._keys:
            self.reload()
        if wrapped_by not in self._keys:
            raise KeyProblem(
                f"the key file {self.path} is not the one of these data: it does not hold key {wrapped_by}"
            )
        try:
            return AESGCM(self._keys[wrapped_by].key).decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(name, wrapped_by)
            )
        except (InvalidTag, ValueError):
            raise KeyProblem(f"a data key wrapped by key {wrapped_by} is damaged") from None

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose, derived from the active key; a rotation changes them."""
        return _derived(self.active.key, purpose)

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """Return the derived bytes of every key in the file, so that results of an older key are still recognised."""
        return tuple(_derived(key.key, purpose) for key in self._keys.values())


def _derived(key: bytes, purpose: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"habilis {purpose}".encode())
    return hkdf.derive(key)


def create_keys(key_file: Path) -> None:
    """Write a new key file that only its owner can read.

    Raises: KeyProblem when the file exists: overwriting it would lose the data.
    """
    if key_file.exists():
        raise KeyProblem(f"the key file {key_file} exists already; it is left as it is")
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(key_file, (WrappingKey.fresh(),))


def add_key(key_file: Path) -> str:
    """Add a new key to a key file and make it the active one; return its id.

    Raises: KeyProblem when the file cannot be read.
    """
    fresh = WrappingKey.fresh()
    _write(key_file, (*_read(key_file), fresh))
    return fresh.id


def cursor_key(key_file: Path) -> bytes:
    """Return the 32 bytes that encrypt paging cursors.

    Raises: KeyProblem when the file cannot be read.
    """
    return KeyFile(key_file).derive("cursor")


def _bound(name: str, wrapped_by: str) -> bytes:
    return f"data key\0{name}\0{wrapped_by}".encode()


def _read(path: Path) -> tuple[WrappingKey, ...]:
    try:
        held = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise KeyProblem(f"there is no key file at {path}; create one with `habilis keys create`") from None
    except OSError as error:
        raise KeyProblem(f"the key file {path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise KeyProblem(f"the file {path} is no key file") from None
    return _parse(path, held)


def _parse(path: Path, held: Any) -> tuple[WrappingKey, ...]:  # noqa: ANN401 - any JSON value
    try:
        if held["format"] != _FORMAT:
            raise KeyProblem(f"the key file {path} has format {held['format']}; this version reads format {_FORMAT}")
        keys = tuple(WrappingKey(row["id"], b64decode(row["key"], validate=True)) for row in held["keys"])
    except (TypeError, KeyError, Base64Error, ValueError):
        raise KeyProblem(f"the file {path} is no key file") from None
    if not keys or any(key != WrappingKey.of(key.key) or len(key.key) != KEY_BYTES for key in keys):
        raise KeyProblem(f"the key file {path} is damaged")
    return keys


def _write(path: Path, keys: tuple[WrappingKey, ...]) -> None:
    rows = [{"id": key.id, "key": b64encode(key.key).decode()} for key in keys]
    content = orjson.dumps({"format": _FORMAT, "keys": rows}, option=orjson.OPT_INDENT_2) + os.linesep.encode()
    write_durably(path, content)
