"""Passwords and second factors: who changes them, who is told, what ends (OWASP ASVS 5.0, 6.2, 6.4, 7.4, 7.5)."""

import json
from urllib.parse import urlsplit

import pytest

from consent_rules.visibility import Clause
from consent_rules.vocabulary import Mark
from fhir_server.application.identity import accounts, credentials
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import authenticate, find_account
from fhir_server.application.identity.passwords import Weakness, weakness
from fhir_server.domain.caller import Caller
from fhir_server.domain.search.criteria import Search
from fhir_server.oauth.login import factors
from tests.factories import Seen
from tests.oauth.conftest import PASSWORD, Person, csrf_of, query_of, redeem
from tests.oauth.steps import code_now, enrol, events_of, may_enrol, sign_in

NEW = "sept chats dorment sur le toit"


def signed_in(app, login: str = "camille") -> Person:
    person = Person(app, login)
    assert sign_in(person).status_code == 303
    return person


def with_factor(app, clock, login: str = "luc") -> Person:
    """Sign in somebody who has a second factor."""
    person = signed_in(app, login)
    page = person.get("/login/second-factor").text
    assert person.post("/login/second-factor", {"csrf": csrf_of(page), "code": code_now(clock)}).status_code == 303
    clock.advance(seconds=90)  # each code is good once
    return person


def is_in(person: Person) -> bool:
    return person.get("/account/apps").status_code == 200


def codes_of(runtime, compartment: str = "") -> list[str]:
    return [event["subtype"][-1]["code"] for event in events_of(runtime, compartment)]


def notices_of(runtime, patient: str, *, closed_by: Mark = Mark.NONE) -> list[str]:
    """Return the kinds of the notices in a space. closed_by: marks that hide some from whoever looks."""
    with runtime.ports.store.snapshot() as snapshot:
        page = snapshot.find(Search("Communication"), Seen(patient, (Clause(closed_by=closed_by),)))
    return [json.loads(row.body)["category"][0]["coding"][0]["code"] for row in page.rows]


# --- the first factor -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["camille", "martin"])
def test_a_password_alone_sets_up_no_second_factor(app, runtime, login):
    thief = signed_in(app, login)
    page = thief.get("/account/second-factor")
    assert "<code>" not in page.text
    assert page.headers["Location"].endswith("/account/enrolment?then=second-factor")
    csrf = csrf_of(thief.get("/account/sign-in").text)
    assert thief.post("/account/second-factor", {"csrf": csrf, "code": "123456"}).status_code == 403
    assert "data-options" not in thief.get("/account/passkeys").text
    assert thief.post("/account/passkeys", {"csrf": csrf, "credential": "{}"}).status_code == 403
    assert not find_account(runtime, login).totp


def test_the_code_that_was_handed_over_sets_up_one_factor_and_is_used_up(app, runtime, clock):
    person = signed_in(app)
    code = credentials.issue_code(runtime, find_account(runtime, "camille"))
    form = {"csrf": csrf_of(person.get("/account/enrolment").text), "code": code.lower().replace("-", " ")}
    assert person.post("/account/enrolment", form).status_code == 303
    secret = enrol(person, clock)
    assert find_account(runtime, "camille").totp == secret
    clock.advance(minutes=6)
    assert person.get("/account/second-factor").headers["Location"].endswith("/account/confirm?then=second-factor")
    assert person.post("/account/enrolment", form).status_code == 422


@pytest.mark.parametrize("case", ["of somebody else", "older than another", "eight days old", "nonsense", "used"])
def test_a_code_that_is_not_good_sets_up_nothing(app, runtime, clock, case):
    camille, marc = find_account(runtime, "camille"), find_account(runtime, "marc")
    code = credentials.issue_code(runtime, marc if case == "of somebody else" else camille)
    if case == "older than another":
        credentials.issue_code(runtime, camille)
    if case == "eight days old":
        clock.advance(days=8)
    if case == "used":
        assert credentials.redeem_code(runtime, camille, code)
    person = signed_in(app)
    page = person.get("/account/enrolment").text
    sent = "ABCD-" * 5 if case == "nonsense" else code
    assert person.post("/account/enrolment", {"csrf": csrf_of(page), "code": sent}).status_code == 422
    assert "<code>" not in person.get("/account/second-factor").text
    if case == "of somebody else":
        assert credentials.redeem_code(runtime, marc, code), "a stranger's attempt uses nothing up"


