"""Registered apps and software: what each client may ask for, and the form in which client ids are compared.

Sources: RFC 7591 client metadata; SMART App Launch 2.2, client authentication
(https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html); RFC 6749 2.3.1 (client ids in Basic
credentials are percent-encoded).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import unquote

import msgspec
import orjson

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.commands import query
from fhir_server.domain.values import ClientId, Json
from fhir_server.ports.vault import Secret

KIND = "client"
ID_LIMIT, ORIGIN_LIMIT = 200, 300
_ORIGIN, _ORIGINS_KEPT = "client-origin", "client-origins-kept"


class ClientKind(StrEnum):
    """What a client is for; it decides which people and flows it may use."""

    PATIENT_APP = "patient-app"
    PROFESSIONAL_APP = "professional-app"
    BACKEND = "backend"
    REGULATION = "regulation"
    RESOURCE_SERVER = "resource-server"


class AuthMethod(StrEnum):
    """The one way in which a client proves who it is (`token_endpoint_auth_method`)."""

    NONE = "none"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class Client:
    """One registered client.

    scopes: the most that the client is ever granted. jwks: a JWK Set by value, or jwks_uri, never both.
    secret_hash: SHA-256 (hex) of a 256-bit secret, "" when there is none. organization: "Organization/…".
    origins: origins allowed by CORS.
    certificate_bound: whether its tokens are bound to its TLS client certificate (RFC 8705).
    trusted_launcher: whether it may make EHR launch handles. introspects: whether it may ask about any token.
    intermediary: whether it files documents of others, as a health-information exchange does.
    admissions: whether it is the admission system of its establishment, which records who is in its care.
    card_reader: whether it reads patients' cards, and signs that one was present.
    audit_source: whether it posts audit events of its own system (ITI-20).
    shows_logins: whether it names a professional only after that person's own login, as the operator has checked (V5).
    european: whether it follows the EU Health Data API: how it signs, spells its scopes and names who reads (ADR 133).
    """

    id: ClientId
    name: str
    kind: ClientKind
    redirect_uris: tuple[str, ...] = ()
    scopes: str = ""
    auth_method: AuthMethod = AuthMethod.NONE
    jwks: Json = field(default_factory=dict)
    jwks_uri: str = ""
    secret_hash: str = ""
    organization: str = ""
    organization_display: str = ""
    origins: tuple[str, ...] = ()
    dpop_required: bool = False
    certificate_bound: bool = False
    par_required: bool = False
    introspects: bool = False
    trusted_launcher: bool = False
    intermediary: bool = False
    admissions: bool = False
    card_reader: bool = False
    audit_source: bool = False
    shows_logins: bool = False
    european: bool = False
    disabled: bool = False
    registration_hash: str = ""

    @property
    def is_self_registered(self) -> bool:
        """Whether the app registered itself, so that nobody has checked its name."""
        return bool(self.registration_hash)

    @property
    def device(self) -> str:
        """The reference by which audit events and directives name this software."""
        return f"Device/{self.id}"

    def has_secret(self, secret: str) -> bool:
        """Tell whether this is the client's secret, in constant time."""
        return bool(self.secret_hash) and compare_digest(hash_secret(secret), self.secret_hash)


_DECODER = msgspec.json.Decoder(Client)


def hash_secret(secret: str) -> str:
    """Return the stored hash of a random secret; the secret has 256 bits, so that one plain hash is enough."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def register(runtime: Runtime, client: Client) -> None:
    """Store a new client.

    Raises: ValueError when the id is taken, or when the client's keys, secret and method contradict one another.
    """
    _check(client)
    _note_origins(runtime, client)
    if not runtime.ports.vault.add(Secret(KIND, client.id, orjson.dumps(client))):
        message = "the client id is taken"
        raise ValueError(message)


@query
def find(runtime: Runtime, client_id: ClientId) -> Client | None:
    """Return a client, None for an unknown or disabled client."""
    return of_entry(_read(runtime, client_id))


def entry_name(client_id: ClientId) -> tuple[str, str]:
    """Return kind and key of a client's entry in the vault, for a read of several entries at once."""
    return KIND, client_id


def of_entry(entry: Secret | None) -> Client | None:
    """Return the client that an entry of the vault holds, None for no entry or a disabled client."""
    client = _DECODER.decode(entry.value) if entry else None
    return None if client is None or client.disabled else client


@query
def is_known(runtime: Runtime, client_id: ClientId) -> bool:
    """Tell whether a client has this id, disabled clients included."""
    return _read(runtime, client_id) is not None


