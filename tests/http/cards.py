"""A card reader at a desk, with a key of its own: it signs whose card was there, and for whom."""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from joserfc import jws
from joserfc.jwk import ECKey

from consent_rules.vocabulary import Capacity
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from tests.http.test_invitations import asked
from tests.world import BASE, INS, RPPS, World

AUDIENCE = f"{BASE}/Patient/$present-card"
CAMILLE = "284039999900148"
LUCIE = "99700009992"
KEY = ECKey.generate_key("P-384", {"kid": "desk-1"})


def identifier(system: str, value: str) -> dict[str, str]:
    return {"system": system, "value": value}


@dataclass
class Reader:
    """Registered software that reads cards."""

    world: World
    client: Client = field(
        default_factory=lambda: Client(
            "reader", "Lecteur", ClientKind.BACKEND, auth_method=AuthMethod.PRIVATE_KEY_JWT, card_reader=True,
            jwks={"keys": [KEY.as_dict(private=False)]},
        )
    )  # fmt: skip

    def register(self, **changes: Any) -> "Reader":
        """Register the reader, and a professional whom the directory knows by a number; `changes` are of the client."""
        self.client = replace(self.client, **changes)
        clients.register(self.world.runtime, self.client)
        self.world.colleague("lucie", LUCIE, "other")
        self.world.in_mode("lucie", "lucie", ("10", "other", Capacity.NONE))
        return self

    def change(self, **changes: Any) -> None:
        """Change the registration."""
        self.client = replace(self.client, **changes)
        clients.change(self.world.runtime, self.client)

    def sign(self, key: Any = KEY, alg: str = "ES384", head: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign that Camille's card was there for Lucie; a claim of None is left out."""
        now = int(self.world.runtime.now().timestamp())
        wanted = {
            "iss": self.client.id, "aud": AUDIENCE, "iat": now, "exp": now + 60, "jti": str(uuid4()),
            "patient": identifier(INS, CAMILLE), "professional": identifier(RPPS, LUCIE),
        } | claims  # fmt: skip
        header = {"alg": alg, "kid": "desk-1", "typ": "card-presence+jwt"} | (head or {})
        return jws.serialize_compact(_stated(header), json.dumps(_stated(wanted)), key, algorithms=[alg])


def _stated(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def present(world: World, who: str, assertion: str, **more: Any):
    return world.send(who, "POST", "/Patient/$present-card", asked(assertion=assertion, **more))
