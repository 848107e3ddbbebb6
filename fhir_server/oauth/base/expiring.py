"""Counts of failed attempts within the window of the throttle, as `application.identity.attempts` keeps them."""

from fhir_server.application.identity.attempts import Attempts, key_of
from fhir_server.oauth.base.wire import Context

__all__ = ["clear", "count", "is_full", "key_of"]


def is_full(context: Context, key: str, limit: int) -> bool:
    """Tell whether a count has reached its limit."""
    return _attempts(context).is_full(key, limit)


def count(context: Context, key: str, limit: int) -> bool:
    """Take one slot; return False when none is free."""
    return _attempts(context).count(key, limit)


def clear(context: Context, key: str, limit: int) -> None:
    """Free all slots."""
    _attempts(context).clear(key, limit)


def _attempts(context: Context) -> Attempts:
    ports = context.runtime.ports
    return Attempts(ports.vault, ports.clock.now(), context.options.throttle.window)
