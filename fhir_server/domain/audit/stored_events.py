"""What a stored AuditEvent says: the kind of the event, and the type of resource that it is about.

An event names its kind only where its codes do not tell it. Events of earlier versions name none.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from urllib.parse import urlsplit

from fhir_server.domain.audit.audit_event import EVENT_KIND, ISSUANCE, OPERATION, REST
from fhir_server.domain.audit.audit_event_parts import RESOURCE_TYPE, is_read, is_used
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS, kind_by_codes
from fhir_server.domain.values import Interaction, Json
from fhir_server.registry import PATIENT, AccessRule, types_under

_USER_AUTHENTICATION = "110114"
"""Type of the events of the sign-in service (DICOM PS3.15 A.5.3.13)."""
_IMPORT = "110107"
"""Type of the events of ITI-65, which have no interaction among their subtypes."""
_SYSTEM_OBJECT = "2"
"""Type of the one resource that an event is about (http://terminology.hl7.org/CodeSystem/audit-entity-type).

Events of earlier versions give this type to everything that they name.
"""
_SIGNING_IN = {
    "110122": Interaction.LOGIN,
    "110123": Interaction.LOGOUT,
    "110137": Interaction.REVOKE,
    "ITI-71": Interaction.AUTHORIZE,
}
"""Interaction by the subtype of an event of the sign-in service; an event about a token is known by its operation."""
_BY_ACTION = {
    "C": Interaction.CREATE,
    "R": Interaction.READ,
    "U": Interaction.UPDATE,
    "D": Interaction.DELETE,
    "E": Interaction.SEARCH,
}
"""Interaction by the action of an event, for an event of a later version whose interaction is unknown here."""
_KINDS = {kind.value: kind for kind in EventKind}
_INTERACTIONS = {"search": Interaction.SEARCH} | {one.value: one for one in Interaction}
(_CONTENT,) = types_under(AccessRule.CONTENT)


def kind_of_event(event: Json) -> EventKind:
    """Return the kind that a stored event names, or else the kind that its codes tell."""
    named = next((one.get("valueCode") for one in event.get("extension", ()) if one.get("url") == EVENT_KIND), "")
    if named in _KINDS:
        return _KINDS[named]
    interaction, type_ = _interaction(event), type_of_event(event)
    if interaction is Interaction.TRANSACTION and event["type"]["code"] == _IMPORT:
        type_ = ROWS[EventKind.DOCUMENTS_PUBLISHED].resource_type or ""
    return kind_by_codes(interaction, type_, operation_of(event))


def type_of_event(event: Json) -> str:
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


def operation_of(event: Json) -> str:
    """Return the name of the operation that an event records, "" when there is none."""
    return next((str(s["code"]) for s in event.get("subtype", ()) if s.get("system") == OPERATION), "")


def is_of_sign_in(event: Json) -> bool:
    """Tell whether the sign-in service recorded an event."""
    return bool(event.get("type", {}).get("code") == _USER_AUTHENTICATION)


def _interaction(event: Json) -> Interaction:
    subtypes = event.get("subtype", ())
    if is_of_sign_in(event):
        if operation_of(event) == ISSUANCE:
            return Interaction.TOKEN
        return next((_SIGNING_IN[s["code"]] for s in subtypes if s["code"] in _SIGNING_IN), Interaction.LOGIN)
    codes = [str(subtype["code"]) for subtype in subtypes if subtype.get("system") == REST]
    if not codes:
        return Interaction.TRANSACTION
    return _INTERACTIONS.get(codes[0]) or _BY_ACTION[event["action"]]


def _is_subject(entity: Json) -> bool:
    """Tell whether an event is about an entity; the Consents that a decision used are only context."""
    system, code = (str(entity.get("type", {}).get(name, "")) for name in ("system", "code"))
    return code == _SYSTEM_OBJECT or (system == RESOURCE_TYPE and (is_read(entity) or not is_used(entity)))


def _query_path(query: str) -> str:
    """Return the resource type of a recorded search: the part of its path after the FHIR base."""
    try:
        line = b64decode(query, validate=True).decode("utf-8", "replace").split("\n", 1)[0]
    except (Base64Error, ValueError):
        return ""
    words = line.split()
    parts = urlsplit(words[1] if len(words) > 1 else "").path.removesuffix("/_search").rstrip("/").split("/")
    return parts[-1] if parts[-1].isalpha() else ""
