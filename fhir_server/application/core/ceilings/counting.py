"""What is counted of one request, and within which limits.

Only what newly opens something is counted, never a read in a space that is open to the caller already. An
establishment, or software without one, may do as much as its professionals together.
Source: docs/adr/0084-what-is-counted-and-what-follows.md.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from consent_rules.rule_profile import Ceilings
from consent_rules.vocabulary import Code, RequesterKind
from fhir_server.application.core.access import IN_DIRECTORY, Access
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.ports.counters import Count, Limit
from fhir_server.ports.vault import Secret

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_DOUBLING = "doubling"
"""Kind of the vault's entries: a person has doubled the ceilings of one tally for a day (V11)."""
_COUNTED = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.SYSTEM})
_MOST_STAFF = 10_000


class Tally(Code):
    """What is counted: spaces newly entered, cards, identities, deposits outside care, emergencies, admissions."""

    SPACES = "spaces"
    CARDS = "cards"
    IDENTITIES = "identities"
    DEPOSITS = "deposits"
    EMERGENCIES = "emergencies"
    ADMISSIONS = "admissions"


Tallies = Mapping[Tally, int]
NO_TALLIES: Tallies = MappingProxyType({})


def counts_of(access: Access, tallies: Tallies, doubled: Tallies = NO_TALLIES) -> tuple[Count, ...]:
    """Return the counts of a request; nobody but professionals and software is counted.

    doubled: how often the person has doubled the ceilings of each tally (`doublings`).
    """
    requester = access.caller.requester
    found = {tally: amount for tally, amount in tallies.items() if amount}
    if not found or requester.kind not in _COUNTED:
        return ()
    ceilings = ceilings_of(access)
    place = requester.organization or requester.client
    counts = []
    for tally, amount in found.items():
        own = _of_person(tally, ceilings, ceilings.doubled ** doubled.get(tally, 0))
        shared = _of_place(tally, ceilings, access.runtime, place)
        limited = ((requester.person, own), (place, shared))
        counts += [Count(tally, whose, access.at, limits, amount) for whose, limits in limited if whose and limits]
    return tuple(counts)


def ceilings_of(access: Access) -> Ceilings:
    """Return the ceilings of the caller: those of the rule profile, or registered ones (V12)."""
    return access.caller.supervision.ceilings_of(access.caller.requester, access.runtime.profile.ceilings)


def may_double(access: Access, tally: Tally) -> bool:
    """Tell whether the person may still double the ceilings of a tally today."""
    return doublings(access, (tally,))[tally] < access.runtime.profile.ceilings.doublings_a_day


def double(access: Access, tally: Tally) -> bool:
    """Double the person's ceilings of a tally for a day; tell whether the person still could."""
    names = _names(access, tally)
    return any(access.runtime.ports.vault.add(Secret(_DOUBLING, name, b"", expires=access.at + DAY)) for name in names)


def doublings(access: Access, tallies: Collection[Tally]) -> dict[Tally, int]:
    """Return how often the person has doubled the ceilings of each tally within a day; one read."""
    names = [(tally, name) for tally in tallies for name in _names(access, tally)]
    held = access.runtime.ports.vault.get_all([(_DOUBLING, name) for _, name in names], access.at) if names else ()
    taken = [tally for (tally, _), entry in zip(names, held, strict=True) if entry]
    return {tally: taken.count(tally) for tally in tallies}


def _names(access: Access, tally: Tally) -> list[str]:
    person, times = access.caller.requester.person, access.runtime.profile.ceilings.doublings_a_day
    return [f"{tally} {person} {number}" for number in range(times)]


def _of_person(tally: Tally, of: Ceilings, factor: int) -> tuple[Limit, ...]:
    """Return the limits of one person; emergencies are counted apart, and only software records admissions."""
    match tally:
        case Tally.SPACES:
            hour = Limit("spaces-an-hour", HOUR, of.spaces_an_hour * factor)
            return hour, Limit("spaces-a-day", DAY, of.spaces_a_day * factor)
        case Tally.CARDS:
            return (Limit("cards-a-day", DAY, of.cards_a_day * factor),)
        case Tally.IDENTITIES:
            return (Limit("identities-an-hour", HOUR, of.identities_an_hour * factor),)
        case Tally.DEPOSITS:
            return (Limit("deposits-an-hour", HOUR, of.deposits_an_hour * factor),)
        case Tally.EMERGENCIES | Tally.ADMISSIONS:
            return ()


def _of_place(tally: Tally, of: Ceilings, runtime: Runtime, place: str) -> tuple[Limit, ...]:
    """Return the limits of an establishment, or of software without one."""
    match tally:
        case Tally.SPACES:
            most = of.spaces_a_day_each * _staff(runtime, place)
            return (Limit("spaces-a-day-of-the-establishment", DAY, most),)
        case Tally.IDENTITIES:
            most = of.identities_an_hour_each * _staff(runtime, place)
            return (Limit("identities-an-hour-of-the-establishment", HOUR, most),)
        case Tally.ADMISSIONS:
            return (Limit("admissions-a-day", DAY, of.admissions_a_day_each * _staff(runtime, place)),)
        case Tally.CARDS | Tally.DEPOSITS | Tally.EMERGENCIES:
            return ()


def _staff(runtime: Runtime, place: str) -> int:
    """Return how many practice situations the directory has for an establishment, at least one.

    The number is kept for some minutes: it is the size of a ceiling and decides about no access.
    """
    now = runtime.now()
    known = runtime.staff.get(place, now)
    if known is not None:
        return known
    there, ended = AnyOf(tokens.reference("organization", place)), AnyOf(tokens.token("active", "", "false"))
    with runtime.ports.store.snapshot() as snapshot:
        total = snapshot.count(Search("PractitionerRole", (there,)), IN_DIRECTORY, _MOST_STAFF)
        over = snapshot.count(Search("PractitionerRole", (there, ended)), IN_DIRECTORY, _MOST_STAFF)
    number = _MOST_STAFF if total is None else total - (over or 0)
    return runtime.staff.keep(place, max(1, number), now)
