"""The authorization server: discovery, whole flows, tokens and their ends, and what is refused."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.golden.frozen import CLOCK
from tests.golden.recording import Asking, Person
from tests.golden.server import BASE, REGISTRATION

Json = dict[str, Any]
CALLBACK = "http://127.0.0.1:8765/callback"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
EVERYTHING = "openid fhirUser profile launch/patient offline_access patient/*.cruds"
DISCOVERY = (
    "/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/x",
    "/.well-known/openid-configuration",
    "/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration", "/oauth/jwks", "/brands.json",
)  # fmt: skip


def run(asking: Asking) -> None:
    """Walk every flow, then every wrong turn."""
    for path in DISCOVERY:
        asking.send("nobody", "GET", path)
        asking.send("nobody", "GET", path, Origin="https://app.example")
        asking.send("nobody", "POST", path)
    _wrong_requests(asking)
    _wrong_pushes(asking)
    tokens = [_flow(asking, *one) for one in (
        ("camille", "matension", "openid fhirUser launch/patient patient/DocumentReference.rs"), ("camille", "espace",
        EVERYTHING),
        ("marc", "espace", EVERYTHING), ("ines", "espace", EVERYTHING), ("martin", "poste",
        "openid fhirUser offline_access user/*.cruds"),
        ("paul", "poste", "openid user/DocumentReference.rs user/Patient.r"), ("dana", "poste",
        "openid user/AuditEvent.rs user/Consent.rus"),
        ("oscar", "poste", "openid user/AuditEvent.rs"), ("zoe", "poste", "user/*.cruds __break-glass"),
    )]  # fmt: skip
    for told in tokens:
        _use(asking, told)
    _wrong_tokens(asking)
    _software(asking)
    _registration(asking)


def asked(**changes: str | None) -> dict[str, str]:
    """Return the parameters of an authorization request; None leaves one out."""
    wanted = {
        "response_type": "code", "client_id": "espace", "redirect_uri": CALLBACK, "scope": EVERYTHING, "state": "st-1",
        "aud": f"{BASE}/fhir", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "nonce": "n-1",
    }  # fmt: skip
    return {name: value for name, value in (wanted | changes).items() if value is not None}


def _flow(asking: Asking, login: str, client: str, scope: str) -> Json:
    """Let a person allow an app, redeem the code wrongly and rightly; return what the token endpoint tells."""
    person = asking.person()
    code = _walk(person, login, f"for {login}", client_id=client, scope=scope)
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": client}
    _token(asking, given | {"code_verifier": "w" * 43}, f"{login}, another verifier")
    told = _token(asking, given | {"code_verifier": VERIFIER}, login)
    for changes in ({"prompt": "none"}, {"prompt": "login"}, {"max_age": "0"}, {}):
        _walk(person, login, f"again for {login}", client_id=client, scope=scope, **changes)
    person.get("/account/apps", note=login)
    return told | {"client": client, "code": code}


def _walk(person: Person, login: str, note: str, **changes: str) -> str:
    """Answer page after page until the browser is sent back to the app; return the code."""
    answer = person.get(f"/oauth/authorize?{urlencode(asked(**changes))}", note=note)
    for _ in range(8):
        where = answer.headers.get("Location", "")
        if not where or where.startswith(CALLBACK):
            break
        path = urlsplit(where).path
        answer = person.get(path)
        if answer.status_code == 200:
            answer = _step(person, path, login)
    return parse_qs(urlsplit(answer.headers.get("Location", "")).query).get("code", ["none"])[0]


def _step(person: Person, path: str, login: str) -> Any:
    step = re.search(r'name="step" value="([^"]+)"', person.page)
    if step is None:
        return person.get(path, note="without a step")
    if step[1] == "login":
        person.send_form(path, "with a wrong password", login=login, password="wrong")
        return person.send_form(path, f"as {login}", login=login, password=person.asking.book["logins"][login])
    if step[1] == "consent":
        scopes = [unescape(found) for found in re.findall(r'name="scope" id="[^"]+" value="([^"]+)"', person.page)]
        boxes = {
            name: [
                unescape(v)
                for v in re.findall(rf'type="checkbox" name="{name}" id="[^"]+" value="([^"]*)" checked', person.page)
            ]
            for name in ("document", "kind")
        }
        return person.send_form(path, "allow", decision="allow", scope=scopes, **boxes)
    radios = dict(reversed(re.findall(r'type="radio" name="([^"]+)"[^>]* value="([^"]+)"', person.page)))
    return person.send_form(path, f"step {step[1]}", **radios)


def _token(asking: Asking, given: Json, note: str, **headers: str) -> Json:
    answer = asking.send(
        "nobody",
        "POST",
        "/oauth/token",
        urlencode(given),
        mime=FORM,
        note=f"{given.get('grant_type')} {note}",
        **headers,
    )
    return answer.get_json(silent=True) or {}


def _use(asking: Asking, told: Json) -> None:
    """Use what a flow gave, renew it, and end it."""
    client = told["client"]
    if "access_token" not in told:
        return
    asking.tokens["app"] = told["access_token"]
    asking.later(minutes=20)
    for path in (
        "/oauth/userinfo",
        f"/fhir/DocumentReference?patient={told.get('patient', asking.book['patients']['camille'])}&_count=1",
    ):
        asking.send("app", "GET", path)
    _form(asking, "/oauth/introspect", token=told["access_token"], client_id=client)
    refresh = told.get("refresh_token", "none")
    again = _token(asking, {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": client}, client)
    _token(
        asking,
        {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": client, "scope": "system/*.rs"},
        "more",
    )
    _token(asking, {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": "poste"}, "of another client")
    used = {
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    _token(asking, used | {"client_id": client}, "the code again")
    asking.send("app", "GET", "/oauth/userinfo", note="after the code came twice")
    _form(asking, "/oauth/revoke", token=again.get("access_token", told["access_token"]), client_id=client)
    _form(asking, "/oauth/revoke", token="unheard", client_id=client)
    asking.send("app", "GET", "/oauth/userinfo")
    asking.later(hours=2)
    asking.send("app", "GET", "/oauth/userinfo")
    asking.get("app", f"/Patient/{asking.book['patients']['camille']}")


def _form(asking: Asking, path: str, **given: Any) -> Json:
    answer = asking.send("nobody", "POST", path, urlencode(given), mime=FORM, note=str(given.get("client_id", "")))
    return answer.get_json(silent=True) or {}


WRONG: tuple[dict[str, str | None], ...] = (
    {"client_id": "nobody"}, {"client_id": None}, {"client_id": "annuaire"}, {"redirect_uri": None},
    {"redirect_uri": "https://evil.example"},
    {"request_uri": "https://evil.example/r"}, {"request_uri": "urn:ietf:params:oauth:request_uri:nothing"},
    {"response_type": "token"},
    {"response_type": None}, {"code_challenge": None}, {"code_challenge_method": "plain"}, {"aud": None},
    {"aud": "https://evil.example/fhir"},
    {"state": None}, {"launch": "nothing", "scope": "launch patient/*.rs"}, {"max_age": "soon"}, {"prompt": "later"},
    {"prompt": "none"},
    {"response_mode": "fragment"}, {"scope": None}, {"scope": "nonsense"}, {"scope": "system/*.rs"}, {"claims": "{"},
    {"request": "x"},
    {"acr_values": "eidas3"}, {"authorization_details": "[]"}, {"authorization_details": "x"},
    {"resource": "https://evil.example"},
    {"ui_locales": "en"}, {"login_hint": "camille"}, {"dpop_jkt": "x"}, {"max_age": "0"}, {"prompt": "consent"},
    {"nonce": None},
)  # fmt: skip


def _wrong_requests(asking: Asking) -> None:
    for changes in WRONG:
        asking.send("nobody", "GET", f"/oauth/authorize?{urlencode(asked(**changes))}")
        asking.send("nobody", "POST", "/oauth/authorize", urlencode(asked(**changes)), mime=FORM, note=str(changes))
    asking.send("nobody", "GET", f"/oauth/authorize?{urlencode(asked())}&client_id=espace")
    for language in ("fr", "en", "de"):
        asking.send("nobody", "GET", "/oauth/interaction/nothing", Accept_Language=language)
        asking.send(
            "nobody", "GET", f"/oauth/authorize?{urlencode(asked(client_id='nobody'))}", Accept_Language=language
        )


def _wrong_pushes(asking: Asking) -> None:
    for changes in WRONG:
        _form(asking, "/oauth/par", **asked(**changes))
    told = _form(asking, "/oauth/par", **asked())
    query = urlencode({"client_id": "espace", "request_uri": told.get("request_uri", "none")})
    asking.send("nobody", "GET", f"/oauth/authorize?{query}")
    asking.send("nobody", "GET", f"/oauth/authorize?{query}")
    asking.send("nobody", "POST", "/oauth/par", "{}", mime="application/json")


def _wrong_tokens(asking: Asking) -> None:
    code = {
        "grant_type": "authorization_code",
        "code": "x",
        "redirect_uri": CALLBACK,
        "client_id": "espace",
        "code_verifier": VERIFIER,
    }
    for changes in (
        {}, {"grant_type": "password"}, {"grant_type": ""}, {"client_id": "nobody"}, {"client_id": ""}, {"code": ""},
        {"code_verifier": "short"},
        {"client_secret": "x"}, {"client_assertion": "x", "client_assertion_type": ASSERTION}, {"redirect_uri": ""},
        {"scope": "x" * 5000},
        {"grant_type": "refresh_token"}, {"grant_type": "refresh_token", "refresh_token": "x"},
        {"grant_type": "client_credentials"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "x"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
    ):  # fmt: skip
        _token(asking, code | changes, str(changes)[:60])
    _token(asking, code, "a wrong proof", DPoP="x")
    _token(asking, code, "by Basic", Authorization="Basic eDp5")
    asking.send("nobody", "POST", "/oauth/token", "{}", mime="application/json")
    asking.send("nobody", "POST", "/oauth/token?client_id=espace", urlencode(code), mime=FORM)
    for path in (
        "/oauth/introspect",
        "/oauth/revoke",
        "/oauth/launch",
        "/oauth/par",
        "/oauth/userinfo",
        "/oauth/token",
    ):
        asking.later(hours=1)  # so that the throttle lets them through
        for who in ("nobody", "forged", "camille", "chu-a-ehr"):
            asking.send(who, "POST", path, "", mime=FORM)
            asking.send(who, "GET", path)
        asking.send("nobody", "OPTIONS", path, Origin="https://app.example")
    for header in ("Bearer", "Bearer  x", "Basic eDp5", "DPoP x", "nonsense", "Bearer x, Bearer y"):
        asking.send("nobody", "GET", f"/fhir/Patient/{asking.book['patients']['camille']}", Authorization=header)
    token = asking.book["tokens"]["camille"]
    asking.send("nobody", "GET", f"/fhir/Patient/{asking.book['patients']['camille']}?access_token={token}")
    asking.send("camille", "GET", f"/fhir/Patient/{asking.book['patients']['camille']}?access_token={token}")


def signed(asking: Asking, key: str, number: int, **claims: Any) -> str:
    """Sign a client assertion; a claim of None is left out."""
    now = int(CLOCK.at.timestamp())
    held = ECKey.import_key(asking.book["clients"][key]["jwk"])
    wanted = {
        "iss": key,
        "sub": key,
        "aud": f"{BASE}/oauth/token",
        "exp": now + 240,
        "jti": f"j-{key}-{number}",
    } | claims
    header = {"alg": "ES384", "kid": held.kid, "typ": "JWT"}
    return jwt.encode(
        header, {name: value for name, value in wanted.items() if value is not None}, held, algorithms=["ES384"]
    )


def _software(asking: Asking) -> None:
    number = 0
    for key in ("annuaire", "chu-a-ehr", "labo-lis"):
        asking.later(hours=1)
        for claims in (
            {}, {"aud": "https://evil.example"}, {"exp": 1}, {"exp": None}, {"jti": None}, {"jti": "same"},
            {"jti": "same"}, {"iss": "nobody"},
            {"sub": "espace"}, {"iat": 4102444800}, {"nbf": 4102444800}, {"exp": 4102444800},
        ):  # fmt: skip
            number += 1
            given = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION,
                     "client_assertion": signed(asking, key, number, **claims),
                     "scope": "system/DocumentReference.rs"}  # fmt: skip
            told = _token(asking, given, f"{key} {claims}")
        for scope in (
            None,
            "system/*.cruds",
            "patient/*.rs",
            "nonsense",
            "system/Patient.r system/Nothing.r",
            "openid",
        ):
            number += 1
            given = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION,
                "client_assertion": signed(asking, key, number),
            }
            told = _token(asking, given | ({"scope": scope} if scope else {}), f"{key} {scope}") or told
        asking.tokens["software"] = told.get("access_token", "none")
        asking.get("software", f"/DocumentReference?patient={asking.book['patients']['camille']}&_count=1")
        asking.later(hours=1)
        for path in ("/oauth/introspect", "/oauth/revoke", "/oauth/launch"):
            for token in (asking.book["tokens"]["paul"], asking.tokens["software"], "unheard"):
                number += 1
                proof = {"client_assertion_type": ASSERTION, "client_assertion": signed(asking, key, number)}
                given = {
                    "token": token,
                    "patient": asking.book["patients"]["camille"],
                    "user": "martin",
                    "client": "poste",
                }
                _form(asking, path, **(proof | given))


def _registration(asking: Asking) -> None:
    whole = {"client_name": "Nouvelle", "redirect_uris": ["https://nouvelle.example/cb"],
    "scope": "openid patient/DocumentReference.rs",
             "token_endpoint_auth_method": "none"}  # fmt: skip
    key = {"Authorization": f"Bearer {REGISTRATION}"}
    asking.send("nobody", "POST", "/oauth/register", whole, mime="application/json")
    asking.send("forged", "POST", "/oauth/register", whole, mime="application/json")
    made = asking.send("nobody", "POST", "/oauth/register", whole, mime="application/json", **key).get_json()
    for changes in (
        {"client_name": ""}, {"client_name": "MaTension"}, {"redirect_uris": []},
        {"redirect_uris": ["http://x.example/cb"]}, {"scope": "system/*.cruds"},
        {"scope": "nonsense"}, {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "x"}, {"jwks": {}},
        {"jwks_uri": "http://127.0.0.1/x"}, {"grant_types": ["implicit"]}, {"response_types": ["token"]},
        {"contacts": "x"}, {"unheard": 1},
        {"dpop_bound_access_tokens": True}, {"require_pushed_authorization_requests": "x"},
        {"token_endpoint_auth_method": "private_key_jwt"},
    ):  # fmt: skip
        asking.send(
            "nobody", "POST", "/oauth/register", whole | changes, mime="application/json", note=str(changes), **key
        )
    own = {"Authorization": f"Bearer {made.get('registration_access_token', 'none')}"}
    path = f"/oauth/register/{made.get('client_id', 'none')}"
    for method, body in (("GET", None), ("PUT", whole | {"client_id": made.get("client_id"), "client_name": "Autre"}),
    ("PUT", whole),
                         ("PUT", {}), ("DELETE", None), ("GET", None)):  # fmt: skip
        for given in ({}, key, own):
            asking.send("nobody", method, path, body, mime="application/json", **given)
