"""Somebody who signs in to the portal of a small world, over HTTP and without a browser."""

import json
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient, add_account
from fhir_server.domain.values import Json
from tests.world import World

SITE = "http://localhost:8080"
PASSWORD = "nine green bicycles"
NAMED = ("type", "subtype", "action", "outcome", "purposeOfEvent")
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def an_account(world: World, login: str, *patients: str, kind: RequesterKind = RequesterKind.PATIENT) -> None:
    """Let somebody of the world sign in; the first patient is themselves unless the kind is another."""
    types = ["Patient" if one == login else "RelatedPerson" for one in patients]
    represented = tuple(
        RepresentedPatient(PatientId(world.ids[one]), f"{type_}/{world.ids[login]}", one.title())
        for one, type_ in zip(patients, types, strict=True)
    )
    person = represented[0].person if represented else f"Practitioner/{world.ids[login]}"
    add_account(world.runtime, Account(login, kind, person, login.title(), patients=represented), PASSWORD)


def a_professional(world: World, login: str, place: str, profession: str = "10", **more: Any) -> None:
    """Let a professional of the world sign in who practises in an establishment, as the directory says.

    more: of their account.
    """
    world.practice(login, place, profession)
    role, organization = f"PractitionerRole/{world.ids[f'{login}@{place}']}", f"Organization/{world.ids[place]}"
    practice = PractitionerRoleRef(role, organization, place, profession, label=place)
    person = f"Practitioner/{world.ids[login]}"
    account = Account(login, RequesterKind.PROFESSIONAL, person, login.title(), practices=(practice,), **more)
    add_account(world.runtime, account, PASSWORD)


@dataclass
class Visitor:
    """A browser of somebody, with its cookies. patient: id of the patient in whose space they look."""

    world: World
    login: str
    patient: str = ""
    web: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        """Open the browser and sign in."""
        self.web = self.world.web.application.test_client()
        csrf = self.csrf("/login")
        sent = {"csrf": csrf, "login": self.login, "password": PASSWORD}
        assert self.web.post("/login", data=sent, base_url=SITE).status_code == 303

    def at(self, path: str) -> str:
        return f"/account/spaces/{self.patient}{path}"

    def get(self, path: str, **sent: Any) -> TestResponse:
        """Get a page of the space; a path that begins with // is taken as it is."""
        path = path[1:] if path.startswith("//") else self.at(path)
        return self.web.get(path, base_url=SITE, **({"headers": {"Accept-Language": "en"}} | sent))

    def csrf(self, path: str) -> str:
        found = _TOKEN.search(self.web.get(path, base_url=SITE).text)
        assert found, path
        return found[1]

    def send(self, path: str, headers: dict[str, str] | None = None, **form: str) -> TestResponse:
        """Send a form of the space with the token of the session, unless the form has one."""
        form = {"csrf": self.csrf(self.at("/documents"))} | form if "csrf" not in form else form
        return self.web.post(self.at(path), data=form, headers=headers, base_url=SITE)


def camille_at_home(world: World) -> Visitor:
    """Sign Camille in."""
    an_account(world, "camille", "camille")
    return Visitor(world, "camille", world.ids["camille"])


def events(world: World) -> list[Json]:
    """Return the events of the space as its patient reads them, oldest first."""
    answer = world.get("camille", f"/AuditEvent?patient={world.ids['camille']}&date=ge2020&_count=200")
    return [entry["resource"] for entry in answer.get_json().get("entry", ())][::-1]


def alike(event: Json) -> Json:
    """Return what an event says, without who its client is, its token, and in which format a search was asked."""
    entities = event.get("entity", ())
    what = sorted(one.get("what", {}).get("reference", "") for one in entities)
    asked = [query_of(one).partition(b"\n")[0] for one in entities]
    policies = [one for agent in event.get("agent", ()) for one in agent.get("policy", ()) if ":jti:" not in one]
    told = {"what": what, "asked": asked, "ground": json.dumps([event.get("extension"), policies])}
    return {name: event.get(name) for name in NAMED} | told


def query_of(entity: Json) -> bytes:
    return b64decode(entity.get("query", ""))


def is_of_journal(event: Json) -> bool:
    """Tell whether an event is about reading the events themselves."""
    return any(b"/AuditEvent?" in query_of(one) for one in event.get("entity", ()))


def left(world: World, act: Callable[[], TestResponse]) -> list[Json]:
    """Do something and return the events that it left."""
    before = {event["id"] for event in events(world)}
    answer = act()
    assert answer.status_code < 400, answer.text
    return [alike(event) for event in events(world) if event["id"] not in before and not is_of_journal(event)]
