"""The rows: every resource type that the server knows.

Source: https://hl7.org/fhir/R4/http.html for the interactions; IHE MHD 4.2 and PCF 1.1, ANS PDSm 3.1 for what each type
must offer. Search parameters are in data/search_parameters.tsv.
"""

import csv
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import get_args

from fhir_server.domain.values import Interaction
from fhir_server.registry.model import AccessRule, ParamType, ResourceType, SearchParam

_READABLE = frozenset({Interaction.READ, Interaction.VREAD, Interaction.HISTORY, Interaction.SEARCH})
_EDITABLE = _READABLE | {Interaction.CREATE, Interaction.UPDATE, Interaction.PATCH}
_MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
_PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
_PCF = "https://profiles.ihe.net/ITI/PCF/StructureDefinition"
_BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition"


def _search_parameters() -> dict[str, list[SearchParam]]:
    """Read the table of search parameters, by resource type; "*" is for every type."""
    table = resources.files("fhir_server.registry").joinpath("data/search_parameters.tsv").read_text("utf-8")
    lines = (line for line in table.splitlines() if not line.startswith("#"))
    found: dict[str, list[SearchParam]] = {}
    for line in csv.DictReader(lines, dialect="excel-tab", quoting=csv.QUOTE_NONE):
        found.setdefault(line["type"], []).append(_search_parameter(line))
    return found


def _search_parameter(line: Mapping[str, str]) -> SearchParam:
    kind = next(kind for kind in _KINDS if kind == line["kind"])
    return SearchParam(
        name=line["name"],
        type=kind,
        paths=tuple(line["paths"].split()),
        definition=line["definition"],
        targets=tuple(line["targets"].split()),
        lookup=line["lookup"] == "yes",
        documentation=line["documentation"],
        system=line["system"],
        absent=line["absent"] or "",
        marks=line["marks"] == "yes",
    )


_KINDS: tuple[ParamType, ...] = get_args(ParamType)
_SEARCH = _search_parameters()


def _row(
    name: str,
    access: AccessRule,
    interactions: frozenset[Interaction],
    patient_path: str = "",
    profiles: tuple[str, ...] = (),
) -> ResourceType:
    searchable = Interaction.SEARCH in interactions
    search = (*_SEARCH.get(name, ()), *_SEARCH["*"]) if searchable else ()
    return ResourceType(name, access, interactions, search, patient_path, profiles)


_ROWS = (
    _row("Patient", AccessRule.IDENTITY, _EDITABLE, "id"),
    _row("Practitioner", AccessRule.DIRECTORY, _EDITABLE),
    _row("PractitionerRole", AccessRule.DIRECTORY, _EDITABLE),
    _row("Organization", AccessRule.DIRECTORY, _EDITABLE),
    _row("RelatedPerson", AccessRule.DIRECTIVE, _EDITABLE, "patient"),
    _row(
        "DocumentReference",
        AccessRule.DOCUMENT,
        _READABLE | {Interaction.CREATE, Interaction.PATCH, Interaction.DELETE},
        "subject",
        (
            f"{_MHD}/IHE.MHD.Minimal.DocumentReference",
            f"{_MHD}/IHE.MHD.Comprehensive.DocumentReference",
            f"{_MHD}/IHE.MHD.UnContained.Comprehensive.DocumentReference",
            f"{_MHD}/IHE.MHD.SimplifiedPublish.DocumentReference",
            f"{_PDSM}/pdsm-comprehensive-document-reference",
            f"{_PDSM}/pdsm-simplified-publish",
        ),
    ),
    _row("Binary", AccessRule.CONTENT, frozenset({Interaction.READ})),
    _row(
        "List",
        AccessRule.GATHERING,
        _READABLE,
        "subject",
        (
            f"{_MHD}/IHE.MHD.Minimal.SubmissionSet",
            f"{_MHD}/IHE.MHD.Comprehensive.SubmissionSet",
            f"{_MHD}/IHE.MHD.UnContained.Comprehensive.SubmissionSet",
            f"{_MHD}/IHE.MHD.Minimal.Folder",
            f"{_MHD}/IHE.MHD.Comprehensive.Folder",
            f"{_PDSM}/pdsm-submissionset-comprehensive",
            f"{_PDSM}/pdsm-folder-comprehensive",
        ),
    ),
    _row(
        "Consent",
        AccessRule.DIRECTIVE,
        _EDITABLE,
        "patient",
        (
            f"{_PCF}/IHE.PCF.consentBasic",
            f"{_PCF}/IHE.PCF.consentIntermediate",
            f"{_PCF}/IHE.PCF.consentAdvanced",
        ),
    ),
    _row("Communication", AccessRule.NOTICE, frozenset({Interaction.READ, Interaction.SEARCH}), "subject"),
    _row(
        "AuditEvent",
        AccessRule.TRACE,
        frozenset({Interaction.READ, Interaction.VREAD, Interaction.SEARCH}),
        "entity.what",
        (
            f"{_BALP}/IHE.BasicAudit.PatientRead",
            f"{_BALP}/IHE.BasicAudit.PatientQuery",
            f"{_BALP}/IHE.BasicAudit.PatientCreate",
            f"{_BALP}/IHE.BasicAudit.PatientUpdate",
        ),
    ),
)

REGISTRY: Mapping[str, ResourceType] = MappingProxyType({row.name: row for row in _ROWS})
"""The resource types by name."""
