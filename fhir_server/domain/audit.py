"""AuditEvents: what the trail keeps of every interaction.

Sources: IHE BALP 1.1 REST patterns (https://profiles.ihe.net/ITI/BALP/), the audit sections of IHE MHD 4.2
(https://profiles.ihe.net/ITI/MHD/), and BALP "AuthZconsent" for refused decisions.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from consent_rules.model import RuleApplied
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Mark
from fhir_server.domain import narrative, tokens
from fhir_server.domain.caller import Caller
from fhir_server.domain.stored import Facts, Stored

Json = dict[str, Any]

DCM = "http://dicom.nema.org/resources/ontology/DCM"
REST = "http://hl7.org/fhir/restful-interaction"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
IHE_EVENT = "urn:ihe:event-type-code"
OPERATION = "urn:habilis:operation"
"""System of the subtype that names an operation."""
BALP = "https://profiles.ihe.net/ITI/BALP"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"

_ITI = {
    "ITI-65": ("Provide Document Bundle", f"{MHD}/IHE.MHD.ProvideBundle.Audit.Recipient"),
    "ITI-66": ("Find Document Lists", f"{MHD}/IHE.MHD.FindDocumentLists.Audit.Responder"),
    "ITI-67": ("Find Document References", f"{MHD}/IHE.MHD.FindDocumentReferences.Audit.Responder"),
    "ITI-68": ("Retrieve Document", f"{MHD}/IHE.MHD.RetrieveDocument.Audit.Responder"),
    "ITI-105": ("Simplified Publish", f"{MHD}/IHE.MHD.SimplifiedPublish.Audit.Recipient"),
}
_SHAPES = {
    # interaction: (action, client is, server is, BALP pattern)
    "read": ("R", "110152", "110153", "PatientRead"),
    "vread": ("R", "110152", "110153", "PatientRead"),
    "history-instance": ("R", "110152", "110153", "PatientRead"),
    "search-type": ("E", "110153", "110152", "PatientQuery"),
    "create": ("C", "110153", "110152", "PatientCreate"),
    "update": ("U", "110153", "110152", "PatientUpdate"),
    "patch": ("U", "110153", "110152", "PatientUpdate"),
    "delete": ("D", "110150", "custodian", "PatientDelete"),
    "transaction": ("C", "110153", "110152", ""),
    "batch": ("E", "110153", "110152", ""),
    "operation": ("E", "110153", "110152", ""),
    "login": ("E", "110153", "110152", ""),
    "logout": ("E", "110153", "110152", ""),
    "authorize": ("E", "110153", "110152", ""),
    "token": ("E", "110153", "110152", ""),
    "revoke": ("E", "110153", "110152", ""),
}
_SECURITY = {
    # interaction: subtypes of DCM 110114 User Authentication (DICOM PS3.15 A.5.3.13), IHE IUA ITI-71 for tokens
    "login": (DCM, "110122", "Login"),
    "logout": (DCM, "110123", "Logout"),
    "authorize": (IHE_EVENT, "ITI-71", "Get Access Token"),
    "token": (IHE_EVENT, "ITI-71", "Get Access Token"),
    "revoke": (DCM, "110137", "User Security Attributes Changed"),
}
_DCM_NAMES = {"110150": "Application", "110152": "Destination Role ID", "110153": "Source Role ID"}
_CUSTODIAN = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OVERRIDES = frozenset({"break-glass", "regulation-access"})
_CHOICE_TYPES = frozenset({"Consent", "RelatedPerson"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One interaction, as the trail will tell it.

    interaction: code of restful-interaction. transaction: "ITI-67" and the like, "" when none.
    target: reference that was asked for, "" for a search. query: method, URL and headers of a search, as sent.
    choice: the deed is a choice of the patient (a hiding, a consent), which professionals never see in a trail.
    operation: name of the operation without its dollar sign, "" for any other interaction.
    """

    interaction: str
    resource_type: str
    transaction: str = ""
    target: str = ""
    query: str = ""
    choice: bool = False
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the deed ended: outcome "0" done, "4" refused, "8" failed; why; what was touched.

    secret: all that was touched is a minor's secret, so that the event itself is one too (B10).
    """

    outcome: str = "0"
    reason: str = ""
    basis: str = ""
    rules: tuple[RuleApplied, ...] = ()
    matrix_version: str = ""
    touched: tuple[str, ...] = field(default=())
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Stamp:
    """Name and time of one event: both come from ports."""

    id: str
    at: datetime
    observer: str


def trace_of(deed: Deed, verdict: Verdict, caller: Caller, patient: str, stamp: Stamp) -> Stored:
    """Build the AuditEvent of one deed on one patient's space ("" when it concerns no patient)."""
    requester = caller.requester
    facts = Facts(
        access=AccessFacts(
            compartment=patient,
            kind=kind_of(deed, verdict),
            marks=Mark.INVISIBLE_REPRESENTANTS_LEGAUX if verdict.secret else Mark.NONE,
            owner_person=requester.person,
            owner_client="" if requester.person else requester.client,
        ),
        tokens=_tokens_of(deed, verdict, caller, patient),
        dates={"date": (micros(stamp.at), micros(stamp.at) + 1)},
    )
    body = orjson.dumps(_event(deed, verdict, caller, patient, stamp))
    return Stored(
        "AuditEvent", stamp.id, 1, 0, deleted=False, last_updated=stamp.at, marked_at=None, body=body, facts=facts
    )


