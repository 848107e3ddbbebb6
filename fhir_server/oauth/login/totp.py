"""Second factor: time-based one-time passwords; each is valid only once.

Sources: RFC 6238, RFC 4226.
"""

import binascii
import hmac
from base64 import b32decode, b32encode
from dataclasses import replace
from datetime import timedelta
from secrets import token_bytes
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account
from fhir_server.ports.vault import Secret

STEP_SECONDS, DIGITS = 30, 6
_SKEW_STEPS = (-1, 0, 1)


def new_secret() -> str:
    """Return a new secret of 160 bits in base32."""
    return b32encode(token_bytes(20)).decode()


def address_of(account: Account, secret: str) -> str:
    """Return the URI that authenticator apps read from a QR code."""
    return f"otpauth://totp/Habilis:{quote(account.login)}?secret={secret}&issuer=Habilis"


def code_at(secret: str, seconds: int) -> str:
    """Return the code at a time, given in seconds since the epoch."""
    made = TOTP(b32decode(secret), DIGITS, SHA1(), STEP_SECONDS, enforce_key_length=False)  # noqa: S303 - as RFC 6238 has it
    return made.generate(seconds).decode()


def proves(runtime: Runtime, account: Account, secret: str, code: str) -> bool:
    """Tell whether a code fits a secret that shall become the account's; the code is used up."""
    return is_right(runtime, replace(account, totp=secret), code)


def is_right(runtime: Runtime, account: Account, code: str) -> bool:
    """Tell whether a code is correct now (half a minute of skew allowed) and was not used before."""
    now = runtime.ports.clock.now()
    typed = code.replace(" ", "")
    if not account.totp or len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return False
    try:
        steps = [int(now.timestamp()) + skew * STEP_SECONDS for skew in _SKEW_STEPS]
        fitting = [at for at in steps if hmac.compare_digest(code_at(account.totp, at), typed)]
    except binascii.Error:
        return False
    if not fitting:
        return False
    name = f"{account.subject}|{fitting[0] // STEP_SECONDS}"
    return runtime.ports.vault.add(Secret("totp-used", name, b"", expires=now + timedelta(minutes=3)))
