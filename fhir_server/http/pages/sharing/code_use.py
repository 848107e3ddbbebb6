"""The codes that professionals have used in a space, and what each of them opened with it.

Source: rule F1, rules H3 and H5; docs/adr/0091-invitations.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consent_rules.vocabulary import Proof
from fhir_server.domain.audit.stored_events import kind_of_event
from fhir_server.domain.consents.elements import PROOF
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.words import name_of, tell
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.pages.patient.journal_lines import documents_of

READING = "patient/Consent.rs patient/AuditEvent.rs patient/DocumentReference.rs patient/Practitioner.rs"
_MOST = 10
_EVENTS = 200
_READS = frozenset({EventKind.RESOURCE_READ, EventKind.DOCUMENT_OPENED})


@dataclass(frozen=True, slots=True)
class UsedCode:
    """A code that somebody has used. name: who. since, until: the consultation. opened: pairs of id and title.

    actor: the reference of who used it.
    """

    actor: str
    name: str
    since: datetime
    until: datetime | None
    opened: tuple[tuple[str, str], ...]


def used_codes(visit: Visit) -> list[UsedCode]:
    """Return the latest codes that were used, with the documents that were read in the consultation."""
    asked = [("patient", visit.patient), ("category", f"{PROOF}|{Proof.CODE.value}"), ("_sort", "-date")]
    found = find(visit.caller, "Consent", [*asked, ("_count", str(_MOST)), ("_include", "Consent:actor")])
    told = [_used(consent, found.beside) for consent in found.resources]
    events = _reads(visit, told) if told else ()
    by_code = [(one, {id_ for event in events if _is_in(event, one) for id_ in documents_of(event)}) for one in told]
    titles = _titles(visit, {id_ for _, ids in by_code for id_ in ids})
    return [_with_titles(one, ids, titles) for one, ids in by_code]


def _used(consent: Json, beside: Mapping[str, Json]) -> UsedCode:
    provision = consent.get("provision", {})
    actor = next((str(one["reference"].get("reference", "")) for one in provision.get("actor", ())), "")
    end = provision.get("period", {}).get("end", "")
    since = datetime.fromisoformat(consent["dateTime"])
    until = datetime.fromisoformat(end) if "T" in end else None
    return UsedCode(actor, name_of({"reference": actor}, beside), since, until, ())


def _reads(visit: Visit, used: Iterable[UsedCode]) -> tuple[Json, ...]:
    """Return the events in which those who used a code read documents, since the earliest of the codes."""
    since = min(one.since for one in used)
    people = ",".join(sorted({one.actor for one in used}))
    asked = [("patient", visit.patient), ("agent", people), ("date", f"ge{since.isoformat()}"), ("outcome", "0")]
    found = find(visit.caller, "AuditEvent", [*asked, ("_sort", "-date"), ("_count", str(_EVENTS))])
    return tuple(event for event in found.resources if kind_of_event(event) in _READS)


def _is_in(event: Json, used: UsedCode) -> bool:
    at = datetime.fromisoformat(event["recorded"])
    by = {str(agent.get("who", {}).get("reference", "")) for agent in event.get("agent", ())}
    return used.actor in by and used.since <= at and (used.until is None or at < used.until)


def _titles(visit: Visit, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    asked = [("patient", visit.patient), ("_id", ",".join(sorted(ids))), ("_count", str(len(ids)))]
    return {one["id"]: tell(one, {}).title for one in find(visit.caller, "DocumentReference", asked).resources}


def _with_titles(used: UsedCode, ids: set[str], titles: Mapping[str, str]) -> UsedCode:
    opened = tuple(sorted((id_, titles[id_]) for id_ in ids if id_ in titles))
    return UsedCode(used.actor, used.name, used.since, used.until, opened)
