"""Sealing: AES-256-GCM encryption under a data key, bound to the name and version of the value.

Layout: one byte of format, eight bytes of key id, twelve random bytes, ciphertext with its tag.
A data key encrypts far fewer than the 2^32 messages that random nonces allow: each space has its own key, and a
rotation renews the keys that many patients share.

Source: NIST SP 800-38D, section 8.3.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.ports.store import StoreUnavailable

SPACE = "Space"
"""Kind of a sealed value: the decision state of a patient's space."""
KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_HEAD = len(_FORMAT) + KEY_ID_BYTES


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
