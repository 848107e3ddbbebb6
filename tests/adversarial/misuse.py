"""What somebody with a valid token may try: spaces opened on a word, identities tried out, emergencies in a row."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from consent_rules.vocabulary import Purpose, RequesterKind
from fhir_server.application.identity import access_tokens, grants
from fhir_server.application.identity.accounts import Account, Grantee, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.caller import Login
from tests.world import INS, World

IDENTIFIER = f"{INS}|"


def ins_of(number: int) -> str:
    """Return an invented number of the test range, with its control key."""
    first = f"2840399999{number:03d}"
    return f"{first}{97 - int(first) % 97:02d}"


@dataclass
class Misuse:
    """A world with many strangers, each recorded when first needed, and an establishment with some professionals."""

    world: World
    strangers: dict[int, str] = field(default_factory=dict)

    def employ(self, place: str, people: int) -> None:
        """Record active practice situations at an establishment, and one that has ended."""
        of = {
            "resourceType": "PractitionerRole",
            "organization": {"reference": f"Organization/{self.world.ids[place]}"},
        }
        for _ in range(people):
            self.world.record(f"role at {place}", of | {"active": True})
        self.world.record(f"role at {place}", of | {"active": False})

    def person(self, number: int) -> str:
        """Return the id of a stranger."""
        if number not in self.strangers:
            self.strangers[number] = self.world.patient(f"stranger{number}", ins_of(100 + number))
        return self.strangers[number]

    def enters(self, who: str, number: int) -> int:
        """Search the space of a stranger; return the status."""
        return self.world.get(who, f"/DocumentReference?patient={self.person(number)}").status_code

    def declared(self, number: int, actor: str) -> dict:
        """Return a Consent that names the patient by number, and lets in an actor."""
        self.person(number)
        named = {"identifier": {"system": INS, "value": ins_of(100 + number)}}
        at = self.world.runtime.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.world.consent(actor) | {"patient": named, "dateTime": at}

    def log_in(self, name: str, place: str = "chu", purpose: Purpose | None = None, acr: str = "eidas2") -> None:
        """Give a professional a token of a login that has just happened."""
        at = self.world.runtime.now()
        organization = f"Organization/{self.world.ids[place]}"
        practice = PractitionerRoleRef("", organization, place, "10", label=name)
        person = f"Practitioner/{self.world.ids[name]}"
        account = Account(name, RequesterKind.PROFESSIONAL, person, name, practices=(practice,), subject=name)
        desk = Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP)
        drafted = grants.draft_grant(self.world.runtime, Grantee(desk, account, practice), "user/*.cruds", purpose)
        grant = replace(drafted, proof=Login(at, acr, ("pwd", "otp"), f"session {at}"))
        grants.store_grant(self.world.runtime, grant)
        issued = access_tokens.issue_access(self.world.runtime, grant, lifetime=timedelta(days=3650))
        self.world.tokens[name] = issued[0]

    def batch(self, who: str, *entries: tuple[str, str, dict | None], kind: str = "batch") -> list[int]:
        """Send entries (method, url, resource) in one Bundle; return the status of each, or of the whole answer."""
        sent = [
            {"request": {"method": method, "url": url}} | ({"resource": body} if body else {})
            for method, url, body in entries
        ]
        answer = self.world.send(who, "POST", "", {"resourceType": "Bundle", "type": kind, "entry": sent})
        if answer.status_code != 200:
            return [answer.status_code]
        return [int(entry["response"]["status"][:3]) for entry in answer.get_json()["entry"]]

    def opens(self, who: str, number: int) -> int:
        """Declare an agreement of a stranger for oneself and search the space; return the status of the search."""
        self.world.send(who, "POST", "/Consent", self.declared(number, who))
        return self.enters(who, number)
