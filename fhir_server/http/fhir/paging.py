"""Paging cursors: encrypted, of constant length, bound to caller and query; each page is decided anew.

A cursor holds the last row of the page before, or the first row of the page after. The length depends on nothing but
the number of keys that the query sorts by.

Source: docs/threat-model.md (a cursor does not tell how many resources were skipped). AES-256-GCM; the grant and the
query are associated data, so that a cursor does not open for another caller or another search.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Place

_NONCE_BYTES = 12
_VALUE_BYTES = 8
_ID_BYTES = 16


def seal(key: bytes, place: Place, bound_to: str) -> str:
    """Return the cursor of a position as base64url: always of the same length for one query."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = bytes([place.backward]) + place.value.to_bytes(_VALUE_BYTES, "big", signed=True) + UUID(place.id).bytes
    sealed = AESGCM(key).encrypt(nonce, plain + place.rank, bound_to.encode())
    return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


def unseal(key: bytes, cursor: str, bound_to: str) -> Place:
    """Return the position that a cursor holds.

    Raises: Problem(MALFORMED) for a cursor that this server did not make for this caller and this query.
    """
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        plain = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
        return _opened(plain)
    except (ValueError, IndexError, InvalidTag) as error:
        text = "`_page` is not a page of this search for this caller"
        raise Problem.of(Category.MALFORMED, text, code="page") from error


def _opened(plain: bytes) -> Place:
    value, rest = plain[1 : 1 + _VALUE_BYTES], plain[1 + _VALUE_BYTES :]
    id_, rank = str(UUID(bytes=rest[:_ID_BYTES])), rest[_ID_BYTES:]
    return Place(int.from_bytes(value, "big", signed=True), id_, rank, backward=bool(plain[0]))
