"""Steps that tests of several flows take: consent page, second factor, proof of a key, renewal, emergency, trail."""

import re
from urllib.parse import urlsplit

import orjson
from joserfc import jwt
from joserfc.jws import JWSRegistry

from fhir_server.application.identity.accounts import find_account
from fhir_server.domain.search.criteria import Search
from fhir_server.oauth.login import totp
from tests.factories import all_of
from tests.oauth.conftest import BASE, PASSWORD, Person, csrf_of

OFFLINE = "openid offline_access launch/patient patient/DocumentReference.rs"
TOTP = "JBSWY3DPEHPK3PXP"
BREAK_GLASS = "openid offline_access launch/patient __break-glass patient/DocumentReference.cruds user/*.rs"


def refresh(web, token: str, client: str | None = "app", **more: str):
    data = {"grant_type": "refresh_token", "refresh_token": token} | more
    if client:
        data["client_id"] = client
    return web.post("/oauth/token", data=data, base_url=BASE)


def proof(
    clock, key, method: str = "POST", url: str = f"{BASE}/oauth/token", algorithm: str = "ES256", **claims: object
) -> str:
    now = int(clock.now().timestamp())
    head = {"typ": "dpop+jwt", "alg": algorithm, "jwk": key.as_dict(private=False)}
    body = {"jti": f"p{len(claims)}-{method}-{id(claims)}", "htm": method, "htu": url, "iat": now} | claims
    registry = JWSRegistry(algorithms=[algorithm])
    registry.max_header_length = 4096  # a whole RSA key stands in the header
    return jwt.encode(head, body, key, registry=registry)


def consent_page(app, **changes):
    """Walk to the consent page; return the person, the path and the page."""
    person = Person(app)
    where = urlsplit(person.ask(**changes).headers["Location"]).path
    person.answer(where, person.get(where).text)
    return person, where, person.get(where).text


def code_now(clock) -> str:
    return totp.code_at(TOTP, int(clock.now().timestamp()))


def emergency(app, clock, runtime, **choices: str) -> str:
    from fhir_server.oauth.granted.launches import Launch, create_launch  # noqa: PLC0415

    handle = create_launch(runtime, Launch("pro", "luc", "camille"))
    answers = {"code": code_now(clock), "reason": "unconscious", "explanation": "found at home", "confirmed": "yes"}
    person = Person(app, "luc", **answers | choices)
    return person.authorize(client_id="pro", scope=f"launch {BREAK_GLASS}", launch=handle)


def events_of(runtime, compartment: str = "") -> list[dict]:
    with runtime.ports.store.snapshot() as snapshot:
        page = snapshot.find(Search("AuditEvent", limit=200), all_of(compartment))
    return [orjson.loads(row.body) for row in page.rows]


def sign_in(person: Person):
    page = person.get("/login").text
    return person.post("/login", {"csrf": csrf_of(page), "login": person.login, "password": PASSWORD})


def may_enrol(person: Person, runtime) -> None:
    """Type the code that the operator hands over, so that this session may set up a first second factor."""
    from fhir_server.application.identity import credentials  # noqa: PLC0415 - as in emergency

    code = credentials.issue_code(runtime, find_account(runtime, person.login))
    page = person.get("/account/enrolment").text
    assert person.post("/account/enrolment", {"csrf": csrf_of(page), "code": code}).status_code == 303


def enrol(person: Person, clock) -> str:
    """Set up a generator of codes in a session that may; return its secret."""
    page = person.get("/account/second-factor").text
    secret = re.search(r"<code>([A-Z2-7]+)</code>", page)[1]
    code = totp.code_at(secret, int(clock.now().timestamp()))
    assert person.post("/account/second-factor", {"csrf": csrf_of(page), "code": code}).status_code == 303
    return secret
