"""Passkeys as second factor: key pairs on a device, bound to this server's address, without a shared secret.

Sources: W3C Web Authentication Level 3, 7.1 (registering) and 7.2 (authenticating); verification by py_webauthn.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import orjson
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

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
_BROKEN = (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)


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
    options = generate_registration_options(
        rp_id=_host(runtime),
        rp_name="Habilis",
        user_id=UUID(account.subject).bytes,
        user_name=account.login,
        user_display_name=account.display,
        challenge=_new_challenge(runtime, place),
        exclude_credentials=_descriptors(runtime, account),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return str(options_to_json(options))


def request_options(runtime: Runtime, account: Account, place: str) -> str:
    """Return what the browser needs to use a passkey of an account, as JSON; "" when there is none."""
    known = _descriptors(runtime, account)
    if not known:
        return ""
    options = generate_authentication_options(
        rp_id=_host(runtime), challenge=_new_challenge(runtime, place), allow_credentials=known
    )
    return str(options_to_json(options))


def made(runtime: Runtime, account: Account, place: str, credential: str, name: str) -> Passkey | None:
    """Return the passkey that a browser made; None when it is not valid, or there are too many."""
    challenge = _take_challenge(runtime, place)
    if challenge is None or len(credential) > _SIZE or len(of(runtime, account)) >= LIMIT:
        return None
    try:
        found = verify_registration_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=_host(runtime),
            expected_origin=_origin(runtime),
        )  # fmt: skip
    except _BROKEN:
        return None
    id_, public = bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key)
    label = " ".join(name.split())[:NAME_LIMIT] or "Passkey"
    return Passkey(id_, label, public, found.sign_count, runtime.ports.clock.now())


def keep(runtime: Runtime, account: Account, passkey: Passkey) -> bool:
    """Add a passkey to an account; return False when it is already known."""
    return runtime.ports.vault.add(Secret(_KIND, passkey.id, orjson.dumps(passkey), _group(account)))


def is_proven(runtime: Runtime, account: Account, place: str, credential: str) -> bool:
    """Tell whether a passkey of this account signed the challenge of this place; each answer is valid only once.

    A signature counter that does not grow shows a copied passkey, which is refused.
    """
    challenge = _take_challenge(runtime, place)
    entry = _entry(runtime, account, credential) if challenge else None
    if challenge is None or entry is None:
        return False
    known = _DECODER.decode(entry.value)
    try:
        found = verify_authentication_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=_host(runtime),
            expected_origin=_origin(runtime), credential_public_key=base64url_to_bytes(known.public_key),
            credential_current_sign_count=known.sign_count,
        )  # fmt: skip
    except _BROKEN:
        return False
    used = replace(known, sign_count=found.new_sign_count, used=runtime.ports.clock.now())
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


def _descriptors(runtime: Runtime, account: Account) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(item.id)) for item in of(runtime, account)]


def _origin(runtime: Runtime) -> str:
    parts = urlsplit(issuer_of(runtime))
    return f"{parts.scheme}://{parts.netloc}"


def _host(runtime: Runtime) -> str:
    return str(urlsplit(issuer_of(runtime)).hostname)


def _group(account: Account) -> str:
    return f"passkeys:{account.subject}"
