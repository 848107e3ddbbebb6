"""The parties and the resources that an AuditEvent names: agents and entities.

Sources: IHE BALP 1.1 (https://profiles.ihe.net/ITI/BALP/) and IHE MHD 4.2 (https://profiles.ihe.net/ITI/MHD/).
"""

from base64 import b64encode
from hashlib import sha256

from consent_rules.vocabulary import PatientId
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.search import tokens
from fhir_server.domain.values import Interaction, Json, type_of
from fhir_server.registry import AccessRule, types_under
from fhir_server.settings import limits

DCM = "http://dicom.nema.org/resources/ontology/DCM"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
RESOURCE_TYPE = "http://hl7.org/fhir/resource-types"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
BALP = "https://profiles.ihe.net/ITI/BALP"
OWN_LOGIN = "urn:habilis:own-login"
"""Extension of the agent of a person: false when software named the person, who had not logged in (V5)."""
SUBJECTS = {"ITI-65": "List/", "ITI-68": "Binary/", "ITI-105": "DocumentReference/"}
"""Type of the resource that the audit profile of a transaction requires as the subject of the event."""
QUERY = "24"
"""Role of the query of a search."""
_BY_URI = "5"
"""Type of the address of the server (http://hl7.org/fhir/network-type)."""
_USED = "Consent"
_GATHERINGS = types_under(AccessRule.GATHERING)
_OF_MANY = frozenset({Interaction.HISTORY, Interaction.SEARCH})
"""The readings that are about many resources when they have no target."""
_DCM_NAMES = {"110150": "Application", "110152": "Destination Role ID", "110153": "Source Role ID"}
_CUSTODIAN = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_ACCESSED = {
    "system": "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle",
    "code": "6",
    "display": "Access / Use",
}
"""Lifecycle of a Consent that was read where no resource is the subject of the event."""
_ROLE_NAMES = {"1": "Patient", "3": "Report", "4": "Domain Resource", "20": "Job", "24": "Query"}


def agents(caller: Caller, client_role: str, server_role: str, observer: str) -> list[Json]:
    """Return who took part: the client, the server, the person and the establishment.

    client_role, server_role: codes of DCM, or "custodian". observer: the name of the server.
    """
    requester = caller.requester
    client: Json = {
        "type": {"coding": [_role(client_role)]},
        "who": {
            "identifier": {"value": caller.granted.client_id},
            "display": caller.granted.client_name or caller.granted.client_id,
        },
        "requestor": not requester.person,
        "network": {"address": caller.origin.address or "unknown", "type": "2"},
    }
    server: Json = {
        "type": {"coding": [_role(server_role)]},
        "who": {"display": observer},
        "requestor": False,
        "network": {"address": observer, "type": _BY_URI},
    }
    found = [client, server]
    if requester.person:
        found.append(_user(caller))
    if requester.organization:
        found.append(_organization(caller))
    return found


def is_server(agent: Json) -> bool:
    """Tell whether an agent of an event is this server."""
    return bool(agent.get("network", {}).get("type") == _BY_URI)


def _role(code: str) -> Json:
    if code == "custodian":
        return {"system": _CUSTODIAN, "code": "custodian", "display": "Custodian"}
    return {"system": DCM, "code": code, "display": _DCM_NAMES[code]}


def _user(caller: Caller) -> Json:
    requester = caller.requester
    user: Json = {
        "type": {"coding": [{"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}]},
        "who": _named(requester.person, caller.granted.display),
        "requestor": True,
        "policy": [policy_of(caller)],
        "purposeOfUse": [{"coding": [{"system": ACT_REASON, "code": caller.purpose}]}],
    }
    if requester.vouched:
        user["extension"] = [{"url": OWN_LOGIN, "valueBoolean": False}]
    if requester.profession:
        user["role"] = [{"coding": [{"system": tokens.PROFESSION_SYSTEM, "code": requester.profession}]}]
    return user


def policy_of(caller: Caller) -> str:
    """Return the URI of the policy under which a person acts, which names the access token by its id."""
    return f"urn:ietf:params:oauth:jti:{caller.token_id}"


def _organization(caller: Caller) -> Json:
    return {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "PROV"}]},
        "who": _named(caller.requester.organization, caller.granted.organization_display),
        "requestor": False,
    }


def _named(reference: str, display: str) -> Json:
    """Return a reference with its display; an unknown display is left out, because no element may be empty."""
    return {"reference": reference} | ({"display": display} if display else {})


