"""A document as its reader's page shows it: title, kind, dates, authors and contents in words, not in codes.

Source: IHE MHD 4.2, DocumentReference; https://interop.esante.gouv.fr/ig/fhir/pdsm/ (metadata of documents in France).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext, lazy_gettext

from consent_rules.matrix.table import Matrix
from consent_rules.vocabulary import Mark
from fhir_server.domain.documents.security_labels import split_marks
from fhir_server.domain.search import dates
from fhir_server.domain.terminology.code_systems import code_systems
from fhir_server.domain.values import Json
from fhir_server.http.pages.language import current_language

_DAY = len("2026-01-01")
_FORMATS = {
    "application/pdf": "PDF",
    "text/plain": lazy_gettext("text"),
    "image/jpeg": lazy_gettext("picture"),
    "image/png": lazy_gettext("picture"),
}
_UNITS = 1000


@dataclass(frozen=True, slots=True)
class ContentInWords:
    """One content of a document. id: of its Binary. form: its format in words. size: in words, "" when unknown."""

    id: str
    type: str
    form: Any
    size: str


@dataclass(frozen=True, slots=True)
class DocumentInWords:
    """One document in the language of the page.

    at: the instant that the document states, None when it states none or only a day. day: that day as it was stated.
    by: who wrote it. at_place: the establishment that keeps it. lang: of the title, as BCP 47, "" when unknown.
    """

    id: str
    title: str
    lang: str
    kind: str
    category: str
    at: datetime | None
    by: tuple[str, ...]
    at_place: str
    is_current: bool
    marks: Mark
    contents: tuple[ContentInWords, ...]

    @property
    def is_hidden(self) -> bool:
        """Tell whether the document is hidden from health professionals."""
        return bool(self.marks & Mark.MASQUE_PS)

    @property
    def waits(self) -> bool:
        """Tell whether the patient does not see the document because it waits to be announced."""
        return bool(self.marks & Mark.INVISIBLE_PATIENT)

    @property
    def is_from_parents(self) -> bool:
        """Tell whether the document is hidden from the legal representatives of a minor."""
        return bool(self.marks & Mark.INVISIBLE_REPRESENTANTS_LEGAUX)


def tell(document: Json, beside: Mapping[str, Json]) -> DocumentInWords:
    """Return a document in words. beside: resources that it refers to, by reference."""
    attachments = [content.get("attachment", {}) for content in document.get("content", ())]
    first: Json = next(iter(attachments), {})
    kind = coded(document.get("type", {}))
    named: Json = {f"#{one['id']}": one for one in document.get("contained", ()) if "id" in one} | dict(beside)
    return DocumentInWords(
        id=document["id"],
        title=str(first.get("title") or document.get("description") or kind),
        lang=str(first.get("language", "")) if first.get("title") else "",
        kind=kind,
        category=next((coded(concept) for concept in document.get("category", ())), ""),
        at=instant(str(document.get("date", ""))),
        by=tuple(dict.fromkeys(filter(None, (name_of(one, named) for one in document.get("author", ()))))),
        at_place=name_of(document.get("custodian", {}), named),
        is_current=document.get("status") == "current",
        marks=split_marks(document)[1],
        contents=tuple(_content(one) for one in attachments if "/Binary/" in one.get("url", "")),
    )


def is_of_patient(document: Json, matrix: Matrix) -> bool:
    """Tell whether a document is of a kind that the patient's side alone files (J6)."""
    codes = (coding.get("code", "") for coding in document.get("type", {}).get("coding", ()))
    return any(code in matrix.kinds and matrix.kinds[code].author == "patient" for code in codes)


def coded(concept: Json) -> str:
    """Return a concept in the language of the page as far as the server knows the code, or as it was sent."""
    codings = concept.get("coding", ())
    for coding in codings:
        system = code_systems().get(coding.get("system", ""))
        known = system.concepts.get(coding.get("code", "")) if system else None
        if known:
            return known.display(current_language())
    sent: Iterable[str] = (coding.get("display") or coding.get("code") or "" for coding in codings)
    return str(concept.get("text") or next(iter(sent), ""))


def instant(value: str) -> datetime | None:
    """Return the instant of a dateTime with a time, None for any other value."""
    if len(value) <= _DAY:
        return None
    try:
        return dates.instant_of(dates.interval_of(value)[0])
    except ValueError:
        return None


def name_of(reference: Json, named: Mapping[str, Json]) -> str:
    """Return the name of whom a reference names. named: resources, by reference."""
    resource = named.get(str(reference.get("reference", "")), {})
    told = resource.get("name")
    if isinstance(told, str):
        return told
    if told:
        words = (*told[0].get("prefix", ()), *told[0].get("given", ()), told[0].get("family", ""))
        return str(told[0].get("text") or " ".join(word for word in words if word))
    return str(reference.get("display", ""))


def _content(attachment: Json) -> ContentInWords:
    type_ = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
    id_ = attachment["url"].rpartition("/Binary/")[2].partition("/")[0]
    return ContentInWords(id_, type_, _FORMATS.get(type_, type_), _size(attachment.get("size")))


def _size(size: object) -> str:
    if not isinstance(size, int):
        return ""
    return str(gettext("%(size)s kB", size=max(1, round(size / _UNITS))))
