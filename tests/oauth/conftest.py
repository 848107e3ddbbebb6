"""An authorization server on the real store, with the people and apps that the tests need."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path
from shutil import copytree
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_smorest import Api
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from consent_rules.model import RecordState
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import RequesterKind, SpaceStatus
from fhir_server.adapters import opening
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient, add_account
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind, hash_secret, register
from fhir_server.domain import record_codec
from fhir_server.domain.search.tokens import PROFESSION_SYSTEM
from fhir_server.http import errors, request_context
from fhir_server.http.oauth import discovery, endpoints
from fhir_server.http.pages import all_pages, language
from fhir_server.http.pages.public import matrix_api, status
from fhir_server.oauth.base import keys as signing
from fhir_server.oauth.base.options import Options
from fhir_server.ports.store import Change, SpaceWrite
from fhir_server.ports.surroundings import Ports
from fhir_server.ports.vault import Secret
from tests.factories import a_resource, creating, runtime_on

BASE = "https://habilis.example"
FHIR = f"{BASE}/fhir"
SECRET = "s" * 43
PASSWORD = "correct horse battery"
VERIFIER = "v" * 43
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-384", {"kid": "ec-1"})
SIGNING = RSAKey.generate_key(2048, {"kid": "sign-1", "use": "sig", "alg": "RS256"})
PATIENT_SCOPES = "openid fhirUser profile launch launch/patient offline_access online_access patient/*.cruds"
USER_SCOPES = f"{PATIENT_SCOPES} user/*.cruds __break-glass"


@dataclass
class FixedClock:
    """A clock that only the test moves."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 9, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def advance(self, **amount: float) -> None:
        self.at += timedelta(**amount)


def challenge(verifier: str = VERIFIER) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Furnish a store once with people, apps and a signing key; each test gets a copy."""
    home = tmp_path_factory.mktemp("furnished")
    opening.create_keys(home / "keys.json")
    opened = opening.open_sqlite(home / "data", home / "keys.json")
    furnish(opened)
    opened.store.close()
    return home


def furnish(ports: Ports, base: str = BASE) -> None:
    """Give a store people, apps, Camille's space and a key that signs."""
    runtime = runtime_on(ports, base)
    people(runtime)
    apps(runtime)
    space = record_codec.dump(RecordState("camille", SpaceStatus.ACTIVE))
    ports.store.commit(Change(traces=(), spaces=(SpaceWrite("camille", 0, space),)))
    kept = orjson.dumps([{"jwk": SIGNING.as_dict(private=True), "until": ""}])
    ports.vault.add(Secret(signing.KIND, "id-token", kept))


@pytest.fixture
def ports(tmp_path: Path, furnished: Path, clock: FixedClock) -> Iterator[Ports]:
    copytree(furnished, tmp_path, dirs_exist_ok=True)
    opened = opening.open_sqlite(tmp_path / "data", tmp_path / "keys.json")
    yield replace(opened, clock=clock)
    opened.store.close()


@pytest.fixture
def runtime(ports: Ports) -> Runtime:
    return runtime_on(ports, BASE)


def enter_situations(ports: Ports, person: str, practices: tuple[PractitionerRoleRef, ...], **more: object) -> None:
    """Enter practice situations of a person into the directory, as its operator does; `more` are their elements."""
    for practice in practices:
        profession = {"coding": [{"system": PROFESSION_SYSTEM, "code": practice.profession}]}
        role = {
            "resourceType": "PractitionerRole",
            "id": practice.role.partition("/")[2],
            "practitioner": {"reference": person},
            "organization": {"reference": practice.organization},
            "code": [profession],
        }
        stored = a_resource("PractitionerRole", AccessFacts(""), id_=role["id"])
        ports.store.commit(creating(replace(stored, body=orjson.dumps(role | more))))


GENERAL = PractitionerRoleRef(
    "PractitionerRole/martin-1", "Organization/practice", "Cabinet Martin", "10", label="Cabinet"
)
HOSPITAL = PractitionerRoleRef("PractitionerRole/martin-2", "Organization/chu", "CHU", "10", label="CHU")
PHYSIO = PractitionerRoleRef("PractitionerRole/paul-1", "Organization/paul", "Cabinet Paul", "70", label="Cabinet Paul")
NURSE = PractitionerRoleRef("PractitionerRole/luc-1", "Organization/chu", "CHU", "60", label="CHU, cardiologie")


