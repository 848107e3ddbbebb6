"""Grants: what an app may do, and for whom; a grant that ends takes effect at once.

A grant contains everything about the authorization. An access token has a copy of it, so that one read answers a
request, and belongs to the same group in the vault, so that the end of the grant ends its tokens.
Sources: RFC 6749, RFC 9700 (rotation, 4.14.2), SMART App Launch 2.2.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import msgspec
import orjson

from consent_rules.vocabulary import NO_SPACE, Purpose, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Grantee
from fhir_server.domain.caller import Granted, purpose_of
from fhir_server.domain.commands import query
from fhir_server.domain.values import ClientId, GrantId, Json
from fhir_server.ports.vault import Secret

GRANT = "grant"
T = TypeVar("T")
_PURPOSES = {
    RequesterKind.PATIENT: Purpose.PATIENT_REQUEST,
    RequesterKind.RELATED: Purpose.FAMILY_REQUEST,
    RequesterKind.AUDITOR: Purpose.AUDIT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Granted):
    """What one app may do for one person, or software for itself, until the grant ends.

    scopes: what was granted. expires: the last instant of any token, None for no end. context: further members of the
    token response. details: granted `authorization_details`. reason: why an emergency was declared.
    jkt, x5t: thumbprints of the key and the certificate to which a public client's refresh tokens are bound.
    choice: an id that changes with each authorization; tokens of an earlier authorization have another.
    ancestors: ids of the grants whose tokens were exchanged for this one, oldest first; it ends with any of them.
    actors: clients that made the earlier exchanges.
    by_software: whether software named the professional, so that the directory must agree at each request (V6).
    """

    scopes: str
    audience: str
    granted_at: datetime
    login: str = ""
    subject: str = ""
    matrix_version: str = ""
    expires: datetime | None = None
    context: Json = field(default_factory=dict)
    details: tuple[Json, ...] = ()
    reason: str = ""
    jkt: str = ""
    x5t: str = ""
    used_at: datetime | None = None
    choice: str = ""
    ancestors: tuple[GrantId, ...] = ()
    actors: tuple[str, ...] = ()
    by_software: bool = False

    @property
    def group(self) -> str:
        """The group, in the vault, of everything that ends with this grant."""
        return f"grant:{self.id}"

    @property
    def is_emergency(self) -> bool:
        """Whether the grant is for an emergency: short, for one patient, never renewed."""
        return self.purpose is Purpose.BREAK_GLASS


_DECODER = msgspec.json.Decoder(Grant)


def store_grant(runtime: Runtime, grant: Grant) -> None:
    """Store a grant from `draft_grant`."""
    runtime.ports.vault.add(Secret(GRANT, grant.id, orjson.dumps(grant), _holder(grant), grant.expires))


def draft_grant(runtime: Runtime, party: Grantee, scopes: str, purpose: Purpose | None = None) -> Grant:
    """Return a new grant for a grantee without storing it. purpose: None to derive it from the grantee."""
    account, client, requester = party.account, party.client, party.requester
    practice = party.practice
    return Grant(
        id=GrantId(runtime.ports.ids.new()),
        client_id=client.id,
        client_name=client.name,
        requester=requester,
        scopes=scopes,
        purpose=purpose or _PURPOSES.get(requester.kind, Purpose.TREATMENT),
        audience=runtime.fhir_base,
        granted_at=runtime.ports.clock.now(),
        login=account.login if account else "",
        subject=account.subject if account else client.id,
        display=account.display if account else client.name,
        organization_display=practice.organization_display if practice else client.organization_display,
        launch_patient=party.launch_patient or NO_SPACE,
        matrix_version=runtime.matrix.version if requester.profession else "",
    )


def add_to_grant(runtime: Runtime, grant: Grant, secret: Secret, *, of_choice: bool = False) -> None:
    """Store a token, then check whether its grant still exists; if not, delete the token at once.

    of_choice: also delete the token if the person has authorized the app anew meanwhile.
    """
    # INVARIANT: a revocation removes the grant first and its group second, and a choice changes the grant first and
    # removes its access tokens second, so that whichever comes later, the token is removed (tests/oauth/test_races.py).
    vault = runtime.ports.vault
    vault.add(secret)
    live = find_grant(runtime, grant.id)
    if live is None:
        vault.drop_group(grant.group)
    elif of_choice and live.choice != grant.choice:
        vault.drop(secret.kind, secret.key)


@query
def find_grant(runtime: Runtime, grant_id: GrantId) -> Grant | None:
    """Return a grant by its id, None when it has ended."""
    entry = runtime.ports.vault.get(GRANT, grant_id, runtime.ports.clock.now()) if grant_id else None
    return load_grant(entry.value) if entry else None


def touch_grant(runtime: Runtime, grant: Grant) -> None:
    """Remember that a grant is used now; a concurrent change wins, because this time is only shown to people."""
    now = runtime.ports.clock.now()
    entry = runtime.ports.vault.get(GRANT, grant.id, now)
    if entry:
        value = orjson.dumps(replace(load_grant(entry.value), used_at=now))
        runtime.ports.vault.replace(replace(entry, key=grant.id, value=value))


@query
def grants_of(runtime: Runtime, subject: str) -> tuple[Grant, ...]:
    """Return the grants of a person that have not ended, newest first."""
    entries = runtime.ports.vault.entries(GRANT, runtime.ports.clock.now(), f"holder:{subject}")
    grants = (load_grant(entry.value) for entry in entries)
    return tuple(sorted(grants, key=lambda grant: grant.granted_at, reverse=True))


def revoke_grant(runtime: Runtime, grant_id: GrantId) -> bool:
    """End a grant and all its tokens, from the next request on; tell whether the grant existed."""
    was_there = runtime.ports.vault.drop(GRANT, grant_id)
    runtime.ports.vault.drop_group(f"grant:{grant_id}")
    return was_there


def revoke_person(runtime: Runtime, subject: str) -> int:
    """End all grants of a person, as a change of profession, practice or authority demands; return how many."""
    return sum(revoke_grant(runtime, grant.id) for grant in grants_of(runtime, subject))


def revoke_client(runtime: Runtime, client_id: ClientId) -> int:
    """End all grants given to a client; return how many."""
    return sum(revoke_grant(runtime, grant.id) for grant in all_grants(runtime) if grant.client_id == client_id)


def all_grants(runtime: Runtime) -> tuple[Grant, ...]:
    """Return every grant that has not ended, in no particular order."""
    entries = runtime.ports.vault.entries(GRANT, runtime.ports.clock.now())
    return tuple(load_grant(entry.value) for entry in entries)


@query
def has_ended(runtime: Runtime, grant: Grant) -> bool:
    """Tell whether a grant from a token exchange has ended because one of its ancestors ended or was authorized anew.

    Any other grant takes its own tokens with it when it ends, so this function does not look it up.
    """
    if not grant.ancestors:
        return False
    names = [(GRANT, id_) for id_ in grant.ancestors]
    found = runtime.ports.vault.get_all(names, runtime.ports.clock.now())
    return any(entry is None or load_grant(entry.value).choice != grant.choice for entry in found)


def _holder(grant: Grant) -> str:
    return f"holder:{grant.subject}"


def load_grant(value: bytes) -> Grant:
    """Read the stored form of a grant."""
    return load_granted(value, _DECODER)


def load_granted(value: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Read a stored grant, or a record with a grant. A purpose that the rules do not know is read as OTHER."""
    try:
        return decoder.decode(value)
    except msgspec.ValidationError:
        values: Json = msgspec.json.decode(value)
        granted = values.get("grant", values)
        granted["purpose"] = purpose_of(granted["purpose"]).value
        found: T = msgspec.convert(values, decoder.type)
        return found
