"""What the server can do: CapabilityStatement, made from the registry and the routes, and health.

Source: https://hl7.org/fhir/R4/capabilitystatement.html, https://hl7.org/fhir/R4/http.html#capabilities;
SMART App Launch 2.2 (oauth-uris extension, security service code).
"""

from hashlib import sha256
from importlib.metadata import version

import orjson
from flask import Flask, Response, current_app, request

from fhir_server.application.core.readiness import EXTENSION, Look
from fhir_server.domain.search.joins import including, including_back
from fhir_server.domain.subscriptions.asked import BACKPORT
from fhir_server.domain.subscriptions.topics import TOPICS
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.all_operations import OPERATIONS, capability_of
from fhir_server.http.fhir.routing import Route
from fhir_server.http.request_context import FHIR_PATH, runtime
from fhir_server.ports.store import StoreUnavailable
from fhir_server.r4.patch import PATCH_TYPES
from fhir_server.registry import NATIVE, OWNED, PUBLISHED, REGISTRY, AccessRule, Interaction, ResourceType, SearchParam

RELEASED = "2026-11-25"
_ROWS = {**REGISTRY, **NATIVE, **PUBLISHED, **OWNED}
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_GUIDES = (
    "https://profiles.ihe.net/ITI/MHD/ImplementationGuide/ihe.iti.mhd",
    "https://profiles.ihe.net/ITI/BALP/ImplementationGuide/ihe.iti.balp",
    "https://profiles.ihe.net/ITI/PCF/ImplementationGuide/ihe.iti.pcf",
    "https://interop.esante.gouv.fr/ig/fhir/pdsm/ImplementationGuide/ans.fhir.fr.pdsm",
    "http://hl7.eu/fhir/health-data-api/ImplementationGuide/hl7.fhir.eu.health-data-api|1.0.0-ballot",
    "http://hl7.org/fhir/smart-app-launch/ImplementationGuide/hl7.fhir.uv.smart-app-launch",
    "http://hl7.org/fhir/uv/subscriptions-backport/ImplementationGuide/hl7.fhir.uv.subscriptions-backport",
)
_INSTANTIATES = (
    "https://profiles.ihe.net/ITI/MHD/CapabilityStatement/IHE.MHD.DocumentRecipient.Comprehensive",
    "https://profiles.ihe.net/ITI/MHD/CapabilityStatement/IHE.MHD.DocumentResponder",
    "http://hl7.eu/fhir/health-data-api/CapabilityStatement/EEHRxF-DocumentAccessProvider|1.0.0-ballot",
)
_COMMON_PARAMS = (
    ("_id", "token", "http://hl7.org/fhir/SearchParameter/Resource-id"),
    ("_lastUpdated", "date", "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated"),
)
_TOPIC = f"{BACKPORT}capabilitystatement-subscriptiontopic-canonical"
_OF_PATIENTS = "for patients, of their own record; for others together with `identifier` or `_id`"
_PATCH_FORMATS = (*PATCH_TYPES, negotiation.JSON_TYPE, negotiation.XML_TYPE)


def register(app: Flask) -> None:
    """Register health."""
    app.add_url_rule("/health/live", "live", live)
    app.add_url_rule("/health/ready", "ready", ready)


def metadata() -> Response:
    """Answer the CapabilityStatement; no token is needed."""
    statement = statement_of(runtime().fhir_base)
    tag = f'W/"{sha256(orjson.dumps(statement)).hexdigest()[:16]}"'
    is_known = negotiation.names_tag(request.headers.get("If-None-Match", ""), tag)
    response = negotiation.empty_response(304) if is_known else negotiation.fhir_response(statement)
    response.headers["ETag"] = tag
    return response


def live() -> Response:
    """Answer that the process runs."""
    return Response("live\n", content_type="text/plain")


def ready() -> Response:
    """Answer whether reads, durable writes and decisions can be promised now."""
    look: Look = current_app.extensions[EXTENSION]
    if not look.is_able(runtime()):
        raise StoreUnavailable("reads or durable writes fail")
    return Response("ready\n", content_type="text/plain")


