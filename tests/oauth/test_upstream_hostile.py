"""Providers that lie, browsers that are not the ones that left: nobody is signed in, and nothing breaks."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.oauth.conftest import serve
from tests.oauth.upstream import (
    EC_KEY,
    KEY,
    STRANGE,
    Visitor,
    exercise,
    helene,
    professional,
    provider_of,
    signed_by,
    unsigned,
)


@pytest.fixture
def app(runtime, options, fake):
    helene(runtime)
    return serve(runtime, replace(options, providers=(provider_of(fake.issuer),)))


def as_secret(public: bytes):
    """Sign with the public key's own bytes as if they were a shared secret."""
    return lambda header, claims: jwt.encode(header | {"alg": "HS256"}, claims, OctKey.import_key(public))


def deep(depth: int = 20_000) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


NOBODY_IS_IN = {"refused": True, "explained": True, "session": False, "signed in": False}
"""The page says that it is the provider's fault, not ours: no server error."""


def there_and_back(app, fake):
    """Go to the provider and come back; return what came of it."""
    visitor = Visitor(app, fake)
    answer = visitor.come_back(visitor.leave())
    return {
        "refused": answer.status_code in {400, 403},
        "explained": 'role="alert"' in answer.text,
        "session": any("session" in cookie for cookie in answer.headers.getlist("Set-Cookie")),
        "signed in": visitor.is_in(),
    }


def test_an_honest_provider_signs_in(app, fake):
    visitor = Visitor(app, fake)
    assert visitor.come_back(visitor.leave()).status_code == 303
    assert visitor.is_in()


_CLAIMS = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody"},
    "an audience of others": {"aud": ["somebody", "else"]},
    "a second audience without azp": {"aud": ["habilis", "evil"]},
    "another authorized party": {"azp": "evil"},
    "another audience, authorized for us": {"aud": "somebody", "azp": "habilis"},
    "no audience": {"aud": None},
    "another nonce": {"nonce": "n"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "no expiry": {"exp": None},
    "expiry in words": {"exp": "tomorrow"},
    "from the future": {"iat": 99_999_999_999},
    "not yet valid": {"nbf": 99_999_999_999},
    "no time of issue": {"iat": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 5},
    "a subject without end": {"sub": "x" * 5000},
    "a level that is unknown": {"acr": "gold"},
    "no level": {"acr": None},
    "a level that is an object": {"acr": {"a": 1}},
    "a login in the future": {"auth_time": 99_999_999_999},
    "a login beyond all time": {"auth_time": 1e300},
    "a login in words": {"auth_time": "now"},
    "means that are no list": {"amr": "sc"},
    "another access token": {"at_hash": "x" * 22},
}


@pytest.mark.parametrize("case", _CLAIMS)
def test_a_wrong_claim_signs_nobody_in(app, fake, case):
    fake.claims = _CLAIMS[case]
    assert there_and_back(app, fake) == NOBODY_IS_IN


_SIGNATURES = {
    "none": unsigned,
    "a shared secret": signed_by(OctKey.import_key("upstream+secret/of=tests"), "HS256"),
    "the public key as a secret": as_secret(KEY.as_pem(private=False)),
    "a strange key under a known name": signed_by(STRANGE, "RS256"),
    "a key of another kind": signed_by(EC_KEY, "ES256"),
    "no JWT at all": lambda *_: "not.a.jwt",
    "a cut signature": lambda h, c: signed_by(KEY, "RS256")(h, c)[:-9],
    "nothing": lambda *_: "",
}


@pytest.mark.parametrize("case", _SIGNATURES)
def test_a_wrong_signature_signs_nobody_in(app, fake, case):
    fake.sign = _SIGNATURES[case]
    assert there_and_back(app, fake) == NOBODY_IS_IN


@pytest.mark.parametrize(
    "header", [{"kid": "unknown"}, {"kid": 5}, {"kid": None}, {"crit": ["x"], "x": 1}, {"b64": False, "crit": ["b64"]}]
)
def test_a_wrong_header_signs_nobody_in(app, fake, header):
    def sign(found, claims):
        token = signed_by(KEY, "RS256")({"kid": "up-1"}, claims)
        head = json.dumps({"alg": "RS256"} | found).encode()
        return urlsafe_b64encode(head).decode().rstrip("=") + "." + token.split(".", 1)[1]

    fake.header, fake.sign = header, sign
    assert there_and_back(app, fake) == NOBODY_IS_IN


_PEOPLE = {
    "no number": professional(""),
    "a number that is no RPPS": professional("012345678901"),
    "a number with a tail": professional("899700000111/x"),
    "a number of nobody here": professional("899700000999"),
    "two numbers": professional() | {"preferred_username": "899700000999"},
    "a number in an object": professional() | {"SubjectNameID": {"$gt": ""}, "preferred_username": None},
    "no practice": professional() | {"SubjectRefPro": None},
    "practices that are none": professional() | {"SubjectRefPro": {"exercices": ["x", 5, None]}},
    "another profession": professional("899700000111", exercise("70", "")),
    "somebody else than the id_token": professional() | {"sub": "f:psc:2"},
    "nobody": professional() | {"sub": None},
}


