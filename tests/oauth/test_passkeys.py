"""Passkeys as second factor: an authenticator in software over HTTP, and one in a browser."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from html import unescape
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from fhir_server.adapters.system import SystemClock
from fhir_server.app import create_app
from fhir_server.application.identity import credentials
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import find_account
from fhir_server.oauth.login import passkeys
from tests.factories import runtime_on, settings_in
from tests.live import free_port, serving
from tests.oauth.conftest import BASE, PASSWORD, Person, csrf_of, query_of, redeem, serve
from tests.oauth.steps import may_enrol, sign_in
from tests.oauth.upstream import Visitor, helene, provider_of
from tests.pages.browsing import follow, is_there

HOST = "habilis.example"
PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """A security key in software; its fields are what a hostile one would lie about."""

    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    id: bytes = b"credential-1"
    count: int = 1
    origin: str = BASE
    host: str = HOST
    flags: int = PRESENT | VERIFIED

    def data(self, attested: bytes = b"") -> bytes:
        flags = self.flags | (ATTESTED if attested else 0)
        return sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4) + attested

    def client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def make(self, options: dict) -> dict:
        """Answer navigator.credentials.create()."""
        numbers = self.key.public_key().public_numbers()
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + cose
        sealed = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self.data(attested)})
        client = self.client("webauthn.create", options["challenge"])
        return self._shaped({"clientDataJSON": b64(client), "attestationObject": b64(sealed)})

    def use(self, options: dict, kind: str = "webauthn.get") -> dict:
        """Answer navigator.credentials.get()."""
        self.count += 1
        client, data = self.client(kind, options["challenge"]), self.data()
        signed = self.key.sign(data + sha256(client).digest(), ECDSA(SHA256()))
        return self._shaped({
            "clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signed),
        })  # fmt: skip

    def _shaped(self, response: dict[str, str]) -> dict:
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response,
                "clientExtensionResults": {}}  # fmt: skip


def options_of(page: str) -> dict:
    return json.loads(unescape(re.search(r'data-options="([^"]+)"', page)[1]))


def is_in(person: Person) -> bool:
    return person.get("/account/apps").status_code == 200


def add(person: Person, key: Authenticator, **changes: object):
    page = person.get("/account/passkeys").text
    made = key.make(options_of(page)) | changes
    return person.post(
        "/account/passkeys", {"csrf": csrf_of(page), "name": "Clé bleue", "credential": json.dumps(made)}
    )


@pytest.fixture
def key(app, runtime) -> Authenticator:
    """Give Camille a passkey."""
    owner, made = Person(app), Authenticator()
    sign_in(owner)
    may_enrol(owner, runtime)
    assert add(owner, made).status_code == 303
    return made


@pytest.fixture
def half(app, key) -> Person:  # noqa: ARG001 - the passkey must be there
    """Bring Camille to the second factor."""
    person = Person(app)
    assert sign_in(person).headers["Location"].endswith("/login/second-factor")
    return person


def prove(person: Person, credential: object):
    page = person.get("/login/second-factor").text
    sent = credential(options_of(page)) if callable(credential) else credential
    sent = sent if isinstance(sent, str) else json.dumps(sent)
    return person.post("/login/second-factor", {"csrf": csrf_of(page), "credential": sent})


def test_a_passkey_is_added_asked_for_used_and_removed(app, runtime, half, key):
    assert not is_in(half)
    assert prove(half, key.use).headers["Location"].endswith("/account/start")
    page = half.get("/account/passkeys", lang="en").text
    assert "Clé bleue" in page
    assert "Last used" in page
    half.post(f"/account/passkeys/{b64(key.id)}/remove", {"csrf": csrf_of(page)})
    assert passkeys.of(runtime, find_account(runtime, "camille")) == ()
    assert sign_in(Person(app)).headers["Location"].endswith("/account/start")


def test_an_app_that_asks_for_two_factors_gets_them(app, runtime, key):
    person = Person(app)
    where = person.ask(acr_values="eidas2").headers["Location"].removeprefix(BASE)
    page = person.get(where).text
    person.post(where, {"csrf": csrf_of(page), "step": "login", "login": "camille", "password": PASSWORD})
    page = person.get(where).text
    assert "<script" in page
    sent = {"csrf": csrf_of(page), "step": "second-factor", "credential": json.dumps(key.use(options_of(page)))}
    code = query_of(person.walk(person.post(where, sent)))["code"]
    proof = find_access(runtime, redeem(app.test_client(), code).get_json()["access_token"]).grant.proof
    assert (proof.acr, proof.amr) == ("eidas2", ("pwd", "pop"))


def test_only_the_pages_with_passkeys_may_run_a_script_and_only_ours(app, half):
    answer = half.get("/login/second-factor")
    assert answer.headers["Content-Security-Policy"].endswith("script-src 'self'")
    assert re.findall(r"<script[^>]*>", answer.text) == ['<script src="/assets/passkey.js" defer>']
    assert "script-src" not in half.get("/login").headers["Content-Security-Policy"]
    assert "<script" not in half.get("/login").text
    owner = Person(app, "marc")
    sign_in(owner)
    assert "script-src 'self'" in owner.get("/account/passkeys").headers["Content-Security-Policy"]
    assert "script-src" not in owner.get("/account/apps").headers["Content-Security-Policy"]


def twice(key: Authenticator):
    """Answer an older challenge."""
    return lambda options: key.use(options | {"challenge": b64(b"x" * 43)})


def changed(known: Authenticator, **changes: object):
    """Lie about something when the key is used."""
    return lambda options: replace(known, **changes).use(options)


def with_part(key: Authenticator, name: str, value: object):
    """Change one part of the answer afterwards."""

    def answer(options: dict) -> dict:
        found = key.use(options)
        found["response"][name] = value
        return found

    return answer


_LIES = {
    "another origin": lambda key: changed(key, origin="https://evil.example"),
    "plain http": lambda key: changed(key, origin="http://habilis.example"),
    "another host": lambda key: changed(key, host="evil.example"),
    "another key": lambda key: changed(key, key=generate_private_key(SECP256R1())),
    "nobody present": lambda key: changed(key, flags=0),
    "a counter that does not grow": lambda key: changed(key, count=key.count - 1),
    "an unknown passkey": lambda key: changed(key, id=b"somebody"),
    "an older challenge": twice,
    "an answer to another question": lambda key: lambda options: key.use(options, "webauthn.create"),
    "no signature": lambda key: with_part(key, "signature", ""),
    "a signature in an object": lambda key: with_part(key, "signature", {"a": 1}),
    "cut data": lambda key: with_part(key, "authenticatorData", b64(b"x" * 5)),
    "client data that are none": lambda key: with_part(key, "clientDataJSON", b64(b"[]")),
    "a making instead of a using": lambda key: key.make,
    "nothing": lambda _: {},
    "a list": lambda _: [],
    "a number": lambda _: "5",
    "no JSON": lambda _: "{",
    "a deep nest": lambda _: '{"a":' * 3000 + "1" + "}" * 3000,
    "no end": lambda _: '{"id":"' + "x" * 20_000 + '"}',
    "an id in an object": lambda _: {"id": {"$gt": ""}},
    "strange signs": lambda _: '{"id":"\\ud800"}',
}


@pytest.mark.parametrize("lie", _LIES)
def test_a_lie_signs_nobody_in(half, key, lie):
    answer = prove(half, _LIES[lie](key))
    assert answer.status_code == 422
    assert not is_in(half)


def test_an_answer_is_good_once_and_for_its_own_challenge(app, half, key):
    page = half.get("/login/second-factor").text
    answer = json.dumps(key.use(options_of(page)))
    form = {"csrf": csrf_of(page), "credential": answer}
    assert half.post("/login/second-factor", form).status_code == 303
    other = Person(app)
    sign_in(other)
    assert prove(other, answer).status_code == 422


def test_a_copy_that_lags_behind_the_key_is_refused(app, half, key):
    """The counter that is kept is that of the last use, not that of the making."""
    assert prove(half, replace(key, count=20).use).status_code == 303
    other = Person(app)
    sign_in(other)
    assert prove(other, replace(key, count=10).use).status_code == 422


def test_an_answer_of_a_key_that_does_not_count_is_good_once_too(app, runtime):
    """Keys that are kept in step among devices always say zero."""
    synced, owner = Authenticator(count=0), Person(app)
    sign_in(owner)
    may_enrol(owner, runtime)
    assert add(owner, synced).status_code == 303
    person = Person(app)
    sign_in(person)
    page = person.get("/login/second-factor").text
    form = {"csrf": csrf_of(page), "credential": json.dumps(replace(synced, count=-1).use(options_of(page)))}
    assert person.post("/login/second-factor", form).status_code == 303
    page = person.get("/login").text
    person.post("/login", {"csrf": csrf_of(page), "login": "camille", "password": PASSWORD})
    assert person.post("/login/second-factor", form).status_code == 422


def test_a_challenge_expires(half, key, clock):
    page = half.get("/login/second-factor").text
    answer = json.dumps(key.use(options_of(page)))
    clock.advance(minutes=6)
    assert half.post("/login/second-factor", {"csrf": csrf_of(page), "credential": answer}).status_code == 422


def test_a_passkey_of_somebody_else_is_none(app, runtime, half, key):
    marc, his = Person(app, "marc"), Authenticator(id=b"credential-of-marc")
    sign_in(marc)
    may_enrol(marc, runtime)
    assert add(marc, his).status_code == 303
    assert prove(half, his.use).status_code == 422
    again = Person(app, "marc")
    sign_in(again)
    prove(again, his.use)
    page = again.get("/account/passkeys").text
    assert again.post(f"/account/passkeys/{b64(key.id)}/remove", {"csrf": csrf_of(page)}).status_code == 303
    assert len(passkeys.of(runtime, find_account(runtime, "camille"))) == 1


def test_passkeys_are_not_guessed(half, key):
    assert [prove(half, {}).status_code for _ in range(11)] == [422] * 10 + [429]
    page = half.get("/login/second-factor").text
    sent = {"csrf": csrf_of(page), "credential": json.dumps(key.use(options_of(page)))}
    assert half.post("/login/second-factor", sent).status_code == 303  # a key proves itself, whatever was guessed


def test_a_code_is_no_way_round_for_who_has_a_passkey_only(half):
    """An account without a secret has no codes: that of the empty secret is none."""
    page = half.get("/login/second-factor").text
    assert 'name="code"' not in page
    for code in ("000000", "", "755224", "328482", "812658"):
        answer = half.post("/login/second-factor", {"csrf": csrf_of(page), "code": code})
        assert answer.status_code == 422


def test_the_code_of_the_empty_secret_is_none(runtime, clock):
    from fhir_server.oauth.login import totp  # noqa: PLC0415

    account = find_account(runtime, "camille")
    assert not totp.is_right(runtime, account, totp.code_at("", int(clock.now().timestamp())))


@pytest.mark.parametrize(
    "changes",
    [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"flags": 0}, {"flags": VERIFIED}],
    ids=str,
)
def test_a_passkey_that_lies_is_not_added(app, runtime, changes):
    owner = Person(app)
    sign_in(owner)
    may_enrol(owner, runtime)
    assert add(owner, Authenticator(**changes)).status_code == 422
    assert passkeys.of(runtime, find_account(runtime, "camille")) == ()


@pytest.mark.parametrize("sent", ["", "{}", "[]", "5", "{", '{"a":' * 3000, "x" * 20_000, '{"id":5,"response":{}}'])
def test_what_is_no_passkey_is_not_added(app, runtime, sent):
    owner = Person(app)
    sign_in(owner)
    may_enrol(owner, runtime)
    page = owner.get("/account/passkeys").text
    assert owner.post("/account/passkeys", {"csrf": csrf_of(page), "credential": sent}).status_code == 422


def test_a_passkey_of_somebody_is_not_added_to_somebody_else(app, runtime, key):
    marc = Person(app, "marc")
    sign_in(marc)
    may_enrol(marc, runtime)
    assert add(marc, key).status_code == 422


def test_an_account_has_ten_passkeys_at_most(app, runtime):
    owner = Person(app, "marc")
    sign_in(owner)
    may_enrol(owner, runtime)
    assert add(owner, Authenticator(id=b"number 0")).status_code == 303
    first = find_account(runtime, "marc")
    for number in range(1, passkeys.LIMIT + 1):
        place = f"place {number}"
        options = json.loads(passkeys.creation_options(runtime, first, place))
        made = json.dumps(Authenticator(id=f"number {number}".encode()).make(options))
        found = passkeys.made(runtime, first, place, made, "x")
        assert (found is not None) is (number < passkeys.LIMIT)
        assert found is None or passkeys.keep(runtime, first, found)


def test_whoever_has_a_second_factor_must_show_it_to_change_factors(half, key, clock):
    """A session in which it was shown six minutes ago changes nothing any more, until it is shown again."""
    assert prove(half, key.use).status_code == 303
    page = half.get("/account/passkeys").text
    clock.advance(minutes=6)
    more = json.dumps(Authenticator(id=b"more").make(options_of(page)))
    assert half.get("/account/second-factor").headers["Location"].endswith("/account/confirm?then=second-factor")
    assert half.post("/account/passkeys", {"csrf": csrf_of(page), "credential": more}).status_code == 403
    assert half.post(f"/account/passkeys/{b64(key.id)}/remove", {"csrf": csrf_of(page)}).status_code == 403
    assert half.post("/account/second-factor", {"csrf": csrf_of(page), "code": "1"}).status_code == 403
    page = half.get("/account/confirm").text
    shown = {"csrf": csrf_of(page), "credential": json.dumps(key.use(options_of(page)))}
    assert half.post("/account/confirm?then=passkeys", shown).headers["Location"].endswith("/account/passkeys")
    assert add(half, Authenticator(id=b"more")).status_code == 303


def test_strangers_see_and_change_nothing(app):
    stranger = Person(app)
    assert stranger.get("/account/passkeys").headers["Location"].endswith("/login")
    assert stranger.post("/account/passkeys", {"csrf": "x", "credential": "{}"}).status_code == 400
    assert stranger.post("/account/passkeys/x/remove", {"csrf": "x"}).status_code == 400


def test_a_factor_set_up_after_a_sign_in_upstream_leaves_the_account_whole(runtime, options, fake, clock):
    """The session shows the confirmed situations only; the account keeps them all."""
    from fhir_server.application.identity.accounts import PractitionerRoleRef, change_account  # noqa: PLC0415
    from fhir_server.oauth.login import totp  # noqa: PLC0415

    account = helene(runtime)
    other = PractitionerRoleRef("PractitionerRole/other", "Organization/x", "X", "70")
    change_account(runtime, replace(account, practices=(*account.practices, other)))
    visitor = Visitor(serve(runtime, replace(options, providers=(provider_of(fake.issuer),))), fake)
    visitor.come_back(visitor.leave())
    visitor.login = "helene"
    may_enrol(visitor, runtime)
    page = visitor.get("/account/second-factor").text
    secret = re.search(r"<code>([A-Z2-7]+)</code>", page)[1]
    code = totp.code_at(secret, int(clock.now().timestamp()))
    assert visitor.post("/account/second-factor", {"csrf": csrf_of(page), "code": code}).status_code == 303
    assert len(find_account(runtime, "helene").practices) == 3
    assert find_account(runtime, "helene").totp == secret


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def site(ports, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Serve the whole application on a port, by its name: passkeys are bound to names, not to addresses."""
    ports = replace(ports, clock=SystemClock())
    base = f"http://localhost:{free_port()}"
    runtime = runtime_on(ports, base)
    settings = settings_in(tmp_path, base)
    app = create_app(settings, runtime)
    code = credentials.issue_code(runtime, find_account(runtime, "camille"))
    with serving(app, base):
        yield base, code


