"""What a person agreed with an app last: one grant in force, whatever the number of devices, pages and tokens.

A later consent changes the grant of the earlier one in place. Access tokens end at once; refresh tokens of before go
on within what both consents allow, for as long as the later one says.
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
from fhir_server.ports.store import StoreUnavailable
from fhir_server.ports.vault import Secret

_ATTEMPTS = 20
_SETTLED = Secret("migration", "one-grant-for-app-and-person", b"")
Matter = tuple[str, ...]


def agree(runtime: Runtime, drafted: Grant) -> Grant:
    """Put what a person chose last in force for an app and return the grant.

    # INVARIANT: of concurrent callers each finds its choice or a later one in force, in one grant
    # (tests/oauth/test_last_choice.py). An emergency stands for itself.
    Raises: StoreUnavailable when others are quicker each time.
    """
    if drafted.is_emergency:
        store_grant(runtime, drafted)
        return drafted
    chosen = replace(drafted, choice=runtime.ports.ids.new())
    for _ in range(_ATTEMPTS):
        mine = _put(runtime, chosen)
        if mine and _settle(runtime, grants_of(runtime, mine.subject), matter_of(mine)) == mine.id:
            return mine
        chosen = replace(chosen, id=runtime.ports.ids.new())
    message = "the choice changes all the time"
    raise StoreUnavailable(message)


def _put(runtime: Runtime, chosen: Grant) -> Grant | None:
    """Change the grant in force, or store a first one; None when another choice was quicker."""
    current = next((g for g in in_force(grants_of(runtime, chosen.subject)) if is_same_matter(g, chosen)), None)
    if current is None or not current.choice:  # one of an earlier version ends: its tokens do not say what they are of
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
    """End all grants of one matter but the newest; return the id of that one, "" when there is none."""
    same = [grant for grant in grants if is_settled(grant) and matter_of(grant) == matter]
    last = max(same, key=_age, default=None)
    for grant in same:
        if last and grant.id != last.id:
            revoke_grant(runtime, grant.id)
    return last.id if last else ""


def _age(grant: Grant) -> tuple[bool, str, str]:
    return bool(grant.choice), grant.granted_at.isoformat(), grant.id


def settle_all(runtime: Runtime) -> int:
    """End, once in the life of a store, what earlier versions left beside the newest grant; return how many."""
    vault = runtime.ports.vault
    if vault.get(_SETTLED.kind, _SETTLED.key, runtime.ports.clock.now()) is not None:
        return 0
    grants = all_grants(runtime)
    kept = {grant.id for grant in in_force(grants)}
    ended = sum(revoke_grant(runtime, grant.id) for grant in grants if is_settled(grant) and grant.id not in kept)
    vault.add(_SETTLED)
    return ended


def is_settled(grant: Grant) -> bool:
    """Tell whether a grant is one of those of which one is in force: given by a person, and for no emergency."""
    return bool(grant.login) and not grant.is_emergency and not grant.ancestors


def matter_of(grant: Grant) -> Matter:
    """Return what a person decides about at once: an app, in one capacity.

    A professional decides for each patient, for an app is opened on several at a time.
    """
    requester = grant.requester
    patient = grant.launch_patient if requester.kind is RequesterKind.PROFESSIONAL else ""
    return grant.client_id, grant.subject, requester.person, requester.role, patient


def is_same_matter(one: Grant, other: Grant) -> bool:
    """Tell whether two grants answer the same question."""
    return matter_of(one) == matter_of(other)


def in_force(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return of each matter the grant that holds, newest first; emergencies and exchanges are not among them."""
    newest: dict[Matter, Grant] = {}
    for grant in sorted(filter(is_settled, grants), key=_age):
        newest[matter_of(grant)] = grant
    return tuple(sorted(newest.values(), key=_age, reverse=True))


def renewed(runtime: Runtime, view: Grant) -> Grant | None:
    """Return what an authorization still allows under the last choice, None when it has ended or nothing is left."""
    live = find_grant(runtime, view.id)
    return under(live, view) if live else None


def under(live: Grant, view: Grant) -> Grant | None:
    """Cut an authorization to the choice in force: no scope beyond either of them; time and documents as chosen last.

    view: the grant as one authorization saw it, with its own login, key, patient and context.
    """
    scopes = view.scopes
    if live.scopes != view.scopes:
        scopes = str(Scopes.parse(view.scopes).meet(Scopes.parse(live.scopes)))
    if not scopes:
        return None
    return replace(view, scopes=scopes, expires=live.expires, withheld=live.withheld, choice=live.choice)
