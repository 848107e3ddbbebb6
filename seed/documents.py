"""The documents of the demonstration: their metadata and their bytes."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from seed import cast
from seed.contents import MIMES, Sheet, content_of

LOINC = "http://loinc.org"
TRE_A05 = "https://mos.esante.gouv.fr/NOS/TRE_A05-TypeDocComplementaire/FHIR/TRE-A05-TypeDocComplementaire"
OID_ROOT = "1.2.250.1.213.1.4.99999"
"""A branch of identifiers that only the demonstration uses."""

TYPES: dict[str, tuple[str, str, str]] = {
    # code: (system, display, class code of TRE_A03)
    "11369-6": (LOINC, "Historique des vaccinations", "45"),
    "11488-4": (LOINC, "CR ou fiche de consultation ou de visite", "10"),
    "11490-0": (LOINC, "Lettre de liaison à la sortie d'un établissement de soins", "11"),
    "11502-2": (LOINC, "CR d'examens biologiques", "10"),
    "11506-3": (LOINC, "CR ou fiche de suivi de soins par auxiliaire médical", "10"),
    "15507-7": (LOINC, "CR de passage aux urgences", "10"),
    "18748-4": (LOINC, "CR d'imagerie médicale", "31"),
    "28617-9": (LOINC, "Bilan bucco-dentaire", "10"),
    "34112-3": (LOINC, "CR hospitalier (séjour)", "10"),
    "34874-8": (LOINC, "CR opératoire", "10"),
    "57832-8": (LOINC, "Prescription de soins", "42"),
    "57833-6": (LOINC, "Prescription de produits de santé", "42"),
    "59283-2": (LOINC, "CR d'examen de l'enfant", "10"),
    "60568-3": (LOINC, "CR d'anatomie et de cytologie pathologiques", "10"),
    "60591-5": (LOINC, "Synthèse médicale", "11"),
    "68599-0": (LOINC, "Synthèse psychiatrique", "11"),
    "78513-9": (LOINC, "CR de consultation en ophtalmologie", "10"),
    "80771-9": (LOINC, "Projet d'accueil individualisé", "44"),
    "89601-9": (LOINC, "Certificat médical", "52"),
    "EXPPAT_2": (TRE_A05, "Autre document du patient", "90"),
    "EXPPAT_3": (TRE_A05, "Directives anticipées", "90"),
}
CLASSES = {
    "10": "Compte rendu",
    "11": "Synthèse",
    "31": "Imagerie médicale",
    "42": "Prescription",
    "44": "Plan de soins, protocole de soins",
    "45": "Traitement administré",
    "52": "Certificat, déclaration",
    "90": "Autres documents déposés par le patient",
}


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """One document of the story; data/documents.toml explains each field. number: its position in the file."""

    number: int
    key: str
    patient: str
    author: str
    lot: str
    type: str
    title: str
    date: str
    format: str
    body: tuple[str, ...]
    via: str = ""
    marks: tuple[str, ...] = ()
    replaces: str = ""
    hidden: bool = False

    @property
    def unique_id(self) -> str:
        """The business identifier, the same in each loading."""
        return f"{OID_ROOT}.{self.number}"

    @property
    def mime(self) -> str:
        """The media type of the content."""
        return MIMES[self.format]

    @property
    def author_name(self) -> str:
        """The name of the author."""
        return cast.patient(self.patient).name if self.author == "patient" else cast.professional(self.author).name

    def content(self) -> bytes:
        """Return the bytes of the document."""
        system, display, _ = TYPES[self.type]
        patient = cast.patient(self.patient).name
        sheet = Sheet(
            self.unique_id, self.title, self.date, patient, self.author_name, (system, self.type, display), self.body
        )
        return content_of(sheet, self.format)


@cache
def documents() -> tuple[DocumentPart, ...]:
    """Return all documents, in the order of filing."""
    path = Path(__file__).parent / "data" / "documents.toml"
    rows: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["document"]
    return tuple(_part(number, row) for number, row in enumerate(rows, 1))


def _part(number: int, row: dict[str, Any]) -> DocumentPart:
    fields: dict[str, Any] = row | {name: tuple(row[name]) for name in ("body", "marks") if name in row}
    return DocumentPart(number=number, **fields)


def document(key: str) -> DocumentPart:
    """Return the document with a key."""
    return next(part for part in documents() if part.key == key)


def lots() -> Iterator[tuple[DocumentPart, ...]]:
    """Yield the documents of each submission; they are consecutive in the file."""
    for _, members in groupby(documents(), key=lambda part: part.lot):
        yield tuple(members)
