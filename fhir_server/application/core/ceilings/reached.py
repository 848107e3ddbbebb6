"""Committing what is counted, and what follows when a ceiling is reached: a step-up, then a refusal, and a case.

The answer names the ceiling and nothing else, so that it is the same for every patient, known or unknown.
Source: docs/adr/0084-what-is-counted-and-what-follows.md; RFC 9470 (step-up), RFC 6585 4 (429).
"""

from dataclasses import replace
from math import ceil

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import Access
from fhir_server.application.core.ceilings import breakers, counting, doublings
from fhir_server.application.core.ceilings.tallies import DAY, NO_TALLIES, Tallies, Tally, ceilings_of
from fhir_server.deadline import demand_time
from fhir_server.domain.audit.interactions import Outcome, OutcomeCode
from fhir_server.domain.caller import Login
from fhir_server.domain.problem import Category, Issue, Problem, RequiredLogin
from fhir_server.ports.counters import CeilingReached, Count, Limit
from fhir_server.ports.store import Change
from fhir_server.ports.vault import Secret

STEP_UP = RequiredLogin("eidas2", 300)
"""The login that doubles a ceiling: two factors, at most five minutes ago."""
_OF_ITS_OWN = RequiredLogin("eidas2", 0)
"""The login that every emergency opening beyond some number asks for: one that has opened no other space."""
_TWO_FACTORS = frozenset({"eidas2", "eidas3"})
SUSPENDED = "declared-word-suspended"
_USED = "login-of-an-emergency"
_NO_LIMIT = 1 << 31


def commit(access: Access, change: Change, tallies: Tallies) -> None:
    """Commit a change with what it counts.

    Only a change that meets a ceiling asks whether the person has doubled it.
    Raises: as the store; Problem(UNAUTHENTICATED) with the login that would double the ceiling, or TOO_MANY, when a
    ceiling is reached: then only the audit event of the refusal is stored.
    """
    if tallies.get(Tally.EMERGENCIES) and access.caller.requester.kind is RequesterKind.PROFESSIONAL:
        _commit_emergency(access, change)
        return
    try:
        _commit(access, change, tallies)
    except CeilingReached as reached:
        _commit_doubled(access, change, tallies, reached)


def _refused(access: Access, reached: CeilingReached, looked_up: int) -> Problem:
    """Record a request that a ceiling refuses; return what to raise.

    A person who logged in is asked for a second factor first, if that would double the ceiling.
    looked_up: the number of identities of which the answer tells something.
    """
    name, tally = reached.limit.name, Tally(reached.count.kind)
    may_double = _is_own(access, reached) and doublings.is_left(access, tally)
    try:
        _record(access, f"ceiling-{name}", 0 if tally is Tally.IDENTITIES else looked_up)
    except CeilingReached as further:
        if may_double:
            doublings.ask(access, tally)  # one login answers both refusals
        return _refused(access, further, 0)
    breakers.note_reached(access.runtime, reached)
    if may_double:
        doublings.ask(access, tally)
        text = f"the ceiling {name} is reached; a fresh login with a second factor doubles it for a day"
        return _challenge(text, STEP_UP)
    seconds = ceil((reached.retry_at - access.at).total_seconds())
    text = f"the ceiling {name} is reached"
    return Problem(Category.TOO_MANY, Issue(text, code=f"ceiling-{name}"), retry_after=max(1, seconds))


def demand_trusted(access: Access, looked_up: int = 0) -> None:
    """Refuse a new entry on a declaration of a suspended person, establishment or software (V13).

    looked_up: the number of identities that the request looks up, which are counted.
    Raises: Problem(CONSENT_REQUIRED), the same for every patient; the audit log has it then. Also any Problem of
    `commit`.
    """
    if access.caller.supervision.suspends(access.caller.requester):
        try:
            _record(access, SUSPENDED, looked_up)
        except CeilingReached as reached:
            raise _refused(access, reached, 0) from reached
        text = "your declarations are suspended: show other evidence, or ask the data-protection officer"
        raise Problem.of(Category.CONSENT_REQUIRED, text, code=SUSPENDED)