def statement_of(fhir_base: str) -> Json:
    """Build the CapabilityStatement of a server at this address."""
    return {
        "resourceType": "CapabilityStatement",
        "url": f"{fhir_base}/metadata",
        "version": version("habilis"),
        "name": "Habilis",
        "title": "Habilis document sharing server",
        "status": "active",
        "date": RELEASED,
        "kind": "instance",
        "instantiates": list(_INSTANTIATES),
        "software": {"name": "Habilis", "version": version("habilis")},
        "implementation": {"description": "Documents shared by habilitation matrix and consent", "url": fhir_base},
        "fhirVersion": "4.0.1",
        "format": [negotiation.JSON_TYPE, negotiation.XML_TYPE, "json", "xml"],
        "patchFormat": list(_PATCH_FORMATS),
        "implementationGuide": list(_GUIDES),
        "rest": [
            {
                "mode": "server",
                "security": _security(fhir_base.removesuffix(FHIR_PATH)),
                "resource": [*(_resource(row, fhir_base) for row in _ROWS.values()), *_beside(fhir_base)],
                "interaction": [
                    {"code": "transaction"},
                    {"code": "batch"},
                    {"code": "history-system", "documentation": "of the patient's space that `patient` names"},
                    {"code": "search-system", "documentation": "of the one type that `_type` names"},
                ],
                "operation": _operations("", fhir_base),
            }
        ],
    }


def _security(origin: str) -> Json:
    uris = {"authorize": "authorize", "token": "token"}
    return {
        "cors": True,
        "service": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                        "code": "SMART-on-FHIR",
                        "display": "SMART-on-FHIR",
                    }
                ]
            }
        ],
        "extension": [
            {
                "url": _OAUTH_URIS,
                "extension": [{"url": name, "valueUri": f"{origin}/oauth/{path}"} for name, path in uris.items()],
            }
        ],
    }


def _resource(row: ResourceType, fhir_base: str) -> Json:
    offered = row.interactions
    built: Json = {
        "type": row.name,
        "interaction": _interactions(row),
        "versioning": "versioned",
        "readHistory": Interaction.HISTORY in offered,
        "updateCreate": False,
        "conditionalCreate": row.creates_conditionally,
        "conditionalRead": "full-support",
        "conditionalUpdate": row.updates_conditionally or row.patches_conditionally,
        "conditionalDelete": "single" if row.deletes_conditionally else "not-supported",
        "referencePolicy": ["literal", "logical"],
    }
    if row.access is AccessRule.OWNER:
        built["extension"] = [{"url": _TOPIC, "valueCanonical": url} for url in TOPICS]
    if row.documentation:
        built["documentation"] = row.documentation
    if row.profiles:
        built["supportedProfile"] = list(row.profiles)
    if Interaction.SEARCH in offered:
        built["searchParam"] = _params(row)
        included = {"searchInclude": including(row), "searchRevInclude": including_back(row)}
        built |= {name: list(values) for name, values in included.items() if values}
    if operations := _operations(row.name, fhir_base):
        built["operation"] = operations
    return built


def _operations(type_: str, fhir_base: str) -> list[Json]:
    """Return the operations of a type, "" for those of the whole server."""
    return [capability_of(operation, fhir_base) for operation in OPERATIONS if operation.type == type_]


def _beside(fhir_base: str) -> list[Json]:
    """Describe the types that have operations alone."""
    names = dict.fromkeys(one.type for one in OPERATIONS if one.type and one.type not in _ROWS)
    return [{"type": name, "operation": _operations(name, fhir_base)} for name in names]


def _interactions(row: ResourceType) -> list[Json]:
    """Return the interactions of the row; a type whose resources have versions has a history of its own too."""
    found: list[Json] = [{"code": one.value} for one in Interaction if one in row.interactions]
    if Interaction.HISTORY in row.interactions:
        of_space = {"documentation": "of one patient's space, which `patient` or the token names"}
        found.append({"code": "history-type"} | (of_space if row.access is not AccessRule.DIRECTORY else {}))
    return found


def _params(row: ResourceType) -> list[Json]:
    common: list[Json] = [{"name": name, "definition": url, "type": kind} for name, kind, url in _COMMON_PARAMS]
    own = [_param(param) for param in row.search]
    if row.names_patient:
        own += [_by_identifier(param) for param in row.search if param.name in ("patient", "subject")]
    if row.access is AccessRule.IDENTITY:
        for param in own:
            if param["name"] != "identifier":
                param["documentation"] = _OF_PATIENTS
    return common + own


def _param(param: SearchParam) -> Json:
    described: Json = {"name": param.name, "type": param.type}
    if param.definition:
        described["definition"] = param.definition
    if param.documentation:
        described["documentation"] = param.documentation
    return described


def _by_identifier(param: SearchParam) -> Json:
    """Describe a search parameter that names the patient by an identifier, as MHD and PDSm do."""
    documentation = "one patient, as `system|value`"
    name = f"{param.name}.identifier"
    return {"name": name, "type": "token", "definition": param.definition, "documentation": documentation}


_SUMMARY = "The CapabilityStatement of this server"
ROUTES = [Route("GET", "/metadata", metadata, "Conformance", "capabilities", _SUMMARY)]
