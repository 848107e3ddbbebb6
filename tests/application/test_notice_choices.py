"""When a mail about a notice is due, by what a person chose (fr: Europe/Paris)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from fhir_server.application.notices.choices import Choices
from fhir_server.domain.events.rules import NoticeKind

FIRST = NoticeKind.FIRST_ACCESS


@pytest.mark.parametrize(
    ("kind", "chosen", "at", "due"),
    [
        (NoticeKind.BREAK_GLASS, {}, "2026-03-02T02:00+00:00", None),
        (NoticeKind.ACCESS, {}, "2026-03-02T17:00+00:00", "2026-03-03T17:00+00:00"),
        (NoticeKind.ACCESS, {"digest_hour": 3}, "2026-03-28T12:00+00:00", "2026-03-29T01:00+00:00"),
        (NoticeKind.ACCESS, {"digest_hour": 2}, "2026-03-28T12:00+00:00", "2026-03-29T01:00+00:00"),
        (FIRST, {"silent_from": 22, "silent_until": 7}, "2026-03-02T05:59+00:00", "2026-03-02T06:00+00:00"),
        (FIRST, {"silent_from": 22, "silent_until": 7}, "2026-03-02T06:00+00:00", None),
        (FIRST, {"silent_from": 8, "silent_until": 20}, "2026-03-02T12:00+00:00", "2026-03-02T19:00+00:00"),
        (FIRST, {"silent_from": 8, "silent_until": 8}, "2026-03-02T12:00+00:00", None),
    ],
)  # fmt: skip
def test_hours_are_those_of_the_local_clock(kind, chosen, at, due):
    found = Choices("camille", **chosen).due(kind, datetime.fromisoformat(at), ZoneInfo("Europe/Paris"))
    assert found == (datetime.fromisoformat(due) if due else None)
