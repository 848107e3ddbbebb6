"""Messages for the tests of the outbox."""

from datetime import UTC, datetime

from fhir_server.ports.outbox import Handled, Message, Outbox
from fhir_server.ports.store import Change, Store
from tests.factories import a_trace

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def put(store: Store, lane: str, *keys: str, **more: object) -> None:
    """Put a message for each key in one change; its body is the key."""
    store.commit(Change((a_trace(),), outbox=tuple(Message(lane, key, key.encode(), NOW, **more) for key in keys)))


def bodies(outbox: Outbox, lane: str, now: datetime = NOW, limit: int = 20) -> list[str]:
    """Return the bodies of the messages that are ready."""
    return [message.body.decode() for message in outbox.ready(lane, now, limit)]


def settle(store: Store, *handled: Handled) -> None:
    """Commit what becomes of messages, and nothing else."""
    store.commit(Change((), handled=handled))