@query
def list_clients(runtime: Runtime) -> tuple[Client, ...]:
    """Return all clients in the order of their ids, disabled clients included."""
    entries = runtime.ports.vault.entries(KIND, runtime.ports.clock.now())
    return tuple(sorted((_DECODER.decode(entry.value) for entry in entries), key=lambda client: client.id))


def change(runtime: Runtime, client: Client) -> None:
    """Replace a client. Code that disables a client must also end its grants (`grants.revoke_client`).

    Raises: KeyError when there is no such client; ValueError when it changed meanwhile or contradicts itself.
    """
    _check(client)
    entry = _read(runtime, client.id)
    if entry is None:
        raise KeyError(client.id)
    _note_origins(runtime, client)
    if not runtime.ports.vault.replace(replace(entry, key=client.id, value=orjson.dumps(client))):
        message = "the client changed meanwhile"
        raise ValueError(message)


def remove(runtime: Runtime, client_id: ClientId) -> bool:
    """Delete a client; tell whether it existed."""
    entry = _read(runtime, client_id)
    was_there = runtime.ports.vault.drop(KIND, client_id)
    for origin in _DECODER.decode(entry.value).origins if entry else ():
        _change_origin(runtime, origin, lambda ids: [known for known in ids if known != client_id])
    return was_there


@query
def works_from(runtime: Runtime, origin: str) -> bool:
    """Tell whether an enabled client works from a web origin. The reads do not grow with the number of clients.

    The store holds the ids of the clients of each origin. Each client that is found is read too, so that a client that
    another process has disabled or changed does not count.
    """
    if not 0 < len(origin) <= ORIGIN_LIMIT or not origin.isprintable():
        return False
    names, now = [(_ORIGIN, origin), (_ORIGINS_KEPT, "")], runtime.ports.clock.now()
    entry, kept = runtime.ports.vault.get_all(names, now)
    if kept is None:
        _keep_origins(runtime)
        entry = runtime.ports.vault.get(_ORIGIN, origin, now)
    ids: list[ClientId] = orjson.loads(entry.value) if entry else []
    candidates = (find(runtime, client_id) for client_id in reversed(ids))
    return any(client is not None and origin in client.origins for client in candidates)


def _keep_origins(runtime: Runtime) -> None:
    """Note the origins of the clients that an earlier version stored; this happens once in the life of a store."""
    for client in list_clients(runtime):
        _note_origins(runtime, client)
    runtime.ports.vault.add(Secret(_ORIGINS_KEPT, "", b""))


def _note_origins(runtime: Runtime, client: Client) -> None:
    """Note the origins of a client before the client is stored; a crash in between leaves an id without a client."""
    for origin in client.origins:
        _change_origin(runtime, origin, lambda ids: ids if client.id in ids else [*ids, client.id])


def _change_origin(runtime: Runtime, origin: str, changed: Callable[[list[str]], list[str]]) -> None:
    """Change the ids that are stored for an origin; try again when another process was quicker."""
    vault, is_kept = runtime.ports.vault, False
    while not is_kept:
        entry = vault.get(_ORIGIN, origin, runtime.ports.clock.now())
        before: list[str] = orjson.loads(entry.value) if entry else []
        value = orjson.dumps(changed(before))
        if entry is None:
            is_kept = vault.add(Secret(_ORIGIN, origin, value))
        else:
            is_kept = value == entry.value or vault.replace(replace(entry, key=origin, value=value))


def _check(client: Client) -> None:
    keys = bool(client.jwks) + bool(client.jwks_uri)
    wrong = {
        "a client id has 1 to 200 characters": not 0 < len(client.id) <= ID_LIMIT,
        "keys are given by value or by address, never both": keys > 1,
        "private_key_jwt needs keys": client.auth_method is AuthMethod.PRIVATE_KEY_JWT and not keys,
        "a secret needs a secret method": bool(client.secret_hash) != (client.auth_method in _SECRET_METHODS),
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(message)


_SECRET_METHODS = (AuthMethod.BASIC, AuthMethod.POST)


def _read(runtime: Runtime, client_id: ClientId) -> Secret | None:
    if not 0 < len(client_id) <= ID_LIMIT or not client_id.isprintable():  # a lone surrogate cannot be stored
        return None
    return runtime.ports.vault.get(*entry_name(client_id), runtime.ports.clock.now())


def client_name(claimed: str) -> str:
    """Return the form of a client id under which failures are counted; a look-up compares ids to the letter."""
    return claimed.strip().casefold()


def decoded(part: str) -> str:
    """Return one half of Basic credentials, percent-decoded; clients that encode nothing are understood too."""
    return unquote(part)
