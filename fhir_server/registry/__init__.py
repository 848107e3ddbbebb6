"""One row per resource type: what can be done, what can be searched, whose it is, and who decides."""

from fhir_server.registry.model import AccessRule, Interaction, ParamType, ResourceType, SearchParam
from fhir_server.registry.rows import REGISTRY

__all__ = ["REGISTRY", "AccessRule", "Interaction", "ParamType", "ResourceType", "SearchParam"]