@pytest.mark.parametrize("case", _PEOPLE)
def test_a_person_who_is_no_professional_here_is_not_signed_in(app, fake, case):
    fake.person = _PEOPLE[case]
    assert there_and_back(app, fake) == NOBODY_IS_IN


_RAW = {
    "an error of the token endpoint": ("/token", 400, "application/json", b'{"error":"invalid_grant"}'),
    "an error with strange signs": ("/token", 400, "application/json", b'{"error":"\\"\\u00e9"}'),
    "a crash of the token endpoint": ("/token", 500, "text/html", b"<p>oops"),
    "tokens that are a list": ("/token", 200, "application/json", b"[]"),
    "tokens without end": ("/token", 200, "application/json", b" " * 70_000),
    "tokens in a deep nest": ("/token", 200, "application/json", deep()),
    "no userinfo": ("/me", 401, "application/json", b"{}"),
    "userinfo that is a list": ("/me", 200, "application/json", b"[1]"),
    "userinfo that is no JSON": ("/me", 200, "application/json", b"\xff\xfe"),
    "userinfo in a deep nest": ("/me", 200, "application/json", deep(5000)),
    "userinfo signed by nobody": ("/me", 200, "application/jwt", b"a.b.c"),
    "a redirect instead of userinfo": ("/me", 302, "application/json", b"{}"),
    "no keys": ("/jwks", 200, "application/json", b"{}"),
    "keys that are none": ("/jwks", 200, "application/json", b'{"keys":[5,"x",{"kty":"RSA"}]}'),
    "keys that cannot be had": ("/jwks", 503, "text/html", b""),
}


@pytest.mark.parametrize("case", _RAW)
def test_a_broken_answer_signs_nobody_in(app, fake, case):
    path, *answer = _RAW[case]
    fake.raw[path] = tuple(answer)
    assert there_and_back(app, fake) == NOBODY_IS_IN


@pytest.mark.parametrize(
    "tokens",
    [{"access_token": None}, {"access_token": "é"}, {"access_token": "a\r\nb"}, {"token_type": "mac"},
     {"token_type": None}, {"id_token": None}, {"id_token": 5}, {"id_token": {"a": 1}}],
    ids=str,
)  # fmt: skip
def test_tokens_that_are_none_sign_nobody_in(app, fake, tokens):
    fake.tokens = tokens
    assert there_and_back(app, fake) == NOBODY_IS_IN


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"issuer": None}, {"token_endpoint": "file:///etc/passwd"},
     {"token_endpoint": None}, {"authorization_endpoint": "javascript:alert(1)"}, {"jwks_uri": "http://[::1"},
     {"userinfo_endpoint": "http://u@127.0.0.1/"}, {"jwks_uri": ["a"]}],
    ids=str,
)  # fmt: skip
def test_a_document_that_does_not_fit_sends_nobody_away(app, fake, metadata):
    fake.metadata = metadata
    visitor = Visitor(app, fake)
    visitor.get("/login")
    answer = visitor.get("/login/with/psc")
    assert (answer.status_code, visitor.is_in()) == (400, False)


@pytest.mark.parametrize("endpoint", ["token_endpoint", "userinfo_endpoint", "jwks_uri"])
@pytest.mark.parametrize("where", ["http://10.0.0.1/", "http://169.254.169.254/latest", "https://example.org/"])
def test_a_provider_on_this_machine_leads_nowhere_else(app, fake, endpoint, where):
    fake.metadata = {endpoint: where}
    assert there_and_back(app, fake) == NOBODY_IS_IN


_RETURNS = {
    "no state": {"state": None},
    "an unknown state": {"state": "s" * 43},
    "a state without end": {"state": "s" * 5000},
    "a state of no alphabet": {"state": "é\x00"},
    "no code": {"code": None},
    "an error": {"code": None, "error": "access_denied", "error_description": "<script>alert(1)</script>"},
    "an error beside a code": {"error": "server_error"},
    "mixed up with another provider": {"iss": "https://evil.example"},
    "no word of whose it is": {"iss": None},
}


@pytest.mark.parametrize("case", _RETURNS)
def test_a_wrong_return_signs_nobody_in(app, fake, case):
    visitor = Visitor(app, fake)
    answer = visitor.come_back(visitor.leave(), **_RETURNS[case])
    assert (answer.status_code, visitor.is_in()) == (400, False)
    assert "<script>" not in answer.text
    assert not [path for path, *_ in fake.received if path == "/token"]


def test_a_repeated_parameter_signs_nobody_in(app, fake):
    visitor = Visitor(app, fake)
    asked = visitor.leave()
    assert visitor.come_back(asked, code=["a", "b"]).status_code == 400
    assert not visitor.is_in()


