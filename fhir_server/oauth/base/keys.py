"""The keys that sign id_tokens: kept in the vault, published as a JWK Set, with an overlap at each rotation.

Sources: RFC 7517; OpenID Connect Core 10.1.1 (rotation).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson
from joserfc.jwk import RSAKey

from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Json
from fhir_server.ports.vault import Secret

KIND = "signing-key"
_NAME = "id-token"
_BITS = 2048
OVERLAP = timedelta(days=7)
"""How long the public half of a replaced key is still published, because apps may verify id_tokens of last week."""


@dataclass(frozen=True, slots=True)
class KeyAge:
    """How old a signing key is. since: None for a key that an earlier version made. until: None for the one in use."""

    id: str
    since: datetime | None
    until: datetime | None


@query
def ages(runtime: Runtime) -> tuple[KeyAge, ...]:
    """Return the signing keys that are published, the newest first, without anything of the keys themselves."""
    now = runtime.now()
    live = [item for item in _current(runtime) if not _is_over(item, now)]
    return tuple(KeyAge(item["jwk"]["kid"], _at(item.get("since")), _at(item["until"])) for item in live)


def signing_key(runtime: Runtime) -> RSAKey:
    """Return the current signing key; the first process that needs a key creates it."""
    return RSAKey.import_key(_current(runtime)[0]["jwk"])


def public_keys(runtime: Runtime) -> Json:
    """Return the JWK Set of public halves, the newest first; it contains no private member."""
    now = runtime.ports.clock.now()
    live = (item for item in _current(runtime) if not _is_over(item, now))
    return {"keys": [_public(RSAKey.import_key(item["jwk"])) for item in live]}


def rotate(runtime: Runtime) -> str:
    """Create a new signing key and return its id; the old public half is published for a while."""
    _current(runtime)
    now = runtime.ports.clock.now()
    entry = runtime.ports.vault.get(KIND, _NAME, now)
    if entry is None:
        message = "the signing keys vanished"
        raise RuntimeError(message)
    kept = [item | {"until": item["until"] or (now + OVERLAP).isoformat()} for item in orjson.loads(entry.value)]
    fresh = _new(runtime)
    keys = [fresh, *(item for item in kept if not _is_over(item, now))]
    if not runtime.ports.vault.replace(replace(entry, key=_NAME, value=orjson.dumps(keys))):
        message = "the signing keys changed meanwhile"
        raise RuntimeError(message)
    return str(fresh["jwk"]["kid"])


@command(EventKind.SIGNING_KEY_ROTATED)
def rotate_signing_key(runtime: Runtime, by: str) -> str:
    """Sign id_tokens with a new key from now on, as the operator; return the id of the key. by: who does it."""
    operator_acts.record(runtime, by, "rotate-signing")
    return rotate(runtime)


def _current(runtime: Runtime) -> list[Json]:
    now = runtime.ports.clock.now()
    entry = runtime.ports.vault.get(KIND, _NAME, now)
    if entry is None:
        runtime.ports.vault.add(Secret(KIND, _NAME, orjson.dumps([_new(runtime)])))
        entry = runtime.ports.vault.get(KIND, _NAME, now)
    return list(orjson.loads(entry.value)) if entry else []


def _new(runtime: Runtime) -> Json:
    key = RSAKey.generate_key(_BITS, {"kid": runtime.ports.ids.new(), "use": "sig", "alg": "RS256"}, private=True)
    began = runtime.ports.clock.now().isoformat()
    return {"jwk": key.as_dict(private=True), "until": "", "since": began}


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _is_over(item: Json, now: datetime) -> bool:
    return bool(item["until"]) and datetime.fromisoformat(item["until"]) <= now


def _public(key: RSAKey) -> Json:
    return dict(key.as_dict(private=False))
