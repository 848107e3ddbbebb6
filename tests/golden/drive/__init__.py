"""What is asked, part by part."""

from collections.abc import Callable

from tests.golden.drive import browsing, commanding, living, meeting, reading, searching, writing
from tests.golden.recording import Asking

PARTS: dict[str, Callable[[Asking], None]] = {
    "reading": reading.run,
    "searching": searching.run,
    "writing": writing.run,
    "living": living.run,
    "ending": living.end,
    "meeting": meeting.run,
    "browsing": browsing.run,
    "commanding": commanding.run,
}
"""The parts by name, in order."""
