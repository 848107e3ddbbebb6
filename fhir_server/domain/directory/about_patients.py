"""What no resource of the directory may say: every authenticated caller reads the directory, so it names no patient.

Source: docs/adr/0113-the-directory-names-no-patient.md; https://hl7.org/fhir/R4/careteam.html.
"""

from fhir_server.domain import references
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json
from fhir_server.registry import REGISTRY, AccessRule, ResourceType

_OPEN = frozenset({AccessRule.DIRECTORY, AccessRule.PUBLIC})
_OF_PATIENTS = frozenset(name for name, row in REGISTRY.items() if row.access not in _OPEN)
"""Types that no resource of the directory may refer to or contain."""


def faults(row: ResourceType, resource: Json, root: str) -> list[Issue]:
    """Return a fault for each element by which a resource of the directory would be about a patient.

    row: of the type of the resource; a type outside the directory has no such fault. root: the FHIRPath of the
    resource.
    """
    if row.access is not AccessRule.DIRECTORY:
        return []
    places = [f"{root}.{name}" for name in row.refused if name in resource]
    places += references.naming(resource, _OF_PATIENTS, root)
    return [Issue("the directory holds nothing about a patient", place, "about-a-patient") for place in places]
