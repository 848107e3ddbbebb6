"""What the demonstration stores about itself: demo.json beside the data; only its owner can read it.

The landing page, `python -m seed.demo` and the bench read the file. It contains tokens and private keys, so it is never
committed and never served.
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from consent_rules.vocabulary import PatientId
from fhir_server.domain.values import Json

Said = dict[str, str]

NAME = "demo.json"
_OWNER_ONLY = 0o600


@dataclass(slots=True)
class Demonstration:
    """One loaded demonstration.

    base: address of the server. fhir: address of its FHIR endpoint. tokens: access tokens by the name of their user.
    patients, professionals, roles, organizations, documents, consents: ids by key. guardians: by "camille/leo".
    clients: {client_id, jwk} by key, the jwk with its private part. logins: password by login.
    people: cards for the landing page. tour: requests for the landing page.
    complete: whether loading has finished.
    """

    base: str
    fhir: str
    tokens: dict[str, str] = field(default_factory=dict)
    patients: dict[str, PatientId] = field(default_factory=dict)
    professionals: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    organizations: dict[str, str] = field(default_factory=dict)
    guardians: dict[str, str] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    clients: dict[str, Json] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    people: list[Json] = field(default_factory=list)
    tour: list[Json] = field(default_factory=list)
    complete: bool = False

    def save(self, data_dir: Path) -> None:
        """Write the file anew; the file is written whole or not at all."""
        path = data_dir / NAME
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))
        fresh.replace(path)


def read(data_dir: Path) -> Demonstration | None:
    """Return what an earlier loading wrote, None when there is no file or it has another shape."""
    try:
        return Demonstration(**orjson.loads((data_dir / NAME).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
