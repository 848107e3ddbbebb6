"""The vault: secrets of the authorization server.

Each promise in a docstring here is a test of tests/ports, run on every adapter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

SWITCH = "switch"
"""The kind of entries that the operator sets for the whole server, such as a lockdown: a few, read at each request."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One entry of the vault.

    kind: a namespace such as "access-token" or "client". key: the secret or name itself; stores keep a keyed hash.
    group: entries of one grant, account or client share it, so that they can be dropped together; "" for none.
    value: opaque bytes, encrypted by the store. revision: grows with each replacement. expires: None for no expiry.
    """

    kind: str
    key: str
    value: bytes
    group: str = ""
    expires: datetime | None = None
    revision: int = 1


class Vault(Protocol):
    """Secrets of the authorization server: codes, tokens, sessions, clients, accounts, replay marks.

    Every method is atomic across threads and processes, and durable when it returns. A method with `now` counts expired
    entries as absent; the other methods have no time, and count an expired entry as present until it is purged.
    """

    def add(self, *entries: Secret) -> bool:
        """Store all entries if none of their (kind, key) is present; else store nothing and return False."""

    def get(self, kind: str, key: str, now: datetime) -> Secret | None:
        """Return an entry that has not expired. Costs one read of the store."""

    def get_all(self, names: Sequence[tuple[str, str]], now: datetime) -> tuple[Secret | None, ...]:
        """Return entries by (kind, key), in the order asked, each as `get` returns it. One read for all of them."""

    def take(self, kind: str, key: str, now: datetime) -> Secret | None:
        """Remove and return an entry; exactly one of several concurrent callers gets it."""

    def replace(self, entry: Secret) -> bool:
        """Replace the entry of this kind and key if its revision is `entry.revision`; its revision grows by one."""

    def drop(self, kind: str, key: str) -> bool:
        """Remove an entry; tell whether it existed."""

    def drop_group(self, group: str, kinds: Iterable[str] = ()) -> int:
        """Remove all entries of a group (of these kinds only, when given); return how many."""

    def entries(self, kind: str, now: datetime, group: str | None = None) -> tuple[Secret, ...]:
        """Return all entries of a kind (and of a group) that have not expired, in no particular order.

        The keys of the returned entries are "", because only their hash is kept; the value must contain what is needed.
        """

    def purge(self, now: datetime) -> int:
        """Remove expired entries and return how many. Correctness never depends on this method."""


def put_unless_held(vault: Vault, entry: Secret, now: datetime) -> bool:
    """Store an entry in place of an expired one; store nothing and return False if its kind and key have a valid one.

    Of several callers who meet an expired entry at once, more than one may be told True; one entry is stored then.
    """
    if vault.add(entry):
        return True
    if vault.get(entry.kind, entry.key, now) is not None:
        return False
    vault.drop(entry.kind, entry.key)
    return vault.add(entry)
