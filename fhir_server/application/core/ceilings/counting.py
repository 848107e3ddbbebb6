"""What is counted of one request, and within which limits.

Only what newly opens something is counted, never a read in a space that is open to the caller already. An
establishment, or software without one, may do as much as its professionals together.
Source: docs/adr/0084-what-is-counted-and-what-follows.md.
"""

from consent_rules.rule_profile import Ceilings
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.access import IN_DIRECTORY, Access
from fhir_server.application.core.ceilings.tallies import DAY, HOUR, NO_TALLIES, Tallies, Tally, ceilings_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.ports.counters import Count, Limit

_COUNTED = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.SYSTEM})
_MOST_STAFF = 10_000


def counts_of(access: Access, tallies: Tallies, factors: Tallies = NO_TALLIES) -> tuple[Count, ...]:
    """Return the counts of a request; nobody but professionals and software is counted.

    factors: by tally, the number by which the person's ceilings are multiplied; 1 for a missing tally.
    """
    requester = access.caller.requester
    found = {tally: amount for tally, amount in tallies.items() if amount}
    if not found or requester.kind not in _COUNTED:
        return ()
    ceilings = ceilings_of(access)
    place = requester.organization or requester.client
    counts = []
    for tally, amount in found.items():
        own = _of_person(tally, ceilings, factors.get(tally, 1))
        shared = _of_place(tally, ceilings, access.runtime, place)
        limited = ((requester.person, own), (place, shared))
        counts += [Count(tally, whose, access.at, limits, amount) for whose, limits in limited if whose and limits]
    return tuple(counts)


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

    The number is kept for some minutes, because it only sets the height of a ceiling and decides no access.
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
