"""While only emergencies are let through (K2, P10.5): what the authorization server still gives, and what that opens.

Source: docs/operations.md, "Serving nothing but emergencies".
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from fhir_server.app import create_app
from fhir_server.application.core import lockdown
from fhir_server.application.identity import access_tokens
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.clients import find
from tests.engines import ENGINES, make_engine
from tests.factories import runtime_on, settings_in
from tests.live import Live, free_port, running
from tests.oauth.conftest import BASE, Person, furnish, query_of, redeem, tokens_for
from tests.oauth.steps import OFFLINE, emergency, events_of, refresh

SEARCH = "/fhir/DocumentReference?patient=camille"


@pytest.fixture
def app(runtime, tmp_path):
    return create_app(settings_in(tmp_path, BASE), runtime)


def stop(runtime):
    return lockdown.switch_on(runtime, "eve@desk", "release 42 shows too much")


def read(app, token):
    return app.test_client().get(SEARCH, headers={"Authorization": f"Bearer {token}"}, base_url=BASE).status_code


def test_an_emergency_is_still_declared_and_its_token_reads(app, web, clock, runtime):
    """P10.5: from the app's request to the documents."""
    stop(runtime)
    body = redeem(web, query_of(emergency(app, clock, runtime))["code"], client_id="pro").get_json()
    assert read(app, body["access_token"]) == 200


def test_other_tokens_are_issued_and_open_nothing(app, web, runtime):
    before = tokens_for(app, scope=OFFLINE)
    assert read(app, before["access_token"]) == 200
    stop(runtime)
    assert read(app, before["access_token"]) == 503
    renewed = refresh(web, before["refresh_token"]).get_json()
    assert read(app, renewed["access_token"]) == 503
    lockdown.switch_off(runtime, "eve@desk")
    assert read(app, renewed["access_token"]) == 200


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Seules les urgences"), ("en", "Only emergencies are served now")]
)
def test_no_app_of_a_patient_is_authorized_without_the_list_of_documents(app, runtime, language, words):
    """Else nothing could be withheld, and what was withheld before would be lost."""
    stop(runtime)
    person = Person(app)
    where = urlsplit(person.ask().headers["Location"]).path
    person.answer(where, person.get(where).text)  # signs in
    page = person.get(where, lang=language)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "300")
    assert words in page.text
    assert "42" not in page.text
    lockdown.switch_off(runtime, "eve@desk")
    assert "code" in query_of(Person(app).authorize())


def test_the_trail_says_who_stopped_what_and_why(runtime):
    stop(runtime)
    lockdown.switch_off(runtime, "bob@desk")
    on, off = sorted(events_of(runtime), key=lambda event: "rétabli" in event["text"]["div"])
    assert "eve@desk a arrêté tout sauf les urgences" in on["text"]["div"]
    assert "bob@desk a rétabli le service pour tous" in off["text"]["div"]
    assert on["outcomeDesc"] == "release 42 shows too much"
    assert (on["outcome"], off["outcome"]) == ("0", "0")
    assert on["agent"][0]["who"]["display"] == "eve@desk"
    assert [one["code"] for one in on["subtype"]] == ["operation", "emergencies-only-on"]


@pytest.fixture(params=ENGINES)
def live(request, tmp_path) -> Iterator[tuple[Live, str]]:
    """Two processes on one store, and a token of an app for them."""
    engine = make_engine(request.param, request, tmp_path)
    server = Live(tmp_path / "data", free_port(), {"HABILIS_KEY_FILE": str(engine.key_file), "HABILIS_WORKERS": "2"})
    if request.param == "mongo":
        uri, name = engine.place.uri, engine.place.database
        server.settings |= {"HABILIS_STORE": "mongodb", "HABILIS_MONGODB_URI": uri, "HABILIS_MONGODB_DATABASE": name}
    furnish(engine.ports, server.base_url)
    runtime = runtime_on(engine.ports, server.base_url)
    token = access_tokens.mint_token(runtime, Grantee(find(runtime, "ehr")), "system/Organization.rs")
    with running(server):
        yield server, token
    engine.close()


@pytest.mark.live
def test_one_command_holds_in_every_process_at_the_next_request(live):
    server, token = live

    def answers():
        url, headers = f"{server.base_url}/fhir/Organization", {"Authorization": f"Bearer {token}"}
        return {requests.get(url, headers=headers, timeout=60).status_code for _ in range(12)}

    assert answers() == {200}
    server.command("emergencies-only", "on", "--reason", "release 42 shows too much")
    assert answers() == {503}
    assert requests.get(f"{server.base_url}/status", timeout=60).json()["status"] == "emergencies-only"
    server.command("emergencies-only", "off")
    assert answers() == {200}