def people(runtime: Runtime) -> None:
    for account in (
        Account("camille", RequesterKind.PATIENT, "Patient/camille", "Camille Laurent"),
        Account(
            "marc", RequesterKind.PATIENT, "Patient/marc", "Marc Dubois",
            patients=(RepresentedPatient("leo", "RelatedPerson/marc-leo", "Léo"),),
        ),
        Account("martin", RequesterKind.PROFESSIONAL, "Practitioner/martin", "Dr Martin", (GENERAL, HOSPITAL)),
        Account("paul", RequesterKind.PROFESSIONAL, "Practitioner/paul", "Paul", (PHYSIO,)),
        Account(
            "luc", RequesterKind.PROFESSIONAL, "Practitioner/luc", "Luc", (NURSE,), national_id="899700000099",
            totp="JBSWY3DPEHPK3PXP",
        ),
        Account("gone", RequesterKind.PATIENT, "Patient/gone", "Gone", disabled=True),
    ):  # fmt: skip
        add_account(runtime, account, PASSWORD)


def apps(runtime: Runtime) -> None:
    public = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}
    callback = ("https://app.example/cb",)
    origin = ("https://app.example",)
    for client in (
        Client("app", "MaTension", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES, origins=origin),
        Client("other", "Autre", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES),
        Client("native", "Native", ClientKind.PATIENT_APP, ("http://127.0.0.1/cb", "com.example:/cb"), PATIENT_SCOPES),
        Client("pro", "Consult", ClientKind.PROFESSIONAL_APP, callback, USER_SCOPES),
        Client(
            "web", "Serveur", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES, AuthMethod.BASIC,
            secret_hash=hash_secret(SECRET),
        ),
        Client(
            "post", "Poste", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES, AuthMethod.POST,
            secret_hash=hash_secret(SECRET),
        ),
        Client(
            "ehr", "DPI", ClientKind.BACKEND, scopes="system/DocumentReference.crus system/Binary.cr user/*.rs",
            auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks=public, organization="Organization/chu",
            organization_display="CHU", trusted_launcher=True,
        ),
        Client(
            "rs", "Ressource", ClientKind.RESOURCE_SERVER, scopes="system/DocumentReference.rs",
            auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks=public, introspects=True,
        ),
        Client("bound", "Lié", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES, dpop_required=True),
        Client("pushed", "Poussé", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES, par_required=True),
        Client("off", "Éteint", ClientKind.PATIENT_APP, callback, PATIENT_SCOPES, disabled=True),
    ):  # fmt: skip
        register(runtime, client)


@pytest.fixture
def options() -> Options:
    return Options()


@pytest.fixture
def app(runtime: Runtime, options: Options) -> Flask:
    return serve(runtime, options)


def serve(runtime: Runtime, options: Options) -> Flask:
    """Serve the authorization server alone."""
    served = Flask(__name__)
    served.config.update(API_TITLE="t", API_VERSION="1", OPENAPI_VERSION="3.0.3", DEMO=False)
    served.config[language.TIME_ZONE] = ZoneInfo("Europe/Paris")
    served.extensions[request_context.OPTIONS_EXTENSION] = options
    request_context.install(served, runtime)
    api = Api(served)
    api.register_blueprint(matrix_api.matrix_api)
    all_pages.register(served, api)
    for part in (discovery, endpoints, status):
        part.register(served)
    errors.install(served)
    return served


@pytest.fixture
def web(app: Flask) -> FlaskClient:
    return app.test_client()


