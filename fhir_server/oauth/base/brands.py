"""The user-access brand: how an app presents this service in a list of places where people have records.

Source: SMART App Launch 2.2, User-access Brands and Endpoints (https://hl7.org/fhir/smart-app-launch/brands.html).
"""

from datetime import datetime
from hashlib import sha256

import orjson

from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.values import Json
from fhir_server.oauth.base.issuer import address
from fhir_server.ports.vault import Secret
from fhir_server.settings.brands import Brand

_KIND = "brand-bundle"
_PROFILES = "http://hl7.org/fhir/smart-app-launch/StructureDefinition"
_EXTENSIONS = "http://hl7.org/fhir/StructureDefinition"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_PUBLIC_ENDPOINT = {"reference": "Endpoint/fhir", "display": "FHIR R4"}


def bundle(runtime: Runtime, brand: Brand) -> tuple[Json, str]:
    """Return the Bundle and its weak ETag; its time is when any process first published this content."""
    entries = [_entry(runtime, resource) for resource in (_organization(runtime, brand), _endpoint(runtime, brand))]
    digest = sha256(orjson.dumps(entries)).hexdigest()
    published = _first_published(runtime, digest)
    found = {
        "resourceType": "Bundle", "id": "brands", "meta": {"profile": [f"{_PROFILES}/user-access-brands-bundle"]},
        "type": "collection", "timestamp": published.isoformat(), "entry": entries,
    }  # fmt: skip
    return found, f'W/"{digest[:32]}"'


def _entry(runtime: Runtime, resource: Json) -> Json:
    where = address(runtime, f"/brands/{resource['resourceType']}/{resource['id']}")
    return {"fullUrl": where, "resource": resource}


def _first_published(runtime: Runtime, digest: str) -> datetime:
    now = runtime.ports.clock.now()
    runtime.ports.vault.add(Secret(_KIND, digest, now.isoformat().encode()))
    kept = runtime.ports.vault.get(_KIND, digest, now)
    return datetime.fromisoformat(kept.value.decode()) if kept else now


def _organization(runtime: Runtime, brand: Brand) -> Json:
    portal = [
        {"url": "portalName", "valueString": brand.name},
        {"url": "portalUrl", "valueUrl": address(runtime, "/")},
        {"url": "portalEndpoint", "valueReference": _PUBLIC_ENDPOINT},
    ]
    extensions: list[Json] = [{"url": f"{_EXTENSIONS}/organization-portal", "extension": portal}]
    if brand.logo:
        logo = [{"url": "brandLogo", "valueUrl": brand.logo}]
        extensions.insert(0, {"url": f"{_EXTENSIONS}/organization-brand", "extension": logo})
    return {
        "resourceType": "Organization", "id": "brand", "meta": {"profile": [f"{_PROFILES}/user-access-brand"]},
        "extension": extensions, "identifier": [brand.identifier], "active": True, "name": brand.name,
        "telecom": [{"system": "url", "value": brand.website}], "endpoint": [_PUBLIC_ENDPOINT],
    }  # fmt: skip


def _endpoint(runtime: Runtime, brand: Brand) -> Json:
    return {
        "resourceType": "Endpoint", "id": "fhir", "meta": {"profile": [f"{_PROFILES}/user-access-endpoint"]},
        "extension": [{"url": f"{_EXTENSIONS}/endpoint-fhir-version", "valueCode": "4.0.1"}], "status": "active",
        "connectionType": {"system": f"{_TERMINOLOGY}/endpoint-connection-type", "code": "hl7-fhir-rest"},
        "name": f"FHIR R4, {brand.name}", "contact": [{"system": "url", "value": brand.website}],
        "payloadType": [{"coding": [{"system": f"{_TERMINOLOGY}/endpoint-payload-type", "code": "none"}]}],
        "address": runtime.fhir_base,
    }  # fmt: skip
