"""Paging cursors: encrypted, of constant length, bound to caller and query; each page is decided anew.

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


def seal(key: bytes, place: Place, bound_to: str) -> str:
    """Return the cursor of a position: base64url, always of the same length."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = place.value.to_bytes(_VALUE_BYTES, "big", signed=True) + UUID(place.id).bytes
    return urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())).rstrip(b"=").decode()


def unseal(key: bytes, cursor: str, bound_to: str) -> Place:
    """Return the position that a cursor holds.

    Raises: Problem(MALFORMED) for a cursor that this server did not make for this caller and this query.
    """
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        plain = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to.encode())
        value = int.from_bytes(plain[:_VALUE_BYTES], "big", signed=True)
        return Place(value, str(UUID(bytes=plain[_VALUE_BYTES:])))
    except (ValueError, InvalidTag) as error:
        text = "`_page` is not a page of this search for this caller"
        raise Problem.of(Category.MALFORMED, text, code="page") from error
