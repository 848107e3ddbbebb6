"""What a proxy says of a client is believed from configured proxies alone (requirement 45, RFC 8705, RFC 9440)."""

from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fhir_server.application.identity.clients import change, find
from fhir_server.http.proxies import TrustedProxies, thumbprint
from fhir_server.oauth.base.options import Options
from fhir_server.settings.proxies import FORWARDED, X_FORWARDED_FOR, Proxies
from tests.holds import holds
from tests.oauth.conftest import BASE, SECRET, Person, assertion, backend, query_of, redeem, serve

PROXY, STRANGER = "10.0.0.7", "203.0.113.9"
HEADER = "Client-Cert"
OUR_PROXY = Proxies(stated=True, networks=(PROXY,), address_header=X_FORWARDED_FOR, certificate_header=HEADER)


def certificate_of(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    build = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    build = build.serial_number(7).not_valid_before(begin).not_valid_after(begin + timedelta(days=365))
    return build.sign(key, SHA256())


OURS, OTHER = certificate_of("hospital"), certificate_of("another")


def sent(certificate: x509.Certificate) -> str:
    """Write a certificate as RFC 9440 has it."""
    return f":{b64encode(certificate.public_bytes(Encoding.DER)).decode()}:"


@holds("RFC 9440")
def test_the_three_notations_of_proxies_give_one_thumbprint():
    der = OURS.public_bytes(Encoding.DER)
    wanted = urlsafe_b64encode(sha256(der).digest()).decode().rstrip("=")
    assert thumbprint(sent(OURS)) == wanted
    assert thumbprint(b64encode(der).decode()) == wanted
    assert thumbprint(quote(OURS.public_bytes(Encoding.PEM).decode())) == wanted


@pytest.mark.parametrize("value", ["", "x", ":x:", ":eA==:", "-----BEGIN CERTIFICATE-----", "%2D" * 9000, "é"])
def test_what_is_no_certificate_has_no_thumbprint(value):
    assert thumbprint(value) == ""


def seen_by(peer: str, header: str = HEADER, by: str = X_FORWARDED_FOR, **environ: str) -> dict[str, str]:
    """Return what the application sees of a request of a peer."""
    found: dict[str, str] = {}
    proxies = Proxies(stated=True, networks=("10.0.0.0/24",), address_header=by, certificate_header=header)
    app = TrustedProxies(lambda inner, _start: found.update(inner) or [], proxies)
    app({"REMOTE_ADDR": peer} | environ, lambda *_: None)
    return found


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, "198.51.100.4", "198.51.100.4"),
        (PROXY, "192.0.2.1, 198.51.100.4, 10.0.0.8", "198.51.100.4"),
        (PROXY, "nonsense", PROXY),
        (PROXY, "", PROXY),
        (STRANGER, "198.51.100.4", STRANGER),
    ],
)
def test_45_the_address_of_a_client_is_believed_from_a_trusted_proxy_only(peer, forwarded, address):
    assert seen_by(peer, HTTP_X_FORWARDED_FOR=forwarded)["REMOTE_ADDR"] == address


@holds("RFC 7239")
@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("for=198.51.100.4", "198.51.100.4"),
        ('For="198.51.100.4:4711";proto=https;by=10.0.0.7', "198.51.100.4"),
        ('for="[2001:db8::17]:4711"', "2001:db8::17"),
        ("for=192.0.2.1, for=198.51.100.4;host=x, for=10.0.0.8", "198.51.100.4"),
        ('for="192.0.2.1, proto=https;for=198.51.100.4', "198.51.100.4"),
        ("for=_hidden", PROXY),
        ("for=unknown", PROXY),
        ("198.51.100.4", PROXY),
        ('for="[', PROXY),
        ("", PROXY),
    ],
)
def test_45_the_address_in_a_forwarded_header_is_that_of_the_last_hop(forwarded, address):
    """RFC 7239 4."""
    assert seen_by(PROXY, by=FORWARDED, HTTP_FORWARDED=forwarded)["REMOTE_ADDR"] == address
    assert seen_by(STRANGER, by=FORWARDED, HTTP_FORWARDED=forwarded)["REMOTE_ADDR"] == STRANGER