def without_ground(body: bytes) -> bytes:
    """Return an event without the ground of the access, the rules that spoke and the Consents that they name."""
    event: Json = orjson.loads(body)
    named = [e for e in event["entity"] if not str(e.get("what", {}).get("reference", "")).startswith("Consent/")]
    event["entity"] = [_without_detail(entity) for entity in named]
    event["text"]["div"] = narrative.without_ground(event["text"]["div"])
    return orjson.dumps(event)


def _without_detail(entity: Json) -> Json:
    kept = [detail for detail in entity.get("detail", ()) if detail["type"] not in ("ground", "rules")]
    return {name: item for name, item in entity.items() if name != "detail"} | ({"detail": kept} if kept else {})


def kind_of(deed: Deed, verdict: Verdict) -> str:
    """Return which part of the trail an event belongs to, for whoever may read some of it (H4).

    "choice" and "refusal" are for the patient's side and for auditors: an event of one's own that says why one was
    refused, or that a hidden document was asked for, would tell what the answer itself must not tell.
    """
    if deed.choice or deed.resource_type in _CHOICE_TYPES:
        return "choice"
    return "access" if verdict.outcome == "0" else "refusal"


def micros(at: datetime) -> int:
    """Return an instant as microseconds since the epoch."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def _event(deed: Deed, verdict: Verdict, caller: Caller, patient: str, stamp: Stamp) -> Json:
    action, client_role, server_role, pattern = _SHAPES[deed.interaction]
    refused = verdict.outcome != "0"
    recorded = stamp.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta: Json = {"versionId": "1", "lastUpdated": recorded}
    profile = "" if refused or not patient else _profile(deed, pattern)
    if profile:
        meta["profile"] = [profile]
    event: Json = {
        "resourceType": "AuditEvent",
        "id": stamp.id,
        "meta": meta,
        "language": "fr",
        "text": {"status": "generated", "div": narrative.div_of(deed, verdict, caller, stamp.at)},
        "type": _type(deed),
        "subtype": _subtypes(deed),
        "action": action,
        "recorded": recorded,
        "outcome": verdict.outcome,
        "purposeOfEvent": [{"coding": [{"system": ACT_REASON, "code": caller.purpose}]}],
        "agent": _agents(caller, client_role, server_role, stamp.observer),
        "source": {"observer": {"display": stamp.observer}},
        "entity": _entities(deed, verdict, caller, patient),
    }
    if refused or verdict.reason:
        event["outcomeDesc"] = verdict.reason
    return event


def _profile(deed: Deed, pattern: str) -> str:
    if deed.transaction:
        return _ITI[deed.transaction][1]
    return f"{BALP}/StructureDefinition/IHE.BasicAudit.{pattern}" if pattern else ""


def _type(deed: Deed) -> Json:
    if deed.transaction == "ITI-65":
        return {"system": DCM, "code": "110107", "display": "Import"}
    if deed.interaction in _SECURITY:
        return {"system": DCM, "code": "110114", "display": "User Authentication"}
    return {"system": EVENT_TYPE, "code": "rest", "display": "RESTful Operation"}


def _subtypes(deed: Deed) -> list[Json]:
    subtypes: list[Json] = []
    if deed.interaction in _SECURITY:
        return [dict(zip(("system", "code", "display"), _SECURITY[deed.interaction], strict=True))]
    if deed.transaction != "ITI-65":
        subtypes.append({"system": REST, "code": "search" if deed.interaction == "search-type" else deed.interaction})
    if deed.operation:
        subtypes.append({"system": OPERATION, "code": deed.operation})
    if deed.operation in _OVERRIDES:
        subtypes.append({"system": DCM, "code": "110127", "display": "Emergency Override Started"})
    if deed.transaction:
        subtypes.append({"system": IHE_EVENT, "code": deed.transaction, "display": _ITI[deed.transaction][0]})
    return subtypes


def _agents(caller: Caller, client_role: str, server_role: str, observer: str) -> list[Json]:
    requester = caller.requester
    client: Json = {
        "type": {"coding": [_role(client_role)]},
        "who": {"identifier": {"value": caller.client_id}, "display": caller.client_name or caller.client_id},
        "requestor": not requester.person,
        "network": {"address": caller.address or "unknown", "type": "2"},
    }
    server: Json = {
        "type": {"coding": [_role(server_role)]},
        "who": {"display": observer},
        "requestor": False,
        "network": {"address": observer, "type": "5"},
    }
    agents = [client, server]
    if requester.person:
        agents.append(_user(caller))
    if requester.organization:
        agents.append(_organization(caller))
    return agents


def _role(code: str) -> Json:
    if code == "custodian":
        return {"system": _CUSTODIAN, "code": "custodian", "display": "Custodian"}
    return {"system": DCM, "code": code, "display": _DCM_NAMES[code]}


def _user(caller: Caller) -> Json:
    requester = caller.requester
    user: Json = {
        "type": {"coding": [{"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}]},
        "who": {"reference": requester.person, "display": caller.display},
        "requestor": True,
        "policy": [f"urn:ietf:params:oauth:jti:{caller.token_id}"],
        "purposeOfUse": [{"coding": [{"system": ACT_REASON, "code": caller.purpose}]}],
    }
    if requester.profession:
        user["role"] = [{"coding": [{"system": tokens.PROFESSION_SYSTEM, "code": requester.profession}]}]
    return user


def _organization(caller: Caller) -> Json:
    return {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "PROV"}]},
        "who": {"reference": caller.requester.organization, "display": caller.organization_display},
        "requestor": False,
    }


def _entities(deed: Deed, verdict: Verdict, caller: Caller, patient: str) -> list[Json]:
    entities: list[Json] = []
    if patient:
        entities.append(_patient(verdict, patient))
    if deed.query:
        entities.append({"type": _object("2"), "role": _as("24"), "query": b64encode(deed.query.encode()).decode()})
    named = verdict.touched or ((deed.target,) if deed.target else ())
    entities.extend(_named(deed, ref) for ref in named)
    entities.extend(_consent(consent) for rule in verdict.rules for consent in rule.consents)
    if caller.request_id:
        entities.append(
            {
                "what": {"identifier": {"value": caller.request_id}},
                "type": {"system": f"{BALP}/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
            }
        )
    return entities


def _named(deed: Deed, reference: str) -> Json:
    """Return a resource that a deed was about; Consents that came with another are no `data`, of which BALP has one."""
    if reference.startswith("Consent/") and deed.resource_type == "Patient" and deed.interaction == "create":
        return _consent(reference.removeprefix("Consent/"))
    return {"what": {"reference": reference}, "type": _object("2"), "role": _role_of(deed, reference)}


def _role_of(deed: Deed, reference: str) -> Json:
    """Return what a resource was in a deed: a content that was opened, a submission set, or a resource."""
    if deed.transaction == "ITI-68":
        return _as("3")
    return _as("20" if reference.startswith("List/") else "4")


def _patient(verdict: Verdict, patient: str) -> Json:
    entity: Json = {"what": {"reference": f"Patient/{patient}"}, "type": _object("1"), "role": _as("1")}
    detail = [
        {"type": name, "valueString": value}
        for name, value in (
            ("ground", verdict.basis),
            ("rules", " ".join(rule.statement for rule in verdict.rules)),
            ("matrix", verdict.matrix_version),
        )
        if value
    ]
    if detail:
        entity["detail"] = detail
    return entity


def _consent(reference: str) -> Json:
    return {
        "what": {"reference": f"Consent/{reference}"},
        "type": {"system": "http://hl7.org/fhir/resource-types", "code": "Consent"},
        "role": _as("4"),
    }


def _object(code: str) -> Json:
    return {"system": ENTITY_TYPE, "code": code, "display": "Person" if code == "1" else "System Object"}


_ROLE_NAMES = {"1": "Patient", "3": "Report", "4": "Domain Resource", "20": "Job", "24": "Query"}


def _as(code: str) -> Json:
    return {"system": OBJECT_ROLE, "code": code, "display": _ROLE_NAMES[code]}


def _tokens_of(deed: Deed, verdict: Verdict, caller: Caller, patient: str) -> frozenset[str]:
    found = set(_coded_tokens(Deed(deed.interaction, "", deed.transaction, operation=deed.operation), verdict.outcome))
    if patient:
        found |= tokens.reference("patient", f"Patient/{patient}") | tokens.reference("entity", f"Patient/{patient}")
    if caller.requester.person:
        found |= tokens.reference("agent", caller.requester.person)
    if caller.requester.organization:
        found |= tokens.reference("agent", caller.requester.organization)
    for reference in verdict.touched or ((deed.target,) if deed.target else ()):
        found |= tokens.reference("entity", reference)
    return frozenset(found)


@lru_cache(maxsize=256)
def _coded_tokens(deed: Deed, outcome: str) -> frozenset[str]:
    """Return the tokens that say what kind of deed it was: the same for most events."""
    found: set[str] = set()
    for name, system, code in (
        ("action", "http://hl7.org/fhir/audit-event-action", _SHAPES[deed.interaction][0]),
        ("outcome", "http://hl7.org/fhir/audit-event-outcome", outcome),
        ("type", *_coding(_type(deed))),
        *(("subtype", *_coding(subtype)) for subtype in _subtypes(deed)),
    ):
        found |= tokens.token(name, system, code) | {tokens.present(name)}
    return frozenset(found)


def _coding(coding: Json) -> tuple[str, str]:
    return str(coding["system"]), str(coding["code"])