def _commit_doubled(access: Access, change: Change, tallies: Tallies, reached: CeilingReached) -> None:
    """Commit within the ceilings that the person has doubled before, or doubles by the login of this request."""
    factors, looked_up = doublings.factors(access, tuple(tallies)), tallies.get(Tally.IDENTITIES, 0)
    if max(factors.values()) > 1:
        try:
            _commit(access, change, tallies, factors)
        except CeilingReached as again:
            reached = again
        else:
            return
    while _doubles(access, reached):
        try:
            _commit(access, change, tallies, doublings.factors(access, tuple(tallies)))
        except CeilingReached as again:
            reached = again
        else:
            return
    raise _refused(access, reached, looked_up) from reached


def _record(access: Access, reason: str, looked_up: int = 0) -> None:
    """Store the audit event of a refusal, with the look-ups that it has answered.

    Raises: CeilingReached.
    """
    outcome = Outcome(OutcomeCode.REFUSED, reason, confidential=True, beyond=True)
    trace = audit_log.trace(access.runtime, access.caller, access.audited, outcome, access.patient)
    demand_time()
    factors = doublings.factors(access, (Tally.IDENTITIES,)) if looked_up else NO_TALLIES
    _commit(access, Change((trace,)), {Tally.IDENTITIES: looked_up}, factors)


def _commit(access: Access, change: Change, tallies: Tallies, factors: Tallies = NO_TALLIES) -> None:
    counts = counting.counts_of(access, tallies, factors)
    audit_log.commit(access.runtime, replace(change, counts=counts) if counts else change)


def _commit_emergency(access: Access, change: Change) -> None:
    """Commit an emergency opening: none is refused; some ask for a login of their own, some call the officer.

    The worker counts it for the establishment.
    """
    requester = access.caller.requester
    place = requester.organization or requester.client
    change = replace(change, outbox=(*change.outbox, breakers.emergency_message(access.runtime, place)))
    ceilings = ceilings_of(access)
    steps = [
        (ceilings.emergency_second_factor - 1, _demand_own_login),
        (ceilings.emergency_officer - 1, _call_officer),
        (_NO_LIMIT, _call_officer),
    ]
    span = ceilings.emergency_window.exact
    for most, meet in sorted(steps, key=lambda step: step[0]):  # registered numbers may come in another order
        limits = (Limit("emergencies", span, most),)
        count = Count(Tally.EMERGENCIES, requester.person, access.at, limits)
        try:
            audit_log.commit(access.runtime, replace(change, counts=(count,)))
        except CeilingReached as reached:
            meet(access, reached)
        else:
            return


def _demand_own_login(access: Access, _reached: CeilingReached) -> None:
    """Demand a login with two factors that has opened no other space.

    Raises: Problem(UNAUTHENTICATED).
    """
    proof, opened = access.caller.granted.proof, access.audited.target.encode()
    if proof.at is None:  # nobody logged in here, so nobody can log in again
        return
    name, vault = f"{access.caller.requester.person} {proof.at.isoformat()} {proof.session}", access.runtime.ports.vault
    if _has_two_factors(proof) and not vault.add(Secret(_USED, name, opened, expires=access.at + DAY)):
        used = vault.get(_USED, name, access.at)
        if used and used.value == opened:
            return
    elif _has_two_factors(proof):
        return
    _record(access, "second-factor-again")
    raise _challenge("this emergency opening needs a login of its own, with a second factor", _OF_ITS_OWN)


def _call_officer(access: Access, reached: CeilingReached) -> None:
    breakers.call_officer(access.runtime, reached.count.subject, "emergencies")


def _doubles(access: Access, reached: CeilingReached) -> bool:
    """Double the ceiling for a day if a fresh second factor answers a refusal; tell whether it is higher now."""
    proof, at = access.caller.granted.proof, access.at
    is_fresh = proof.at is not None and (at - proof.at).total_seconds() <= (STEP_UP.max_age or 0)
    is_fresh = is_fresh and _has_two_factors(proof)
    return is_fresh and _is_own(access, reached) and doublings.double(access, Tally(reached.count.kind))


def _has_two_factors(proof: Login) -> bool:
    return proof.acr in _TWO_FACTORS


def _is_own(access: Access, reached: CeilingReached) -> bool:
    """Tell whether the ceiling is the person's own and the person logged in; an establishment's is never doubled."""
    granted = access.caller.granted
    return granted.proof.at is not None and reached.count.subject == granted.requester.person


def _challenge(text: str, login: RequiredLogin) -> Problem:
    return Problem(Category.UNAUTHENTICATED, Issue(text, code="insufficient_user_authentication"), login=login)
