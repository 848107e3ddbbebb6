"""What a page keeps on the server between two requests of one browser or session, for a short time.

Pages reach the vault through this door alone: each keeps things of its own kind, and finds nothing else.
"""

from datetime import datetime
from enum import StrEnum

from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.vault import Secret


class Kept(StrEnum):
    """What pages keep."""

    HALF_LOGIN = "half-login"
    """Who has given the password and not yet the second factor, by browser."""
    NEW_CODES = "new-totp"
    """The secret of a generator of codes that is not in force yet, by session."""
    LINKING = "link-pending"
    """Whom a provider upstream has named and nobody is linked to yet, by browser."""
    UPSTREAM_EXIT = "upstream-exit"
    """What ends a session at the provider upstream, by session."""


def new_browser(runtime: Runtime) -> str:
    """Return a name for a browser that has none yet; nobody guesses it."""
    return runtime.ports.ids.secret()


def keep(runtime: Runtime, kind: Kept, key: str, value: str, until: datetime) -> None:
    """Keep a text in place of the one before."""
    runtime.ports.vault.drop(kind, key)
    runtime.ports.vault.add(Secret(kind, key, value.encode(), expires=until))


def keep_with_session(runtime: Runtime, kind: Kept, session: str, value: str, until: datetime) -> None:
    """Keep a text that ends with the session of this id."""
    runtime.ports.vault.add(Secret(kind, session, value.encode(), f"session:{session}", until))


def kept(runtime: Runtime, kind: Kept, key: str) -> str | None:
    """Return the text, None when there is none or its time is over."""
    found = runtime.ports.vault.get(kind, key, runtime.now()) if key else None
    return found.value.decode() if found else None


def take(runtime: Runtime, kind: Kept, key: str) -> str | None:
    """Return the text once; nobody finds it again."""
    found = runtime.ports.vault.take(kind, key, runtime.now())
    return found.value.decode() if found else None


def drop(runtime: Runtime, kind: Kept, key: str) -> None:
    """Forget the text."""
    runtime.ports.vault.drop(kind, key)
