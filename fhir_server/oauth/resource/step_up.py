"""A login that is too weak or too old for a request: the app learns which login is enough, and asks for it.

Source: RFC 9470 (OAuth 2.0 Step Up Authentication Challenge Protocol).
"""

from datetime import datetime

from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem, RequiredLogin
from fhir_server.oauth.base.issuer import LEVELS, is_strong_enough

EMERGENCY = RequiredLogin(LEVELS[1], 300)
"""The login that breaking the glass requires: two factors, at most five minutes ago."""
_OF_MODE = {Purpose.BREAK_GLASS: EMERGENCY, Purpose.EMERGENCY: RequiredLogin(LEVELS[1])}
"""A regulating physician logs in once for a shift and opens many spaces."""


_LEVELLED = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.AUDITOR})


def demand(caller: Caller, wanted: RequiredLogin, now: datetime) -> None:
    """Refuse a caller whose person logged in less strongly or less recently than required.

    Raises: Problem(UNAUTHENTICATED) with the login that would be enough.
    """
    at, limit = caller.granted.proof.at, wanted.max_age
    is_recent = limit is None or (at is not None and (now - at).total_seconds() <= limit)
    if not (is_recent and is_strong_enough(caller.granted.proof.acr, wanted.level)):
        issue = Issue("the person must log in again", code="insufficient_user_authentication")
        raise Problem(Category.UNAUTHENTICATED, issue, login=wanted)


def demand_in_emergency(caller: Caller, mode: Purpose, now: datetime) -> None:
    """Check that the login of a caller who opens a space is enough for the emergency mode of their grant.

    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.purpose is mode and caller.granted.proof.at is not None:
        demand(caller, _OF_MODE[mode], now)


def demand_of_professional(caller: Caller, level: str, now: datetime) -> None:
    """Check that the login of a professional or an auditor has the level that the operator requires.

    A professional for whom an establishment's software acts did not log in here: the establishment is responsible.
    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.requester.kind in _LEVELLED and caller.granted.proof.at is not None:
        demand(caller, RequiredLogin(level), now)
