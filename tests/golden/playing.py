"""The whole play: each part on a demonstration of its own, and at its end what the server has told of it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden import drive
from tests.golden.frozen import CLOCK
from tests.golden.normal import Normal, names_of
from tests.golden.recording import Asking, Record
from tests.golden.server import Server, demonstration


def play(names: Sequence[str] | None = None) -> Record:
    """Play all parts, or those named, and return the record."""
    record = Record()
    for name in names or drive.PARTS:
        CLOCK.reset()
        with TemporaryDirectory() as folder, demonstration(Path(folder)) as server:
            record.normal = Normal(names_of(server.book) | {folder: "<folder>"})
            record.begin(name, names=f"{name} ")
            asking = Asking(server, record)
            drive.PARTS[name](asking)
            record.begin(f"{name}, told", names=f"{name}, told ")
            _told(asking, server)
        print(f"{name}: {len(record.sections[name])} answers", file=sys.stderr)
    return record


def _told(asking: Asking, server: Server) -> None:
    """Write down every event and notice, and each person's journal."""
    asking.tokens |= server.fresh_tokens()
    for key, patient in server.book["patients"].items():
        reader = "camille/leo" if key == "leo" else key
        for who in (reader, "dana"):
            asking.pages(who, f"/AuditEvent?patient={patient}&_sort=date&_count=100")
        asking.pages(reader, f"/Communication?patient={patient}&_sort=sent&_count=100")
        for language in ("fr", "en"):
            asking.send("nobody", "GET", f"/journal?person={key}&lang={language}")
    for event in server.events_of_nobody():
        asking.record.add("an event of no space", body=asking.record.normal.value(event))