def add_there(page, passkeys_page: str, code: str) -> None:
    """Type the code that was handed over, and make a passkey."""
    page.goto(passkeys_page)
    follow(page.locator("text=Change them").first)
    page.fill("#code", code)
    follow(page.locator("text=Continue").first)
    made, refused = page.locator("h2:has-text('This laptop')"), page.get_by_text("Try again")
    for _ in range(3):  # a browser may refuse, as when its window has lost the focus; a person then tries again
        page.bring_to_front()
        page.fill("#name", "This laptop")
        page.click("text=Add a passkey")
        made.or_(refused).first.wait_for()
        if is_there(made):
            return
    raise AssertionError("the browser made no passkey")


@pytest.mark.browser
@pytest.mark.live
def test_in_a_browser_a_passkey_is_made_and_used(site, chromium):
    site, code = site
    page = chromium.new_context(locale="en-GB").new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    authenticator = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }})["authenticatorId"]  # fmt: skip

    def sign_in_there() -> None:
        page.goto(f"{site}/login")
        page.fill("#login", "camille")
        page.fill("#password", PASSWORD)
        follow(page.locator("button:has-text('Sign in')").first)

    sign_in_there()
    add_there(page, f"{site}/account/passkeys", code)
    made = devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [item["rpId"] for item in made] == ["localhost"]
    page.goto(f"{site}/account/apps")
    follow(page.locator("text=Sign out").first)
    sign_in_there()
    page.wait_for_url("**/login/second-factor")
    page.click("text=Use a passkey")
    page.wait_for_url("**/account/**")
    used = devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert used[0]["signCount"] > made[0]["signCount"]
    assert refused == []
    page.context.close()
