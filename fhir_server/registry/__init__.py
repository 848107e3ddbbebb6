"""One row per resource type: which interactions and searches it offers, who owns it, and which access rule applies.

A new search parameter is a line of `data/search_parameters.tsv`; a new type is a row of `resource_types.py`, or of
`published_types.py` when its resources come from the code.
"""

from fhir_server.registry.model import AccessRule, Interaction, ParamType, ResourceType, SearchParam
from fhir_server.registry.published_types import NATIVE, OWNED, PUBLISHED
from fhir_server.registry.resource_types import (
    DOCUMENT,
    DOCUMENTS,
    PARTIES,
    PATIENT,
    REGISTRY,
    TRACE,
    types_under,
    types_with,
)

__all__ = [
    "DOCUMENT",
    "DOCUMENTS",
    "NATIVE",
    "OWNED",
    "PARTIES",
    "PATIENT",
    "PUBLISHED",
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
