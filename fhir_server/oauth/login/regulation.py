"""Regulation of emergency calls takes software registered for it and a person who regulates; no app can ask for it.

What is opened, for how long and on whose switch is decided by the rules (G2); this says who may come in that capacity.
Source: R.1111-48 of the French public health code.
"""

from consent_rules.vocabulary import Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Grantee, find_account
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.grants import Grant
from fhir_server.oauth.base.issuer import LEVELS

LEVEL = LEVELS[1]
"""The weakest login of whoever uses regulation software: two factors."""


def level_of(client: Client) -> str:
    """Return the login that a kind of software takes whatever it asks, "" for any."""
    return LEVEL if client.kind is ClientKind.REGULATION else ""


def is_regulating(party: Grantee | None) -> bool:
    """Tell whether a party acts as regulating physician: by the registration of the software and by who it is."""
    if party is None or party.account is None or party.practice is None:
        return False
    return party.client.kind is ClientKind.REGULATION and party.account.regulator


def still_holds(runtime: Runtime, grant: Grant) -> bool:
    """Tell whether whoever holds a grant for regulation still regulates; any other grant holds."""
    if grant.purpose != Purpose.EMERGENCY:
        return True
    account = find_account(runtime, grant.login)
    return account is not None and account.regulator
