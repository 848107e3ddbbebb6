"""AuditEvents: what the audit log keeps about every interaction.

Sources: IHE BALP 1.1 REST patterns (https://profiles.ihe.net/ITI/BALP/), the audit sections of IHE MHD 4.2
(https://profiles.ihe.net/ITI/MHD/), and BALP "AuthZconsent" for refused decisions.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import orjson

from consent_rules.visibility import AccessFacts, micros
from consent_rules.vocabulary import NO_SPACE, Mark, PatientId, RequesterKind
from fhir_server.domain.audit import narrative
from fhir_server.domain.audit.audit_event_parts import (
    ACT_REASON,
    BALP,
    DCM,
    ENTITY_TYPE,
    OBJECT_ROLE,
    QUERY,
    agents,
    entities,
    is_used,
    is_whole,
    named_of,
    policy_of,
    role_of,
    subject_of,
)
from fhir_server.domain.audit.interactions import (
    AuditedInteraction,
    Outcome,
    OutcomeCode,
    about,
    bounded,
    is_of_holder,
    part_of,
)
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.rows import kind_by_codes
from fhir_server.domain.search import tokens
from fhir_server.domain.stored import Facts, Stored
from fhir_server.domain.values import ClientId, Interaction, Json

REST = "http://hl7.org/fhir/restful-interaction"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
IHE_EVENT = "urn:ihe:event-type-code"
OPERATION = "urn:habilis:operation"
"""System of the subtype that names an operation."""
EVENT_KIND = "urn:habilis:event-kind"
"""Extension: the kind of the event, only where the codes of the event do not tell it (docs/adr/0074)."""
ISSUANCE = "issue-token"
"""Operation that marks the event of an issued token: the event's other codes are those of a consent (IUA ITI-71)."""
PAGES = ClientId("urn:habilis:pages")
"""Client id of this server's own pages, which no app can have."""
_ON_OWN_PAGES = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"

_ITI = {
    "ITI-65": ("Provide Document Bundle", f"{MHD}/IHE.MHD.ProvideBundle.Audit.Recipient"),
    "ITI-66": ("Find Document Lists", f"{MHD}/IHE.MHD.FindDocumentLists.Audit.Responder"),
    "ITI-67": ("Find Document References", f"{MHD}/IHE.MHD.FindDocumentReferences.Audit.Responder"),
    "ITI-68": ("Retrieve Document", f"{MHD}/IHE.MHD.RetrieveDocument.Audit.Responder"),
    "ITI-105": ("Simplified Publish", f"{MHD}/IHE.MHD.SimplifiedPublish.Audit.Recipient"),
    "ITI-106": ("Generate Metadata", f"{BALP}/StructureDefinition/IHE.BasicAudit.PatientCreate"),
}
_SHAPES = {
    # interaction: (action, role of the client, role of the server, BALP pattern)
    Interaction.READ: ("R", "110152", "110153", "PatientRead"),
    Interaction.VREAD: ("R", "110152", "110153", "PatientRead"),
    Interaction.HISTORY: ("R", "110152", "110153", ""),  # PatientRead covers read and vread only
    Interaction.SEARCH: ("E", "110153", "110152", "PatientQuery"),
    Interaction.CREATE: ("C", "110153", "110152", "PatientCreate"),
    Interaction.UPDATE: ("U", "110153", "110152", "PatientUpdate"),
    Interaction.PATCH: ("U", "110153", "110152", "PatientUpdate"),
    Interaction.DELETE: ("D", "110150", "custodian", "PatientDelete"),
    Interaction.TRANSACTION: ("C", "110153", "110152", ""),
    Interaction.BATCH: ("E", "110153", "110152", ""),
    Interaction.OPERATION: ("E", "110153", "110152", ""),
    Interaction.LOGIN: ("E", "110153", "110152", ""),
    Interaction.LOGOUT: ("E", "110153", "110152", ""),
    Interaction.AUTHORIZE: ("E", "110153", "110152", ""),
    Interaction.TOKEN: ("E", "110153", "110152", ""),
    Interaction.REVOKE: ("E", "110153", "110152", ""),
}
_SECURITY = {
    # interaction: subtypes of DCM 110114 User Authentication (DICOM PS3.15 A.5.3.13), IHE IUA ITI-71 for tokens
    Interaction.LOGIN: (DCM, "110122", "Login"),
    Interaction.LOGOUT: (DCM, "110123", "Logout"),
    Interaction.AUTHORIZE: (IHE_EVENT, "ITI-71", "Get Access Token"),
    Interaction.TOKEN: (IHE_EVENT, "ITI-71", "Get Access Token"),
    Interaction.REVOKE: (DCM, "110137", "User Security Attributes Changed"),
}
_GROUND = frozenset({"ground", "grade", "rules"})
"""Details of an event that say why an access was permitted."""
_OVERRIDES = frozenset({"break-glass", "regulation-access"})


