"""Sealing: AES-256-GCM under a data key, bound to the name and version of what is sealed.

Layout: one byte of format, eight bytes of key id, twelve random bytes, ciphertext with its tag.
A data key seals far fewer than the 2^32 messages that random nonces allow: one space has one, and a rotation
renews those that serve everybody.

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
"""The kind of thing that the decision state of a patient's space is."""
KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_HEAD = len(_FORMAT) + KEY_ID_BYTES


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key. `raw` is needed where keys are derived from it; `cipher` seals and opens."""

    id: bytes
    raw: bytes
    cipher: AESGCM


KeyById = Callable[[bytes], DataKey]


class Sealed(NamedTuple):
    """What a sealed value is: kind of thing, id, version. Moving the value to another name makes it unreadable."""

    kind: str
    id: str
    version: int = 0


def seal(key: DataKey, name: Sealed, content: bytes) -> bytes:
    """Seal a content under its name."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + key.id + nonce + key.cipher.encrypt(nonce, content, bound(name, key.id))


def unseal(key_of: KeyById, name: Sealed, sealed: bytes) -> bytes:
    """Open what `seal` closed.

    Raises: StoreUnavailable when it is damaged, sits under another name, or its key is gone.
    """
    key = key_of(key_id_of(sealed))
    nonce, closed = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
    try:
        return key.cipher.decrypt(nonce, closed, bound(name, key.id))
    except (InvalidTag, ValueError):
        raise StoreUnavailable(f"a stored {name.kind} is damaged") from None


def key_id_of(sealed: bytes) -> bytes:
    """Return the id of the data key that a value is sealed with.

    Raises: StoreUnavailable when it was not sealed by this program.
    """
    if sealed[:1] != _FORMAT:
        raise StoreUnavailable("a stored value has an unknown seal")
    return sealed[1:_HEAD]


def bound(name: Sealed, key_id: bytes) -> bytes:
    """Return the associated data of a name."""
    return f"{name.kind}\0{name.id}\0{name.version}\0".encode() + key_id
