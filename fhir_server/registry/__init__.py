"""One row per resource type: which interactions and searches it offers, who owns it, and which access rule applies."""

from fhir_server.registry.model import AccessRule, Interaction, ParamType, ResourceType, SearchParam
from fhir_server.registry.rows import REGISTRY

__all__ = ["REGISTRY", "AccessRule", "Interaction", "ParamType", "ResourceType", "SearchParam"]
