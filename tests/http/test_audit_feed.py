"""The feed of the audit log to a repository outside (ITI-20, docs/adr/0119), on both stores, over real HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fhir_server import worker
from fhir_server.adapters.webhooks import GuardedRepository
from fhir_server.application.notices import audit_feed
from fhir_server.outbound import Reach
from fhir_server.settings.audit_feed import read_audit_feed
from tests.adversarial.two_worlds import Ticking
from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_reviews import break_glass, of_people, review, staff
from tests.world import World

LATER = {"minutes": 5}
FEW = 3
"""Fewer events than a test lets happen."""


@dataclass
class Repository:
    """What a repository takes. status: of its answers. refuses: ids that it refuses in a batch and alone."""

    status: int = 200
    refuses: set[str] = field(default_factory=set)
    taken: list[dict] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], int]] = field(default_factory=list)
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.taken]

    def answer(self, path: str, sent: dict) -> tuple[int, dict]:
        if self.status != 200:
            return self.status, {}
        if sent["resourceType"] == "AuditEvent":
            return (422, {}) if sent["id"] in self.refuses else (201, self._take(sent))
        assert (path, sent["type"]) == ("/fhir", "batch")
        assert {(one["request"]["method"], one["request"]["url"]) for one in sent["entry"]} == {("POST", "AuditEvent")}
        return 200, {"entry": [self._entry(one["resource"]) for one in sent["entry"]]}

    def _entry(self, event: dict) -> dict:
        if event["id"] in self.refuses:
            return {"response": {"status": "422 Unprocessable Entity"}}
        self._take(event)
        return {"response": {"status": "201 Created"}}

    def _take(self, event: dict) -> dict:
        self.taken.append(event)
        return {}


@pytest.fixture
def repository() -> Iterator[Repository]:
    taking = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            taking.asked.append((self.path, dict(self.headers), len(sent.get("entry", ()))))
            status, body = taking.answer(self.path, sent)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    taking.url = f"http://127.0.0.1:{server.server_port}/fhir"
    yield taking
    server.shutdown()
    server.server_close()


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def office(world: World, repository: Repository) -> World:
    """A world with a feed that has begun, and an auditor."""
    fed = GuardedRepository(repository.url, "secret", Reach.LOOPBACK)
    world.runtime = replace(world.runtime, ports=replace(world.runtime.ports, repository=fed))
    of_people(world)
    work(world)
    return world


def work(world: World) -> None:
    worker.build(world.runtime).work_once()


def live(world: World, clock: Ticking) -> None:
    """Let things happen, and pass the time after which the feed takes them."""
    document = world.publish()
    world.agree("camille", "martin")
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 200
    assert world.get("zoe", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403
    assert review(world, break_glass(world)).status_code == 200
    clock.advance(**LATER)


def seen(world: World) -> list[dict]:
    """Return what an auditor sees, the oldest first."""
    path = "/AuditEvent?date=ge2026-03-02&date=lt2026-03-03&_sort=date&_count=200"
    return [entry["resource"] for entry in world.get("dana", path).get_json()["entry"]]


@holds("ATNA-20-1")
@BOTH
def test_the_repository_gets_in_order_what_an_auditor_sees_and_nothing_else(office, repository, clock):
    live(office, clock)
    visible = seen(office)
    work(office)
    begun = next(number for number, event in enumerate(visible) if event["id"] == repository.ids[0])
    assert repository.taken == visible[begun:]
    assert len(repository.taken) > FEW
    assert {headers["Authorization"] for _, headers, _ in repository.asked} == {"Bearer secret"}


@BOTH
def test_nothing_is_sent_twice_and_nothing_that_is_not_settled(office, repository, clock):
    live(office, clock)
    work(office)
    first = [*repository.ids]
    office.get("camille", f"/Patient/{office.ids['camille']}")
    clock.advance(seconds=20)
    work(office)
    assert repository.ids == first
    clock.advance(**LATER)
    work(office)
    assert len(repository.ids) == len(first) + 1 == len(set(repository.ids))


@BOTH
def test_a_repository_that_is_away_gets_everything_later_in_order(office, repository, clock):
    repository.status = 503
    live(office, clock)
    work(office)
    assert repository.taken == []
    repository.status = 200
    clock.advance(hours=2)
    work(office)
    visible = [event["id"] for event in seen(office)]
    begun = visible.index(repository.ids[0])
    assert repository.ids == visible[begun : begun + len(repository.ids)]
    assert len(repository.ids) > FEW


@BOTH
def test_an_event_that_is_refused_is_tried_alone_and_becomes_a_dead_letter(office, repository, clock):
    live(office, clock)
    refused = seen(office)[-1]["id"]
    repository.refuses.add(refused)
    work(office)
    assert refused not in repository.ids
    assert len(repository.ids) > FEW
    for _ in range(30):
        clock.advance(hours=2)
        work(office)
    dead = office.runtime.ports.outbox.dead_letters(9)
    assert [(one.lane, one.body.decode(), one.error) for one in dead] == [
        (audit_feed.ALONE_LANE, refused, "FeedRefused")
    ]


@BOTH
def test_batches_are_bounded_and_all_arrive(office, repository, clock, monkeypatch):
    monkeypatch.setattr(audit_feed, "_BATCH", 2)
    live(office, clock)
    work(office)
    assert max(entries for _, _, entries in repository.asked) == 2
    assert len(set(repository.ids)) == len(repository.ids) > FEW


@BOTH
def test_a_death_between_sending_and_noting_sends_a_batch_twice_and_loses_none(office, repository, clock, monkeypatch):
    live(office, clock)
    with monkeypatch.context() as dying:
        dying.setattr(type(office.runtime.ports.vault), "replace", lambda *_args: (_ for _ in ()).throw(OSError))
        work(office)
    sent = [*repository.ids]
    clock.advance(hours=2)
    work(office)
    assert repository.ids[: 2 * len(sent)] == sent + sent


@BOTH
def test_no_request_puts_a_message_for_the_feed(office):
    lanes = {state.lane for state in office.runtime.ports.outbox.states(office.runtime.now())}
    office.get("camille", f"/Patient/{office.ids['camille']}")
    after = {state.lane for state in office.runtime.ports.outbox.states(office.runtime.now())}
    assert after - lanes <= {"detection", "notices"}


@BOTH
def test_without_a_repository_nothing_is_sent_or_kept(world, clock):
    staff(world, "dana")
    work(world)
    clock.advance(hours=1)
    work(world)
    assert world.runtime.ports.vault.entries("audit-feed", world.runtime.now()) == ()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"HABILIS_AUDIT_FEED_URL": "http://atna.example/fhir"},
            "HABILIS_AUDIT_FEED_URL must be an absolute https address",
        ),
        ({"HABILIS_AUDIT_FEED_TOKEN": "t"}, "HABILIS_AUDIT_FEED_URL is required when HABILIS_AUDIT_FEED_TOKEN is set"),
    ],
)
def test_a_feed_that_is_set_wrongly_is_refused_by_name(environment, told):
    with pytest.raises(ValueError, match=told):
        read_audit_feed(environment)


def test_a_feed_is_off_unless_its_address_is_set():
    assert read_audit_feed({}) is None
    found = read_audit_feed({"HABILIS_AUDIT_FEED_URL": "https://atna.example/fhir/"})
    assert found is not None
    assert (found.url, found.token) == ("https://atna.example/fhir", "")
