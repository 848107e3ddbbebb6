"""Public keys of clients: which keys the server accepts, from every source.

Registration, command line, key files, addresses of keys, client assertions and DPoP proofs all use this module.
Sources: RFC 7517 and RFC 7518 (3.3 and 3.5: RSA keys of 2048 bits or more); RFC 8725 3.1.
"""

from base64 import urlsafe_b64decode

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from fhir_server.domain.values import Json
from fhir_server.oauth.base.issuer import ASSERTION_ALGORITHMS

SMALLEST_RSA, LARGEST_RSA = 2048, 8192
"""Bits. A larger key would cost more to verify than it protects."""
_CURVES = ("P-256", "P-384")
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_NAMES = ("kid", "alg", "use")
_EXPONENT_LIMIT = 8
"""Characters of an RSA exponent in base64: 65537 has four, and a longer one only makes verification slow."""
_TEXT_LIMIT, _COUNT_LIMIT = 2000, 10
_BROKEN = (JoseError, ValueError, TypeError, KeyError, OverflowError)


def public_key(raw: object) -> RSAKey | ECKey:
    """Return the key that a JWK describes; members that do not define the key are ignored.

    Raises: ValueError that says what is wrong, for the person who registers the key.
    """
    if not isinstance(raw, dict):
        raise ValueError("each key is a JSON object (a JWK)")  # noqa: TRY004 - one kind of error for all faults
    if _PRIVATE & raw.keys():
        raise ValueError("a key holds private parts (a private key); register the public half only")
    kind = raw.get("kty")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ValueError("kty is RSA or EC")
    values = {name: raw.get(name) for name in _MEMBERS[kind]}
    if not all(isinstance(value, str) and 0 < len(value) <= _TEXT_LIMIT for value in values.values()):
        raise ValueError(f"an {kind} key has the members {', '.join(values)}, each a text")
    return _ec(values) if kind == "EC" else _rsa(values)


def _ec(values: Json) -> ECKey:
    if values["crv"] not in _CURVES:
        raise ValueError(f"crv is one of {', '.join(_CURVES)}")
    try:
        return ECKey.import_key({**values, "kty": "EC"})
    except _BROKEN:
        raise ValueError("an EC key is no point of its curve") from None


def _rsa(values: Json) -> RSAKey:
    try:
        modulus = urlsafe_b64decode(f"{values['n']}==")
        bits = int.from_bytes(modulus).bit_length()
        if len(values["e"]) > _EXPONENT_LIMIT:
            raise ValueError
        key = RSAKey.import_key({**values, "kty": "RSA"}) if SMALLEST_RSA <= bits <= LARGEST_RSA else None
    except _BROKEN:
        raise ValueError("an RSA key cannot be read") from None
    if key is None:
        raise ValueError(f"an RSA key has {SMALLEST_RSA} to {LARGEST_RSA} bits, and this one {bits}")
    return key


def checked_set(raw: object) -> Json:
    """Return a JWK Set with only the members that are used, after checking each key.

    Raises: ValueError with what is wrong.
    """
    keys = raw.get("keys") if isinstance(raw, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= _COUNT_LIMIT:
        raise ValueError(f'a JWK Set is an object with "keys": one to {_COUNT_LIMIT} public keys')
    kept = [_checked(key) for key in keys]
    if len({key["kid"] for key in kept}) != len(kept):
        raise ValueError("two keys have the same kid")
    return {"keys": kept}


def _checked(raw: object) -> Json:
    public_key(raw)
    found: Json = raw if isinstance(raw, dict) else {}
    names = {name: found[name] for name in _NAMES if name in found}
    if not all(isinstance(value, str) and 0 < len(value) <= _TEXT_LIMIT for value in names.values()):
        raise ValueError("kid, alg and use are texts")
    if "kid" not in names:
        raise ValueError("each key needs a kid, which assertions name")
    if names.get("alg", ASSERTION_ALGORITHMS[0]) not in ASSERTION_ALGORITHMS:
        raise ValueError(f"alg is one of {', '.join(ASSERTION_ALGORITHMS)}")
    if names.get("use", "sig") != "sig":
        raise ValueError("use is sig: the key signs")
    return _stripped(found)


def usable(keys: object) -> list[Json]:
    """Return the acceptable keys of a list, with only the members that are used; other keys in the list are ignored."""
    listed = keys if isinstance(keys, list | tuple) else ()
    return [_stripped(key) for key in listed if _is_usable(key)]


def _stripped(key: Json) -> Json:
    names = {name: key[name] for name in _NAMES if isinstance(key.get(name), str)}
    return {"kty": key["kty"]} | names | {name: key[name] for name in _MEMBERS[key["kty"]]}


def _is_usable(key: object) -> bool:
    try:
        public_key(key)
    except ValueError:
        return False
    return True
