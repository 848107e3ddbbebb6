"""A patient's number in the links of a search, encrypted so that nobody learns the number from an address.

A link opens the same search again, but only for the caller who received it: the value decrypts for this grant and this
parameter alone. The same value always encrypts to the same text, so that a search has one self link (AES-256-GCM; the
nonce is a keyed hash of the encrypted value).
Source: docs/adr/0062-numbers-in-links-are-sealed.md.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.domain.directory.patient_numbers import names_patient
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.joins import last_step
from fhir_server.registry import REGISTRY

SYSTEM = "urn:habilis:sealed"
_START = f"{SYSTEM}|"
_NONCE_BYTES = 12
_PEOPLE = frozenset(row.name for row in REGISTRY.values() if row.of_person)
"""Types whose identifiers are encrypted, whatever the system of the identifier."""
Pairs = list[tuple[str, str]]


def sealed(key: bytes, grant: str, type_: str, pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Return the parameters of a search with encrypted identifiers, as they may appear in an address."""
    return [
        (name, _seal(key, grant, name, value) if _is_told_nowhere(type_, name, value) else value)
        for name, value in pairs
    ]


def opened(key: bytes, grant: str, pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Return the parameters of a search with their encrypted identifiers decrypted.

    Raises: Problem(MALFORMED) for a value that was encrypted for another caller or another parameter.
    """
    return [(name, _open(key, grant, name, value) if value.startswith(_START) else value) for name, value in pairs]


def _is_told_nowhere(type_: str, name: str, value: str) -> bool:
    row, last = last_step(REGISTRY.get(type_), name)
    base, _, modifier = last.partition(":")
    is_of_person = row is not None and row.name in _PEOPLE
    return names_patient(value) or (is_of_person and base == "identifier" and modifier != "missing")


def _seal(key: bytes, grant: str, name: str, value: str) -> str:
    bound, plain = _bound(grant, name), value.encode()
    nonce = blake2b(bound + b"\n" + plain, key=key, digest_size=_NONCE_BYTES).digest()
    return _START + urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plain, bound)).rstrip(b"=").decode()


def _open(key: bytes, grant: str, name: str, value: str) -> str:
    token = value.removeprefix(_START)
    try:
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return AESGCM(key).decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], _bound(grant, name)).decode()
    except (ValueError, InvalidTag) as error:
        text = f"`{name}` holds a value that was not sealed for this parameter and this caller"
        raise Problem.of(Category.MALFORMED, text, code="sealed") from error


def _bound(grant: str, name: str) -> bytes:
    return f"sealed\n{grant}\n{name}".encode()
