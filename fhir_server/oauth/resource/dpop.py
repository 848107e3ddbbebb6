"""Proof of possession: tokens that only the holder of a private key can use.

Source: RFC 9449.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from authlib.common.encoding import urlsafe_b64encode
from authlib.oauth2.rfc6749 import OAuth2Error
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.values import Json
from fhir_server.oauth.base import compact, public_keys
from fhir_server.oauth.base.issuer import PROOF_ALGORITHMS
from fhir_server.oauth.base.wire import Context
from fhir_server.ports.vault import Secret

WINDOW = timedelta(seconds=60)
_JTI, _LIMIT = "dpop-jti", 4096
_REGISTRY = JWSRegistry(algorithms=PROOF_ALGORITHMS)
_REGISTRY.max_header_length = _LIMIT  # the header contains a whole key; an RSA key is longer than 512 bytes


class InvalidDpopProofError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """A proof is missing or not valid."""

    error = "invalid_dpop_proof"


@dataclass(frozen=True, slots=True)
class DpopProof:
    """A proof as sent, and the request that it must be about."""

    value: str
    method: str
    url: str


def thumbprint_of_request(context: Context) -> str:
    """Return the key that a request to the authorization server proves, "" when it has no proof.

    Raises: InvalidDpopProofError.
    """
    value = context.received.headers.get("DPoP", "")
    return verify(context.runtime, DpopProof(value, "POST", context.received.url)) if value else ""


def verify(runtime: Runtime, proof: DpopProof, access_token: str = "") -> str:
    """Return the thumbprint of the key that a proof proves; the proof is then used up.

    Raises: InvalidDpopProofError.
    """
    try:
        return _verify(runtime, proof, access_token)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        raise InvalidDpopProofError("the DPoP proof is not valid") from None


def _verify(runtime: Runtime, proof: DpopProof, access_token: str) -> str:
    compact.demand_small(proof.value, _LIMIT)
    header = jws.extract_compact(proof.value.encode(), registry=_REGISTRY).headers()
    if header.get("typ") != "dpop+jwt" or header["alg"] not in PROOF_ALGORITHMS:
        raise ValueError
    key = public_keys.public_key(header["jwk"])
    claims: Json = dict(jwt.decode(proof.value, key, algorithms=[header["alg"]], registry=_REGISTRY).claims)
    _check(runtime, proof, claims, access_token)
    thumbprint: str = key.thumbprint()
    spent = Secret(_JTI, f"{thumbprint}|{claims['jti']}", b"", expires=runtime.ports.clock.now() + 3 * WINDOW)
    if not runtime.ports.vault.add(spent):
        raise ValueError
    return thumbprint


def _check(runtime: Runtime, proof: DpopProof, claims: Json, access_token: str) -> None:
    is_timely = abs(runtime.ports.clock.now() - compact.instant(claims["iat"])) <= WINDOW
    is_about_this = claims["htm"] == proof.method and _address(claims["htu"]) == proof.url
    is_named = isinstance(claims["jti"], str) and 0 < len(claims["jti"]) <= 256  # noqa: PLR2004
    if not (is_timely and is_about_this and is_named):
        raise ValueError
    if access_token and claims["ath"] != hash_of(access_token):
        raise ValueError


def _address(htu: object) -> str:
    """Return the address that a proof names, without query and fragment (RFC 9449 4.3)."""
    return str(htu).partition("#")[0].partition("?")[0]


def hash_of(access_token: str) -> str:
    """Return the `ath` of an access token."""
    return str(urlsafe_b64encode(sha256(access_token.encode()).digest()).decode())
