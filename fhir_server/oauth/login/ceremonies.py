"""The two ceremonies of a passkey, registering and authenticating, by py_webauthn; only `passkeys` imports this module.

Sources: W3C Web Authentication Level 3, 7.1 (registering) and 7.2 (authenticating).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

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

from fhir_server.application.identity.accounts import Account

_BROKEN = (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a ceremony is bound to. challenge: valid once. host, origin: of this server."""

    challenge: bytes
    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Made:
    """A key pair that a browser made. id, public_key: base64url."""

    id: str
    public_key: str
    sign_count: int


def creation_options(account: Account, challenge: bytes, host: str, known: Iterable[str]) -> str:
    """Return what the browser needs to make a passkey, as JSON. known: ids of the passkeys of the account."""
    options = generate_registration_options(
        rp_id=host,
        rp_name="Habilis",
        user_id=UUID(account.subject).bytes,
        user_name=account.login,
        user_display_name=account.display,
        challenge=challenge,
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return str(options_to_json(options))


def request_options(challenge: bytes, host: str, known: Iterable[str]) -> str:
    """Return what the browser needs to use one of the known passkeys, as JSON."""
    options = generate_authentication_options(rp_id=host, challenge=challenge, allow_credentials=_descriptors(known))
    return str(options_to_json(options))


def made(credential: str, asked: Asked) -> Made | None:
    """Return the key pair that a browser made, None when its answer is not valid."""
    try:
        found = verify_registration_response(
            credential=credential, expected_challenge=asked.challenge, expected_rp_id=asked.host,
            expected_origin=asked.origin,
        )  # fmt: skip
    except _BROKEN:
        return None
    return Made(
        bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key), found.sign_count
    )


def sign_count_of(credential: str, asked: Asked, public_key: str, sign_count: int) -> int | None:
    """Return the new signature counter of a key that signed the challenge, None when the answer is not valid."""
    try:
        found = verify_authentication_response(
            credential=credential, expected_challenge=asked.challenge, expected_rp_id=asked.host,
            expected_origin=asked.origin, credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=sign_count,
        )  # fmt: skip
    except _BROKEN:
        return None
    return int(found.new_sign_count)


def _descriptors(known: Iterable[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(id_)) for id_ in known]
