"""Regulation of emergency calls: it needs registered software and a regulating physician; no app can ask for it.

The rules (G2) decide what it opens, for how long, and who can switch it off; this module decides who may use it.
Source: R.1111-48 of the French public health code.
"""

from consent_rules.vocabulary import Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Grantee, find_account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.grants import Grant
from fhir_server.oauth.base.issuer import LEVELS

LEVEL = LEVELS[1]
"""The weakest login for users of regulation software: two factors."""


def level_of(client: Client) -> str | None:
    """Return the login that a kind of software requires for every request, None for any login."""
    return LEVEL if client.kind is ClientKind.REGULATION else None


def is_regulating(party: Grantee | None) -> bool:
    """Tell whether a party acts as regulating physician: the software and the account are registered for it."""
    if party is None or party.account is None or party.practice is None:
        return False
    return party.client.kind is ClientKind.REGULATION and party.account.regulator


def still_holds(runtime: Runtime, grant: Grant) -> bool:
    """Tell whether the person of a regulation grant still is a regulating physician; True for any other grant."""
    if grant.purpose is not Purpose.EMERGENCY:
        return True
    account = find_account(runtime, grant.login)
    return account is not None and account.regulator
