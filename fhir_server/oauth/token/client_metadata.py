"""What a registration may contain: one set of checks for dynamic registration and for the command line.

Sources: RFC 7591 2 (metadata), RFC 8252 7 and RFC 9700 2.1 (redirect URIs), RFC 6749 3.3 (scope).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from consent_rules.scopes import Scopes
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from fhir_server.domain.search.tokens import fold
from fhir_server.domain.values import Json
from fhir_server.oauth.base import public_keys
from fhir_server.oauth.granted.redirects import is_registrable
from fhir_server.oauth.token import european

SECRET_METHODS = frozenset({AuthMethod.BASIC, AuthMethod.POST})
_ID = re.compile(r"[A-Za-z0-9._~:-]{1,200}")
_NAME_LIMIT, _SHOWN_LIMIT = 200, 80
_WITHOUT_PEOPLE = frozenset({ClientKind.BACKEND, ClientKind.RESOURCE_SERVER})

SERVICE = ("Habilis", "Mon espace santé")
_ALIKE = str.maketrans(
    {
        **dict(zip("авеёкмнорсстухһіјѕ", "abeekmhopcctyxhljs", strict=True)),
        **dict(zip("αβεηικνορτυχ", "abehlknoptyx", strict=True)),
        **dict(zip("01i|5@", "olllsa", strict=True)),
    }
)
"""Letters and digits that look like a Latin letter; `i` counts as `l`, because both look like `1`."""


class MetadataError(ValueError):
    """One element of a registration is wrong. element: its name in RFC 7591, or "origins"."""

    def __init__(self, element: str, text: str) -> None:
        """Keep the element apart from the text, so that each interface can name the element in its own words."""
        super().__init__(text)
        self.element = element
        self.text = text


def checked(client: Client) -> Client:
    """Return a client as it is stored: completely checked, its keys without unused members.

    Raises: MetadataError naming the first wrong element.
    """
    _demand(_ID.fullmatch(client.id), "client_id", "must be 1 to 200 letters, digits and . _ ~ : -")
    is_name = bool(client.name.strip()) and len(client.name) <= _NAME_LIMIT and client.name.isprintable()
    _demand(is_name, "client_name", f"must have 1 to {_NAME_LIMIT} visible characters")
    _check_addresses(client)
    text = "a card reader is software that signs with a key of its own (kind backend)"
    _demand(client.kind is ClientKind.BACKEND or not client.card_reader, "card_reader", text)
    text = "a client of the EU Health Data API is software that signs with a key of its own (kind backend)"
    _demand(client.kind is ClientKind.BACKEND or not client.european, "european", text)
    if client.scopes or not client.card_reader:  # a reader may sign alone, and never ask for a token
        _check_scopes(client.scopes)
    _check_authentication(client)
    scopes = european.in_letters(client.scopes) if client.european else client.scopes
    return replace(client, jwks=_checked_keys(client.jwks), scopes=scopes)


def origins_of(redirect_uris: tuple[str, ...]) -> tuple[str, ...]:
    """Return the web origins of redirect URIs: a browser app runs at the origin of its redirect URI."""
    return tuple(
        dict.fromkeys(_origin_of(uri) for uri in redirect_uris if uri.startswith("http") and is_registrable(uri))
    )


def _demand(is_right: object, element: str, text: str) -> None:
    if not is_right:
        raise MetadataError(element, text)


def _check_addresses(client: Client) -> None:
    rule = "must be https, http on loopback, or a private scheme with a dot, and have no fragment"
    for uri in client.redirect_uris:
        _demand(is_registrable(uri), "redirect_uris", f"{rule}: {_shown(uri)}")
    is_needed = client.kind not in _WITHOUT_PEOPLE
    _demand(client.redirect_uris or not is_needed, "redirect_uris", "an app for people needs at least one")
    for origin in client.origins:
        text = f"must be scheme, host and port only, such as https://app.example: {_shown(origin)}"
        _demand(_is_origin(origin), "origins", text)


def _check_scopes(scopes: str) -> None:
    words = scopes.split()
    _demand(words, "scope", 'must have at least one scope, such as "patient/DocumentReference.rs"')
    for word in words:
        _demand(Scopes.parse(word), "scope", f"must hold SMART scopes, such as patient/*.rs: {_shown(word)} is none")


def _check_authentication(client: Client) -> None:
    signs = client.auth_method is AuthMethod.PRIVATE_KEY_JWT
    _demand(not (client.jwks and client.jwks_uri), "jwks", "give keys by value or by address, never both")
    is_address = client.jwks_uri.startswith("https://") and is_registrable(client.jwks_uri)
    _demand(is_address or not client.jwks_uri, "jwks_uri", "must be an https address without fragment")
    _demand(client.jwks or client.jwks_uri or not signs, "jwks", "private_key_jwt needs public keys or their address")
    text = "software that acts alone must sign with a key of its own (private_key_jwt)"
    _demand(signs or client.kind is not ClientKind.BACKEND, "jwks", text)
    has_secret_method = client.auth_method in SECRET_METHODS
    text = "a secret and a method that uses one come together"
    _demand(bool(client.secret_hash) == has_secret_method, "token_endpoint_auth_method", text)


def _checked_keys(keys: Json) -> Json:
    try:
        return public_keys.checked_set(keys) if keys else {}
    except ValueError as error:
        raise MetadataError("jwks", str(error)) from None


def _is_origin(origin: str) -> bool:
    return origin.startswith("http") and is_registrable(origin) and origin == _origin_of(origin)


def _origin_of(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _shown(text: str) -> str:
    """Return a text that may be part of an error: short, and without invisible characters."""
    return ascii(text[:_SHOWN_LIMIT])


def is_taken_name(name: str, others: Iterable[str] = ()) -> bool:
    """Tell whether a name contains the name of the service, or one of the others."""
    shown = _skeleton(name)
    return any(_skeleton(own) in shown for own in (*SERVICE, *others) if own)


def _skeleton(name: str) -> str:
    return fold(name.replace("|", "l").replace("@", "a")).translate(_ALIKE).replace(" ", "")