class Person:
    """Somebody in a browser, who answers the pages as they come."""

    base = BASE

    def __init__(self, app: Flask, login: str = "camille", **choices: str) -> None:
        self.web = app.test_client()
        self.login, self.choices = login, choices
        self.pages: list[str] = []
        self.unticked: set[str] = set()

    def get(self, path: str, **query: str):
        return self.web.get(path, query_string=query, base_url=self.base)

    def post(self, path: str, data: dict[str, object]):
        return self.web.post(path, data=data, base_url=self.base)

    def ask(self, **changes: str | None):
        """Send an authorization request; a change to None leaves a parameter out."""
        return self.get("/oauth/authorize", **request_for(**changes))

    def authorize(self, **changes: str | None) -> str:
        """Walk from the request to the redirect and return its address."""
        return self.walk(self.ask(**changes))

    def walk(self, answer) -> str:
        """Answer page after page until the browser is sent back to the app."""
        for _ in range(10):
            where = answer.headers.get("Location", "")
            if answer.status_code != 303 or not where.startswith(self.base):
                return where
            page = self.get(urlsplit(where).path)
            if page.status_code == 303:
                return page.headers["Location"]
            self.pages.append(page.text)
            answer = self.answer(urlsplit(where).path, page.text)
        raise AssertionError(answer.text)

    def answer(self, path: str, page: str):
        step = re.search(r'name="step" value="([^"]+)"', page)[1]
        filled = {"csrf": csrf_of(page), "step": step}
        if step == "login":
            filled |= {"login": self.login, "password": PASSWORD}
        elif step == "second-factor":
            filled |= {"code": self.choices["code"]}
        elif step == "consent":
            wanted = [unescape(found) for found in re.findall(r'name="scope" id="[^"]+" value="([^"]+)"', page)]
            filled |= {"decision": "allow", "scope": [w for w in wanted if w != self.choices.get("without")]}
            filled |= {name: [v for v in ticked(page, name) if v not in self.unticked] for name in ("document", "kind")}
        else:
            filled |= self.choices
        return self.post(path, filled)


def request_for(**changes: str | None) -> dict[str, str]:
    wanted = {
        "response_type": "code", "client_id": "app", "redirect_uri": "https://app.example/cb",
        "scope": "openid fhirUser patient/DocumentReference.rs", "state": "st-1", "aud": FHIR,
        "code_challenge": challenge(), "code_challenge_method": "S256",
    }  # fmt: skip
    return {name: value for name, value in (wanted | changes).items() if value is not None}


def ticked(page: str, name: str) -> list[str]:
    """Return the values of the ticked boxes of a name."""
    return re.findall(rf'type="checkbox" name="{name}" id="[^"]+" value="([^"]*)" checked', page)


def csrf_of(page: str) -> str:
    return re.search(r'name="csrf" value="([^"]+)"', page)[1]


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@pytest.fixture
def fake(clock: FixedClock) -> Iterator[object]:
    """Serve a provider upstream that says what a test wants, with the clock of the test."""
    from tests.oauth import upstream  # noqa: PLC0415 - it builds on this module

    made = upstream.Fake(now=lambda: int(clock.now().timestamp()))
    server = upstream.start(made)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def person(app: Flask) -> Person:
    return Person(app)


def redeem(web: FlaskClient, code: str, headers: dict[str, str] | None = None, **changes: str | None):
    """Send a code to the token endpoint."""
    wanted = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": "https://app.example/cb",
        "client_id": "app", "code_verifier": VERIFIER,
    }  # fmt: skip
    data = {name: value for name, value in (wanted | changes).items() if value is not None}
    return web.post("/oauth/token", data=data, headers=headers, base_url=BASE)


def tokens_for(app: Flask, login: str = "camille", **changes: str | None) -> dict[str, object]:
    """Walk the whole flow and return the token response."""
    code = query_of(Person(app, login).authorize(**changes))["code"]
    answer = redeem(app.test_client(), code, client_id=changes.get("client_id", "app"))
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def assertion(clock: FixedClock, key=EC, alg: str = "ES384", header: dict | None = None, **claims: object) -> str:
    """Sign a client assertion; a claim of None is left out."""
    now = int(clock.now().timestamp())
    wanted = {
        "iss": "ehr", "sub": "ehr", "aud": f"{BASE}/oauth/token", "exp": now + 240, "jti": f"j{id(claims)}-{now}",
    } | claims  # fmt: skip
    head = {"alg": alg, "kid": key.kid, "typ": "JWT"} | (header or {})
    return jwt.encode(head, {k: v for k, v in wanted.items() if v is not None}, key, algorithms=[alg])


def backend(web: FlaskClient, signed: str, scope: str | None = "system/DocumentReference.rs", **more: str):
    """Ask for a token as software."""
    data = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": signed} | more
    if scope is not None:
        data["scope"] = scope
    return web.post("/oauth/token", data=data, base_url=BASE)
