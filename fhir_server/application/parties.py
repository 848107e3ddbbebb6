"""Who is granted: an app, the person behind it in the capacity chosen, and how that person proved who they are."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.accounts import Account, Practice
from fhir_server.application.clients import Client

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Party:
    """Who is granted: a client and, when a person stands behind it, the account and the capacity chosen."""

    client: Client
    account: Account | None = None
    practice: Practice | None = None
    launch_patient: str = ""

    @property
    def requester(self) -> Requester:
        """The facts that the rules will judge."""
        device = self.client.device
        if self.account is None:
            return Requester(RequesterKind.SYSTEM, organization=self.client.organization, client=device)
        if self.practice is not None:
            practice = self.practice
            return Requester(
                RequesterKind.PROFESSIONAL,
                self.account.person,
                practice.role,
                practice.organization,
                device,
                practice.profession,
                practice.specialty,
                practice.capacity,
            )
        charge = self.account.charge_of(self.launch_patient)
        if charge is not None:
            return Requester(charge.kind, charge.person, client=device)
        return Requester(self.account.kind, self.account.person, client=device)


@dataclass(frozen=True, slots=True)
class Login:
    """How a person proved who they are: at which time, how strongly, in which session.

    provider: id of the upstream provider that vouches, "" for a local login. roles: the practice situations that it
    confirms; they cut those of the account. generation: of the account when its owner proved who they are.
    """

    at: datetime | None = None
    acr: str = ""
    amr: tuple[str, ...] = ()
    session: str = ""
    provider: str = ""
    roles: tuple[str, ...] = ()
    generation: int = 0

    def is_of(self, account: Account) -> bool:
        """Tell whether neither password nor factors of the account changed since this login."""
        return self.generation == account.generation

    def cut(self, account: Account) -> Account:
        """Return the account with the practice situations in which this login lets the person act."""
        if not self.provider:
            return account
        return replace(account, practices=tuple(item for item in account.practices if item.role in self.roles))


def load_login(raw: Json) -> Login:
    """Read the record of a login."""
    lists = {"amr": tuple(raw["amr"]), "roles": tuple(raw.get("roles", ()))}
    return Login(**raw | {"at": datetime.fromisoformat(raw["at"]) if raw["at"] else None} | lists)
