"""A whole server and a worker beside it are killed while software files documents of which a person wishes to be told.

Each filing owes one notice, and each notice one mail to a real SMTP server. Nothing that was acknowledged goes untold,
nothing is told twice. A mail comes again only under a later lease, with the same Message-ID and text (ADR 79).
`make faults` kills a hundred times on each store; HABILIS_TEST_WORKER_KILLS says how often otherwise.
"""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import count, groupby, pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.app import build_runtime, create_app
from fhir_server.application.core.audit_log import NOTICES_LANE
from fhir_server.application.identity.accounts import Account, add_account
from fhir_server.application.notices import choices, mails
from fhir_server.application.notices.choices import Timing
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.ports.outbox import Fate
from tests.engines import ENGINES, make_engine
from tests.factories import settings_in
from tests.faults import witness
from tests.faults.crash import Client, content_of
from tests.http.choices import choose, setting
from tests.live import Live, until
from tests.mail import SENDER, Post, serving
from tests.submissions import publication
from tests.world import World

KILLS = int(os.environ.get("HABILIS_TEST_WORKER_KILLS", "1"))
ROOT = Path(__file__).parents[2]
ADDRESS = "camille@example.org"
LINK = re.compile(r"/account/notices/([0-9a-f-]{36})")
PROGRAM = ("-m", witness.__name__)

pytestmark = pytest.mark.live


@dataclass
class House:
    """A server with its embedded worker, a worker beside it, a mail server, and what was acknowledged."""

    server: Live
    world: World
    engine: object
    post: Post
    beside: subprocess.Popen | None = None
    acknowledged: set[str] = field(default_factory=set)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def start(self):
        """Start what does not run, and wait until it works."""
        log = self.server.data_dir.parent / "worker.log"
        if self.beside is None:
            command = [sys.executable, *PROGRAM, "work"]
            with log.open("wb") as output:
                self.beside = subprocess.Popen(command, env=self.server.environment, stderr=output)
        if self.server.process is None:
            self.server.start()
        until(lambda: b"working the outbox" in log.read_bytes())

    def kill_worker(self):
        if self.beside:
            self.beside.kill()
            self.beside.wait()
            self.beside = None

    def file_until(self, ending, begun):
        """File one document after the other until the server is gone, or somebody says so."""
        with closing(Client(self.server, self.world.tokens["chu-ehr"])) as client:
            while not ending.is_set():
                number = next(self.numbers)
                ids = self.world.ids
                body = publication(str(number), content_of(number), ids["camille"], ids["chu"])
                try:
                    status, answer = client.ask("POST", "/fhir", body, Content_Type="application/fhir+json")
                except (OSError, HTTPException):
                    return
                if status == 200:
                    places = [entry["response"]["location"] for entry in json.loads(answer)["entry"]]
                    self.acknowledged.update(document_in(place) for place in places if "DocumentReference/" in place)
                    begun.set()

    def waiting(self):
        """Return the lanes that still have something to do, with what they have."""
        states = self.engine.ports.outbox.states(datetime.now(UTC))
        ends = {NOTICES_LANE, mails.LANE}  # the other lanes also hold messages for a later date
        return [
            one
            for one in states
            if one.lane != witness.LANE and (one.ready or one.dead or (one.lane in ends and one.later))
        ]

    def find(self, type_):
        """Return all resources of a type that the person finds."""
        with closing(Client(self.server, self.world.tokens["camille"])) as holder:
            return list(holder.pages(f"/fhir/{type_}?patient={self.world.ids['camille']}&_count=100"))


def document_in(text):
    return text.partition("DocumentReference/")[2].partition("/")[0]