def test_a_state_is_good_once(app, fake):
    visitor = Visitor(app, fake)
    asked = visitor.leave()
    visitor.come_back(asked)
    other = Visitor(app, fake)
    other.web = visitor.web
    assert other.come_back(asked).status_code == 400


def test_a_state_is_good_in_the_browser_that_left_and_stays_good_there(app, fake):
    visitor, thief = Visitor(app, fake), Visitor(app, fake)
    asked = visitor.leave()
    thief.get("/login")
    assert thief.come_back(asked).status_code == 400
    assert not thief.is_in()
    assert visitor.come_back(asked).status_code == 303


def test_a_browser_that_never_left_is_not_signed_in_by_somebody_s_answer(app, fake):
    """Login forced upon a victim: the attacker's own answer in the victim's browser."""
    attacker, victim = Visitor(app, fake), Visitor(app, fake)
    asked = attacker.leave()
    victim.leave()
    assert victim.come_back(asked).status_code == 400
    assert not victim.is_in()


@pytest.mark.usefixtures("app")
def test_an_answer_of_one_provider_is_no_good_at_another_s_address(fake, runtime, options):
    both = replace(options, providers=(provider_of(fake.issuer), provider_of(fake.issuer, "franceconnect")))
    visitor = Visitor(serve(runtime, both), fake)
    asked = visitor.leave()
    visitor.id = "franceconnect"
    assert visitor.come_back(asked).status_code == 400
    assert not visitor.is_in()


def test_a_state_expires(app, fake, clock):
    visitor = Visitor(app, fake)
    asked = visitor.leave()
    clock.advance(minutes=11)
    assert visitor.come_back(asked).status_code == 400
    assert not visitor.is_in()


def test_a_conversation_that_ended_meanwhile_signs_nobody_in(app, fake, runtime):
    visitor = Visitor(app, fake)
    where = visitor.begin()
    asked = visitor.leave(where)
    runtime.ports.vault.drop("interaction", where.rpartition("/")[2])
    assert visitor.come_back(asked).status_code == 400
    assert not visitor.is_in()


def test_a_conversation_of_another_browser_sends_nobody_away(app, fake):
    visitor, thief = Visitor(app, fake), Visitor(app, fake)
    where = visitor.begin()
    thief.get("/login")
    assert thief.get("/login/with/psc", interaction=where.rpartition("/")[2]).status_code == 400


@pytest.mark.parametrize("path", ["/login/with/nobody", "/login/with/nobody/callback", "/login/link"])
def test_what_is_not_configured_is_not_there(app, fake, path):
    visitor = Visitor(app, fake)
    visitor.get("/login")
    assert visitor.get(path).status_code == 400


def test_a_login_that_must_be_fresh_is_not_an_old_one(app, fake):
    visitor = Visitor(app, fake)
    asked = visitor.leave(visitor.begin(prompt="login"))
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    fake.claims = {"auth_time": fake.now() - 600}
    assert visitor.come_back(asked).status_code == 400
    fake.claims = {"auth_time": None}
    assert visitor.come_back(visitor.leave(visitor.begin(max_age="60"))).status_code == 400
    assert not visitor.is_in()


def test_a_level_that_was_asked_for_is_reached(app, fake):
    visitor = Visitor(app, fake)
    fake.claims = {"acr": "eidas1"}
    asked = visitor.leave(visitor.begin(acr_values="eidas2"))
    assert asked["acr_values"] == "eidas2"
    assert visitor.come_back(asked).status_code == 400
    assert not visitor.is_in()


_TEXTS = ("", "\x00", "é", "\ud800", "%", "'\"<>", "a" * 9000, "../..", "{}", "\r\nSet-Cookie: a=b")


@pytest.mark.parametrize("text", _TEXTS, ids=lambda text: ascii(text[:9]))
def test_44_hostile_input_to_the_pages_of_signing_in_gives_no_server_error(app, fake, text):
    visitor = Visitor(app, fake, "franceconnect")
    visitor.get("/login")
    sent = text.encode("utf-8", "surrogatepass")
    names = ("state", "code", "iss", "error", "interaction", "lang")
    for path in ("/login/with/psc", "/login/with/psc/callback", "/login/link", "/login", "/login/second-factor"):
        for name in names:
            assert visitor.get(f"{path}", **{name: sent}).status_code < 500
    for path in ("/login/link", "/login", "/login/second-factor", "/account/passkeys", "/account/passkeys/x/remove",
                 "/account/second-factor", "/logout"):  # fmt: skip
        form = dict.fromkeys(("csrf", "code", "credential", "login", "password", "name"), sent)
        assert visitor.post(path, form).status_code < 500
    assert visitor.web.get("/login/with/psc/callback?state=%ff&state=%00", base_url=visitor.base).status_code == 400
    for cookie in (text[:2000], "x"):
        visitor.web.set_cookie(
            "__Host-browser", cookie.encode("ascii", "ignore").decode(), domain="habilis.example", secure=True
        )
        assert visitor.get("/login/with/psc").status_code < 500
    assert not visitor.is_in()
