"""The page of mails: an address is used once it is confirmed, and only its owner learns and changes what it says."""

import re
from dataclasses import replace

import pytest

from consent_rules.visibility import Clause
from consent_rules.vocabulary import DirectiveKind, Mark
from fhir_server.adapters.mail import SmtpMailer
from fhir_server.application.core import access_notices
from fhir_server.application.identity.accounts import find_account
from fhir_server.application.notices import addresses, choices, mails
from fhir_server.application.notices.choices import Timing
from fhir_server.domain import record_codec
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named, Notice
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.store import Change, SpaceWrite, Write
from tests.factories import Seen, a_trace, an_id
from tests.mail import Post, serving, work
from tests.oauth.conftest import BASE, PASSWORD, Person, csrf_of
from tests.oauth.steps import code_now, events_of
from tests.oauth.test_credentials import signed_in, with_factor
from tests.rules.builders import TEEN, directive, space

HERS, NEW = "camille@example.org", "neuve@example.org"


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def runtime(runtime, post):
    with serving(post, None, "none") as server:
        yield replace(runtime, ports=replace(runtime.ports, mail=SmtpMailer(server, "habilis.example")))


def chosen(runtime, login="camille"):
    return choices.of_account(runtime, find_account(runtime, login))


def page(person, language="en"):
    return person.get("/account/notices", lang=language).text


def ask(person, address, **more):
    form = {"csrf": csrf_of(page(person)), "address": address, "act": "set", "password": PASSWORD} | more
    return person.post("/account/notices/address", form)


def code_in(post, address):
    return re.search(r"^(\d{8})\s*$", post.letters_to(address)[-1].get_content(), flags=re.MULTILINE)[1]


def type_code(person, code):
    return person.post("/account/notices/code", {"csrf": csrf_of(page(person)), "code": code})


def confirm(person, runtime, post, address):
    assert ask(person, address).status_code == 303
    work(runtime)
    assert type_code(person, code_in(post, address)).status_code == 303


def test_an_address_is_used_once_its_code_was_typed(app, runtime, post):
    person = signed_in(app)
    assert ask(person, HERS).status_code == 303
    assert chosen(runtime).address is None
    work(runtime)
    code = code_in(post, HERS)
    assert type_code(person, f"{code[:4]} {code[4:]}").status_code == 303
    assert chosen(runtime).address == HERS
    assert HERS in page(person)
    assert type_code(person, code).status_code == 422, "a code is good once"


@pytest.mark.parametrize("case", ["wrong", "late", "older than another", "of somebody else"])
def test_a_code_that_is_not_good_confirms_nothing(app, runtime, post, clock, case):
    person = signed_in(app)
    ask(person, HERS)
    work(runtime)
    code = code_in(post, HERS)
    if case == "wrong":
        code = f"{(int(code) + 1) % 10**8:08}"
    if case == "late":
        clock.advance(minutes=30)
        person = signed_in(app)
    if case == "older than another":
        ask(person, HERS)
    if case == "of somebody else":
        person = signed_in(app, "marc")
    assert type_code(person, code).status_code == 422
    assert chosen(runtime).address is None


def test_five_wrong_codes_end_the_request(app, runtime, post):
    person = signed_in(app)
    ask(person, HERS)
    work(runtime)
    right = code_in(post, HERS)
    wrong = f"{(int(right) + 1) % 10**8:08}"
    assert [type_code(person, wrong).status_code for _ in range(addresses.ATTEMPTS)] == [422] * addresses.ATTEMPTS
    assert type_code(person, right).status_code == 422


def test_nobody_floods_a_stranger(app, runtime, post, clock):
    """An account sends three codes a day to an address; the answer does not tell that it has had them."""
    person = signed_in(app)
    for _ in range(4):
        assert ask(person, "stranger@example.org").status_code == 303
        work(runtime)
    assert len(post.letters_to("stranger@example.org")) == addresses.PER_ADDRESS
    clock.advance(days=1)
    assert ask(signed_in(app), "STRANGER@example.org").status_code == 303
    work(runtime)
    assert len(post.letters_to("STRANGER@example.org")) == 1


def test_nobody_uses_up_the_codes_of_an_address_that_is_another_s(app, runtime, post):
    thief, owner = signed_in(app, "marc"), signed_in(app)
    for _ in range(addresses.PER_ACCOUNT):
        ask(thief, HERS)
    confirm(owner, runtime, post, HERS)
    assert chosen(runtime).address == HERS


def test_an_address_gets_twelve_codes_a_day_whoever_asks(app, runtime, monkeypatch):
    monkeypatch.setattr(addresses, "OF_ALL", 2)
    sent = [ask(signed_in(app, login), HERS).status_code for login in ("camille", "marc", "martin")]
    assert sent == [303] * 3
    letters = [one for one in runtime.ports.outbox.ready(mails.LANE, runtime.now(), 10) if one.due is None]
    assert len(letters) == 2


def test_an_account_asks_for_five_codes_a_day(app):
    person = signed_in(app)
    answers = [ask(person, f"a{number}@example.org").status_code for number in range(addresses.PER_ACCOUNT + 1)]
    assert answers == [303] * addresses.PER_ACCOUNT + [429]


