"""A login that is too weak or too old for what is asked: the app is told which one would do, and asks for it.

Source: RFC 9470 (OAuth 2.0 Step Up Authentication Challenge Protocol).
"""

from datetime import datetime

from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Login, Problem
from fhir_server.oauth.issuer import LEVELS, is_strong_enough

EMERGENCY = Login(LEVELS[1], 300)
"""What opening a space in an emergency takes: two factors, five minutes ago at most."""


def demand(caller: Caller, wanted: Login, now: datetime) -> None:
    """Refuse a caller whose person did not log in as strongly or as recently as wanted.

    Raises: Problem(UNAUTHENTICATED) with the login that would be enough.
    """
    at, limit = caller.logged_in_at, wanted.max_age
    is_recent = limit is None or (at is not None and (now - at).total_seconds() <= limit)
    if not (is_recent and is_strong_enough(caller.level, wanted.level)):
        issue = Issue("the person must log in again", code="insufficient_user_authentication")
        raise Problem(Category.UNAUTHENTICATED, issue, login=wanted)


def demand_of_professional(caller: Caller, level: str, now: datetime) -> None:
    """Hold a professional who logged in to the level that the operator asks.

    A professional for whom an establishment's software acts did not log in here: the establishment answers for that.
    Raises: Problem(UNAUTHENTICATED).
    """
    if caller.requester.kind is RequesterKind.PROFESSIONAL and caller.logged_in_at is not None:
        demand(caller, Login(level), now)
