"""Keyed hashes: what the stores keep instead of tokens, unique values and secrets' names.

A token of a space has a different hash in each space, so that equal facts about two patients do not look equal. A
lookup token, which finds a resource without a patient, has the same hash everywhere.

Source: BLAKE2 (RFC 7693), keyed, salted and personalised.
"""

from collections.abc import Collection
from functools import lru_cache
from hashlib import blake2b

from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.domain.stored import Facts
from fhir_server.ports.vault import SWITCH

TOKEN_BYTES = 8
_NAME_BYTES = 16
_KEPT = 32_768
"""Hashes of tokens that are kept in memory, some 10 MB."""
_COMMON_KEPT = 4096
"""Groups of hashes that are kept in memory, some 10 MB: audit events of one patient share most of their tokens."""


class Hashes:
    """All keyed hashes of one store."""

    def __init__(self, index_key: bytes) -> None:
        """Keep the key."""
        self._key = index_key
        self._switches: dict[str, bytes] = {}
        self._token = lru_cache(_KEPT)(self._hash_of_token)
        self._common = lru_cache(_COMMON_KEPT)(self.tokens)
        self._of_compartment = lru_cache(_KEPT // 32)(self._keyed)

    def tokens(self, compartment: PatientId, tokens: Collection[str]) -> list[bytes]:
        """Return the hashes of tokens in one compartment, eight bytes each."""
        return [self._token(compartment, token) for token in tokens]

    def of(self, facts: Facts) -> list[bytes]:
        """Return the hashes of all tokens of a resource."""
        compartment = facts.access.compartment
        own = self.tokens(compartment, facts.tokens)
        return own + self._common(compartment, facts.common) if facts.common else own

    def _hash_of_token(self, compartment: PatientId, token: str) -> bytes:
        hashed = self._of_compartment(compartment).copy()
        hashed.update(token.encode())
        return hashed.digest()

    def _keyed(self, compartment: PatientId) -> blake2b:
        salt = blake2b(compartment.encode(), digest_size=_NAME_BYTES).digest() if compartment else b""
        return blake2b(digest_size=TOKEN_BYTES, key=self._key, salt=salt, person=b"token")

    def lookup(self, tokens: Collection[str]) -> list[bytes]:
        """Return the hashes of lookup tokens; in the directory they equal the hashes from `tokens`."""
        return self.tokens(NO_SPACE, tokens)

    def claim(self, claim: str) -> bytes:
        """Return the hash of a value that must be unique."""
        return self._hash(b"claim", claim.encode())

    def secret(self, kind: str, key: str) -> bytes:
        """Return the hash of the name of a vault entry. Those of switches stay in memory: their names are no secret."""
        if kind != SWITCH:
            return self._hash(b"secret", f"{kind}\0{key}".encode())
        if key not in self._switches:
            self._switches[key] = self._hash(b"secret", f"{kind}\0{key}".encode())
        return self._switches[key]

    def group(self, group: str) -> bytes:
        """Return the hash of the name of a group of vault entries."""
        return self._hash(b"group", group.encode())

    def counter(self, kind: str, subject: str) -> bytes:
        """Return the hash of the subject of a counter."""
        return self._hash(b"counter", f"{kind}\0{subject}".encode())

    def message(self, lane: str, compartment: PatientId, key: str) -> bytes:
        """Return the hash of the key of a message."""
        return self._hash(b"message", f"{lane}\0{compartment}\0{key}".encode())

    def content(self, compartment: PatientId, content: bytes) -> str:
        """Return the name of a content: equal contents of one compartment have the same name."""
        return self._hash(b"content", f"{compartment}\0".encode(), content).hex()

    def folder(self, compartment: PatientId) -> str:
        """Return the name of the folder with the contents of a compartment."""
        return self._hash(b"folder", compartment.encode()).hex()[: 2 * _NAME_BYTES]

    def _hash(self, person: bytes, *parts: bytes) -> bytes:
        hashed = blake2b(digest_size=32, key=self._key, person=person)
        for part in parts:
            hashed.update(part)
        return hashed.digest()
