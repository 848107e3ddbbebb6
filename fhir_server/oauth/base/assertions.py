"""Signed assertions of registered software: the registered key that the header names, the claims, and their times.

Software proves by an assertion who it is, and a card reader says by one what it has read. A text about a fault says
what was expected, and nothing about the keys or the sender.
Sources: RFC 7523 3; RFC 8725 3.1, 3.11 and 3.12; SMART App Launch 2.2, asymmetric client authentication
(https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.clients import Client
from fhir_server.domain.values import Json
from fhir_server.oauth.base import compact, public_keys, remote_keys
from fhir_server.oauth.base.bulkhead import Bulkhead
from fhir_server.oauth.base.issuer import ASSERTION_ALGORITHMS, EUROPEAN_ALGORITHMS

LEEWAY = timedelta(seconds=30)
"""By how much the clock of another machine may differ."""
BROKEN = (JoseError, ValueError, TypeError, KeyError, OverflowError)
MALFORMED = "malformed, not signed by the key that it names, or without a claim"
_JTI_LIMIT = 256
_KEY_TYPES = {"RS384": "RSA", "PS384": "RSA", "ES384": "EC", "ES256": "EC"}


class AssertionFault(Exception):
    """An assertion is not valid; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Software that signs. keys: as registered, by value or at the registered address. types: accepted as `typ`."""

    client: Client
    keys: KeySet
    types: frozenset[str]


def named_by(assertion: str) -> str:
    """Return the issuer of an assertion, before anything in it is verified; "" for none."""
    try:
        compact.demand_small(assertion)
        claims = orjson.loads(urlsafe_b64decode(assertion.split(".")[1].encode() + b"=="))
    except ValueError:
        return ""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else ""


def keys_of(runtime: Runtime, client: Client, bulkhead: Bulkhead) -> KeySet:
    """Return the registered keys, from the registration or from the registered address.

    Raises: AssertionFault for keys that cannot be read; InvalidClientError and BusyError as `remote_keys.fetch`.
    """
    raw = remote_keys.fetch(runtime, client.jwks_uri, bulkhead) if client.jwks_uri else client.jwks
    try:
        return KeySet.import_key_set({"keys": public_keys.usable(raw.get("keys"))})
    except (*BROKEN, AttributeError):
        raise AssertionFault("the client has no usable keys") from None


def verified(assertion: str, sender: Sender) -> Json:
    """Verify header and signature; return the claims, of which nothing is checked yet. Raises: AssertionFault."""
    try:
        header = jws.extract_compact(assertion.encode()).headers()
        key = _choose(header, sender)
        return dict(jwt.decode(assertion, key, algorithms=[str(header["alg"])]).claims)
    except BROKEN:
        raise AssertionFault(MALFORMED) from None


def _choose(header: Json, sender: Sender) -> Key:
    """Return the one registered key that the header names; keys inside the assertion are ignored."""
    alg, kid, address = header.get("alg"), header.get("kid"), sender.client.jwks_uri
    accepted = EUROPEAN_ALGORITHMS if sender.client.european else ASSERTION_ALGORITHMS
    fitting = [k for k in sender.keys.keys if k.kid == kid and k.key_type == _KEY_TYPES.get(str(alg))]
    demand(
        {
            f"alg must be one of {', '.join(accepted)}": alg in accepted,
            "kid must name one registered key that fits alg": isinstance(kid, str) and kid and len(fitting) == 1,
            f"typ must be one of {', '.join(sorted(sender.types))}": header.get("typ", "JWT") in sender.types,
            "jku must be the registered address": header.get("jku", address) == address,
            "crit is not understood": "crit" not in header,
        }
    )
    return fitting[0]


def timely(claims: Json, now: datetime, longest: timedelta) -> dict[str, bool]:
    """Return what is expected of times and jti, each with whether it is met. longest: the longest life.

    Raises: one of BROKEN for a claim that is missing, or is of another type.
    """
    expires, jti = compact.instant(claims["exp"]), claims["jti"]
    started = [compact.instant(claims[name]) for name in ("nbf", "iat") if name in claims]
    clock = f"the clock here says {now:%Y-%m-%dT%H:%M:%SZ}"
    return {
        f"it has expired; {clock}": now - LEEWAY < expires,
        f"exp must be {longest.seconds} seconds ahead at most": expires <= now + longest + LEEWAY,
        f"nbf or iat lies ahead; {clock}": all(at <= now + LEEWAY for at in started),
        f"jti must have 1 to {_JTI_LIMIT} characters": isinstance(jti, str) and 0 < len(jti) <= _JTI_LIMIT,
    }


def demand(expected: Mapping[str, object]) -> None:
    """Check conditions in order, each under its text. Raises: AssertionFault with the text of the first that fails."""
    for text, is_met in expected.items():
        if not is_met:
            raise AssertionFault(text)
