"""Providers upstream for the tests: what they say of invented people, and one that says whatever a test wants."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account, add_account
from fhir_server.application.identity.clients import Client, ClientKind, register
from fhir_server.domain.values import Json
from fhir_server.settings.upstream import Provider
from tests.oauth.conftest import GENERAL, HOSPITAL, USER_SCOPES, Person, query_of

RPPS = "899700000111"
SECRET = "upstream+secret/of=tests"
KEY = RSAKey.generate_key(2048, {"kid": "up-1", "use": "sig", "alg": "RS256"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "up-ec", "use": "sig"})
STRANGE = RSAKey.generate_key(2048, {"kid": "up-1"})


def activity(**numbers: str) -> Json:
    """Return one activity of an exercise, with the numbers of its place."""
    return {"codeModeExercice": "S", "codeSecteurDactivite": "SA01", "raisonSocialeSite": "CHU", **numbers}


def exercise(profession: str = "10", specialty: str = "SM26", *activities: Json) -> Json:
    """Return one exercise as Pro Santé Connect lists it."""
    return {
        "codeProfession": profession, "codeCategorieProfessionnelle": "C", "codeTypeSavoirFaire": "S",
        "codeSavoirFaire": specialty, "nomDexercice": "GARNIER", "prenomDexercice": "HELENE",
        "activities": list(activities) or [activity()],
    }  # fmt: skip


def professional(number: str = RPPS, *exercises: Json) -> Json:
    """Return the userinfo of a professional, `sub` left out."""
    return {
        "SubjectNameID": number, "preferred_username": number, "given_name": "Hélène", "family_name": "GARNIER",
        "otherIds": [{"identifiant": number, "origine": "RPPS", "qualite": 1}],
        "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"], "SubjectRefPro": {"exercices": list(exercises) or [exercise()]},
        "Secteur_Activite": "SA01^1.2.250.1.71.4.2.4", "Acces_Regulation_Medicale": "FAUX", "authMode": "CARD",
        "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
    }  # fmt: skip


def citizen(**changes: str) -> Json:
    """Return the pivot identity of a citizen."""
    known = {"given_name": "Inès Marie", "family_name": "LEFÈVRE", "birthdate": "1990-07-14", "gender": "female"}
    return known | changes


def helene(runtime: Runtime) -> Account:
    """Add a physician with two practice situations, whom the directory knows by her number, and an app of hers."""
    register(runtime, Client("desk", "Bureau", ClientKind.PROFESSIONAL_APP, ("https://app.example/cb",), USER_SCOPES))
    account = Account(
        "helene", RequesterKind.PROFESSIONAL, "Practitioner/helene", "Dr Garnier", (GENERAL, HOSPITAL),
        national_id=RPPS,
    )  # fmt: skip
    return add_account(runtime, account, "")


@dataclass
class Fake:
    """A provider that answers as it is told.

    claims: of the id_token, over the right ones; None leaves one out. header: of it, over the right one. sign: makes
    the id_token from header and claims. person: the userinfo. raw: path to (status, content type, body) instead.
    """

    issuer: str = ""
    nonce: str = ""
    claims: Json = field(default_factory=dict)
    header: Json = field(default_factory=dict)
    sign: Callable[[Json, Json], str] = lambda header, claims: jwt.encode(header, claims, KEY, algorithms=["RS256"])
    person: Json = field(default_factory=professional)
    metadata: Json = field(default_factory=dict)
    tokens: Json = field(default_factory=dict)
    keys: list[Json] = field(default_factory=lambda: [KEY.as_dict(private=False), EC_KEY.as_dict(private=False)])
    raw: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    received: list[tuple[str, str, str]] = field(default_factory=list)
    now: Callable[[], int] = lambda: 0

    def right_claims(self) -> Json:
        """Return the claims that would do."""
        now = self.now()
        return {
            "iss": self.issuer, "sub": "f:psc:1", "aud": "habilis", "exp": now + 120, "iat": now, "nonce": self.nonce,
            "auth_time": now, "acr": "eidas3",
        }  # fmt: skip

    def id_token(self) -> str:
        wanted = {name: value for name, value in (self.right_claims() | self.claims).items() if value is not None}
        return self.sign({"alg": "RS256", "kid": "up-1", "typ": "JWT"} | self.header, wanted)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if path in self.raw:
            return self.raw[path]
        body: Json = {}
        if path == "/.well-known/openid-configuration":
            body = {
                "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/auth",
                "token_endpoint": f"{self.issuer}/token", "userinfo_endpoint": f"{self.issuer}/me",
                "jwks_uri": f"{self.issuer}/jwks", "authorization_response_iss_parameter_supported": True,
                "end_session_endpoint": f"{self.issuer}/end",
            } | self.metadata  # fmt: skip
        elif path == "/token":
            body = {"access_token": "up-token", "token_type": "Bearer", "id_token": self.id_token()} | self.tokens
        elif path == "/me":
            body = {"sub": "f:psc:1"} | self.person
        elif path == "/jwks":
            body = {"keys": self.keys}
        return (200 if body else 404), "application/json", json.dumps(body).encode()


def start(fake: Fake) -> ThreadingHTTPServer:
    """Serve a fake provider on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length).decode()
            fake.received.append((self.path, self.headers.get("Authorization") or "", sent))
            status, mime, body = fake.answer(urlsplit(self.path).path)
            self.send_response(status)
            self.send_header("Content-Type", mime)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = handle_any  # noqa: N815 - the names that the library calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.issuer = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def provider_of(issuer: str, id_: str = "psc", level: str = "eidas1") -> Provider:
    return Provider(id_, issuer, "habilis", SECRET, level)


class Visitor(Person):
    """Somebody who signs in upstream; `fake` is told what was asked."""

    def __init__(self, app, fake: Fake, id_: str = "psc", **choices: str) -> None:
        super().__init__(app, **choices)
        self.fake, self.id = fake, id_

    def begin(self, **changes: str) -> str:
        """Ask as an app and return the path of the conversation."""
        wanted = {"client_id": "desk", "scope": "openid fhirUser user/DocumentReference.rs"} | changes
        return urlsplit(self.ask(**wanted).headers["Location"]).path

    def leave(self, where: str = "") -> dict[str, str]:
        """Go to the provider and return what it is asked."""
        query = {"interaction": where.rpartition("/")[2]} if where else {}
        if not where:
            self.get("/login")
        answer = self.get(f"/login/with/{self.id}", **query)
        assert answer.status_code == 303, answer.text
        asked = query_of(answer.headers["Location"])
        self.fake.nonce = asked["nonce"]
        return asked

    def come_back(self, asked: dict[str, str], **changes: str | None):
        """Bring back what the provider answers."""
        sent = {"code": "up-code", "state": asked["state"], "iss": self.fake.issuer} | changes
        return self.get(f"/login/with/{self.id}/callback", **{n: v for n, v in sent.items() if v is not None})

    def is_in(self) -> bool:
        """Tell whether somebody is signed in here."""
        return self.get("/account/apps").status_code == 200


def unsigned(_header: Json, claims: Json) -> str:
    """Return a JWT with the algorithm `none`."""
    parts = ({"alg": "none", "kid": "up-1"}, claims)
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def form_of(received: tuple[str, str, str]) -> dict[str, str]:
    """Return a form that the fake provider got."""
    return {name: values[0] for name, values in parse_qs(received[2]).items()}


def signed_by(key, alg: str) -> Callable[[Json, Json], str]:
    """Return what signs with a key by an algorithm."""
    return lambda header, claims: jwt.encode(header | {"alg": alg}, claims, key, algorithms=[alg])