@dataclass(frozen=True, slots=True)
class Stamp:
    """Id and times of one event, which come from ports. at: when it happened; updated: its `lastUpdated`."""

    id: str
    at: datetime
    observer: str
    updated: datetime


def trace_of(
    audited: AuditedInteraction, outcome: Outcome, caller: Caller, patient: PatientId | None, stamp: Stamp
) -> Stored:
    """Build the AuditEvent of one interaction with one patient's space (None when no patient is concerned)."""
    requester, audited = caller.requester, bounded(audited)
    event = _event(audited, outcome, caller, patient, stamp)
    facts = Facts(
        access=AccessFacts(
            compartment=patient or NO_SPACE,
            kind=part_of(audited, outcome, caller, patient),
            marks=_marks(is_confidential=outcome.confidential or is_of_holder(audited, patient)),
            owner_person=requester.person,
            owner_client="" if requester.person else requester.client,
        ),
        tokens=_tokens_of(audited, outcome, caller, patient),
        common=_common_of(audited, outcome, caller, patient, *event["meta"].get("profile", ("",))),
        dates={"date": (micros(stamp.at), micros(stamp.at) + 1)},
        documents=about(audited, outcome) if patient else (),
    )
    return Stored(
        "AuditEvent",
        stamp.id,
        1,
        0,
        deleted=False,
        last_updated=stamp.updated,
        marked_at=None,
        body=orjson.dumps(event),
        facts=facts,
    )


def _marks(*, is_confidential: bool) -> Mark:
    return Mark.INVISIBLE_REPRESENTANTS_LEGAUX if is_confidential else Mark.NONE


def without_ground(body: bytes) -> bytes:
    """Return an event without the basis of the access, the rules that applied and the Consents that they name."""
    event: Json = orjson.loads(body)
    named = [entity for entity in event["entity"] if not is_used(entity)]
    event["entity"] = [_without_detail(entity) for entity in named]
    event["text"]["div"] = narrative.without_ground(event["text"]["div"])
    return orjson.dumps(event)


def _without_detail(entity: Json) -> Json:
    kept = [detail for detail in entity.get("detail", ()) if detail["type"] not in _GROUND]
    return {name: item for name, item in entity.items() if name != "detail"} | ({"detail": kept} if kept else {})


def _event(
    audited: AuditedInteraction, outcome: Outcome, caller: Caller, patient: PatientId | None, stamp: Stamp
) -> Json:
    action, client_role, server_role, _ = _SHAPES[audited.interaction]
    refused = outcome.code != OutcomeCode.DONE
    named = named_of(audited, outcome)
    subject = subject_of(audited, named)
    recorded = _told(stamp.at)
    updated = recorded if stamp.updated == stamp.at else _told(stamp.updated)
    meta: Json = {"versionId": "1", "lastUpdated": updated}
    profile = _claimed(audited, outcome, patient, subject)
    if profile:
        meta["profile"] = [profile]
    event: Json = {
        "resourceType": "AuditEvent",
        "id": stamp.id,
        "meta": meta,
        "language": "fr",
        "text": {"status": "generated", "div": narrative.div_of(audited, outcome, caller, stamp.at)},
        "type": _type(audited),
        "subtype": _subtypes(audited),
        "action": action,
        "recorded": recorded,
        "outcome": outcome.code,
        "purposeOfEvent": [{"coding": [{"system": ACT_REASON, "code": caller.purpose}]}],
        "agent": agents(caller, client_role, server_role, stamp.observer),
        "source": {"observer": {"display": stamp.observer}},
        "entity": entities(audited, outcome, caller, patient, (named, subject)),
    }
    if refused or outcome.reason:
        event["outcomeDesc"] = outcome.reason
    kind = audited.event_kind
    if kind is not kind_by_codes(audited.interaction, audited.resource_type, audited.operation):
        event["extension"] = [{"url": EVENT_KIND, "valueCode": kind.value}]
    return event


