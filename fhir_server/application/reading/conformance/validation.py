"""Checking a resource as a write would, without a write: its structure, its invariants, the profiles that it follows.

It says nothing about the store: neither whether an identifier is taken nor whether a reference names something.
Source: https://hl7.org/fhir/R4/resource-operation-validate.html; docs/adr/0114-resources-from-the-code.md.
"""

from dataclasses import dataclass

from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.directory import about_patients
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Interaction, Json
from fhir_server.r4 import claimed_profiles
from fhir_server.r4.checking import check
from fhir_server.r4.parsing import load_json
from fhir_server.registry import AccessRule, ResourceType

BASE = "http://hl7.org/fhir/StructureDefinition/"
MODES = {"create": Interaction.CREATE, "update": Interaction.UPDATE, "delete": Interaction.DELETE, "profile": None}
"""The codes of `mode`, each with the interaction that the type must offer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked.

    resource: None for the stored one. mode: a key of MODES, "" for none. profile: "" for none.
    """

    resource: Json | None = None
    mode: str = ""
    profile: str = ""


@query
def validate(runtime: Runtime, caller: Caller, row: ResourceType, id_: str, asked: Asked) -> tuple[Issue, ...]:
    """Return the faults of a resource, as many as a write would name; nothing is stored.

    id_: of the instance, which the caller must be able to read, "" for none. Asking about one is a reading like any
    other.
    Raises: Problem(NOT_FOUND) for an unknown instance and one that the caller does not see; DELETED as a read.
    """
    if id_:
        stored = read.read(runtime, caller, row, id_).stored
        resource = load_json(stored.body) if asked.resource is None else asked.resource
        if asked.resource is None and row.access is AccessRule.CONTENT:
            resource = {name: value for name, value in resource.items() if not name.startswith("_")}
    else:
        audited = AuditedInteraction(Interaction.OPERATION, row.name, operation="validate")
        audit_log.record(runtime, caller, audited, Outcome(), None)
        resource = asked.resource or {}
    faults = [*_of_mode(row, id_, asked, resource)]
    return tuple(faults if asked.mode == "delete" else [*faults, *_of_resource(row, resource, asked.profile)])


def _of_mode(row: ResourceType, id_: str, asked: Asked, resource: Json) -> list[Issue]:
    """Return why the type or the resource does not fit the interaction that is meant."""
    meant = MODES.get(asked.mode)
    if meant and meant not in row.interactions:
        return [Issue(f"the server offers no {meant.value} of {row.name}", row.name, "not-supported")]
    if meant is Interaction.UPDATE and resource.get("id") != id_:
        return [Issue("`id` is not the one of the URL", f"{row.name}.id", "value")]
    return []


def _of_resource(row: ResourceType, resource: Json, profile: str) -> list[Issue]:
    if resource.get("resourceType") != row.name:
        return [Issue(f"the resource must be a {row.name}", f"{row.name}.resourceType", "structure")]
    faults = check(resource)
    if faults:  # the profiles speak about a resource that is valid R4
        return faults
    found = [*claimed_profiles.check(resource), *about_patients.faults(row, resource, row.name)]
    return list(dict.fromkeys([*found, *_of_profile(row, resource, profile.partition("|")[0])]))


def _of_profile(row: ResourceType, resource: Json, profile: str) -> list[Issue]:
    if profile in ("", f"{BASE}{row.name}"):
        return []
    if not claimed_profiles.is_known(profile, row.name):
        return [Issue(f"the server knows no such profile of {row.name}", row.name, "not-supported")]
    return claimed_profiles.check_against(resource, [profile])