@pytest.mark.parametrize(
    "typed",
    ["", "camille", "@example.org", "a@b", "a b@example.org", "a@example.org\nBcc: b@example.org", "a@-x.org",
     "é@example.org", "a@example.org,b@example.org", f"{'a' * 250}@example.org", "a..b@example.org", "a@exa mple.org"],
)  # fmt: skip
def test_what_is_no_address_is_none(typed):
    assert addresses.normalized(typed) is None


def test_what_is_no_address_gets_no_code(app, runtime, post):
    assert ask(signed_in(app), "camille@").status_code == 422
    work(runtime)
    assert post.taken == []


def test_a_host_with_accents_is_used_in_its_ascii_form():
    assert addresses.normalized(" Camille@Exämple.org ") == "Camille@xn--exmple-cua.org"


def test_a_new_address_needs_the_password(app, runtime, post):
    person = signed_in(app)
    assert ask(person, HERS, password="wrong").status_code == 422
    work(runtime)
    assert post.taken == []


def test_a_new_address_needs_a_second_factor_of_the_last_minutes(app, runtime, clock):
    person = with_factor(app, clock)
    clock.advance(minutes=6)
    assert ask(person, HERS).headers["Location"].endswith("/account/confirm?then=notices")
    assert addresses.waiting_for_code(runtime, find_account(runtime, "luc").subject) is None
    csrf = csrf_of(page(person))
    shown = person.post("/account/confirm?then=notices", {"csrf": csrf, "code": code_now(clock)})
    assert shown.headers["Location"].endswith("/account/notices")
    assert ask(person, HERS).headers["Location"].endswith("/account/notices")


@pytest.mark.parametrize("act", ["set", "remove"])
def test_the_address_before_is_told_of_the_change_once(app, runtime, post, act):
    person = signed_in(app)
    confirm(person, runtime, post, HERS)
    if act == "set":
        confirm(person, runtime, post, NEW)
    else:
        ask(person, "", act="remove")
    work(runtime)
    work(runtime)
    subjects = [str(message["Subject"]) for message in post.letters_to(HERS)]
    assert subjects == ["Your health space: confirm this address", "Your health space: this address is no longer used"]
    assert NEW not in post.letters_to(HERS)[1].as_string()
    assert chosen(runtime).address == (NEW if act == "set" else None)
    assert "address for mails" in person.get("/account/sign-in", lang="en").text


def test_the_address_is_the_person_s_own_affair(app, runtime, post):
    """The audit event of it is hidden from guardians, as for every change of an account (B10)."""
    confirm(signed_in(app), runtime, post, HERS)
    with runtime.ports.store.snapshot() as snapshot:
        parents = Seen("camille", (Clause(closed_by=Mark.INVISIBLE_REPRESENTANTS_LEGAUX),))
        shown = snapshot.find(Search("AuditEvent", limit=100), parents).rows
    events = events_of(runtime, "camille")
    assert {"propose-notice-address", "set-notice-address"} <= {event["subtype"][-1]["code"] for event in events}
    assert not [row for row in shown if b"notice-address" in row.body]
    assert not [event for event in events if HERS in str(event)]


def choices_form(person, **changes):
    kinds = {kind.value: "at-once" for kind in NoticeKind}
    form = {"csrf": csrf_of(page(person)), "language": "en", "digest": "7", "silent-from": "22", "silent-until": "6"}
    return form | kinds | {"password": PASSWORD} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"break-glass": "never"},
        {NoticeKind.FACTORS.value: "daily"},
        {NoticeKind.PASSWORD.value: "never"},
        {"silent-from": "7"},
    ],
)
def test_a_stolen_session_cannot_silence_what_warns_the_owner(app, runtime, changes):
    """A session alone does not move the mails about emergencies and about the owner's sign-in; the rest it may."""
    person = signed_in(app)
    assert person.post("/account/notices", choices_form(person)).status_code == 303
    before = chosen(runtime)
    refused = person.post("/account/notices", choices_form(person, password="", **changes))
    assert refused.status_code == 422
    assert chosen(runtime) == before
    assert person.post("/account/notices", choices_form(person, password="", access="never")).status_code == 303


def test_a_second_factor_of_the_last_minutes_moves_warnings(app, runtime, clock):
    person = with_factor(app, clock)
    assert person.post("/account/notices", choices_form(person)).status_code == 303
    clock.advance(minutes=20)
    late = person.post("/account/notices", choices_form(person, **{"break-glass": "never"}))
    assert "/account/factors" in late.headers["Location"] or late.status_code == 303
    assert chosen(runtime, "martin").timing(NoticeKind.BREAK_GLASS) is not Timing.NEVER


