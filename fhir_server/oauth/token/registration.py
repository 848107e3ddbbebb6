"""Dynamic registration and its management: off unless configured, and only for the rights of a sandbox.

Sources: RFC 7591, RFC 7592, RFC 8252; RFC 8705 3.4, RFC 9126 6 and RFC 9449 5.2 (what a client demands of itself).
"""

from collections.abc import Callable
from dataclasses import replace
from hmac import compare_digest

import orjson

from consent_rules.scopes import Scopes
from fhir_server.application.identity import client_changes, clients
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind, hash_secret
from fhir_server.domain.values import ClientId, Json
from fhir_server.oauth.base import compact, events
from fhir_server.oauth.base.issuer import address
from fhir_server.oauth.base.wire import NO_STORE, Answer, Context
from fhir_server.oauth.granted import narrowing
from fhir_server.oauth.granted.records import grant_types_of
from fhir_server.oauth.token import client_metadata
from fhir_server.oauth.token.client_metadata import SECRET_METHODS, MetadataError, checked, origins_of

CEILING = (
    "openid fhirUser profile launch launch/patient offline_access online_access "
    "patient/Patient.r patient/DocumentReference.rs patient/Binary.r patient/List.rs"
)
"""The most that an unverified app may ask for: to read for the patient who uses it."""
_TEXTS = ("client_name", "scope", "token_endpoint_auth_method", "jwks_uri", "client_uri", "logo_uri", "software_id")
_LISTS = ("redirect_uris", "grant_types", "response_types", "contacts")
_FLAGS = {
    "dpop_bound_access_tokens": "dpop_required",
    "tls_client_certificate_bound_access_tokens": "certificate_bound",
    "require_pushed_authorization_requests": "par_required",
}
"""Restrictions that a client may put on itself, and where they are stored."""
_SIZE, _COUNT, _TEXT = 64 * 1024, 10, 2000


class _RefusedError(Exception):
    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(error)
        self.body = {"error": error} | ({"error_description": description} if description else {})


def register(context: Context, body: bytes) -> Answer:
    """Register a client for the holder of an initial access token."""
    if not context.options.registration:
        return Answer(403, {"error": "access_denied"}, dict(NO_STORE))
    offered = hash_secret(_bearer(context))
    if not any(compare_digest(offered, known) for known in context.options.initial_tokens):
        return _unauthorized()
    return _guarded(lambda: _create(context, _metadata(body)))


def register_in_sandbox(context: Context, body: bytes) -> Answer:
    """Register a client without an initial access token: for the demonstration alone, whose people are invented."""
    return _guarded(lambda: _create(context, _metadata(body)))


def manage(context: Context, client_id: ClientId, body: bytes) -> Answer:
    """Read, replace or remove the one registration that belongs to the token."""
    client = clients.find(context.runtime, client_id)
    offered = hash_secret(_bearer(context))
    if client is None or not client.registration_hash or not compare_digest(offered, client.registration_hash):
        return _unauthorized()
    if context.received.method == "DELETE":
        client_changes.remove_client(context.runtime, events.software(context, client), client, "by the app")
        return Answer(204, "", dict(NO_STORE))
    if context.received.method == "GET":
        return Answer(200, _described(client) | _management(context, client, _bearer(context)), dict(NO_STORE))
    return _guarded(lambda: _replace(context, client, _metadata(body)))


def _guarded(act: Callable[[], Answer]) -> Answer:
    try:
        return act()
    except _RefusedError as refused:
        return Answer(400, refused.body, dict(NO_STORE))


def _create(context: Context, metadata: Json) -> Answer:
    ids = context.runtime.ports.ids
    secret = ids.secret()
    method = _method(metadata)
    is_symmetric = method in SECRET_METHODS
    token = ids.secret()
    kept = hash_secret(secret) if is_symmetric else ""
    fresh = _client(ids.new(), method, metadata)
    client = _checked(replace(fresh, secret_hash=kept, registration_hash=hash_secret(token)))
    _demand_own_name(context, client)
    caller = events.software(context, client)
    _store(lambda: client_changes.register_client(context.runtime, caller, client, "by the app"))
    issued = int(context.runtime.ports.clock.now().timestamp())
    body = _described(client) | _management(context, client, token) | {"client_id_issued_at": issued}
    if is_symmetric:
        body |= {"client_secret": secret, "client_secret_expires_at": 0}
    return Answer(201, body, dict(NO_STORE))


def _replace(context: Context, client: Client, metadata: Json) -> Answer:
    if metadata.get("client_id", client.id) != client.id or _method(metadata) is not client.auth_method:
        raise _RefusedError("invalid_client_metadata", "client_id and token_endpoint_auth_method cannot be changed")
    fresh = _client(client.id, client.auth_method, metadata)
    kept = _checked(replace(fresh, secret_hash=client.secret_hash, registration_hash=client.registration_hash))
    _demand_own_name(context, kept)
    caller = events.software(context, kept)
    _store(lambda: client_changes.replace_registration(context.runtime, caller, kept, "replaced by the app"))
    return Answer(200, _described(kept) | _management(context, kept, _bearer(context)), dict(NO_STORE))


