"""What an operator may set of the authorization server."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many failures of one account, client or address are borne within a window."""

    failures: int = 10
    window: timedelta = timedelta(minutes=15)
    per_address: int = 60


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the authorization server; the defaults are safe.

    registration: whether RFC 7591 registration is open to holders of an initial access token.
    initial_tokens: SHA-256 (hex) of those tokens.
    """

    registration: bool = False
    initial_tokens: tuple[str, ...] = ()
    throttle: Throttle = field(default_factory=Throttle)
    code_lifetime: timedelta = timedelta(seconds=60)
    interaction_lifetime: timedelta = timedelta(minutes=15)
    session_idle: timedelta = timedelta(minutes=30)
    session_absolute: timedelta = timedelta(hours=8)
    offline_limit: timedelta = timedelta(days=365)
