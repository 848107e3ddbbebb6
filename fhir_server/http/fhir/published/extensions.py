"""The definitions of our own extensions, as StructureDefinitions: where each may stand, and what it holds.

Each has a differential and no snapshot: the base is R4's own Extension, which its publisher serves.
Source: https://hl7.org/fhir/R4/defining-extensions.html, https://hl7.org/fhir/R4/structuredefinition.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_server.domain.terminology.code_systems import OWN
from fhir_server.domain.terminology.value_sets import value_sets
from fhir_server.domain.values import Json


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension. name: the end of its URL. on: the elements on which it stands. holds: the type of its value.

    codes: the end of the URL of the value set of its codes, "" for none.
    """

    name: str
    title: str
    on: tuple[str, ...]
    holds: str
    codes: str = ""


EXTENSIONS = (
    Extension("depositor", "Who filed a document for somebody else", ("DocumentReference", "List"), "Reference"),
    Extension(
        "event-kind", "What happened, where the codes of an event do not say it", ("AuditEvent",), "code", "event-kind"
    ),
    Extension("own-login", "Whether the person had logged in", ("AuditEvent.agent",), "boolean"),
    Extension("review-due", "By when an emergency access must be reviewed", ("Communication",), "dateTime"),
    Extension("review-outcome", "The outcome of a review", ("Communication",), "code", "review-outcome"),
    Extension("access-at", "When the access was that a notice tells of", ("Communication",), "dateTime"),
    Extension("proof", "What is said to show an agreement", ("Communication",), "code", "proof"),
    Extension("grade", "How strong the evidence of an agreement is", ("Communication",), "code", "grade"),
)


def definition_of(extension: Extension) -> Json:
    """Return what is particular to the definition of an extension; the rest is the same for all resources."""
    value: Json = {
        "id": "Extension.value[x]",
        "path": "Extension.value[x]",
        "min": 1,
        "type": [{"code": extension.holds}],
    }
    if extension.codes:
        value_set = next(one.url for one in value_sets().values() if one.id == extension.codes)
        value["binding"] = {"strength": "required", "valueSet": value_set}
    return {
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": place} for place in extension.on],
        "type": "Extension",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "derivation": "constraint",
        "differential": {"element": [*_fixed(extension), value]},
    }


def _fixed(extension: Extension) -> Iterator[Json]:
    yield {"id": "Extension", "path": "Extension", "short": extension.title, "definition": extension.title}
    yield {"id": "Extension.extension", "path": "Extension.extension", "max": "0"}
    yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": f"{OWN}{extension.name}"}
