"""The code systems whose codes the rules and the answers of this server use, with French and English displays.

Our own systems are whole. Of others' systems the server holds the codes that the matrix and the rules use, and says so
(`fragment`). The displays of kinds and professions are those of the matrix's own tables.
Source: https://hl7.org/fhir/R4/codesystem.html; consent_rules/data; data/codes.tsv.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from consent_rules.matrix.table import DocumentKind, Profession, kinds, professions
from fhir_server.domain.documents.security_labels import TRE_A07
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind

LOINC = "http://loinc.org"
OWN = "urn:habilis:"
"""Beginning of the URLs of our own code systems and value sets."""
_NOS = "https://mos.esante.gouv.fr/NOS/"
_CLASSES = f"{_NOS}TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument"
_OF_ANS = "Agence du Numérique en Santé, Licence Ouverte 2.0"
LOINC_NOTICE = (
    "This material contains content from LOINC (http://loinc.org). LOINC is copyright © Regenstrief Institute, Inc. "
    "and the Logical Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under the "
    "license at http://loinc.org/license. LOINC® is a registered United States trademark of Regenstrief Institute, Inc."
)
"""The notice that the license of LOINC requires, word for word."""
_TITLES = {
    "directive": "What a choice about access says",
    "proof": "What shows an agreement",
    "grade": "How strong the evidence of care is",
    "capacity": "Posts that change the rules for a professional",
    "review-outcome": "Outcomes of a review",
    "notice": "Kinds of notices",
    "event-kind": "Kinds of events in the audit log",
    "matrix-row": "Rows of the matrix without a published code",
    _CLASSES: "Classes of documents",
    TRE_A07: "Visibility of documents",
    LOINC: "Kinds of documents of the matrix in LOINC",
}


@dataclass(frozen=True, slots=True)
class Concept:
    """One code. fr, en: its displays, "" where the server's own data has none."""

    code: str
    fr: str
    en: str

    def display(self, language: str) -> str:
        """Return the display in a language ("fr" or "en"), or else in the other one, or else the code."""
        wanted, other = (self.fr, self.en) if language == "fr" else (self.en, self.fr)
        return wanted or other or self.code


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """One code system as far as the server holds it. is_own: whether it is ours, and whole. copyright: "" for none."""

    url: str
    title: str
    concepts: Mapping[str, Concept]
    copyright: str = ""

    @property
    def id(self) -> str:
        """The id of the resource: the last part of the URL."""
        return "loinc" if self.url == LOINC else self.url.rpartition("/")[2].removeprefix(OWN)

    @property
    def is_own(self) -> bool:
        """Whether the system is ours; then the server holds it whole."""
        return self.url.startswith(OWN)


def is_published(system: str) -> bool:
    """Tell whether a system can be described: R4 asks for an absolute URI, and the matrix calls one by a word."""
    return ":" in system


@cache
def code_systems() -> Mapping[str, CodeSystem]:
    """Return the code systems by URL."""
    found: dict[str, list[Concept]] = {}
    for url, concept in _concepts():
        found.setdefault(url, []).append(concept)
    return MappingProxyType({url: _system(url, concepts) for url, concepts in found.items()})


def _system(url: str, concepts: Iterable[Concept]) -> CodeSystem:
    name = url.removeprefix(OWN)
    copyright_ = LOINC_NOTICE if url == LOINC else _OF_ANS if url.startswith(_NOS) else ""
    title = _TITLES.get(name, name.rpartition("/")[2])
    return CodeSystem(url, title, MappingProxyType({one.code: one for one in concepts}), copyright_)


def _concepts() -> Iterator[tuple[str, Concept]]:
    """Yield every code with the URL of its system, in the order of the tables."""
    rows: tuple[DocumentKind | Profession, ...] = (*kinds().values(), *professions().values())
    for row in rows:
        if not is_published(row.system):
            continue
        yield row.system, Concept(row.code, row.label_fr, row.label_en)
    urls = {url.rpartition("/")[2]: url for url in (_CLASSES, TRE_A07)}
    for line in _table():
        yield urls.get(line["system"], f"{OWN}{line['system']}"), Concept(line["code"], line["fr"], line["en"])
    for notice in NoticeKind:
        yield f"{OWN}notice", Concept(notice.value, "", notice.label)
    for event in EventKind:
        yield f"{OWN}event-kind", Concept(event.value, "", event.value.replace("-", " "))


def _table() -> Iterator[dict[str, str]]:
    text = resources.files("fhir_server.domain.terminology").joinpath("data/codes.tsv").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    yield from csv.DictReader(lines, dialect="excel-tab", quoting=csv.QUOTE_NONE)
