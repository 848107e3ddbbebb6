"""Each entry of a batch or transaction counts as a request, and a lockdown that begins reaches its next entry.

Sources: RFC 6585 4; docs/adr/0132-entries-count-as-requests.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from fhir_server.app import create_app
from fhir_server.application.core import lockdown
from fhir_server.application.identity.access_tokens import find_used
from fhir_server.application.identity.grants import revoke_grant
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.surroundings import Clock
from tests.factories import all_of
from tests.http.spaces import call, reason
from tests.world import World

MINUTE, BURST = 6, 3


@pytest.fixture
def limited(world: World, settings) -> World:
    """The world behind a server that takes six requests a minute of a token and eight of a client."""
    world.ids["document"] = world.publish()
    few = replace(
        world.runtime.profile.ceilings,
        requests_a_minute=MINUTE,
        requests_a_second=BURST,
        client_requests_a_minute=MINUTE + 2,
    )
    served = replace(world.runtime, profile=replace(world.runtime.profile, ceilings=few))
    world.web = create_app(replace(settings, request_rates=True), served).test_client()
    return world


def reading(world):
    return {"request": {"method": "GET", "url": f"DocumentReference/{world.ids['document']}"}}


def creating(name="A"):
    resource = {"resourceType": "Practitioner", "name": [{"family": name}]}
    return {"request": {"method": "POST", "url": "Practitioner"}, "resource": resource}


def send(world, who, kind, entries):
    return world.send(who, "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})


def statuses(answer):
    return [entry["response"]["status"][:3] for entry in answer.get_json()["entry"]]


def test_the_entries_of_a_batch_beyond_the_minute_are_refused(limited):
    answer = send(limited, "camille", "batch", [reading(limited)] * 9)
    assert statuses(answer) == ["200"] * MINUTE + ["429"] * 3
    issue = answer.get_json()["entry"][-1]["response"]["outcome"]["issue"][0]
    assert (issue["code"], issue["details"]["coding"][0]["code"]) == ("throttled", "ceiling-requests")


def test_a_refused_entry_is_neither_read_nor_stored(limited):
    answer = send(limited, "keeper", "batch", [creating(f"Fresh{number}") for number in range(12)])
    stored = statuses(answer).count("201")
    assert 0 < stored < 12
    assert b"Fresh0" in practitioners(limited)
    assert b"Fresh11" not in practitioners(limited)


def test_a_batch_leaves_nothing_for_the_next_one(limited):
    send(limited, "camille", "batch", [reading(limited)] * MINUTE)
    assert send(limited, "camille", "batch", [reading(limited)] * 4).status_code == 429


def test_others_are_served_meanwhile(limited):
    send(limited, "camille", "batch", [reading(limited)] * 9)
    assert limited.get("nour", "/Practitioner").status_code == 200


def test_the_tokens_of_a_client_share_what_it_may_send(limited):
    """Two patients use one app: their entries count together for the app."""
    limited.patient("leo", "171027599900196")
    send(limited, "camille", "batch", [reading(limited)] * MINUTE)
    other = send(limited, "leo", "batch", [{"request": {"method": "GET", "url": f"Patient/{limited.ids['leo']}"}}] * 4)
    assert statuses(other) == ["200", "200", "429", "429"]


def test_software_counts_as_a_client_alone(limited):
    """It gets as many tokens as it asks for."""
    assert statuses(send(limited, "keeper", "batch", [creating()] * 9)) == ["201"] * (MINUTE + 2) + ["429"]


def test_a_transaction_beyond_the_minute_is_refused_whole(limited):
    assert send(limited, "keeper", "transaction", [creating()] * (MINUTE + 1)).status_code == 200
    refused = send(limited, "keeper", "transaction", [creating("Late"), creating("Late")])
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert b"Late" not in practitioners(limited)


def test_a_transaction_of_more_entries_than_a_minute_allows_can_still_be_sent(limited):
    """Otherwise no wait would be long enough for it."""
    assert send(limited, "keeper", "transaction", [creating()] * 20).status_code == 200
    assert send(limited, "keeper", "transaction", [creating()] * 2).status_code == 429


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_bundle_of_one_entry_counts_as_one_request(limited, kind):
    answers = [send(limited, "camille", kind, [reading(limited)]).status_code for _ in range(BURST + 1)]
    assert answers == [200] * BURST + [429]


def test_an_emergency_reads_in_a_batch_when_everything_else_is_throttled(limited):
    limited.in_mode("nour-btg", "nour", ("10", "chu", ""), "BTG")
    send(limited, "nour", "batch", [{"request": {"method": "GET", "url": "Practitioner"}}] * 9)
    assert call(limited, "nour-btg", "break-glass", body=reason("unconscious, found at home")).status_code == 200
    assert statuses(send(limited, "nour-btg", "batch", [reading(limited)] * 30)) == ["200"] * 30


@dataclass
class Interrupting:
    """A clock that does something once, after the batch has asked for the time so often."""

    clock: Clock
    calls: int
    act: Callable[[], object]

    def now(self) -> datetime:
        self.calls -= 1
        if self.calls == 0:
            self.act()
        return self.clock.now()


def interrupted(world, settings, act, calls=40):
    clock = Interrupting(world.runtime.ports.clock, calls, act)
    served = replace(world.runtime, ports=replace(world.runtime.ports, clock=clock))
    world.web = create_app(settings, served).test_client()


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_lockdown_takes_effect_at_the_next_entry(world, settings, kind):
    world.ids["document"] = world.publish()
    interrupted(world, settings, lambda: lockdown.switch_on(world.runtime, "eve", "release 42 shows too much"))
    answer = send(world, "camille", kind, [reading(world)] * 60)
    found = statuses(answer)
    assert (answer.status_code, found[0], found[-1]) == (200, "200", "503")
    assert found == sorted(found)
    issue = answer.get_json()["entry"][-1]["response"]["outcome"]["issue"][0]
    assert issue["details"]["coding"][0]["code"] == "emergencies-only"


def test_an_emergency_goes_on_reading_its_batch_in_a_lockdown(world, settings):
    world.ids["document"] = world.publish()
    world.in_mode("nour-btg", "nour", ("10", "chu", ""), "BTG")
    assert call(world, "nour-btg", "break-glass", body=reason("unconscious, found at home")).status_code == 200
    interrupted(world, settings, lambda: lockdown.switch_on(world.runtime, "eve", "release 42 shows too much"))
    assert statuses(send(world, "nour-btg", "batch", [reading(world)] * 40)) == ["200"] * 40


def test_a_token_that_ends_during_a_batch_opens_no_further_entry(world, settings):
    world.ids["document"] = world.publish()
    token = world.tokens["camille"]
    interrupted(world, settings, lambda: end(world, token))
    found = statuses(send(world, "camille", "batch", [reading(world)] * 60))
    assert (found[0], found[-1]) == ("200", "401")


def end(world, token):
    access = find_used(world.runtime, token).access
    assert access is not None
    assert revoke_grant(world.runtime, access.grant.id)


def practitioners(world):
    with world.runtime.ports.store.snapshot() as snapshot:
        return b"".join(row.body for row in snapshot.find(Search("Practitioner", limit=1000), all_of("")).rows)
