"""The journal of accesses: AuditEvents in plain French or English sentences for the patient.

Source: R.1111-43 and L.1111-19 of the French public health code (rules H3 to H9 of docs/rules.md).
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask_babel import format_datetime, gettext, lazy_gettext, ngettext

from consent_rules.vocabulary import Basis, Reason
from fhir_server.application.spaces.restore_events import RESTORE
from fhir_server.domain.audit.audit_event import ISSUANCE, OPERATION, PAGES
from fhir_server.domain.audit.audit_event_parts import RESOURCE_TYPE, is_used
from fhir_server.domain.values import Json, type_of
from fhir_server.http.pages.language import current_language, local
from fhir_server.http.pages.patient.journal_interactions import ACTS, ACTS_ON, ANY_ACT, Act
from fhir_server.http.pages.patient.journal_operations import OPERATIONS, REFUSALS
from fhir_server.registry import DOCUMENTS, PATIENT, REGISTRY, AccessRule, types_under

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_REST = "http://hl7.org/fhir/restful-interaction"

_USER_AUTHENTICATION = "110114"
"""Type of the events of the sign-in service (DICOM PS3.15 A.5.3.13)."""
_SYSTEM_OBJECT = "2"
"""Type of the one resource that an event is about (http://terminology.hl7.org/CodeSystem/audit-entity-type).

Events of earlier versions give this type to everything that they name.
"""
_TITLED = frozenset(name for name in DOCUMENTS if not REGISTRY[name].kind)
"""Types of the documents that have titles."""
_OF_DOCUMENTS = _TITLED | types_under(AccessRule.CONTENT, AccessRule.GATHERING)
(_CONTENT,) = types_under(AccessRule.CONTENT)
_SIGNING_IN = {"110122": "login", "110123": "logout", "110137": "revoke", "ITI-71": "authorize"}
"""Interaction by the subtype of an event of the sign-in service; an event about a token is known by its operation."""
_APP_USERS = ("Patient/", "RelatedPerson/")
_OWN_CLIENTS = frozenset({PAGES, "habilis"})
"""Client ids that stand for these pages themselves."""

_GROUNDS: Mapping[str, Any] = {
    Basis.PATIENT: lazy_gettext("it is your own space"),
    Basis.REPRESENTATIVE: lazy_gettext("legal representative"),
    Basis.CARER: lazy_gettext("carer whom you named"),
    Basis.DECLARED_PHYSICIAN: lazy_gettext("declared physician (médecin traitant)"),
    Basis.ADMINISTRATOR: lazy_gettext("professional whom you gave the rights of your declared physician"),
    Basis.CARE_TEAM: lazy_gettext("your agreement to the care team"),
    Basis.CONSENT: lazy_gettext("your agreement to this one consultation"),
    Basis.BREAK_GLASS: lazy_gettext("emergency, glass broken"),
    Basis.REGULATION: lazy_gettext("emergency call"),
    Basis.DEPOSITOR: lazy_gettext("it filed the document itself"),
    Basis.SYSTEM: lazy_gettext("software that files documents"),
    Basis.IDENTIFICATION: lazy_gettext("check of identity, no document shown"),
    Basis.COLLECTION: lazy_gettext("recording of your agreement"),
    Basis.AUDIT: lazy_gettext("control of accesses"),
    Basis.SUPPORT: lazy_gettext("support"),
    Basis.OWN_TRACES: lazy_gettext("its own accesses"),
}
_REASONS: Mapping[str, Any] = {
    Reason.NO_CONSENT: lazy_gettext("you have not agreed to this access"),
    Reason.CONSENT_USED: lazy_gettext("your agreement was for one consultation, now over"),
    Reason.BLOCKED: lazy_gettext("you have blocked this professional"),
    Reason.APPROVAL_PENDING: lazy_gettext("you have not approved this first access"),
    Reason.NOT_ENTITLED: lazy_gettext("this profession has no access"),
    Reason.FORBIDDEN_PARTY: lazy_gettext("the law forbids this access"),
    Reason.UNIDENTIFIED: lazy_gettext("the person was not identified by name"),
    Reason.EMERGENCY_OFF: lazy_gettext("you have switched this emergency access off"),
    Reason.EMERGENCY_NOT_OPEN: lazy_gettext("no emergency was declared"),
    Reason.EMERGENCIES_ONLY: lazy_gettext("only emergencies were served"),
    Reason.NO_AUTHORITY: lazy_gettext("no authority over this space"),
    Reason.CLOSED: lazy_gettext("the space is closed"),
    **REFUSALS,
    "not-visible": lazy_gettext("the document is unknown or not open to this person"),
}


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One entry of the journal, in the language of the page.

    where: the establishment of the person who acted, or the owner of the app. documents: titles, or a plain word where
    the title is not known.
    """

    id: str
    at: datetime
    who: str
    where: str
    act: str
    documents: tuple[str, ...]
    why: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one day, newest first."""

    at: datetime
    lines: tuple[JournalLine, ...]


def events_of(bodies: Iterable[bytes]) -> tuple[Json, ...]:
    """Read AuditEvents."""
    return tuple(orjson.loads(body) for body in bodies)


def documents_of(event: Json) -> tuple[str, ...]:
    """Return the ids of the documents that an event names, in order."""
    references = (str(entity.get("what", {}).get("reference", "")) for entity in event.get("entity", ()))
    return tuple(dict.fromkeys(ref.split("/")[1] for ref in references if type_of(ref) in _TITLED))


def line_of(event: Json, titles: Mapping[str, str]) -> JournalLine:
    """Put one event into words. titles: of the documents that the reader may see, by id."""
    refused = event.get("outcome", "0") != "0"
    who, where = _party(event)
    return JournalLine(
        id=str(event["id"]),
        at=local(datetime.fromisoformat(event["recorded"])),
        who=who,
        where=where,
        act=_act(event, refused=refused),
        documents=_told(event, titles),
        why=_why(event, refused=refused),
        refused=refused,
    )


def _party(event: Json) -> tuple[str, str]:
    """Return who acted, and for whom: an app that acts for a patient, a guardian or a carer goes before the person."""
    user, client = _agent(event, _PARTICIPATION), event["agent"][0]["who"]
    if not user:
        return str(client.get("display", "")), str(_agent(event, _ROLE_CLASS).get("who", {}).get("display", ""))
    name = str(user["who"].get("display", ""))
    if _is_by_app(event):
        return str(client.get("display", "")), gettext("app of %(person)s", person=name)
    return name, str(_agent(event, _ROLE_CLASS).get("who", {}).get("display", ""))


def _is_by_app(event: Json) -> bool:
    """Tell whether an app acted for a patient, a guardian or a carer, and not the person by means of these pages."""
    person = str(_agent(event, _PARTICIPATION).get("who", {}).get("reference", ""))
    client = str(event["agent"][0]["who"].get("identifier", {}).get("value", ""))
    return person.startswith(_APP_USERS) and client not in _OWN_CLIENTS and not _signing_in(event)


def by_day(lines: Sequence[JournalLine]) -> tuple[Day, ...]:
    """Group entries by day, in the order given."""
    days: dict[str, list[JournalLine]] = {}
    for line in lines:
        days.setdefault(line.at.date().isoformat(), []).append(line)
    return tuple(Day(members[0].at, tuple(members)) for members in days.values())


def _agent(event: Json, system: str) -> Json:
    for agent in event.get("agent", ()):
        if any(coding.get("system") == system for coding in agent.get("type", {}).get("coding", ())):
            found: Json = agent
            return found
    return {}


def _act(event: Json, *, refused: bool) -> str:
    if _operation(event) == RESTORE and not refused:
        return _restored(event)
    interaction = _interaction(event)
    found = (
        OPERATIONS.get(_operation(event))
        or ACTS.get((interaction, _type(event)))
        or _act_on(interaction, _type(event))
        or ACTS.get((interaction, ""))
        or ANY_ACT[event["action"]]
    )
    done, wish = found
    told = gettext("wanted to %(act)s", act=wish) if refused else str(done)
    return str(told).replace("%(app)s", str(event["agent"][0]["who"].get("display", "")))


def _act_on(interaction: str, type_: str) -> Act | None:
    """Return the regular phrases about a type, None for what the type does not offer or the pages have no words for."""
    row = REGISTRY.get(type_)
    if row is None or not row.words or interaction.replace("search", "search-type") not in row.interactions:
        return None
    words = row.words[current_language()]
    done, wish = (
        str(phrase)
        .replace("%(thing)s", words.one)
        .replace("%(of_thing)s", words.of_one)
        .replace("%(things)s", words.every)
        for phrase in ACTS_ON[interaction]
    )
    return done, wish


def _restored(event: Json) -> str:
    """Say to which earlier state the service was restored, and what that means for the patient."""
    at = format_datetime(local(datetime.fromisoformat(str(event["outcomeDesc"]))), "d MMMM y, HH:mm:ss", rebase=False)
    told: str = gettext(
        "restored the service to its state of %(at)s: what was recorded after that instant,"
        " your choices included, is gone and has to be made again",
        at=at,
    )
    return told


def _interaction(event: Json) -> str:
    codes = [str(subtype["code"]) for subtype in event.get("subtype", ()) if subtype.get("system") == _REST]
    return codes[0] if codes else _signing_in(event) or "transaction"


def _signing_in(event: Json) -> str:
    """Return the step of signing in that an event records, "" for any other event."""
    if event.get("type", {}).get("code") != _USER_AUTHENTICATION:
        return ""
    if _operation(event) == ISSUANCE:
        return "token"
    return next((_SIGNING_IN[code] for s in event.get("subtype", ()) if (code := s["code"]) in _SIGNING_IN), "login")


def _operation(event: Json) -> str:
    return next((str(s["code"]) for s in event.get("subtype", ()) if s.get("system") == OPERATION), "")


def _type(event: Json) -> str:
    """Return the type of resource that an event is about: a content (ITI-68), the type searched, or else what is named.

    The event also names the patient, and the Consents that a decision used or that came with a new space.
    """
    if any(subtype.get("code") == "ITI-68" for subtype in event.get("subtype", ())):
        return _CONTENT
    entities = event.get("entity", ())
    for entity in entities:
        path = _query_path(entity.get("query", ""))
        if path:
            return path
    named = (entity for entity in entities if _is_subject(entity))
    references = [str(entity.get("what", {}).get("reference", "")) for entity in named]
    types = [ref.split("/")[0] for ref in references if ref]
    return next((type_ for type_ in types if type_ != PATIENT), PATIENT if types else "")


def _is_subject(entity: Json) -> bool:
    """Tell whether an event is about an entity; the Consents that a decision used are only context."""
    system, code = (str(entity.get("type", {}).get(name, "")) for name in ("system", "code"))
    return code == _SYSTEM_OBJECT or (system == RESOURCE_TYPE and not is_used(entity))


def _query_path(query: str) -> str:
    """Return the resource type of a recorded search: the part of its path after the FHIR base."""
    try:
        line = b64decode(query, validate=True).decode("utf-8", "replace").split("\n", 1)[0]
    except (Base64Error, ValueError):
        return ""
    words = line.split()
    parts = urlsplit(words[1] if len(words) > 1 else "").path.removesuffix("/_search").rstrip("/").split("/")
    return parts[-1] if parts[-1].isalpha() else ""


def _told(event: Json, titles: Mapping[str, str]) -> tuple[str, ...]:
    named = [titles[id_] for id_ in documents_of(event) if id_ in titles]
    others = len(documents_of(event)) - len(named)
    if others and _type(event) in _OF_DOCUMENTS:
        named.append(ngettext("%(num)s other document", "%(num)s other documents", others))
    return tuple(named)


def _why(event: Json, *, refused: bool) -> str:
    if refused:
        reason = str(event.get("outcomeDesc", ""))
        return gettext("Reason: %(reason)s.", reason=_REASONS.get(reason, reason)) if reason else ""
    details = {d["type"]: d.get("valueString", "") for e in event.get("entity", ()) for d in e.get("detail", ())}
    ground = str(details.get("ground", ""))
    told = _GROUNDS.get(ground, ground)
    if ground == Basis.PATIENT and _is_by_app(event):
        told = gettext("you let this app act for you")
    return gettext("Ground: %(ground)s.", ground=told) if ground else ""