def test_45_only_the_header_that_the_operator_named_is_read():
    assert seen_by(PROXY, by=FORWARDED, HTTP_X_FORWARDED_FOR="192.0.2.1")["REMOTE_ADDR"] == PROXY
    assert seen_by(PROXY, by=X_FORWARDED_FOR, HTTP_FORWARDED="for=192.0.2.1")["REMOTE_ADDR"] == PROXY


@holds("RFC 9440")
def test_45_a_certificate_header_of_a_stranger_means_nothing():
    assert "habilis.client_certificate" not in seen_by(STRANGER, HTTP_CLIENT_CERT=sent(OURS))
    assert seen_by(PROXY, HTTP_CLIENT_CERT=sent(OURS))["habilis.client_certificate"] == thumbprint(sent(OURS))
    assert seen_by(PROXY, header="", HTTP_CLIENT_CERT=sent(OURS))["habilis.client_certificate"] == ""


@pytest.fixture
def options() -> Options:
    return Options(certificates=True)


@pytest.fixture
def behind(runtime, options):
    """The authorization server behind a proxy, with software whose tokens are bound to its certificate."""
    for name in ("ehr", "web", "rs"):
        change(runtime, replace(find(runtime, name), certificate_bound=name != "rs"))
    app = serve(runtime, options)
    app.wsgi_app = TrustedProxies(app.wsgi_app, OUR_PROXY)
    return app


def through(app, peer: str = PROXY, certificate: x509.Certificate | None = OURS):
    """Return a client whose requests come from a peer, with the certificate that it hands on."""
    web = app.test_client()
    web.environ_base["REMOTE_ADDR"] = peer
    if certificate is not None:
        web.environ_base["HTTP_CLIENT_CERT"] = sent(certificate)
    return web


def test_a_token_is_bound_to_the_certificate_of_its_connection(behind, clock):
    body = backend(through(behind), assertion(clock)).get_json()
    asker = backend(through(behind), assertion(clock, iss="rs", sub="rs", jti="2")).get_json()["access_token"]
    asked = through(behind).post(
        "/oauth/introspect", data={"token": body["access_token"]}, headers={"Authorization": f"Bearer {asker}"},
        base_url=BASE,
    )  # fmt: skip
    assert asked.get_json()["cnf"] == {"x5t#S256": thumbprint(sent(OURS))}
    assert body["token_type"] == "Bearer"


@holds("RFC 8705")
def test_without_a_certificate_there_is_no_token(behind, clock):
    for web in (through(behind, certificate=None), through(behind, peer=STRANGER)):
        refused = backend(web, assertion(clock, jti=str(id(web))))
        assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_request")


def test_a_server_that_is_not_configured_for_certificates_refuses_clients_that_need_them(runtime, clock):
    change(runtime, replace(find(runtime, "ehr"), certificate_bound=True))
    app = serve(runtime, Options())
    app.wsgi_app = TrustedProxies(app.wsgi_app, OUR_PROXY)
    assert backend(through(app), assertion(clock)).get_json()["error"] == "invalid_request"
    known = through(app).get("/fhir/.well-known/smart-configuration", base_url=BASE).get_json()
    assert "tls_client_certificate_bound_access_tokens" not in known


def test_discovery_says_that_tokens_can_be_bound(behind):
    for path in ("/fhir/.well-known/smart-configuration", "/.well-known/oauth-authorization-server"):
        assert through(behind).get(path, base_url=BASE).get_json()["tls_client_certificate_bound_access_tokens"] is True


def test_a_bound_token_is_nothing_without_its_certificate(behind, runtime):
    change(runtime, replace(find(runtime, "web"), certificate_bound=True))
    code = query_of(Person(behind).authorize(client_id="web"))["code"]
    answer = redeem(through(behind), code, client_id="web", client_secret=None, headers=_basic(SECRET))
    assert answer.status_code == 200, answer.text
    bearer = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
    status = [
        web.get("/oauth/userinfo", headers=bearer, base_url=BASE).status_code
        for web in (
            through(behind), through(behind, certificate=OTHER), through(behind, certificate=None),
            through(behind, peer=STRANGER),
        )
    ]  # fmt: skip
    assert status == [200, 401, 401, 401]


def _basic(secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'web:{secret}'.encode()).decode()}"}
