"""A patient summary as a FHIR document, assembled from the descriptions of documents.

This server holds documents and no structured clinical data. So a section names the documents that are about its
subject, by their class and type; a section that the International Patient Summary requires and for which there are none
says why it is empty. Nothing is read out of a document.
Source: https://hl7.org/fhir/uv/ips/ (structure of the Composition, required sections); https://hl7.org/fhir/R4/documents.html.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from fhir_server.domain.values import Json

LOINC = "http://loinc.org"
EMPTY = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
_XHTML = "http://www.w3.org/1999/xhtml"


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its LOINC code ("" for none), its titles by language, and whether every summary has it.

    classes, types: codes of the class and of the type of the documents that it names.
    """

    code: str
    titles: Mapping[str, str]
    required: bool = False
    classes: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


_REST = Section("", {"fr": "Autres documents", "en": "Other documents"})
SECTIONS = (
    Section("11450-4", {"fr": "Problèmes de santé", "en": "Problems"}, required=True),
    Section("48765-2", {"fr": "Allergies et intolérances", "en": "Allergies and intolerances"}, required=True),
    Section(
        "10160-0", {"fr": "Traitements", "en": "Medication"}, required=True,
        classes=frozenset({"42", "43"}), types=frozenset({"56445-0", "57833-6"}),
    ),
    Section(
        "11369-6", {"fr": "Vaccinations", "en": "Immunizations"},
        classes=frozenset({"45"}), types=frozenset({"11369-6", "87273-9"}),
    ),
    Section(
        "30954-2", {"fr": "Résultats", "en": "Results"},
        classes=frozenset({"31"}), types=frozenset({"11502-2", "18748-4"}),
    ),
    Section("18776-5", {"fr": "Plan de soins", "en": "Plan of care"}, classes=frozenset({"44"})),
)  # fmt: skip
"""The sections in their order; a document goes to the first that names its type or its class, else to the last one."""
_TEXTS = {
    "fr": {
        "title": "Synthèse du patient",
        "none": "Ce service ne tient pas de données structurées ; aucun document sur ce sujet n’est visible.",
        "some": "Documents visibles, le dernier modifié en premier. Leur contenu n’a pas été repris ici.",
        "older": "D’autres documents, plus anciens, ne sont pas cités.",
    },
    "en": {
        "title": "Patient summary",
        "none": "This service holds no structured data; no document on this subject is visible.",
        "some": "Visible documents, the last changed first. Their content is not repeated here.",
        "older": "There are older documents, which are not named.",
    },
}


@dataclass(frozen=True, slots=True)
class Named:
    """What a summary is named by: base URL of the server; ids of Bundle, Composition and author; at: a FHIR instant."""

    base: str
    ids: tuple[str, str, str]
    at: str
    language: str


def assembled(patient: Json, documents: Sequence[Json], named: Named, *, are_all: bool) -> Json:
    """Return the summary as a Bundle of type document, valid R4. patient, documents: as the caller may see them.

    are_all: whether there are no older documents than these.
    """
    bundle_id, composition_id, author_id = (f"urn:uuid:{one}" for one in named.ids)
    author = {"resourceType": "Device", "id": named.ids[2], "deviceName": [{"name": named.base, "type": "other"}]}
    composition: Json = {
        "resourceType": "Composition",
        "id": named.ids[1],
        "language": named.language,
        "text": _narrative([_TEXTS[named.language]["title"]], [], named.language),
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": "60591-5"}]},
        "subject": {"reference": f"{named.base}/Patient/{patient['id']}"},
        "date": named.at,
        "author": [{"reference": author_id}],
        "title": _TEXTS[named.language]["title"],
        "section": [*_sections(documents, named, are_all=are_all)],
    }
    entries = [(composition_id, composition), (author_id, author)]
    entries += [(f"{named.base}/{one['resourceType']}/{one['id']}", one) for one in (patient, *documents)]
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": bundle_id},
        "type": "document",
        "timestamp": named.at,
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries],
    }


def section_of(document: Json) -> Section:
    """Return the section to which a document belongs."""
    types = {str(one.get("code")) for one in document.get("type", {}).get("coding", ())}
    classes = {str(c.get("code")) for concept in document.get("category", ()) for c in concept.get("coding", ())}
    by_type = (one for one in SECTIONS if one.types & types)
    by_class = (one for one in SECTIONS if one.classes & classes)
    return next(by_type, None) or next(by_class, _REST)


def _sections(documents: Sequence[Json], named: Named, *, are_all: bool) -> Iterator[Json]:
    belonging: dict[str, list[Json]] = {}
    for document in documents:
        belonging.setdefault(section_of(document).code, []).append(document)
    for section in (*SECTIONS, _REST):
        found = belonging.get(section.code, [])
        if found or section.required:
            yield _section(section, found, named, are_all=are_all)


def _section(section: Section, documents: Sequence[Json], named: Named, *, are_all: bool) -> Json:
    texts, language = _TEXTS[named.language], named.language
    built: Json = {"title": section.titles[language]}
    if section.code:
        built["code"] = {"coding": [{"system": LOINC, "code": section.code}]}
    if not documents:
        empty = {"system": EMPTY, "code": "unavailable"}
        return built | {"text": _narrative([texts["none"]], [], language), "emptyReason": {"coding": [empty]}}
    said = [texts["some"]] if are_all else [texts["some"], texts["older"]]
    lines = [_line(document) for document in documents]
    references = [{"reference": f"{named.base}/DocumentReference/{one['id']}"} for one in documents]
    return built | {"text": _narrative(said, lines, language), "entry": references}


def _line(document: Json) -> str:
    codings = document.get("type", {}).get("coding", ())
    kind = next((str(one["display"]) for one in codings if one.get("display")), "")
    parts = (str(document.get("date", ""))[:10], kind or str(document.get("type", {}).get("text", "")))
    return " – ".join(part for part in (*parts, str(document.get("description", ""))) if part)


def _narrative(said: Sequence[str], lines: Sequence[str], language: str) -> Json:
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    body = "".join(f"<p>{escape(one)}</p>" for one in said) + (f"<ul>{listed}</ul>" if listed else "")
    div = f'<div xmlns="{_XHTML}" lang="{language}" xml:lang="{language}">{body}</div>'
    return {"status": "generated", "div": div}