def _told(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _claimed(audited: AuditedInteraction, outcome: Outcome, patient: PatientId | None, subject: str) -> str:
    """Return the profile that an event claims, "" when it meets none.

    BALP and MHD profiles require an interaction that was done, concerns one patient, and has either a query as it was
    sent or one resource as its subject.
    """
    done = outcome.code == OutcomeCode.DONE and bool(patient)
    meets = is_whole(audited.query) if audited.query else bool(subject)
    return _profile(audited, _SHAPES[audited.interaction][3]) if done and meets else ""


def _profile(audited: AuditedInteraction, pattern: str) -> str:
    if (audited.interaction == Interaction.SEARCH) is not bool(audited.query):
        return ""
    if audited.transaction:
        return _ITI[audited.transaction][1]
    return f"{BALP}/StructureDefinition/IHE.BasicAudit.{pattern}" if pattern else ""


def _type(audited: AuditedInteraction) -> Json:
    if audited.transaction == "ITI-65":
        return {"system": DCM, "code": "110107", "display": "Import"}
    if audited.interaction in _SECURITY:
        return {"system": DCM, "code": "110114", "display": "User Authentication"}
    return {"system": EVENT_TYPE, "code": "rest", "display": "RESTful Operation"}


def _subtypes(audited: AuditedInteraction) -> list[Json]:
    subtypes: list[Json] = []
    if audited.interaction in _SECURITY:
        subtypes.append(dict(zip(("system", "code", "display"), _SECURITY[audited.interaction], strict=True)))
        return subtypes + ([{"system": OPERATION, "code": audited.operation}] if audited.operation else [])
    if audited.transaction != "ITI-65":
        subtypes.append(
            {"system": REST, "code": "search" if audited.interaction == Interaction.SEARCH else audited.interaction}
        )
    if audited.operation:
        subtypes.append({"system": OPERATION, "code": audited.operation})
    if audited.operation in _OVERRIDES:
        subtypes.append({"system": DCM, "code": "110127", "display": "Emergency Override Started"})
    if audited.transaction:
        subtypes.append({"system": IHE_EVENT, "code": audited.transaction, "display": _ITI[audited.transaction][0]})
    return subtypes


def _tokens_of(
    audited: AuditedInteraction, outcome: Outcome, caller: Caller, patient: PatientId | None
) -> frozenset[str]:
    """Return the tokens that few events share: of the patient, the access token and the resources."""
    found: set[str] = set()
    if patient:
        found |= tokens.reference("patient", f"Patient/{patient}") | tokens.reference("entity", f"Patient/{patient}")
    if caller.requester.person:
        found |= tokens.uri("policy", policy_of(caller))
    for reference in named_of(audited, outcome):
        found |= tokens.reference("entity", reference)
    return frozenset(found)


@lru_cache(maxsize=1024)
def on_pages(person: str) -> frozenset[str]:
    """Return the token of what one person of the patient's side does on these pages.

    That person's view of the journal leaves it out, unless they ask for it. What anybody else does there, be it a
    parent or a professional, is always shown.
    """
    return frozenset({f"by|pages {person}"})


def _common_of(
    audited: AuditedInteraction, outcome: Outcome, caller: Caller, patient: PatientId | None, profile: str
) -> frozenset[str]:
    """Return the tokens of the kind of an event and of who took part."""
    granted, requester = caller.granted, caller.requester
    return _joined(
        _coded_tokens(audited.interaction, audited.transaction, audited.operation, outcome.code),
        _profile_tokens(profile),
        _entity_tokens(bool(patient), _objects(audited, outcome)),
        _agent_tokens(granted.client_id, caller.origin.address or "unknown", requester.organization),
        _person_tokens(requester.person, requester.profession or ""),
        on_pages(requester.person) if granted.client_id == PAGES and requester.kind in _ON_OWN_PAGES else frozenset(),
    )


@lru_cache(maxsize=4096)
def _joined(*parts: frozenset[str]) -> frozenset[str]:
    """Return the union, which is one and the same value for the same parts: a store keeps its hashes."""
    return frozenset().union(*parts)


def _objects(audited: AuditedInteraction, outcome: Outcome) -> str | None:
    """Return the role of the one system object of an event, None when it has none."""
    if audited.query:
        return QUERY
    subject = subject_of(audited, named_of(audited, outcome))
    return role_of(audited, subject) if subject else None


@lru_cache(maxsize=1024)
def _agent_tokens(client: ClientId, address: str, organization: str) -> frozenset[str]:
    """Return the tokens of the client and the establishment, as `audit_event_parts.agents` names them."""
    found = tokens.string("address", address, words=False) | {tokens.present("address")}
    found |= tokens.token("agent.identifier", "", client) | tokens.reference_identifier("agent", "", client)
    if organization:
        found |= tokens.reference("agent", organization)
    return found


@lru_cache(maxsize=1024)
def _person_tokens(person: str, profession: str) -> frozenset[str]:
    """Return the tokens of the person who took part, "" when nobody did, as `audit_event_parts.agents` names them."""
    if not person:
        return frozenset()
    found = tokens.reference("agent", person) | {tokens.present("policy")}
    if profession:
        found |= tokens.token("agent-role", tokens.PROFESSION_SYSTEM, profession) | {tokens.present("agent-role")}
    return found


@lru_cache(maxsize=32)
def _entity_tokens(has_patient: bool, role: str | None) -> frozenset[str]:  # noqa: FBT001 - a key of the cache
    """Return the tokens of the patient and of the system object of an event.

    The other entities have none: a reader who gets the event without them could find by a search for their type that
    they were there.
    role: of the system object, None for none.
    """
    found: set[str] = set()
    if has_patient:
        found.add(tokens.present("patient"))
    for type_, as_ in (*((("1", "1"),) if has_patient else ()), *((("2", role),) if role else ())):
        found |= tokens.token("entity-type", ENTITY_TYPE, type_) | tokens.token("entity-role", OBJECT_ROLE, as_)
        found |= {tokens.present("entity-type"), tokens.present("entity-role")}
    return frozenset(found)


@lru_cache(maxsize=256)
def _coded_tokens(interaction: Interaction, transaction: str, operation: str, outcome: OutcomeCode) -> frozenset[str]:
    """Return the tokens that say what kind of interaction it was: many events share them."""
    audited = AuditedInteraction(interaction, "", transaction, operation=operation)
    found = {tokens.present("date"), tokens.present("agent")}
    for name, system, code in (
        ("action", "http://hl7.org/fhir/audit-event-action", _SHAPES[audited.interaction][0]),
        ("outcome", "http://hl7.org/fhir/audit-event-outcome", outcome),
        ("type", *_coding(_type(audited))),
        *(("subtype", *_coding(subtype)) for subtype in _subtypes(audited)),
    ):
        found |= tokens.token(name, system, code) | {tokens.present(name)}
    return frozenset(found)


@lru_cache(maxsize=64)
def _profile_tokens(profile: str) -> frozenset[str]:
    return tokens.uri("_profile", profile) | {tokens.present("_profile")} if profile else frozenset()


def _coding(coding: Json) -> tuple[str, str]:
    return str(coding["system"]), str(coding["code"])