def test_codes_are_not_guessed(app):
    person = signed_in(app)
    csrf = csrf_of(person.get("/account/enrolment").text)
    answers = [person.post("/account/enrolment", {"csrf": csrf, "code": "x" * 20}).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_the_page_draws_the_key_without_asking_anybody(app, runtime):
    person = signed_in(app)
    may_enrol(person, runtime)
    answer = person.get("/account/second-factor")
    assert "<svg" in answer.text
    assert "img-src 'self'" in answer.headers["Content-Security-Policy"]


# --- a fresh factor for each change -----------------------------------------------------------------------------------


def test_a_change_needs_a_factor_of_the_last_minutes(app, runtime, clock):
    person = with_factor(app, clock)
    clock.advance(minutes=6)
    for place in ("second-factor", "password"):
        assert person.get(f"/account/{place}").headers["Location"].endswith(f"/account/confirm?then={place}")
    csrf = csrf_of(person.get("/account/sign-in").text)
    form = {"csrf": csrf, "password": PASSWORD, "new": NEW, "again": NEW}
    assert person.post("/account/password", form).headers["Location"].endswith("/account/confirm?then=password")
    assert authenticate(runtime, "luc", PASSWORD)
    wrong = person.post("/account/confirm?then=password", {"csrf": csrf, "code": "000000"})
    assert wrong.status_code == 422
    shown = person.post("/account/confirm?then=password", {"csrf": csrf, "code": code_now(clock)})
    assert shown.headers["Location"].endswith("/account/password")
    assert person.post("/account/password", form).headers["Location"].endswith("/account/sign-in")
    assert authenticate(runtime, "luc", NEW)
    assert authenticate(runtime, "luc", PASSWORD) is None


def test_the_page_to_confirm_leads_to_no_other_site(app, clock):
    person = with_factor(app, clock)
    csrf = csrf_of(person.get("/account/sign-in").text)
    sent = person.post("/account/confirm?then=//evil.example", {"csrf": csrf, "code": code_now(clock)})
    assert urlsplit(sent.headers["Location"]).path == "/account/second-factor"


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"password": "wrong"}, "present password"), ({"again": "other"}, "not the same"),
     ({"new": "short", "again": "short"}, "too short"),
     ({"new": "motdepasse123456", "again": "motdepasse123456"}, "well known"),
     ({"new": "Camille Laurent 1", "again": "Camille Laurent 1"}, "your name")],
)  # fmt: skip
def test_a_password_that_is_not_taken_is_explained(app, runtime, changes, said):
    person = signed_in(app)
    csrf = csrf_of(person.get("/account/password").text)
    form = {"csrf": csrf, "password": PASSWORD, "new": NEW, "again": NEW} | changes
    answer = person.web.post("/account/password?lang=en", data=form, base_url=person.base)
    assert answer.status_code == 422
    assert said in answer.text
    assert authenticate(runtime, "camille", PASSWORD)


# --- what ends --------------------------------------------------------------------------------------------------------


def change_password(person: Person, **more: str):
    csrf = csrf_of(person.get("/account/password").text)
    return person.post("/account/password", {"csrf": csrf, "password": PASSWORD, "new": NEW, "again": NEW, **more})


def test_a_changed_password_ends_every_other_session_and_keeps_this_one(app):
    owner, thief = signed_in(app), signed_in(app)
    assert change_password(owner).status_code == 303
    assert is_in(owner)
    assert not is_in(thief)


def test_a_changed_password_ends_what_other_sessions_let_in(app, runtime):
    """Access that lasts is ended where the person says so; what hangs on other sessions ends in any case."""
    tokens = {}
    for name, scope in {"short": "patient/DocumentReference.rs", "long": "offline_access patient/*.rs"}.items():
        code = query_of(Person(app).authorize(scope=f"openid {scope}"))["code"]
        tokens[name] = redeem(app.test_client(), code).get_json()["access_token"]
    owner = signed_in(app)
    assert change_password(owner).status_code == 303
    assert find_access(runtime, tokens["short"]) is None
    assert find_access(runtime, tokens["long"]) is not None
    csrf = csrf_of(owner.get("/account/password").text)
    form = {"csrf": csrf, "password": NEW, "new": NEW + " encore", "again": NEW + " encore", "apps": "end"}
    assert owner.post("/account/password", form).status_code == 303
    assert find_access(runtime, tokens["long"]) is None


BY_OPERATOR = {
    "a new password": lambda runtime, account: factors.give_password(runtime, Caller.of_operator("eve"), account, NEW),
    "factors forgotten": lambda runtime, account: factors.reset(runtime, Caller.of_operator("eve"), account),
    "stopped": lambda runtime, account: factors.disable(runtime, Caller.of_operator("eve"), account),
}


@pytest.mark.parametrize("act", BY_OPERATOR)
def test_what_the_operator_resets_ends_sessions_conversations_and_codes(app, runtime, clock, act):
    person = with_factor(app, clock)
    begun = Person(app, "luc", code=code_now(clock))
    where = urlsplit(begun.ask(client_id="pro", scope="openid user/DocumentReference.rs").headers["Location"]).path
    begun.answer(where, begun.get(where).text)  # the password is given
    half = signed_in(app, "luc")
    assert half.get("/login/second-factor").status_code == 200
    later = Person(app, "luc", code=code_now(clock))
    code = query_of(later.authorize(client_id="pro", scope="openid user/DocumentReference.rs"))["code"]
    BY_OPERATOR[act](runtime, find_account(runtime, "luc"))
    assert not is_in(person)
    assert redeem(app.test_client(), code, client_id="pro").get_json()["error"] == "invalid_grant"
    assert half.get("/login/second-factor").headers["Location"].endswith("/login")
    assert 'name="password"' in begun.get(where).text, "the conversation begins again"


