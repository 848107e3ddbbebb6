"""The rows: every resource type that the server knows.

Source: https://hl7.org/fhir/R4/http.html for the interactions; IHE MHD 4.2 and PCF 1.1, ANS PDSm 3.1 for what each type
must offer. Search parameters are in data/search_parameters.tsv.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import get_args

from fhir_server.registry.model import AccessRule, Interaction, ParamType, ResourceType, SearchParam, Words

_READABLE = frozenset({Interaction.READ, Interaction.VREAD, Interaction.HISTORY, Interaction.SEARCH})
_EDITABLE = _READABLE | {Interaction.CREATE, Interaction.UPDATE, Interaction.PATCH}
_MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
_PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
_PCF = "https://profiles.ihe.net/ITI/PCF/StructureDefinition"
_BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition"


@cache
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
        components=tuple((line["components"] or "").split()),
        examined=line["examined"] == "yes",
    )


_KINDS: tuple[ParamType, ...] = get_args(ParamType)
_ROWS = (
    ResourceType(
        "Patient",
        AccessRule.IDENTITY,
        _EDITABLE,
        patient_path="id",
        words={
            "en": Words("the patient’s identity", "of the patient’s identity", "the patient’s identity", "identity"),
            "fr": Words("l’identité du patient", "de l’identité du patient", "l’identité du patient", "l’identité"),
        },
        unique=True,
        documentation="Professionals and software name the patient by `identifier=system|value` or by one `_id`, and "
        "the other parameters narrow that; patients search their own record. A professional who has no ground to "
        "consult the record is shown the identity traits alone, tagged SUBSETTED, and narrows by those alone.",
    ),
    ResourceType("Practitioner", AccessRule.DIRECTORY, _EDITABLE, unique=True, is_party=True),
    ResourceType("PractitionerRole", AccessRule.DIRECTORY, _EDITABLE, by_operator=True, is_party=True),
    ResourceType("Organization", AccessRule.DIRECTORY, _EDITABLE, unique=True, is_party=True),
    ResourceType("Location", AccessRule.DIRECTORY, _EDITABLE, by_operator=True),
    ResourceType("HealthcareService", AccessRule.DIRECTORY, _EDITABLE, by_operator=True),
    ResourceType("Endpoint", AccessRule.DIRECTORY, _EDITABLE, by_operator=True),
    ResourceType(
        "CareTeam",
        AccessRule.DIRECTORY,
        _EDITABLE,
        by_operator=True,
        refused=("subject", "encounter", "reasonCode", "reasonReference"),
        documentation="Teams of establishments alone: nobody's access depends on them. A team with `subject`, "
        "`encounter` or a reason is a patient's, and is refused.",
    ),
    ResourceType(
        "RelatedPerson",
        AccessRule.DIRECTIVE,
        _EDITABLE,
        patient_path="patient",
        words={
            "en": Words(
                "the entry of a representative or carer",
                "of the entry of a representative or carer",
                "the list of representatives and carers",
                "representatives and relatives",
            ),
            "fr": Words(
                "la fiche d’un représentant ou d’un proche",
                "de la fiche d’un représentant ou d’un proche",
                "la liste des représentants et des proches",
                "les représentants et les proches",
            ),
        },
        of_person=True,
    ),
    ResourceType(
        "DocumentReference",
        AccessRule.DOCUMENT,
        _READABLE | {Interaction.CREATE, Interaction.PATCH, Interaction.DELETE},
        patient_path="subject",
        profiles=(
            f"{_MHD}/IHE.MHD.Minimal.DocumentReference",
            f"{_MHD}/IHE.MHD.Comprehensive.DocumentReference",
            f"{_MHD}/IHE.MHD.UnContained.Comprehensive.DocumentReference",
            f"{_MHD}/IHE.MHD.SimplifiedPublish.DocumentReference",
            f"{_PDSM}/pdsm-comprehensive-document-reference",
            f"{_PDSM}/pdsm-simplified-publish",
            "http://hl7.eu/fhir/health-data-api/StructureDefinition/EehrxfMhdDocumentReference",
        ),
        words={
            "en": Words(
                "the description of a document",
                "of the description of a document",
                "the list of documents",
                "documents",
            ),
            "fr": Words(
                "la fiche d’un document", "de la fiche d’un document", "la liste des documents", "les documents"
            ),
        },
        transactions={Interaction.SEARCH: "ITI-67", Interaction.CREATE: "ITI-105"},
        care_dates=("period", "creation", "date"),
        documentation="`conditionalUpdate` is a conditional PATCH; there is no PUT.",
    ),
    ResourceType(
        "Binary",
        AccessRule.CONTENT,
        frozenset({Interaction.READ}),
        words={
            "en": Words("a document", "of a document", "the documents", "the content of documents"),
            "fr": Words("un document", "d’un document", "les documents", "le contenu des documents"),
        },
        transactions={Interaction.READ: "ITI-68"},
    ),
    ResourceType(
        "List",
        AccessRule.GATHERING,
        _READABLE,
        patient_path="subject",
        profiles=(
            f"{_MHD}/IHE.MHD.Minimal.SubmissionSet",
            f"{_MHD}/IHE.MHD.Comprehensive.SubmissionSet",
            f"{_MHD}/IHE.MHD.UnContained.Comprehensive.SubmissionSet",
            f"{_MHD}/IHE.MHD.Minimal.Folder",
            f"{_MHD}/IHE.MHD.Comprehensive.Folder",
            f"{_PDSM}/pdsm-submissionset-comprehensive",
            f"{_PDSM}/pdsm-folder-comprehensive",
        ),
        words={
            "en": Words(
                "a set of documents",
                "of a set of documents",
                "the list of sets of documents",
                "submission sets and folders",
            ),
            "fr": Words(
                "un lot de documents",
                "d’un lot de documents",
                "la liste des lots de documents",
                "les lots et les classeurs",
            ),
        },
        transactions={Interaction.SEARCH: "ITI-66"},
    ),
    ResourceType(
        "Provenance",
        AccessRule.GATHERING,
        _READABLE,
        patient_path="target",
        words={
            "en": Words(
                "the record of a deposit",
                "of the record of a deposit",
                "the list of deposits",
                "records of deposits",
            ),
            "fr": Words(
                "la trace d’un dépôt", "de la trace d’un dépôt", "la liste des dépôts", "les traces des dépôts"
            ),
        },
        by_server=True,
        documentation="The server writes one for each submission: which person, establishment and software deposited "
        "which documents, and when. `patient` is the patient in whose space the documents are.",
    ),
    ResourceType(
        "Consent",
        AccessRule.DIRECTIVE,
        _EDITABLE,
        patient_path="patient",
        profiles=(
            f"{_PCF}/IHE.PCF.consentBasic",
            f"{_PCF}/IHE.PCF.consentIntermediate",
            f"{_PCF}/IHE.PCF.consentAdvanced",
        ),
        words={
            "en": Words(
                "a choice about access", "of a choice about access", "the choices about access", "access choices"
            ),
            "fr": Words("un choix d’accès", "d’un choix d’accès", "les choix d’accès", "les choix d’accès"),
        },
    ),
    ResourceType(
        "Encounter",
        AccessRule.DIRECTIVE,
        frozenset({Interaction.READ, Interaction.SEARCH, Interaction.CREATE, Interaction.UPDATE}),
        patient_path="subject",
        words={
            "en": Words(
                "an admission or appointment",
                "of an admission or appointment",
                "the admissions and appointments",
                "admissions and appointments",
            ),
            "fr": Words(
                "une admission ou un rendez-vous",
                "d’une admission ou d’un rendez-vous",
                "les admissions et les rendez-vous",
                "les admissions et les rendez-vous",
            ),
        },
        unconditional=True,
        care_dates=("date",),
        documentation="An establishment's registered admission system records who cares for the patient and when, and "
        "nothing else. Only the patient's side reads it.",
    ),
    ResourceType(
        "Communication",
        AccessRule.NOTICE,
        frozenset({Interaction.READ, Interaction.SEARCH}),
        patient_path="subject",
        words={
            "en": Words("a notice", "of a notice", "the notices", "notices"),
            "fr": Words("un avis", "d’un avis", "les avis", "les avis"),
        },
    ),
    ResourceType(
        "AuditEvent",
        AccessRule.TRACE,
        frozenset({Interaction.READ, Interaction.VREAD, Interaction.SEARCH, Interaction.CREATE}),
        patient_path="entity.what",
        profiles=(
            f"{_BALP}/IHE.BasicAudit.PatientRead",
            f"{_BALP}/IHE.BasicAudit.PatientQuery",
            f"{_BALP}/IHE.BasicAudit.PatientCreate",
            f"{_BALP}/IHE.BasicAudit.PatientUpdate",
        ),
        words={
            "en": Words(
                "a line of the journal",
                "of a line of the journal",
                "the journal of accesses",
                "the journal of accesses",
            ),
            "fr": Words(
                "une entrée du journal des accès",
                "d’une entrée du journal des accès",
                "le journal des accès",
                "le journal des accès",
            ),
        },
        unconditional=True,
        documentation="Registered audit sources create events of their own system (ITI-20); auditors alone read these.",
    ),
)


def with_search(row: ResourceType) -> ResourceType:
    """Return a row with its search parameters."""
    params = _search_parameters()
    if Interaction.SEARCH not in row.interactions:
        return row
    return replace(row, search=(*params.get(row.name, ()), *params["*"]))


REGISTRY: Mapping[str, ResourceType] = MappingProxyType({row.name: row for row in map(with_search, _ROWS)})
"""The resource types by name."""


def types_under(*rules: AccessRule) -> frozenset[str]:
    """Return the names of the types that these access rules govern."""
    return frozenset(row.name for row in _ROWS if row.access in rules)


def types_with(param: str, *rules: AccessRule) -> frozenset[str]:
    """Return the names of the types that these access rules govern and that have a search parameter."""
    return frozenset(name for name in types_under(*rules) if any(param == one.name for one in REGISTRY[name].search))


PARTIES = frozenset(row.name for row in _ROWS if row.is_party)
"""The types of the directory to whom access is given."""
DOCUMENTS = types_under(AccessRule.DOCUMENT)
"""The types that the matrix, directives and marks govern as documents."""
DOCUMENT = next(row.name for row in _ROWS if row.transactions.get(Interaction.SEARCH) == "ITI-67")
"""The type that describes documents (MHD)."""
(PATIENT,) = types_under(AccessRule.IDENTITY)
(TRACE,) = types_under(AccessRule.TRACE)