def test_choices_are_kept(app, runtime):
    person = signed_in(app)
    form = choices_form(person, access="never", urgent="yes")
    assert person.post("/account/notices", form).status_code == 303
    found = chosen(runtime)
    assert (found.language, found.digest_hour, found.silent_from, found.silent_until) == ("en", 7, 22, 6)
    assert found.urgent_in_silence
    assert found.timing(NoticeKind.ACCESS) is Timing.NEVER
    shown = page(person)
    assert re.search(r'id="access".*?<option value="never" selected>', shown)
    assert '<option value="22" selected>' in shown
    assert 'value="never"' not in re.search(r'id="space-suspended".*?</select>', shown)[0]


@pytest.mark.parametrize(
    "changes",
    [{"digest": "24"}, {"digest": "x"}, {"silent-from": ""}, {"silent-until": "-1"}, {"access": "sometimes"},
     {"language": "de"}, {"csrf": "x"}],
)  # fmt: skip
def test_a_form_that_is_not_ours_changes_nothing(app, runtime, changes):
    person = signed_in(app)
    assert person.post("/account/notices", choices_form(person, **changes)).status_code == 400
    assert chosen(runtime).digest_hour == 18


def test_a_professional_is_asked_about_what_professionals_are_told_of(app, clock):
    shown = page(with_factor(app, clock))
    assert re.findall(r'<select id="([a-z-]+)"', shown)[:3] == ["break-glass", "emergency-regulation", "digest"]


def test_a_dead_address_is_told_on_the_page(app, runtime, post):
    person = signed_in(app)
    confirm(person, runtime, post, HERS)
    account = find_account(runtime, "camille")
    choices.refuse_address(runtime, account, HERS)
    shown = page(person)
    assert "could not be delivered since 2 March 2026, 10:00" in shown
    assert "n’arrivent plus depuis le 2 mars 2026" in page(person, "fr")
    confirm(person, runtime, post, NEW)
    assert "could not be delivered" not in page(person)


def test_the_page_is_for_whoever_is_signed_in(person):
    for path in ("/account/notices",):
        assert person.get(path).headers["Location"].endswith("/login")
    for path in ("/account/notices", "/account/notices/address", "/account/notices/code"):
        assert person.post(path, {"csrf": "x"}).status_code == 400


# --- the link in a mail -----------------------------------------------------------------------------------------------


def a_notice(runtime, *, confidential=False):
    who = Named("Practitioner/awa", "Dr Awa")
    told = Notice(
        NoticeKind.BREAK_GLASS, "leo", runtime.now(), ("Patient/leo", "RelatedPerson/marc-leo"), who, reason="found"
    )
    kept = access_notices.stored(runtime, told, confidential=confidential)
    guardian = directive(DirectiveKind.GUARDIAN, "RelatedPerson/marc-leo")
    state = record_codec.dump(replace(space(guardian, born=TEEN), patient="leo"))
    with runtime.ports.store.snapshot() as snapshot:
        revision = found.revision if (found := snapshot.load_space("leo")) else 0
    spaces = (SpaceWrite("leo", revision, state),)
    runtime.ports.store.commit(Change((a_trace("leo"),), (Write(kept, (0, 0)),), spaces))
    return kept.id


def csrf_at(person, address):
    path, _, then = address.partition("?then=")
    return csrf_of(person.get(path, then=then).text)


def test_the_link_leads_to_the_notice_once_the_person_has_signed_in(app, runtime):
    where = f"/account/notices/{a_notice(runtime)}"
    person = Person(app, "marc")
    asked = person.get(where).headers["Location"]
    assert "/login?then=" in asked
    path = asked.removeprefix(BASE)
    form = {"csrf": csrf_at(person, path), "login": "marc", "password": PASSWORD}
    assert person.post(path, form).headers["Location"] == BASE + where
    shown = person.get(where, lang="en")
    assert "Dr Awa opened the space in an emergency (break-glass)." in shown.text
    assert "Léo" in shown.text
    read = [event for event in events_of(runtime, "leo") if event.get("subtype", [{}])[-1].get("code") == "read"]
    assert len(read) == 1, "the reading is audited"


def test_a_second_factor_keeps_the_link(app, runtime, clock):
    path = f"/login?then={a_notice(runtime)}"
    person = Person(app, "luc")
    form = {"csrf": csrf_at(person, path), "login": "luc", "password": PASSWORD}
    second = person.post(path, form).headers["Location"].removeprefix(BASE)
    form = {"csrf": csrf_at(person, second), "code": code_now(clock)}
    assert "/account/notices/" in person.post(second, form).headers["Location"]


def test_a_hidden_a_foreign_and_an_unknown_notice_are_answered_alike(app, runtime):
    marc, camille = signed_in(app, "marc"), signed_in(app)
    hidden, shown = a_notice(runtime, confidential=True), a_notice(runtime)
    answers = [marc.get(f"/account/notices/{id_}") for id_ in (hidden, an_id())]
    answers.append(camille.get(f"/account/notices/{shown}"))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers[:2]}) == 1


@pytest.mark.parametrize("then", ["//evil.example", "x", "../x", ""])
def test_the_sign_in_leads_to_no_other_place(app, then):
    person, path = Person(app), f"/login?then={then}"
    form = {"csrf": csrf_at(person, path), "login": "camille", "password": PASSWORD}
    assert person.post(path, form).headers["Location"] == f"{BASE}/account/start"
