"""Non-interference of subscriptions: what is hidden changes no call, number, pause or state that a subscriber sees.

The same two worlds as in `test_two_worlds`, one with the secret, which is filed, changed and hidden while those from
whom it is kept have subscriptions.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.adapters.webhooks import GuardedPoster
from fhir_server.application.subscriptions import deciding, kept
from fhir_server.outbound import Reach
from fhir_server.ports.surroundings import Ports
from tests.adversarial.asked.subscriptions import BY_SUBSCRIPTION, TOPICS_ASKED
from tests.adversarial.test_two_worlds import on_mongodb  # noqa: F401 - a fixture
from tests.adversarial.two_worlds import KINDS, Kind, Side, sides
from tests.holds import holds
from tests.http.subscriptions import Endpoint, app_of, listening, subscribe, subscription, work

HIDDEN = KINDS[-1]
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MORE = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|127\.0\.0\.1:\d+")
_TIME = re.compile(r"\d\d/\d\d/\d{4} à \d\d:\d\d:\d\d")
STORES = pytest.mark.parametrize("opened", ["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)], indirect=True)


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Callable[[Path], Ports] | None:
    return request.getfixturevalue("on_mongodb") if request.param == "mongo" else None


def plain(text: str) -> str:
    """Return a text without what differs by chance: ids by their order, instants, ports."""
    order: dict[str, str] = {}
    versions = re.sub(r'"versionId": ?"\d+"', "", text)
    return _TIME.sub("", _MORE.sub("", _ID.sub(lambda found: order.setdefault(found[0], f"<{len(order)}>"), versions)))


@contextmanager
def subscribed(tmp_path: Path, kind: Kind, opened, who: str) -> Iterator[tuple[tuple[Side, Endpoint, list[str]], ...]]:
    """Open both worlds, in which somebody has subscriptions to every topic."""
    with sides(tmp_path, kind, opened) as pair, ExitStack() as listeners:
        made = []
        for side in pair:
            place = listeners.enter_context(listening())
            side.runtime = replace(
                side.runtime, ports=replace(side.runtime.ports, webhooks=GuardedPoster(Reach.LOOPBACK))
            )
            side.here()
            side.get(who, f"/DocumentReference?patient={side.ids[side.space]}")
            app_of(side, place, who)
            space = side.ids[side.space]
            ids = [
                subscribe(
                    side, f"{who}-app", subscription(place, url, f"{type_}?patient=Patient/{space}", heartbeat=60)
                )
                for url, type_ in TOPICS_ASKED
            ]
            made.append((side, place, ids))
        yield tuple(made)


def live(side: Side, kind: Kind) -> None:
    """Let things happen: the secret only where it is, and something that everybody may know in both."""
    if side.has_secret:
        filed(side, kind, marks=(kind.mark,) if kind.mark else ())
        secret = side.ids["secret"]
        side.send(kind.knowing[0], "PATCH", f"/DocumentReference/{secret}", [], "application/json-patch+json")
    work(side)
    side.runtime.ports.clock.advance(minutes=1)
    filed(side, kind, marks=())
    work(side)
    side.runtime.ports.clock.advance(minutes=3)
    work(side)


def filed(side: Side, kind: Kind, marks: tuple[str, ...]) -> None:
    side.publish_all("chu-ehr", side.filing(kind.space, marks=marks, **side.as_filed_by("chu-ehr")))


def told(side: Side, place: Endpoint, who: str, ids: list[str]) -> list[str]:
    """Return all that a subscriber sees: the calls of each subscription in order, and the answers about each."""
    sent = [(json.dumps(bundle), id_) for id_ in ids for bundle in place.bundles if id_ in json.dumps(bundle)]
    calls = [f"{ids.index(id_)} {plain(text)}" for text, id_ in sent]
    asked = [path.format(id_) for path in BY_SUBSCRIPTION for id_ in ids]
    answers = [side.get(f"{who}-app", path) for path in asked]
    return [*calls, *(f"{one.status_code} {plain(one.get_data(as_text=True))}" for one in answers)]


def both(tmp_path: Path, kind: Kind, opened, who: str) -> tuple[list[str], list[str]]:
    with subscribed(tmp_path, kind, opened, who) as worlds:
        found = []
        for side, place, ids in worlds:
            live(side, kind)
            found.append(told(side, place, who, ids))
    return found[0], found[1]


WITH_A_MARK = [kind for kind in KINDS if kind.mark and not kind.sealed and kind.by == "chu-ehr" and not kind.together]


@holds("AC15")
@STORES
@pytest.mark.parametrize("kind", WITH_A_MARK, ids=lambda kind: kind.name)
def test_whom_a_secret_is_kept_from_is_told_the_same_in_both_worlds(tmp_path, kind, opened):
    first, second = both(tmp_path, kind, opened, kind.blind[0])
    assert first == second


@pytest.mark.parametrize("kind", WITH_A_MARK, ids=lambda kind: kind.name)
def test_notifying_those_who_know_tells_the_others_nothing(tmp_path, kind):
    """Journal and notices say nothing of a notification about the secret to those from whom it is kept."""
    who, found = kind.knowing[0], []
    with subscribed(tmp_path, kind, None, who) as worlds:
        for side, place, _ in worlds:
            live(side, kind)
            assert place.told()
            paths = (f"/{type_}?patient={side.ids[side.space]}&_count=200" for type_ in ("AuditEvent", "Communication"))
            answers = [side.get(kind.blind[0], path).get_json() for path in paths]
            told = [entry["resource"] for answer in answers for entry in answer.get("entry", ())]
            found.append(sorted(one["text"]["div"] for one in told if "notification" in one["text"]["div"]))
    assert [plain(one) for one in found[0]] == [plain(one) for one in found[1]]


def test_whoever_may_know_the_secret_is_told_of_it(tmp_path):
    """The control: the same comparison finds the difference."""
    first, second = both(tmp_path, HIDDEN, None, "camille")
    assert first != second


def test_the_leak_of_an_event_that_nobody_decides_about_is_found(tmp_path, monkeypatch):
    """The fault is planted: whatever waits is told."""
    monkeypatch.setattr(deciding, "is_told", lambda *_args: True)
    first, second = both(tmp_path, HIDDEN, None, HIDDEN.blind[0])
    assert first != second


def test_the_leak_of_a_number_that_counts_what_was_withheld_is_found(tmp_path, monkeypatch):
    """The fault is planted: an event that is withheld takes a number."""
    asked = deciding.is_told

    def counting(runtime, caller, one, event):
        if asked(runtime, caller, one, event):
            return True
        kept.change(runtime, one.id, lambda held: replace(held, told=held.told + 1))
        return False

    monkeypatch.setattr(deciding, "is_told", counting)
    first, second = both(tmp_path, HIDDEN, None, HIDDEN.blind[0])
    assert first != second
