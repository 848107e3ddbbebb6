"""The latest authorization that a person gave an app: one grant in force, however many devices, pages and tokens.

A later authorization changes the grant of the earlier one in place. Access tokens end at once. Earlier refresh tokens
stay valid within what both authorizations allow, until the later authorization ends.
Sources: RFC 6749 6 (a refresh never widens); RFC 9700 4.14; docs/adr/0040.
"""

from collections.abc import Iterable
from dataclasses import replace

import orjson

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.access_tokens import ACCESS
from fhir_server.application.identity.grants import (
    GRANT,
    Grant,
    all_grants,
    find_grant,
    grants_of,
    revoke_grant,
    store_grant,
)
from fhir_server.domain.commands import command
from fhir_server.domain.values import GrantId
from fhir_server.ports.store import StoreUnavailable
from fhir_server.ports.vault import Secret

_ATTEMPTS = 20
_SETTLED = Secret("migration", "one-grant-for-app-and-person", b"")
Matter = tuple[str, ...]


def agree(runtime: Runtime, drafted: Grant) -> Grant:
    """Put the latest authorization of a person for an app in force, and return its grant.

    # INVARIANT: of concurrent callers each finds its choice or a later one in force, in one grant
    # (tests/oauth/test_last_choice.py). A grant for an emergency replaces no other, and no other replaces it.
    Raises: StoreUnavailable when concurrent callers are quicker every time.
    """
    if drafted.is_emergency:
        store_grant(runtime, drafted)
        return drafted
    chosen = replace(drafted, choice=runtime.ports.ids.new())
    for _ in range(_ATTEMPTS):
        mine = _put(runtime, chosen)
        if mine and _settle(runtime, grants_of(runtime, mine.subject), matter_of(mine)) == mine.id:
            return mine
        chosen = replace(chosen, id=GrantId(runtime.ports.ids.new()))
    message = "other requests keep changing this grant; try again"
    raise StoreUnavailable(message)


def _put(runtime: Runtime, chosen: Grant) -> Grant | None:
    """Change the grant in force, or store a first grant; None when a concurrent authorization was quicker."""
    current = next((g for g in in_force(grants_of(runtime, chosen.subject)) if is_same_matter(g, chosen)), None)
    if current is None or not current.choice:  # a grant without `choice` is of an earlier version and ends
        store_grant(runtime, chosen)
        return chosen
    changed = replace(chosen, id=current.id, used_at=current.used_at)
    entry = runtime.ports.vault.get(GRANT, current.id, runtime.ports.clock.now())
    if entry is None:
        return None
    value = orjson.dumps(changed)
    if not runtime.ports.vault.replace(replace(entry, key=current.id, value=value, expires=changed.expires)):
        return None
    runtime.ports.vault.drop_group(changed.group, (ACCESS,))
    return changed


def _settle(runtime: Runtime, grants: Iterable[Grant], matter: Matter) -> str:
    """End all grants of one matter but the newest; return the id of the newest, "" when there is none."""
    same = [grant for grant in grants if is_settled(grant) and matter_of(grant) == matter]
    last = max(same, key=_age, default=None)
    for grant in same:
        if last and grant.id != last.id:
            revoke_grant(runtime, grant.id)
    return last.id if last else ""


def _age(grant: Grant) -> tuple[bool, str, str]:
    return bool(grant.choice), grant.granted_at.isoformat(), grant.id


@command()
def settle_all(runtime: Runtime) -> int:
    """End, once in the life of a store, older grants that earlier versions left beside the newest; return how many."""
    vault = runtime.ports.vault
    if vault.get(_SETTLED.kind, _SETTLED.key, runtime.ports.clock.now()) is not None:
        return 0
    grants = all_grants(runtime)
    kept = {grant.id for grant in in_force(grants)}
    ended = sum(revoke_grant(runtime, grant.id) for grant in grants if is_settled(grant) and grant.id not in kept)
    vault.add(_SETTLED)
    return ended


def is_settled(grant: Grant) -> bool:
    """Tell whether a grant replaces earlier ones: a person gave it, not for an emergency, and not by an exchange."""
    return bool(grant.login) and not grant.is_emergency and not grant.ancestors


def matter_of(grant: Grant) -> Matter:
    """Return the matter of a grant: an app and a person in one capacity. One grant of a matter is in force at a time.

    For a professional the patient belongs to the matter too, because professionals open an app on several patients.
    """
    requester = grant.requester
    patient = grant.launch_patient if requester.kind is RequesterKind.PROFESSIONAL else ""
    return grant.client_id, grant.subject, requester.person, requester.role, patient


def is_same_matter(one: Grant, other: Grant) -> bool:
    """Tell whether two grants are of the same matter."""
    return matter_of(one) == matter_of(other)


def in_force(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return the grant in force of each matter, newest first, without grants of emergencies and exchanges."""
    newest: dict[Matter, Grant] = {}
    for grant in sorted(filter(is_settled, grants), key=_age):
        newest[matter_of(grant)] = grant
    return tuple(sorted(newest.values(), key=_age, reverse=True))


def renewed(runtime: Runtime, view: Grant) -> Grant | None:
    """Return what an earlier authorization still allows under the latest; None when it has ended or nothing is left."""
    live = find_grant(runtime, view.id)
    return under(live, view) if live else None


def under(live: Grant, view: Grant) -> Grant | None:
    """Limit an earlier authorization by the latest: the scopes of both; end and app exclusions of the latest.

    live: the grant in force. view: the grant of the earlier authorization, with its login, key, patient and context.
    """
    scopes = view.scopes
    if live.scopes != view.scopes:
        scopes = str(Scopes.parse(view.scopes).meet(Scopes.parse(live.scopes)))
    if not scopes:
        return None
    return replace(view, scopes=scopes, expires=live.expires, withheld=live.withheld, choice=live.choice)
