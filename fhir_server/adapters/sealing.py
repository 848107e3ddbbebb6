"""Sealing: AES-256-GCM encryption under data keys, one for each space, bound to the name and version of the value.

Names of data keys: the id of a patient, "" for the directory, "#index" for the keyed hashes, "#vault" for the vault.
    "#erased" has no key: it is the compartment of audit events whose space was erased. The key file encrypts the data
    keys, which are stored apart from the data; destroying one erases a space.
Layout: one byte of format, eight bytes of key id, twelve random bytes, ciphertext with its tag.
A data key encrypts far fewer than the 2^32 messages that random nonces allow: each space has its own key, and a
rotation renews the keys that many patients share.

Source: NIST SP 800-38D, section 8.3.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.adapters.keys import KEY_BYTES, KeyFile, KeyProblem
from fhir_server.ports.store import StoreUnavailable

SPACE = "Space"
"""Kind of a sealed value: the decision state of a patient's space."""
KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_HEAD = len(_FORMAT) + KEY_ID_BYTES
INDEX = "#index"
VAULT = "#vault"
ERASED = "#erased"
SHARED = ("", VAULT)
"""Names whose keys many patients share; a rotation renews these keys."""

_FRESH_SECONDS = 60.0
"""How long a key stays in memory: after this, a key that another process destroyed opens nothing here either."""
_REMEMBERED = 4096
_UNKNOWN: tuple[float, None] = (0.0, None)


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key. `raw` is for deriving further keys; `cipher` encrypts and decrypts."""

    id: bytes
    raw: bytes
    cipher: AESGCM


KeyById = Callable[[bytes], DataKey]


class Sealed(NamedTuple):
    """The name of a sealed value: kind, id, version. Under another name the value cannot be decrypted."""

    kind: str
    id: str
    version: int = 0


def seal(key: DataKey, name: Sealed, content: bytes) -> bytes:
    """Seal a content under its name."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + key.id + nonce + key.cipher.encrypt(nonce, content, bound(name, key.id))


def unseal(key_of: KeyById, name: Sealed, sealed: bytes) -> bytes:
    """Open what `seal` returned.

    Raises: StoreUnavailable when it is damaged, has another name, or its key was destroyed.
    """
    key = key_of(key_id_of(sealed))
    nonce, closed = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
    try:
        return key.cipher.decrypt(nonce, closed, bound(name, key.id))
    except (InvalidTag, ValueError):
        raise StoreUnavailable(f"a stored {name.kind} is damaged") from None


def key_id_of(sealed: bytes) -> bytes:
    """Return the id of the data key of a sealed value.

    Raises: StoreUnavailable when this program did not seal it.
    """
    if sealed[:1] != _FORMAT:
        raise StoreUnavailable("a stored value has an unknown seal")
    return sealed[1:_HEAD]


def bound(name: Sealed, key_id: bytes) -> bytes:
    """Return the associated data for a name."""
    return f"{name.kind}\0{name.id}\0{name.version}\0".encode() + key_id


class KeyGone(StoreUnavailable):
    """The data key of a stored value was destroyed, so the value is erased."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One data key as it is stored. Of several keys with one name, the one with the highest number encrypts."""

    id: bytes
    name: str
    number: int
    wrapped_by: str
    wrapped: bytes


class KeyShelf(Protocol):
    """The place of the encrypted keys. Every method is atomic, and durable on return. Raises: StoreUnavailable."""

    def newest(self, name: str) -> WrappedKey | None:
        """Return the key that encrypts for a name."""

    def by_id(self, id_: bytes) -> WrappedKey | None:
        """Return one key."""

    def everything(self) -> tuple[WrappedKey, ...]:
        """Return all keys."""

    def add(self, keys: Iterable[WrappedKey]) -> None:
        """Store keys, except those whose (name, number) exists."""

    def rewrap(self, keys: Iterable[WrappedKey]) -> None:
        """Replace the encryption of stored keys."""

    def destroy(self, name: str) -> int:
        """Remove all keys of a name beyond recovery; return how many."""

    def keep_mark(self, mark: str) -> str:
        """Store the mark of the installation unless there is one; return the stored mark."""

    def close(self) -> None:
        """Release files and connections."""


