"""Paging cursors: sealed, of constant length, bound to the caller and the query, judged again at each page.

Source: docs/threat-model.md (a cursor tells nothing of what it skipped). AES-256-GCM; the grant and the query are
associated data, so that a cursor of another caller or another search does not open.
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


def seal(key: bytes, place: Place, bound_to: str) -> str:
    """Return the cursor of a place: base64url, always of the same length."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = place.value.to_bytes(_VALUE_BYTES, "big", signed=True) + UUID(place.id).bytes
    return urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())).rstrip(b"=").decode()


def unseal(key: bytes, cursor: str, bound_to: str) -> Place:
    """Return the place of a cursor.

    Raises: Problem(MALFORMED) for a cursor that is not one of ours, of this caller and of this query.
    """
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        plain = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
        value = int.from_bytes(plain[:_VALUE_BYTES], "big", signed=True)
        return Place(value, str(UUID(bytes=plain[_VALUE_BYTES:])))
    except (ValueError, InvalidTag) as error:
        text = "`_page` is not a page of this search for this caller"
        raise Problem.of(Category.MALFORMED, text, code="page") from error
