"""Passkeys as second factor: key pairs on a device, bound to this server's address, without a shared secret.

`ceremonies` is imported when somebody uses a passkey: py_webauthn takes a twentieth of the time of a start.
Source: W3C Web Authentication Level 3 (https://www.w3.org/TR/webauthn-3/).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import orjson

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account
from fhir_server.oauth.base.issuer import issuer_of
from fhir_server.ports.vault import Secret

LIMIT = 10
"""How many passkeys one account may have."""
NAME_LIMIT = 60
_KIND, _CHALLENGE = "passkey", "passkey-challenge"
_CHALLENGE_LIFETIME = timedelta(minutes=5)
_SIZE = 16 * 1024
_BROKEN = (ValueError, TypeError, LookupError, RecursionError)


@dataclass(frozen=True, slots=True)
class Passkey:
    """One registered passkey. id: base64url. name: given by the person."""

    id: str
    name: str
    public_key: str
    sign_count: int
    added: datetime
    used: datetime | None = None


_DECODER = msgspec.json.Decoder(Passkey)


def of(runtime: Runtime, account: Account) -> tuple[Passkey, ...]:
    """Return the passkeys of an account, the oldest first."""
    entries = runtime.ports.vault.entries(_KIND, runtime.ports.clock.now(), _group(account))
    return tuple(sorted((_DECODER.decode(entry.value) for entry in entries), key=lambda item: item.added))


def has_second_factor(runtime: Runtime, account: Account) -> bool:
    """Tell whether this account needs more than a password."""
    return bool(account.totp) or bool(of(runtime, account))


def creation_options(runtime: Runtime, account: Account, place: str) -> str:
    """Return what the browser needs to make a passkey, as JSON. place: binds the challenge, which is valid once."""
    from fhir_server.oauth.login import ceremonies  # noqa: PLC0415 - as the docstring of the module says

    known = [item.id for item in of(runtime, account)]
    return ceremonies.creation_options(account, _new_challenge(runtime, place), _host(runtime), known)


def request_options(runtime: Runtime, account: Account, place: str) -> str:
    """Return what the browser needs to use a passkey of an account, as JSON; "" when there is none."""
    from fhir_server.oauth.login import ceremonies  # noqa: PLC0415 - as the docstring of the module says

    known = [item.id for item in of(runtime, account)]
    if not known:
        return ""
    return ceremonies.request_options(_new_challenge(runtime, place), _host(runtime), known)


def made(runtime: Runtime, account: Account, place: str, credential: str, name: str) -> Passkey | None:
    """Return the passkey that a browser made; None when it is not valid, or there are too many."""
    from fhir_server.oauth.login import ceremonies  # noqa: PLC0415 - as the docstring of the module says

    challenge = _take_challenge(runtime, place)
    if challenge is None or len(credential) > _SIZE or len(of(runtime, account)) >= LIMIT:
        return None
    found = ceremonies.made(credential, ceremonies.Asked(challenge, _host(runtime), _origin(runtime)))
    if found is None:
        return None
    label = " ".join(name.split())[:NAME_LIMIT] or "Passkey"
    return Passkey(found.id, label, found.public_key, found.sign_count, runtime.ports.clock.now())


def keep(runtime: Runtime, account: Account, passkey: Passkey) -> bool:
    """Add a passkey to an account; return False when it is already known."""
    return runtime.ports.vault.add(Secret(_KIND, passkey.id, orjson.dumps(passkey), _group(account)))


def is_proven(runtime: Runtime, account: Account, place: str, credential: str) -> bool:
    """Tell whether a passkey of this account signed the challenge of this place; each answer is valid only once.

    A signature counter that does not grow shows a copied passkey, which is refused.
    """
    from fhir_server.oauth.login import ceremonies  # noqa: PLC0415 - as the docstring of the module says

    challenge = _take_challenge(runtime, place)
    entry = _entry(runtime, account, credential) if challenge else None
    if challenge is None or entry is None:
        return False
    known = _DECODER.decode(entry.value)
    asked = ceremonies.Asked(challenge, _host(runtime), _origin(runtime))
    count = ceremonies.sign_count_of(credential, asked, known.public_key, known.sign_count)
    if count is None:
        return False
    used = replace(known, sign_count=count, used=runtime.ports.clock.now())
    return runtime.ports.vault.replace(replace(entry, key=known.id, value=orjson.dumps(used)))


def remove(runtime: Runtime, account: Account, id_: str) -> bool:
    """Remove a passkey from an account; tell whether it existed."""
    return any(item.id == id_ for item in of(runtime, account)) and runtime.ports.vault.drop(_KIND, id_)


def _entry(runtime: Runtime, account: Account, credential: str) -> Secret | None:
    """Return the passkey that an answer names, if it belongs to this account."""
    try:
        id_ = orjson.loads(credential)["id"] if len(credential) <= _SIZE else ""
    except _BROKEN:
        return None
    if not isinstance(id_, str) or not any(item.id == id_ for item in of(runtime, account)):
        return None
    return runtime.ports.vault.get(_KIND, id_, runtime.ports.clock.now())


def _new_challenge(runtime: Runtime, place: str) -> bytes:
    challenge = runtime.ports.ids.secret().encode()
    runtime.ports.vault.drop(_CHALLENGE, place)
    expires = runtime.ports.clock.now() + _CHALLENGE_LIFETIME
    runtime.ports.vault.add(Secret(_CHALLENGE, place, challenge, expires=expires))
    return challenge


def _take_challenge(runtime: Runtime, place: str) -> bytes | None:
    entry = runtime.ports.vault.take(_CHALLENGE, place, runtime.ports.clock.now())
    return entry.value if entry else None


def _origin(runtime: Runtime) -> str:
    parts = urlsplit(issuer_of(runtime))
    return f"{parts.scheme}://{parts.netloc}"


def _host(runtime: Runtime) -> str:
    return str(urlsplit(issuer_of(runtime)).hostname)


def _group(account: Account) -> str:
    return f"passkeys:{account.subject}"