def test_a_conversation_of_somebody_signed_in_ends_with_a_reset(app, runtime):
    person = Person(app)
    where = urlsplit(person.ask().headers["Location"]).path
    person.answer(where, person.get(where).text)
    page = person.get(where).text
    factors.give_password(runtime, Caller.of_operator("eve"), find_account(runtime, "camille"), NEW)
    assert "code" not in query_of(person.answer(where, page).headers.get("Location", ""))


def test_an_older_copy_of_an_account_brings_no_factor_back(runtime):
    """The owner's change and the operator's reset at the same time: what was read before the reset is not written."""
    stale = find_account(runtime, "luc")
    factors.reset(runtime, Caller.of_operator("eve"), stale)
    for write in (accounts.change_account, accounts.renew_account):
        with pytest.raises(accounts.StaleAccountError):
            write(runtime, stale)
    assert find_account(runtime, "luc").totp == ""


# --- who is told ------------------------------------------------------------------------------------------------------


def test_each_change_is_traced_and_told_in_the_space_of_its_owner_alone(app, runtime, clock):
    person = signed_in(app)
    may_enrol(person, runtime)
    enrol(person, clock)
    assert change_password(person).status_code == 303
    factors.reset(runtime, Caller.of_operator("eve"), find_account(runtime, "camille"))
    traced = codes_of(runtime, "camille")
    assert {"set-code-generator", "set-password", "reset-factors"} <= set(traced)
    assert sorted(notices_of(runtime, "camille")) == ["password-changed"] + ["second-factor-changed"] * 2
    assert notices_of(runtime, "camille", closed_by=Mark.INVISIBLE_REPRESENTANTS_LEGAUX) == []
    kept = str(events_of(runtime, "camille"))
    assert NEW not in kept
    assert find_account(runtime, "camille").display in kept


def test_a_professional_is_told_by_the_pages_until_they_say_that_they_know(app, runtime, clock):
    factors.give_password(runtime, Caller.of_operator("eve"), find_account(runtime, "luc"), PASSWORD)
    assert "set-password" in codes_of(runtime)
    person = with_factor(app, clock)
    for path in ("/account/apps", "/account/sign-in", "/account/passkeys"):
        assert "password changed (by the service)" in person.get(path, lang="en").text
    where = urlsplit(person.ask(client_id="pro", scope="openid user/DocumentReference.rs").headers["Location"]).path
    assert "password changed (by the service)" in person.get(where, lang="en").text
    csrf = csrf_of(person.get("/account/sign-in").text)
    assert person.post("/account/sign-in/seen", {"csrf": csrf}).status_code == 303
    assert "password changed" not in person.get("/account/apps", lang="en").text
    assert "password changed" in person.get("/account/sign-in", lang="en").text


def test_the_way_in_of_somebody_is_told_to_nobody_else(app, runtime):
    factors.give_password(runtime, Caller.of_operator("eve"), find_account(runtime, "luc"), PASSWORD)
    assert "password changed" not in signed_in(app, "marc").get("/account/apps", lang="en").text


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/password", "/account/enrolment", "/account/confirm"])
def test_strangers_and_forged_forms_change_nothing(app, path):
    stranger, person = Person(app), signed_in(app)
    assert stranger.get(path).headers["Location"].endswith("/login")
    if path != "/account/sign-in":
        form = {"csrf": "x", "password": PASSWORD, "new": NEW, "again": NEW}
        assert [who.post(path, form).status_code for who in (stranger, person)] == [400, 400]


# --- the policy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("a", Weakness.SHORT), ("fourteen chars", Weakness.SHORT), ("é" * 257, Weakness.LONG),
        ("motdepasse12345", Weakness.COMMON), ("P@ssw0rdP@ssw0rd", Weakness.COMMON),
        ("Sunshine!!!!!!!!", Weakness.COMMON), ("123456789012345", Weakness.COMMON),
        ("azertyuiopqsdfghjklm", Weakness.COMMON), ("abcabcabcabcabc", Weakness.COMMON),
        ("habilishabilis1", Weakness.OWN), ("Camille-Laurent-85", Weakness.OWN), ("c4mille l4urent 85", Weakness.OWN),
        (NEW, None), (PASSWORD, None), ("クロネコは屋根で静かに寝ています", None), ("tyui890vbnzxq12z", None),
    ],
)  # fmt: skip
def test_a_password_is_long_and_neither_known_nor_one_s_own_name(password, found):
    assert weakness(password, ("camille", "Camille Laurent")) is found


def test_a_password_is_the_same_however_its_accents_are_typed(runtime):
    composed, decomposed = "r\u00e9veil du matin clair", "re\u0301veil du matin clair"
    factors.give_password(runtime, Caller.of_operator("eve"), find_account(runtime, "camille"), composed)
    assert authenticate(runtime, "camille", decomposed)
