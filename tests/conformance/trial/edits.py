"""The edits by which the trial adds Immunization to a copy of the project: six files, and no other."""

from pathlib import Path

from tests.conformance.project import ROOT

_R4 = "http://hl7.org/fhir/SearchParameter"
_ROW = """    ResourceType(
        "Immunization",
        AccessRule.DOCUMENT,
        _READABLE | {Interaction.CREATE},
        patient_path="patient",
        words={
            "en": Words("a vaccination", "of a vaccination", "the vaccinations", "vaccinations"),
            "fr": Words("une vaccination", "d’une vaccination", "les vaccinations", "les vaccinations"),
        },
        kind="87273-9",
    ),
"""
_HANDLER = """    "Immunization": Handler({Interaction.CREATE: immunizations.plan_create}),
"""
_PARAMETERS = (
    ("date", "date", "occurrenceDateTime", "", "", "clinical-date"),
    ("identifier", "token", "identifier", "", "", "clinical-identifier"),
    ("patient", "reference", "patient", "Patient", "", "clinical-patient"),
    ("performer", "reference", "performer.actor", "", "", "Immunization-performer"),
    ("status", "token", "status", "", "http://hl7.org/fhir/event-status", "Immunization-status"),
    ("vaccine-code", "token", "vaccineCode", "", "", "Immunization-vaccine-code"),
)
_PAGE = """| `Immunization` | read vread history-instance create search-type | document | `patient` | |
"""
INSERTED = {
    "fhir_server/registry/resource_types.py": (('    ResourceType(\n        "Binary",', _ROW),),
    "fhir_server/registry/data/search_parameters.tsv": (
        (
            "*\t_profile\t",
            "".join(
                f"Immunization\t{name}\t{kind}\t{path}\t{targets}\t{system}\t\t{_R4}/{definition}\t\n"
                for name, kind, path, targets, system, definition in _PARAMETERS
            ),
        ),
    ),
    "fhir_server/application/bundles/handlers.py": (
        ("publication\nfrom fhir_server.domain", "immunizations, "),
        ('}\n"""The handler of each type', _HANDLER),
    ),
    "pyproject.toml": (('    "document_requests | publication",\n', '    "immunizations",\n'),),
    "docs/types.md": (("| `Binary` |", _PAGE),),
}
"""By file: what stands behind an insertion, and what is inserted."""
ADDED = {"fhir_server/application/documents/immunizations.py": "tests/conformance/trial/immunizations.py"}
"""By new file: where its text stands."""


def edit(root: Path) -> None:
    """Add the type to a copy of the project."""
    for name, insertions in INSERTED.items():
        text = (root / name).read_text(encoding="utf-8")
        for place, inserted in insertions:
            if text.count(place) != 1:
                raise ValueError(f"{name}: not one place to insert at: {place!r}")
            text = text.replace(place, inserted + place)
        (root / name).write_text(text, encoding="utf-8")
    for name, source in ADDED.items():
        (root / name).write_text((ROOT / source).read_text(encoding="utf-8"), encoding="utf-8")