def _demand_own_name(context: Context, client: Client) -> None:
    """Refuse the name of the service to an unverified app."""
    brand = context.options.brand
    if client_metadata.is_taken_name(client.name, (brand.name,) if brand else ()):
        raise _RefusedError("invalid_client_metadata", "client_name must not be the name of this service")


def _checked(client: Client) -> Client:
    try:
        return checked(client)
    except MetadataError as error:
        code = "invalid_redirect_uri" if error.element == "redirect_uris" else "invalid_client_metadata"
        raise _RefusedError(code, f"{error.element}: {error.text}") from None


def _management(context: Context, client: Client, token: str) -> Json:
    """Return the address and the token for managing a registration; every answer about it has them (RFC 7592 3)."""
    where = address(context.runtime, f"/oauth/register/{client.id}")
    return {"registration_access_token": token, "registration_client_uri": where}


def _store(act: Callable[[], None]) -> None:
    try:
        act()
    except (ValueError, KeyError):
        raise _RefusedError("invalid_client_metadata") from None


def _metadata(body: bytes) -> Json:
    """Return the metadata after checking the types of all members that are read."""
    try:
        found = orjson.loads(body) if len(body) <= _SIZE and compact.is_shallow(body) else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise _RefusedError(
            "invalid_client_metadata", f"a JSON object is needed, of {_SIZE} bytes and {compact.DEPTH} levels at most"
        )
    if "software_statement" in found:
        raise _RefusedError("unapproved_software_statement")
    _check_types(found)
    return found


def _check_types(found: Json) -> None:
    for name in _TEXTS:
        if not _is_text(found.get(name, "")):
            raise _RefusedError("invalid_client_metadata", f"{name} is a text")
    for name in _LISTS:
        items = found.get(name, [])
        if not isinstance(items, list) or len(items) > _COUNT or not all(_is_text(item) for item in items):
            error = "invalid_redirect_uri" if name == "redirect_uris" else "invalid_client_metadata"
            raise _RefusedError(error, f"{name} is a list of texts")
    for name in _FLAGS:
        if not isinstance(found.get(name, False), bool):
            raise _RefusedError("invalid_client_metadata", f"{name} is true or false")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _TEXT and value.isprintable()


def _method(metadata: Json) -> AuthMethod:
    try:
        return AuthMethod(metadata.get("token_endpoint_auth_method", "client_secret_basic"))
    except ValueError:
        raise _RefusedError("invalid_client_metadata", "unknown token_endpoint_auth_method") from None


def _client(id_: str, method: AuthMethod, metadata: Json) -> Client:
    uris = tuple(metadata.get("redirect_uris", ()))
    if set(metadata.get("grant_types", ())) - {"authorization_code", "refresh_token"}:
        raise _RefusedError("invalid_client_metadata", "grant_types may hold only authorization_code and refresh_token")
    if set(metadata.get("response_types", ("code",))) != {"code"}:
        raise _RefusedError("invalid_client_metadata", "response_types may hold only code")
    keys = metadata.get("jwks", {})
    if not isinstance(keys, dict) or keys == {"keys": []}:
        raise _RefusedError("invalid_client_metadata", "jwks: must be a JWK Set with keys")
    return Client(
        ClientId(id_), metadata.get("client_name") or id_, ClientKind.PATIENT_APP, uris, _scopes(metadata), method,
        keys, metadata.get("jwks_uri", ""), origins=origins_of(uris),
        **{kept: metadata.get(name, False) for name, kept in _FLAGS.items()},
    )  # fmt: skip


def _scopes(metadata: Json) -> str:
    """Return the part of the requested scope that such an app may ask for; without a request, the whole part."""
    asked = metadata.get("scope", "")
    if not asked.strip():
        return CEILING
    unknown = [word for word in asked.split() if not Scopes.parse(word)]
    if unknown:
        raise _RefusedError("invalid_client_metadata", f"scope: {unknown[0]} is no SMART scope")
    kept = str(narrowing.meet(asked, CEILING))
    if not kept:
        raise _RefusedError(
            "invalid_client_metadata", f"scope: an app that registers itself may ask only for {CEILING}"
        )
    return kept


def _described(client: Client) -> Json:
    found: Json = {
        "client_id": client.id,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "scope": client.scopes,
        "grant_types": list(grant_types_of(client)),
        "response_types": ["code"],
        "token_endpoint_auth_method": client.auth_method.value,
    }
    found |= {name: True for name, kept in _FLAGS.items() if getattr(client, kept)}
    if client.jwks:
        found["jwks"] = client.jwks
    if client.jwks_uri:
        found["jwks_uri"] = client.jwks_uri
    return found


def _bearer(context: Context) -> str:
    scheme, _, token = context.received.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized() -> Answer:
    return Answer(401, {"error": "invalid_token"}, {"WWW-Authenticate": 'Bearer realm="habilis"'} | NO_STORE)
