"""A lane of the outbox: who handles its messages, how often, and when it tries a message again.

A handler reads what is true now and returns the change that it wants; the worker commits the change together with the
removal of the message. A handler that does something outside the store, such as sending a mail, may be called again for
the same message after a sudden death.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change

Handler = Callable[[Runtime, Pending], Change]
NOTHING = Change(())
"""What a handler returns that writes nothing to the store."""
_LONGEST_DOUBLING = 30


class Later(Exception):
    """A handler says that a message is not to be handled before `due`; that is no failure."""

    def __init__(self, due: datetime) -> None:
        """Keep the instant."""
        super().__init__("later")
        self.due = due


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane, a row of the table of the worker.

    handle: Raises Later; any other exception is a failure of this message. together: how many messages one commit may
    remove; 1 for a handler that does something outside the store.
    every: a lane with one message that is handled again after this time, for ever.
    begin: what each worker does before its first look; it may put messages.
    tries: after so many failures a message becomes a dead letter. first_pause, longest_pause: before a message is tried
    again; the pause doubles with each failure.
    """

    name: str
    handle: Handler
    together: int = 1
    every: timedelta | None = None
    begin: Callable[[Runtime], None] | None = None
    tries: int = 12
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(hours=1)

    def pause(self, failures: int, chance: float | None = None) -> timedelta:
        """Return how long to wait after so many failures: half of the doubled pause at least, the rest by chance.

        chance: between 0 and 1, for tests.
        """
        share = random.random() if chance is None else chance  # noqa: S311 - no secret
        doubled: timedelta = self.first_pause * 2 ** min(max(failures - 1, 0), _LONGEST_DOUBLING)
        return min(doubled, self.longest_pause) * (0.5 + share / 2)
