"""Signatures and claims from a provider: nothing is believed before both are verified.

Sources: OpenID Connect Core 1.0, 3.1.3.7 (id_token) and 5.3.2 (userinfo); RFC 8725 (algorithms).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fhir_server.domain.values import Json
from fhir_server.oauth.base.issuer import is_strong_enough
from fhir_server.oauth.upstream.metadata import Metadata, ProviderError
from fhir_server.settings.upstream import Provider

Keys = Callable[[str], Json]
"""Returns the provider's JWK Set, for a key id."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Only signatures with a key pair: a shared secret, or none, proves nothing."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
_KEY_TYPES = {"RSA", "EC"}
_BROKEN = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Expected:
    """What an id_token must agree with. level: the weakest login; not_before: the earliest time, None for any."""

    issuer: str
    client_id: str
    nonce: str
    level: str
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProvenIdentity:
    """Who logged in, according to the provider. at: when, None when it does not say."""

    subject: str
    acr: str
    amr: tuple[str, ...]
    at: datetime | None
    claims: Json


def opened(token: object, keys: Keys) -> tuple[Json, Json]:
    """Return header and claims of a JWT whose signature is valid.

    Raises: ProviderError.
    """
    try:
        if not isinstance(token, str):
            raise TypeError
        header = jws.extract_compact(token.encode()).headers()
        if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
            raise ValueError
        decoded = jwt.decode(token, _usable(keys(header["kid"])), algorithms=list(ALGORITHMS))
        claims = decoded.claims
    except _BROKEN:
        raise ProviderError("bad-signature") from None
    return dict(decoded.header), dict(claims)


def _usable(keys: Json) -> KeySet:
    """Return the public keys that sign; a set that also contains secrets gives none."""
    fitting = [key for key in keys["keys"] if key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"]
    return KeySet.import_key_set({"keys": fitting})


def prove(tokens: Json, keys: Keys, expected: Expected, now: datetime) -> ProvenIdentity:
    """Check a whole id_token and return what it proves.

    Raises: ProviderError naming the first thing that is wrong.
    """
    header, claims = opened(tokens.get("id_token"), keys)
    params = {
        "client_id": expected.client_id, "nonce": expected.nonce, "access_token": tokens["access_token"],
    }  # fmt: skip
    options = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
        "sub": {"essential": True},
    }
    try:
        CodeIDToken(claims, header, options, params).validate(int(now.timestamp()), LEEWAY)
        proof = _proof(claims)
    except (*_BROKEN, OverflowError, OSError):
        raise ProviderError("bad-claims") from None
    _demand(proof, expected, now)
    return proof


def _proof(claims: Json) -> ProvenIdentity:
    subject, amr = claims["sub"], claims.get("amr") or []
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:  # noqa: PLR2004 - OpenID Connect Core, 2
        raise ValueError
    at = datetime.fromtimestamp(claims["auth_time"], UTC) if claims.get("auth_time") else None
    means = tuple(item for item in amr if isinstance(item, str) and len(item) <= 64)  # noqa: PLR2004
    return ProvenIdentity(subject, str(claims.get("acr", "")), means, at, claims)


def _demand(proof: ProvenIdentity, expected: Expected, now: datetime) -> None:
    if not is_strong_enough(proof.acr, expected.level):
        raise ProviderError("too-weak")
    leeway = timedelta(seconds=LEEWAY)
    if proof.at and proof.at > now + leeway:
        raise ProviderError("bad-claims")
    if expected.not_before and (proof.at is None or proof.at < expected.not_before - leeway):
        raise ProviderError("too-old")


def read_userinfo(content_type: str, body: bytes, metadata: Metadata, provider: Provider, keys: Keys) -> Json:
    """Return the claims of a userinfo answer, plain or signed; the caller must check whom they are about.

    Raises: ProviderError.
    """
    if content_type.partition(";")[0].strip().lower() != "application/jwt":
        return _plain(body)
    _, claims = opened(body.decode("ascii", "replace").strip(), keys)
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != metadata.issuer or provider.client_id not in named:
        raise ProviderError("bad-userinfo")
    return claims


def _plain(body: bytes) -> Json:
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderError("bad-userinfo")
    return found