@pytest.fixture(params=ENGINES)
def house(request, tmp_path):
    engine = make_engine(request.param, request, tmp_path)
    with serving(post := Post(), None, "none") as mail:
        server = Live(tmp_path / "data", program=PROGRAM)
        server.settings = {
            "HABILIS_KEY_FILE": str(engine.key_file), "HABILIS_MAIL_HOST": mail.host, "HABILIS_MAIL_FROM": SENDER,
            "HABILIS_MAIL_PORT": str(mail.port), "HABILIS_MAIL_SECURITY": "none", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        if request.param == "mongo":
            uri, name = engine.place.uri, engine.place.database
            server.settings |= {
                "HABILIS_STORE": "mongodb",
                "HABILIS_MONGODB_URI": uri,
                "HABILIS_MONGODB_DATABASE": name,
            }
        made = House(server, inhabited(engine, server, tmp_path), engine, post)
        yield made
        made.kill_worker()
        server.kill()
    engine.close()


def inhabited(engine, server, folder):
    """Return a world whose patient wishes to be told of each filing, in the space and by mail at once."""
    settings = settings_in(folder, server.base_url)
    runtime = build_runtime(settings, engine.ports)
    world = World(runtime, create_app(settings, runtime).test_client()).open()
    choose(world, setting(world, "told-of-filing"))
    person = f"Patient/{world.ids['camille']}"
    account = add_account(runtime, Account("camille", RequesterKind.PATIENT, person, "Camille Laurent"), "")
    wanted = {NoticeKind.FILED.value: Timing.AT_ONCE}
    choices.change(runtime, account, lambda chosen: replace(chosen, address=ADDRESS, timings=wanted))
    return world


def test_each_filing_is_told_once_whatever_dies(house):
    chance = random.Random(os.environ.get("HABILIS_TEST_SEED", "notices"))
    for death in range(KILLS):
        house.start()
        one_death(house, chance.uniform(0.0, 1.0), server=death % 3 != 2, worker=death % 3 != 1)
    house.start()
    until(lambda: not house.waiting(), 180)
    notices = check_notices(house)
    settled = witness.records(house.engine.ports.outbox)
    check_lanes(settled)
    done = Counter(one.lane for one in settled if one.fate == Fate.DONE.name)
    assert (done[NOTICES_LANE], done[mails.LANE]) == (len(notices), len(notices))
    repeated = check_mails(house.post, notices, settled)
    print(
        f"{KILLS} deaths, {len(house.acknowledged)} filings acknowledged, {len(notices)} told, {repeated} mails again"
    )


def one_death(house, seconds, *, server, worker):
    """Kill the server, the worker beside it, or both, some time after a filing was acknowledged."""
    ending, begun = Event(), Event()
    filing = Thread(target=house.file_until, args=(ending, begun))
    filing.start()
    assert begun.wait(60)
    time.sleep(seconds)
    if server:
        house.server.kill()
    if worker:
        house.kill_worker()
    ending.set()
    filing.join()


def check_notices(house):
    """Assert that each document that is there has one notice; return the ids of the notices."""
    told = [one for one in house.find("Communication") if one["category"][0]["coding"][0]["code"] == "document-filed"]
    about = Counter(document_in(item["reference"]) for notice in told for item in notice["about"])
    del about[""]  # who filed it
    there = {document["id"] for document in house.find("DocumentReference")}
    assert house.acknowledged <= there
    assert about == dict.fromkeys(there, 1)
    return {notice["id"] for notice in told}


def check_lanes(settled):
    """Assert that no lane was worked under two leases at once, and that each message was done once.

    The store wrote the records in the order of the commits. A lease that is over, and still settles a message, leaves a
    record with a smaller number after a larger one.
    """
    by_lane = {
        lane: list(found) for lane, found in groupby(sorted(settled, key=lambda one: one.lane), lambda one: one.lane)
    }
    for lane, found in by_lane.items():
        assert all(earlier.number <= later.number for earlier, later in pairwise(found)), lane
        holders = defaultdict(set)
        for one in found:
            holders[one.number].add(one.holder)
        assert {len(names) for names in holders.values()} == {1}, lane
    done = Counter((one.lane, one.position) for one in settled if one.fate == Fate.DONE.name)
    assert set(done.values()) == {1}


def check_mails(post, notices, settled):
    """Assert that each notice led to one letter, repeated only by a later lease; return the repeats."""
    assert {recipient for recipient, _ in post.taken} == {ADDRESS}
    letters = defaultdict(set)
    for _, message in post.taken:
        text = message.get_content()
        letters[message["Message-ID"]].add((LINK.search(text)[1], message["Subject"], text))
    assert [variants for variants in letters.values() if len(variants) != 1] == []
    assert sorted(told for variants in letters.values() for told, *_ in variants) == sorted(notices)
    repeated = len(post.taken) - len(letters)
    of_mails = [one for one in settled if one.lane == mails.LANE]
    failed = sum(one.fate == Fate.POSTPONED.name for one in of_mails)
    assert repeated <= max(one.number for one in of_mails) - 1 + failed
    return repeated
