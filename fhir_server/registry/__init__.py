"""One row per resource type: which interactions and searches it offers, who owns it, and which access rule applies.

A new search parameter is a line of `data/search_parameters.tsv`; a new type is a row of `resource_types.py`.
"""

from fhir_server.domain.values import Interaction
from fhir_server.registry.model import AccessRule, ParamType, ResourceType, SearchParam
from fhir_server.registry.resource_types import REGISTRY

__all__ = ["REGISTRY", "AccessRule", "Interaction", "ParamType", "ResourceType", "SearchParam"]