def entities(
    audited: AuditedInteraction,
    outcome: Outcome,
    caller: Caller,
    patient: PatientId | None,
    references: tuple[tuple[str, ...], str],
) -> list[Json]:
    """Return what an interaction was about: patient, query, resources, Consents that the decision used, request.

    references: the results of `named_of` and `subject_of`. At most one entity has the type "System Object", because the
    profiles of BALP and MHD allow one: the query of a search, or else the resource of `subject_of`. The type of any
    other entity is its resource type.
    """
    found: list[Json] = []
    if patient:
        found.append(_patient(outcome, patient))
    if audited.query:
        found.append(_query(audited.query))
    named, subject = references
    of_consents = not subject and audited.interaction is Interaction.HISTORY and audited.resource_type == _USED
    other = _read if of_consents else _other
    found.extend([_subject(audited, ref) if ref == subject else other(ref) for ref in named])
    found.extend(_other(f"{_USED}/{consent}") for rule in outcome.rules for consent in rule.consents)
    if caller.origin.request_id:
        found.append(
            {
                "what": {"identifier": {"value": caller.origin.request_id}},
                "type": {"system": f"{BALP}/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
            }
        )
    return found


def is_used(entity: Json) -> bool:
    """Tell whether an event names a Consent, as one does that a decision used or that came with a new space."""
    return type_of(str(entity.get("what", {}).get("reference", ""))) == _USED


def is_read(entity: Json) -> bool:
    """Tell whether an event names a Consent because somebody read it with others, in a history of Consents."""
    return bool(entity.get("lifecycle") == _ACCESSED)


def named_of(audited: AuditedInteraction, outcome: Outcome) -> tuple[str, ...]:
    """Return the references that an interaction named or resulted in, each once."""
    return tuple(dict.fromkeys(outcome.touched)) or ((audited.target,) if audited.target else ())


def subject_of(audited: AuditedInteraction, named: tuple[str, ...]) -> str:
    """Return the reference of the one resource that an interaction was about; "" for a search or when there is none.

    named: the references that the interaction named, from `named_of`.
    The subject is the content in ITI-68, the submission set in ITI-65, the document in ITI-105, else the first
    reference. A reading of many resources, such as the history of a type, has none: a mark on the first of them would
    tell that a hidden one comes before.
    """
    if audited.query or (audited.interaction in _OF_MANY and not audited.target):
        return ""
    type_ = SUBJECTS.get(audited.transaction, "")
    return next((reference for reference in named if reference.startswith(type_)), "")


def is_whole(query: str) -> bool:
    """Tell whether the audit log keeps a query whole, rather than its beginning and a hash."""
    return len(query.encode()) <= limits.in_force().trace_bytes


def _query(sent: str) -> Json:
    """Return a query as it was sent; for a long one, the beginning with the length and the hash of the whole."""
    whole = sent.encode()
    kept = whole[: limits.in_force().trace_bytes]
    entity: Json = {"type": _object("2"), "role": _as(QUERY), "query": b64encode(kept).decode()}
    if len(kept) < len(whole):
        entity["detail"] = [
            {"type": "query-bytes", "valueString": str(len(whole))},
            {"type": "query-sha256", "valueString": sha256(whole).hexdigest()},
        ]
    return entity


def _subject(audited: AuditedInteraction, reference: str) -> Json:
    """Return the entity for the subject of an interaction: an opened content, a submission set, or a resource."""
    return {"what": {"reference": reference}, "type": _object("2"), "role": _as(role_of(audited, reference))}


def role_of(audited: AuditedInteraction, subject: str) -> str:
    """Return the role of the subject of an interaction (http://terminology.hl7.org/CodeSystem/object-role)."""
    if audited.transaction == "ITI-68":
        return "3"
    return "20" if subject.partition("/")[0] in _GATHERINGS else "4"


def _other(reference: str) -> Json:
    """Return the entity for another resource that an interaction named, or that a decision used."""
    type_ = {"system": RESOURCE_TYPE, "code": reference.partition("/")[0]}
    return {"what": {"reference": reference}, "type": type_, "role": _AS_RESOURCE}


def _read(reference: str) -> Json:
    """Return the entity for a Consent of a history: without a mark it would count as one that the decision used."""
    return _other(reference) | {"lifecycle": _ACCESSED}


def _patient(outcome: Outcome, patient: PatientId) -> Json:
    entity: Json = {"what": {"reference": f"Patient/{patient}"}, "type": _object("1"), "role": _as("1")}
    detail = [
        {"type": name, "valueString": value}
        for name, value in (
            ("ground", outcome.basis or ""),
            ("grade", outcome.grade or ""),
            ("rules", " ".join(rule.statement for rule in outcome.rules)),
            ("matrix", outcome.matrix_version),
        )
        if value
    ]
    if detail:
        entity["detail"] = detail
    return entity


def _object(code: str) -> Json:
    return {"system": ENTITY_TYPE, "code": code, "display": "Person" if code == "1" else "System Object"}


def _as(code: str) -> Json:
    return {"system": OBJECT_ROLE, "code": code, "display": _ROLE_NAMES[code]}


_AS_RESOURCE = _as("4")
"""One shared value, because an event has as many such entities as a search found resources."""
