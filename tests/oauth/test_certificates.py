"""Certificate-bound tokens at the FHIR endpoint (RFC 8705 3), in a server as the settings build it."""

import os
from base64 import b64encode
from dataclasses import replace

import pytest

from fhir_server.app import build_runtime, create_app
from fhir_server.application.identity.clients import change, find
from fhir_server.cli import main
from fhir_server.settings.proxies import FORWARDED, Proxies
from fhir_server.settings.server import Settings
from tests.factories import settings_in
from tests.holds import holds
from tests.oauth.conftest import BASE, SECRET, Person, query_of, redeem
from tests.oauth.steps import OFFLINE, refresh
from tests.oauth.test_proxies import HEADER, OTHER, OURS, through

UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"
PEER = "127.0.0.1"
BASIC = {"Authorization": f"Basic {b64encode(f'web:{SECRET}'.encode()).decode()}"}


@pytest.fixture
def app(runtime, tmp_path):
    change(runtime, replace(find(runtime, "web"), certificate_bound=True))
    settings = settings_in(
        tmp_path,
        BASE,
        proxies=Proxies(stated=True, networks=(PEER,), address_header=FORWARDED, certificate_header=HEADER),
    )
    return create_app(settings, runtime)


@pytest.fixture
def granted(app) -> dict[str, str]:
    code = query_of(Person(app).authorize(client_id="web", scope=OFFLINE))["code"]
    answer = redeem(through(app, PEER), code, client_id="web", client_secret=None, headers=BASIC)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.get_json()
    return found


def read(web, token: str):
    header = {"Authorization": f"Bearer {token}"}
    return web.get(f"/fhir/DocumentReference/{UNKNOWN}", headers=header, base_url=BASE)


@holds("RFC 8705")
def test_a_bound_token_opens_the_endpoint_with_its_certificate_only(app, granted):
    token = granted["access_token"]
    assert read(through(app, PEER), token).status_code == 404
    for certificate in (OTHER, None):
        refused = read(through(app, PEER, certificate), token)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert read(through(app, "203.0.113.9"), token).status_code == 401


def test_a_renewed_token_is_bound_to_the_certificate_of_the_renewal(app, granted):
    form = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
    bare = through(app, PEER, None).post("/oauth/token", data=form, headers=BASIC, base_url=BASE)
    assert bare.get_json()["error"] == "invalid_request"
    renewed = through(app, PEER, OTHER).post("/oauth/token", data=form, headers=BASIC, base_url=BASE)
    token = renewed.get_json()["access_token"]
    assert read(through(app, PEER, OTHER), token).status_code == 404
    assert read(through(app, PEER, OURS), token).status_code == 401


@holds("RFC 8705")
def test_a_public_client_s_refresh_token_is_bound_too(app, runtime):
    change(runtime, replace(find(runtime, "app"), certificate_bound=True))
    code = query_of(Person(app).authorize(scope=OFFLINE))["code"]
    token = redeem(through(app, PEER), code).get_json()["refresh_token"]
    assert refresh(through(app, PEER, OTHER), token).get_json()["error"] == "invalid_grant"
    assert refresh(through(app, PEER, OURS), token).status_code == 200


def test_a_client_is_registered_with_what_it_must_show_and_may(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HABILIS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HABILIS_ACCEPT_INFERRED_MATRIX", "yes")
    assert main(["keys", "create"]) == 0
    flags = ["--require-par", "--require-dpop", "--certificate-bound", "--introspects", "--trusted-launcher"]
    command = ["clients", "add", "strict", "--name", "Strict", "--kind", "patient-app", "--scopes", "openid"]
    assert main([*command, "--redirect-uri", "https://app.example/cb", *flags]) == 0
    runtime = build_runtime(Settings.from_environment(os.environ))
    client = find(runtime, "strict")
    runtime.ports.store.close()
    assert client.par_required
    assert client.dpop_required
    assert client.certificate_bound
    assert client.introspects
    assert client.trusted_launcher
    assert "strict" in capsys.readouterr().out
