"""Counters in the SQLite file: read, compared and written by the only writer."""

from sqlite3 import Connection

from fhir_server.adapters.preparing import HashedCounts
from fhir_server.adapters.windows import counted

_READ = "SELECT slots FROM counters WHERE subject = ?"
_WRITE = "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET (expires, slots) = (?2, ?3)"


def count_all(connection: Connection, counts: HashedCounts) -> None:
    """Count inside the current transaction.

    Raises: CeilingReached; the caller must then undo what was written.
    """
    for count, subject in counts:
        row = connection.execute(_READ, (subject,)).fetchone()
        after = counted(row[0] if row else b"", count)
        connection.execute(_WRITE, (subject, after.expires, after.slots))


def purge(connection: Connection, at: int) -> int:
    """Remove counters in which nothing counts at an instant; return how many."""
    return connection.execute("DELETE FROM counters WHERE expires <= ?", (at,)).rowcount
