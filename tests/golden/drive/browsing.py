"""All pages that can be fetched, by strangers and by each person who signs in, in both languages."""

import re

from tests.golden.frozen import CLOCK
from tests.golden.recording import Asking, Person

LANGUAGES = ("fr", "en")
PEOPLE = ("camille", "ines", "marc", "martin", "paul", "dana", "oscar")


def run(asking: Asking) -> None:
    """Look at every page, then change what a person may change there."""
    paths = sorted(
        rule.rule for rule in asking.server.app.url_map.iter_rules() if "GET" in rule.methods and "<" not in rule.rule
    )
    paths = [path for path in paths if not path.startswith("/fhir/") and not path.startswith("/oauth/")]
    paths += [
        "/journal?person=camille",
        "/journal?person=leo",
        "/journal?person=nobody",
        "/journal?own=1",
        "/nothing",
        "/login/with/nothing",
    ]
    paths += [
        "/matrix/2023-10-26",
        "/matrix/1999-01-01",
        "/matrix/2023-10-26/changes",
        "/status?lang=en",
        "/journal?person=camille&_page=x",
    ]
    paths += [
        "/login/with/nothing/callback?code=x&state=y",
        "/assets/habilis.css",
        "/static/x",
        "/journal?person=camille&only=refused",
    ]
    for path in paths:
        mark = "&" if "?" in path else "?"
        for language in LANGUAGES:
            asking.send("nobody", "GET", f"{path}{mark}lang={language}")
        asking.send("nobody", "GET", path, Accept_Language="en", Accept="application/json")
        asking.send("nobody", "HEAD", path)
    _links(asking, "/journal?person=camille")
    for definition in _operations(asking):
        asking.send("nobody", "GET", f"/fhir/OperationDefinition/{definition}")
        asking.send("nobody", "GET", f"/fhir/OperationDefinition/{definition}?_format=xml")
    for login in PEOPLE:
        person = asking.person()
        person.sign_in(login)
        for path in (path for path in paths if not path.startswith(("/api", "/matrix", "/assets"))):
            person.get(f"{path}{'&' if '?' in path else '?'}lang=en")
        for key, patient in asking.book["patients"].items():
            person.get(f"/journal?person={patient}&own=1", note=key)
            person.get(f"/journal?person={patient}&lang=fr", note=key)
        _account(asking, person, login)
    _wrong_signing_in(asking)


def _links(asking: Asking, path: str) -> None:
    """Follow what a page of the journal leads to."""
    page = asking.send("nobody", "GET", path).get_data(as_text=True)
    for link in sorted(set(re.findall(r'href="(/journal\?[^"]+)"', page)))[:10]:
        asking.send("nobody", "GET", link.replace("&amp;", "&"))


def _operations(asking: Asking) -> list[str]:
    stated = asking.get("nobody", "/metadata").get_json()["rest"][0]["resource"]
    found = {one["definition"].rpartition("/")[2] for row in stated for one in row.get("operation", ())}
    return [*sorted(found), "nothing"]


def _account(asking: Asking, person: Person, login: str) -> None:
    """Change a password, set up a second factor, end an app, sign out; wrongly first."""
    password = asking.book["logins"][login]
    person.get("/account/password")
    for given in ({}, {"password": "wrong", "new": "sept chats dorment sur le toit"}, {"password": password,
    "new": "court"},
                  {"current": password, "password": "sept chats dorment", "again": "sept chats dorment"},
                  {"password": password, "new": "sept chats dorment sur le toit",
                  "again": "sept chats dorment sur le toit"}):  # fmt: skip
        person.send_form("/account/password", f"{sorted(given)}", **given)
        person.get("/account/password")
    for path in ("/account/enrolment", "/account/second-factor", "/account/confirm"):
        person.get(path)
        person.send_form(path, code="123456")
        person.send_form(path, "without anything")
    page = person.get("/account/second-factor").get_data(as_text=True)
    secret = re.search(r"<code>([A-Z2-7]{16,})</code>", page)
    if secret:
        code = asking.server.code_now(secret[1], int(CLOCK.at.timestamp()))
        person.send_form("/account/second-factor", "the right code", code=code)
    person.get("/account/sign-in")
    person.send_form("/account/sign-in/seen")
    person.get("/account/passkeys")
    person.send_form("/account/passkeys", credential="{}")
    person.send_form("/account/passkeys/nothing/remove")
    person.get("/account/apps")
    person.send_form("/account/apps/nothing")
    person.open("POST", "/logout", "without the form")
    person.get("/account/sign-in")
    person.send_form("/logout")
    person.get("/account/sign-in")


def _wrong_signing_in(asking: Asking) -> None:
    person = asking.person()
    for given in (
        {},
        {"login": "camille"},
        {"login": "camille", "password": "wrong"},
        {"login": "nobody", "password": "x"},
        {"csrf": "x"},
    ):
        for language in LANGUAGES:
            person.get(f"/login?lang={language}")
            person.send_form("/login", str(given), **given)
    for _ in range(12):
        person.get("/login")
        person.send_form("/login", "wrong again", login="marc", password="wrong")
    person.send_form("/login", "right, too late", login="marc", password=asking.book["logins"]["marc"])
    person.send_form("/login/link", code="x")
    person.send_form("/login/second-factor", code="x")
