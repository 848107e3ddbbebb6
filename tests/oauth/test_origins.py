"""Which origins may read the answers of endpoints: a look-up that does not grow with the clients, and is never late.

Source: SMART App Launch 2.2 (CORS); requirement 41.
"""

from dataclasses import replace

import pytest

from fhir_server.adapters import opening
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.oauth.base.options import Options
from tests.factories import runtime_on
from tests.oauth.conftest import BASE, serve

ORIGIN = "https://app.example"


class Counted:
    """A vault that counts what it is asked."""

    def __init__(self, vault):
        self.vault, self.asked = vault, []

    def __getattr__(self, name):
        def ask(*given):
            found = getattr(self.vault, name)(*given)
            self.asked += [name] * (len(found) if name == "entries" else 1)
            return found

        return ask


def browser_app(number: int, origin: str = ORIGIN, **more: object) -> Client:
    return Client(f"app-{number}", "App", ClientKind.PATIENT_APP, (f"{origin}/cb",), origins=(origin,), **more)


def may_read(web, origin: str = ORIGIN) -> bool:
    answer = web.post("/oauth/token", headers={"Origin": origin}, base_url=BASE)
    assert "Origin" in answer.headers["Vary"]
    return answer.headers.get("Access-Control-Allow-Origin") == origin


def reads_for(runtime, origin: str) -> int:
    counted = Counted(runtime.ports.vault)
    web = serve(replace(runtime, ports=replace(runtime.ports, vault=counted)), Options()).test_client()
    web.options("/oauth/token", headers={"Origin": origin}, base_url=BASE)
    return len(counted.asked)


@pytest.mark.parametrize("origin", [ORIGIN, "https://app-7.example", "https://unknown.example"])
def test_41_the_reads_for_an_origin_do_not_grow_with_the_clients(runtime, origin):
    reads_for(runtime, origin)
    few = reads_for(runtime, origin)
    for number in range(60):
        clients.register(runtime, browser_app(number, f"https://app-{number}.example"))
        clients.register(runtime, browser_app(100 + number))
    assert reads_for(runtime, origin) <= max(few, 2)


def test_41_an_origin_is_known_from_the_registration_on_and_no_longer_than_its_client(runtime, web):
    new = "https://new.example"
    assert not may_read(web, new)
    clients.register(runtime, browser_app(1, new))
    assert may_read(web, new)
    clients.change(runtime, browser_app(1, new, disabled=True))
    assert not may_read(web, new)
    clients.change(runtime, browser_app(1, new))
    assert may_read(web, new)
    clients.change(runtime, browser_app(1, "https://moved.example"))
    assert (may_read(web, new), may_read(web, "https://moved.example")) == (False, True)
    clients.remove(runtime, "app-1")
    assert not may_read(web, "https://moved.example")


def test_41_an_origin_of_two_clients_stays_while_one_of_them_does(runtime, web):
    for number in range(2):
        clients.register(runtime, browser_app(number, "https://shared.example"))
    for number, remains in ((1, True), (0, False)):
        clients.remove(runtime, f"app-{number}")
        assert may_read(web, "https://shared.example") is remains


def test_41_a_registration_in_another_process_holds_at_once(web, tmp_path, clock):
    assert may_read(web)
    opened = opening.open_sqlite(tmp_path / "data", tmp_path / "keys.json")
    other = runtime_on(replace(opened, clock=clock), BASE)
    clients.register(other, browser_app(1, "https://new.example"))
    assert may_read(web, "https://new.example")
    clients.change(other, browser_app(1, "https://new.example", disabled=True))
    assert not may_read(web, "https://new.example")
    opened.store.close()


def test_41_clients_that_an_earlier_version_stored_are_known(runtime, web):
    for kind in ("client-origin", "client-origins-kept"):
        for key in (ORIGIN, ""):
            runtime.ports.vault.drop(kind, key)
    assert may_read(web)


@pytest.mark.parametrize("origin", ["null", "https://app.example.evil", "HTTPS://APP.EXAMPLE", "x" * 9000, "\xe9"])
def test_41_any_other_origin_reads_nothing(web, origin):
    assert not may_read(web, origin)
