"""AuditEvents as the French platform for traces of events reads them: one subtype, two agents, a period.

No resource satisfies BALP and this profile at once, so an event is stored as BALP requires, and rendered as TDE for a
client that asks for it.
Source: ANS TDE 2.0.0, profile tde-auditevent (https://interop.esante.gouv.fr/ig/fhir/tde/): `subtype` 0..1,
`period.start` 1..1, `agent` 0..2, `agent.who` 1..1.
"""

from collections.abc import Iterable

import orjson

from fhir_server.domain.audit.audit_event import IHE_EVENT
from fhir_server.domain.audit.audit_event_parts import is_server
from fhir_server.domain.directory.identity_traits import SUBSETTED
from fhir_server.domain.values import Json

PROFILE = "https://interop.esante.gouv.fr/ig/fhir/tde/StructureDefinition/tde-auditevent"
ASKED = ("_profile", PROFILE)
"""The search parameter by which a client asks for this rendering."""
_NAMES = {"period-start": "date"}
"""Search parameters of TDE, each with ours of the same meaning: an event begins at its date and has no duration."""
_MOST_AGENTS = 2


def as_stored(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the parameters of a search for this rendering as those of a search for events as they are stored."""
    return [(_NAMES.get(name, name), value) for name, value in pairs if (name, value) != ASKED]


def rendered(body: bytes) -> bytes:
    """Return an event with the first of its subtypes that names a transaction, else its first one, and two agents.

    The agents are the person and the software; for software alone, the software and the server. The resource is tagged
    as incomplete.
    """
    event: Json = orjson.loads(body)
    subtypes = event.get("subtype", ())
    named = [one for one in subtypes if one.get("system") == IHE_EVENT] or [*subtypes]
    meta = {name: value for name, value in event["meta"].items() if name != "profile"}
    shown = event | {
        "meta": meta | {"profile": [PROFILE], "tag": [SUBSETTED]},
        "period": {"start": event["recorded"]},
        "agent": _agents(event["agent"]),
    }
    if named:
        shown["subtype"] = named[:1]
    return orjson.dumps(shown)


def _agents(agents: list[Json]) -> list[Json]:
    """Return two agents: the person first, then the software, then the server; establishments are left out."""
    persons = [one for one in agents if one.get("requestor") and "reference" in one["who"]]
    software = [one for one in agents if "identifier" in one["who"] and one not in persons]
    servers = [one for one in agents if is_server(one)]
    return [*persons, *software, *servers][:_MOST_AGENTS]
