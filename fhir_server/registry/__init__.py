"""One row per resource type: which interactions and searches it offers, who owns it, and which access rule applies.

A new search parameter is a line of `data/search_parameters.tsv`; a new type is a row of `resource_types.py`.
"""

from fhir_server.registry.model import AccessRule, Interaction, ParamType, ResourceType, SearchParam
from fhir_server.registry.resource_types import DOCUMENTS, PARTIES, PATIENT, REGISTRY, TRACE, types_under, types_with

__all__ = [
    "DOCUMENTS",
    "PARTIES",
    "PATIENT",
    "REGISTRY",
    "TRACE",
    "AccessRule",
    "Interaction",
    "ParamType",
    "ResourceType",
    "SearchParam",
    "types_under",
    "types_with",
]
