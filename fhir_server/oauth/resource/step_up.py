"""A login that is too weak or too old for what is asked: the app is told which one would do, and asks for it.

Source: RFC 9470 (OAuth 2.0 Step Up Authentication Challenge Protocol).
"""

from datetime import datetime

from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Login, Problem
from fhir_server.oauth.base.issuer import LEVELS, is_strong_enough

EMERGENCY = Login(LEVELS[1], 300)
"""What breaking the glass takes: two factors, five minutes ago at most."""
_OF_MODE = {Purpose.BREAK_GLASS: EMERGENCY, Purpose.EMERGENCY: Login(LEVELS[1])}
"""A regulating physician logs in once for a shift and opens one space after the other."""


_LEVELLED = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.AUDITOR})


def demand(caller: Caller, wanted: Login, now: datetime) -> None:
    """Refuse a caller whose person did not log in as strongly or as recently as wanted.

    Raises: Problem(UNAUTHENTICATED) with the login that would be enough.
    """
    at, limit = caller.logged_in_at, wanted.max_age
    is_recent = limit is None or (at is not None and (now - at).total_seconds() <= limit)
    if not (is_recent and is_strong_enough(caller.level, wanted.level)):
        issue = Issue("the person must log in again", code="insufficient_user_authentication")
        raise Problem(Category.UNAUTHENTICATED, issue, login=wanted)


def demand_in_emergency(caller: Caller, mode: Purpose, now: datetime) -> None:
    """Hold whoever opens a space in a mode that their grant was given for to a login that is fit for it.

    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.purpose == mode and caller.logged_in_at is not None:
        demand(caller, _OF_MODE[mode], now)


def demand_of_professional(caller: Caller, level: str, now: datetime) -> None:
    """Hold a professional or an auditor who logged in to the level that the operator asks.

    A professional for whom an establishment's software acts did not log in here: the establishment answers for that.
    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.requester.kind in _LEVELLED and caller.logged_in_at is not None:
        demand(caller, Login(level), now)
