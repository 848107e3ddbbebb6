"""Short-lived values that a page keeps on the server between two requests of one browser or session.

Pages access the vault only through this module, which separates their values by kind.
"""

from datetime import datetime
from enum import StrEnum

from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.vault import Secret


class Kept(StrEnum):
    """The kinds of values that pages keep."""

    HALF_LOGIN = "half-login"
    """Who has given the password but not yet the second factor, by browser."""
    NEW_CODES = "new-totp"
    """The secret of an authenticator app that is not in force yet, by session."""
    LINKING = "link-pending"
    """The person from an external provider who is not linked to an account yet, by browser."""
    UPSTREAM_EXIT = "upstream-exit"
    """What ends a session at the external provider, by session."""
    LAST_VISIT = "last-visit"
    """When somebody began to look at a space, by person and space."""
    EMERGENCY = "emergency-on-pages"
    """In which mode a professional has opened a space, and until when, by session, practice situation and space."""
    PATIENT_IN_VIEW = "patient-in-view"
    """The name of a patient whose identity a professional has read, by session, practice situation and space."""


def new_browser(runtime: Runtime) -> str:
    """Return a new, unguessable name for a browser."""
    return runtime.ports.ids.secret()


def keep(runtime: Runtime, kind: Kept, key: str, value: str, until: datetime) -> None:
    """Keep a text; it replaces an earlier one."""
    runtime.ports.vault.drop(kind, key)
    runtime.ports.vault.add(Secret(kind, key, value.encode(), expires=until))


def keep_with_session(runtime: Runtime, kind: Kept, session: str, value: str, until: datetime) -> None:
    """Keep a text until the session with this id ends."""
    runtime.ports.vault.add(Secret(kind, session, value.encode(), f"session:{session}", until))


def keep_within(runtime: Runtime, kind: Kept, named: tuple[str, str], value: str, until: datetime) -> None:
    """Keep a text by the id of a session and a further name, until the session ends; it replaces an earlier one."""
    key = " ".join(named)
    runtime.ports.vault.drop(kind, key)
    runtime.ports.vault.add(Secret(kind, key, value.encode(), f"session:{named[0]}", until))


def kept(runtime: Runtime, kind: Kept, key: str) -> str | None:
    """Return the text, None when there is none or it has expired."""
    found = runtime.ports.vault.get(kind, key, runtime.now()) if key else None
    return found.value.decode() if found else None


def take(runtime: Runtime, kind: Kept, key: str) -> str | None:
    """Return the text and remove it."""
    found = runtime.ports.vault.take(kind, key, runtime.now())
    return found.value.decode() if found else None


def drop(runtime: Runtime, kind: Kept, key: str) -> None:
    """Remove the text."""
    runtime.ports.vault.drop(kind, key)
