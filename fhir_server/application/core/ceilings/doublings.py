"""Doubled ceilings: when a ceiling has refused a person, a new login with a second factor doubles it for a day (V11).

The login that was refused doubles nothing, however fresh it is, and a doubling does not serve logins before the one
that doubled. So a stolen token gains nothing, neither right after its login nor when its owner logs in again.
Source: docs/adr/0097-a-step-up-answers-a-refusal.md; RFC 9470.
"""

from collections.abc import Sequence

from consent_rules.visibility import micros
from fhir_server.application.core.access import Access
from fhir_server.application.core.ceilings.tallies import DAY, Tally, ceilings_of
from fhir_server.ports.vault import Secret, put_unless_held

_DOUBLING, _REFUSED = "doubling", "login-refused-by-a-ceiling"


def factors(access: Access, tallies: Sequence[Tally]) -> dict[Tally, int]:
    """Return by which number the ceilings of each tally are multiplied for this login; at most one read."""
    login, by = _login(access), ceilings_of(access).doubled
    if login is None:
        return dict.fromkeys(tallies, 1)
    held = _held(access, tallies)
    return {tally: by ** sum(given <= login for given in held[tally]) for tally in tallies}


def is_left(access: Access, tally: Tally) -> bool:
    """Tell whether a login may still double the ceilings of a tally today."""
    return len(_held(access, (tally,))[tally]) < ceilings_of(access).doublings_a_day


def ask(access: Access, tally: Tally) -> None:
    """Note that this login was refused: only a later one doubles the ceiling."""
    login = _login(access)
    if login is not None:
        name, expires = _asked(access, tally), access.at + DAY
        put_unless_held(access.runtime.ports.vault, Secret(_REFUSED, name, b"%d" % login, expires=expires), access.at)


def double(access: Access, tally: Tally) -> bool:
    """Double the ceilings of a tally for a day from this login on; tell whether that was still possible.

    A login doubles a ceiling once.
    """
    login, vault, at = _login(access), access.runtime.ports.vault, access.at
    refused = vault.get(_REFUSED, _asked(access, tally), at)
    if login is None or refused is None or login <= int(refused.value):
        return False
    if login in _held(access, (tally,))[tally]:
        return False
    given = (Secret(_DOUBLING, name, b"%d" % login, expires=at + DAY) for name in _names(access, tally))
    return any(put_unless_held(vault, one, at) for one in given)


def _held(access: Access, tallies: Sequence[Tally]) -> dict[Tally, list[int]]:
    """Return the instants of the logins that have doubled the ceilings of each tally within a day; one read."""
    names = [(tally, name) for tally in tallies for name in _names(access, tally)]
    held = access.runtime.ports.vault.get_all([(_DOUBLING, name) for _, name in names], access.at) if names else ()
    found: dict[Tally, list[int]] = {tally: [] for tally in tallies}
    for (tally, _), entry in zip(names, held, strict=True):
        if entry:
            found[tally].append(int(entry.value))
    return found


def _login(access: Access) -> int | None:
    """Return when the person logged in, in microseconds; None when software names them without a login."""
    at = access.caller.granted.proof.at
    return None if at is None else micros(at)


def _asked(access: Access, tally: Tally) -> str:
    return f"{tally} {access.caller.requester.person}"


def _names(access: Access, tally: Tally) -> list[str]:
    times = ceilings_of(access).doublings_a_day
    return [f"{_asked(access, tally)} {number}" for number in range(times)]
