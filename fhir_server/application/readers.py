"""Who has opened a document, as the trail tells: what is said before a hiding, since copies elsewhere remain.

Source: rules H3 and H5; what hiding cannot take back is said beforehand (docs/operations.md).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from consent_rules.visibility import Visibility
from fhir_server.domain import tokens
from fhir_server.domain.audit_parts import PARTICIPATION
from fhir_server.domain.search import AnyOf, Search
from fhir_server.ports import Snapshot

Json = dict[str, Any]

_EVENTS = 500
_DONE = frozenset({tokens.any_system("outcome", "0")})
_READING = frozenset({tokens.any_system("action", code) for code in ("R", "E")})


@dataclass(frozen=True, slots=True)
class Reader:
    """One person who has seen a document or its description. at: of the last time."""

    person: str
    display: str
    at: datetime


def readers_of(snapshot: Snapshot, traces: Visibility, document: str) -> tuple[Reader, ...]:
    """Return the professionals in whose reading a document was, latest first, as far as the traces may be read.

    document: id. The latest 500 readings count.
    """
    named = AnyOf(tokens.reference("entity", f"DocumentReference/{document}"))
    search = Search("AuditEvent", (named, AnyOf(_DONE), AnyOf(_READING)), sort="date", limit=_EVENTS)
    found: dict[str, Reader] = {}
    for stored in snapshot.find(search, traces).rows:
        event: Json = orjson.loads(stored.body)
        who = _person(event)
        if who.get("reference", "").startswith("Practitioner/"):
            at = datetime.fromisoformat(event["recorded"])
            found.setdefault(who["reference"], Reader(who["reference"], str(who.get("display", "")), at))
    return tuple(found.values())


def _person(event: Json) -> Json:
    for agent in event.get("agent", ()):
        if any(coding.get("system") == PARTICIPATION for coding in agent.get("type", {}).get("coding", ())):
            who: Json = agent.get("who", {})
            return who
    return {}