class Keyring:
    """Opens and creates data keys."""

    def __init__(self, shelf: KeyShelf, key_file: KeyFile) -> None:
        """Check that the key file opens the stored keys.

        Raises: KeyProblem.
        """
        self.shelf = shelf
        self._key_file = key_file
        self._remembered: dict[str | bytes, tuple[float, DataKey]] = {}
        self.index_key = self.sealing(INDEX).raw

    def sealing(self, name: str) -> DataKey:
        """Return the key that encrypts for a name; create it when there is none."""
        known = self._recall(name)
        if known:
            return known
        kept = self.shelf.newest(name)
        if kept is None:
            self.make((name,))
            kept = self.shelf.newest(name)
        if kept is None:
            raise StoreUnavailable("a new data key was not kept")
        return self._open(kept, name)

    def make(self, names: Iterable[str]) -> None:
        """Create keys for names without one, with one sync for all of them."""
        missing = [name for name in set(names) if not self._recall(name) and self.shelf.newest(name) is None]
        if missing:
            self.shelf.add(self._fresh(name, 1) for name in missing)

    def by_id(self, id_: bytes) -> DataKey:
        """Return the key that encrypted a stored value.

        Raises: KeyGone when the key was destroyed.
        """
        until, known = self._remembered.get(id_, _UNKNOWN)  # as `_recall`, once for each stored value
        if known is not None and until > monotonic():
            return known
        kept = self.shelf.by_id(id_)
        if kept is None:
            raise KeyGone("the data key of a stored value is gone")
        return self._open(kept, id_)

    def reload(self) -> None:
        """Read the keys that were added to the key file."""
        self._key_file.reload()

    def rewrap(self) -> int:
        """Encrypt all keys anew with the active key, and renew the shared ones; return how many were encrypted anew.

        Running servers need no restart: they read the key file again when they find a key that they do not know.
        """
        kept = self.shelf.everything()
        self.shelf.rewrap(self._wrap(key.id, key.name, key.number, self._unwrap(key)) for key in kept)
        newest = {key.name: key.number for key in sorted(kept, key=lambda key: key.number)}
        self.shelf.add(self._fresh(name, newest[name] + 1) for name in SHARED if name in newest)
        self._remembered.clear()
        return len(kept)

    def destroy(self, name: str) -> int:
        """Erase what is encrypted for a name by destroying its keys; return how many there were."""
        gone = self.shelf.destroy(name)
        self._remembered.clear()
        return gone

    def _fresh(self, name: str, number: int) -> WrappedKey:
        return self._wrap(secrets.token_bytes(KEY_ID_BYTES), name, number, secrets.token_bytes(KEY_BYTES))

    def _wrap(self, id_: bytes, name: str, number: int, raw: bytes) -> WrappedKey:
        return WrappedKey(id_, name, number, *self._key_file.wrap(raw, f"{name}\0{id_.hex()}"))

    def _unwrap(self, kept: WrappedKey) -> bytes:
        return self._key_file.unwrap(kept.wrapped_by, kept.wrapped, f"{kept.name}\0{kept.id.hex()}")

    def _open(self, kept: WrappedKey, asked: str | bytes) -> DataKey:
        try:
            raw = self._unwrap(kept)
        except KeyProblem as problem:
            if kept.name == INDEX:
                raise
            raise StoreUnavailable(str(problem)) from None
        key = DataKey(kept.id, raw, AESGCM(raw))
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[asked] = (monotonic() + _FRESH_SECONDS, key)
        return key

    def _recall(self, asked: str | bytes) -> DataKey | None:
        until, key = self._remembered.get(asked, _UNKNOWN)
        return key if until > monotonic() else None
