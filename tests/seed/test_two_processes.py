"""Two server processes on one data directory: what one has acknowledged, the other holds at the very next request."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from seed import book, choices
from seed.asking import JSON_PATCH, Answer, Ask, send
from seed.cards import HIDE
from tests.live import Live, running

pytestmark = pytest.mark.live
REPORT = "camille-hospital-report"


@dataclass
class Pair:
    """Both servers; each has an address of its own, and they speak for one base."""

    demo: book.Demonstration
    first: str
    second: str

    def search(self, server: str, who: str) -> Answer:
        path = f"DocumentReference?patient={self.demo.patients['camille']}&status=current&_count=100"
        return send(server, self.demo.tokens[who], Ask("GET", path))

    def sees(self, server: str, who: str, key: str) -> bool:
        answer = self.search(server, who)
        return any(resource["id"] == self.demo.documents[key] for resource in answer.resources)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair") / "data"
    first = Live(folder, settings={"HABILIS_DEMO": "yes"})
    folder.mkdir()
    second = Live(folder, settings={"HABILIS_DEMO": "yes", "HABILIS_BASE_URL": first.base_url})
    with running(first), running(second):
        demo = book.read(folder)
        assert demo is not None
        yield Pair(demo, f"{first.base_url}/fhir", f"{second.base_url}/fhir")


def test_a_hiding_in_one_process_holds_in_the_other(pair):
    assert pair.sees(pair.second, "paul", REPORT)
    path = f"DocumentReference/{pair.demo.documents[REPORT]}"
    hidden = send(pair.first, pair.demo.tokens["camille"], Ask("PATCH", path, json.loads(HIDE), JSON_PATCH))
    assert hidden.status == 200
    assert not pair.sees(pair.second, "paul", REPORT)
    assert pair.sees(pair.second, "martin", REPORT)


def test_an_agreement_and_its_withdrawal_in_one_process_hold_in_the_other(pair):
    assert pair.search(pair.second, "stern").status == 403
    agreement = choices.consultation(pair.demo, "camille", "stern")
    made = send(pair.first, pair.demo.tokens["stern"], Ask("POST", "Consent", agreement))
    assert made.status == 201
    assert pair.search(pair.second, "stern").status == 200
    inactive = made.json | {"status": "inactive"}
    path = f"Consent/{made.json['id']}"
    assert send(pair.second, pair.demo.tokens["camille"], Ask("PUT", path, inactive)).status == 200
    assert pair.search(pair.first, "stern").status == 403


def test_a_block_in_one_process_holds_in_the_other(pair):
    assert pair.search(pair.first, "luc").status == 200
    block = Ask("POST", "Consent", choices.block(pair.demo, "camille", "luc"))
    assert send(pair.second, pair.demo.tokens["camille"], block).status == 201
    assert pair.search(pair.first, "luc").status == 403
    assert pair.search(pair.second, "luc").status == 403


def test_a_trace_of_one_process_is_read_in_the_other(pair):
    refused = pair.search(pair.first, "zoe")
    assert refused.status == 403
    path = f"AuditEvent?patient={pair.demo.patients['camille']}&date=ge2020-01-01&_sort=-date&_count=5"
    newest = send(pair.second, pair.demo.tokens["camille"], Ask("GET", path)).body
    assert refused.request_id.encode() in newest
