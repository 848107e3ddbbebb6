"""Visibility marks and the other security labels: one list on the wire, several independent axes in the rules.

The marks are TRE_A07 codes, compared without case, under the published code system or the spelling that PDSm's pages
use. Stored bodies never contain them: they are kept outside the version chain (docs/labels.md).

Source: https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument;
PDSm 3.1.1, flux 03 (https://interop.esante.gouv.fr/ig/fhir/pdsm/).
"""

from consent_rules.vocabulary import Label, Mark
from fhir_server.domain.values import Json
from fhir_server.registry import DOCUMENTS, REGISTRY

TRE_A07 = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
TRE_A07_MISSPELT = TRE_A07.replace("Statut", "Status")
"""The spelling in PDSm's prose and examples: a mark with this spelling hides a document too."""
TRE_A07_OID = "urn:oid:1.2.250.1.213.1.1.4.13"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

CODE_OF_SECRET = str(Mark.INVISIBLE_REPRESENTANTS_LEGAUX.name)
"""Code of the mark by which a minor hides a document from guardians."""
EVERY_MARK = ~Mark.NONE
_LABELLED_IN_META = frozenset(name for name in DOCUMENTS if REGISTRY[name].kind)
_DEGREES = (Label.V, Label.R, Label.N)
_ALL_DEGREES = Label.V | Label.R | Label.N
_SYSTEMS = frozenset(s.casefold() for s in (TRE_A07, TRE_A07_MISSPELT, TRE_A07_OID)) | frozenset(
    f"{path}{name}".casefold()
    for path in ("https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/",)
    for name in ("TRE-A07-StatutVisibiliteDocument", "TRE-A07-StatusVisibiliteDocument")
)
_NAMES = {
    Mark.MASQUE_PS: "Masqué aux professionnels de santé",
    Mark.INVISIBLE_PATIENT: "Non visible par le patient",
    Mark.INVISIBLE_REPRESENTANTS_LEGAUX: "Non visible par les représentants légaux du patient",
    Mark.MASQUE_PSOCIAL: "Masqué aux professionnels du secteur social",
    Mark.MASQUE_PT: "Masqué aux tiers",
}


def mark_of(coding: Json) -> Mark:
    """Return the mark that a coding states, NONE when it states none.

    A mark's code without a system, or under an unknown confidentiality system, still counts: a misspelt restriction is
    a restriction.
    """
    code = str(coding.get("code", "")).strip().upper()
    return Mark[code] if code in Mark.__members__ else Mark.NONE


def marks_named(code: str, system: str | None = None) -> Mark:
    """Return the marks that a search names: by code, by system and code, or all marks by the system alone.

    system: None for any system; every spelling of the marks' system is accepted, as in a document.
    """
    if system is not None and system.casefold() not in _SYSTEMS:
        return Mark.NONE
    return mark_of({"code": code}) if code else EVERY_MARK


def is_unknown_mark(coding: Json) -> bool:
    """Tell whether a coding belongs to the visibility axis but is not a mark that the server can honour.

    PDSm's examples use the confidentiality code N there; it restricts nothing and is not counted.
    """
    system = str(coding.get("system", "")).casefold()
    code = str(coding.get("code", "")).strip().upper()
    return system in _SYSTEMS and code not in Mark.__members__ and code != "N"


def split_marks(resource: Json) -> tuple[Json, Mark]:
    """Return the resource without the labels of its marks, and the marks themselves.

    The document's own labels and those of `meta.security` count alike; the given resource is not changed.
    """
    found = Mark.NONE
    kept, marks = _split_concepts(resource.get("securityLabel", []))
    found |= marks
    bare = _with(resource, "securityLabel", kept)
    if "security" in resource.get("meta", {}):
        codings, marks = _split_codings(resource["meta"]["security"])
        found |= marks
        bare = _with(bare, "meta", _with(resource["meta"], "security", codings))
    return bare, found


def with_marks(resource: Json, marks: Mark) -> Json:
    """Return the resource with one label for each mark, after its own labels; the given resource is not changed.

    A type whose kind the registry fixes has no element `securityLabel`: its labels stand in `meta.security`.
    """
    if marks is Mark.NONE:
        return resource
    codings = [coding_of(mark) for mark in Mark if mark & marks]
    if resource.get("resourceType") in _LABELLED_IN_META:
        meta = resource.get("meta", {})
        return resource | {"meta": meta | {"security": [*meta.get("security", []), *codings]}}
    labels = [{"coding": [coding]} for coding in codings]
    return resource | {"securityLabel": [*resource.get("securityLabel", []), *labels]}


def coding_of(mark: Mark) -> Json:
    """Return the published coding of one mark."""
    return {"system": TRE_A07, "code": mark.name, "display": _NAMES[mark]}


def confidentiality(resource: Json) -> list[Json]:
    """Return the labels of a resource that are not marks, in order."""
    return _split_concepts(resource.get("securityLabel", []))[0]


def labels_of(resource: Json) -> Label:
    """Return the confidentiality of a document, from its own labels and those of `meta.security` alike.

    The highest of several degrees counts; codes are compared without case and under any system, as marks are.
    """
    concepts = [*resource.get("securityLabel", []), {"coding": resource.get("meta", {}).get("security", [])}]
    found = Label.NONE
    for coding in (coding for concept in concepts for coding in concept.get("coding", [])):
        code = str(coding.get("code", "")).strip().upper()
        found |= Label[code] if code in Label.__members__ else Label.NONE
    highest = next((degree for degree in _DEGREES if degree & found), Label.NONE)
    return found & ~_ALL_DEGREES | highest


def _split_concepts(concepts: list[Json]) -> tuple[list[Json], Mark]:
    kept: list[Json] = []
    found = Mark.NONE
    for concept in concepts:
        codings, marks = _split_codings(concept.get("coding", []))
        found |= marks
        if marks is Mark.NONE:
            kept.append(concept)
        elif codings:
            kept.append(concept | {"coding": codings})
    return kept, found


def _split_codings(codings: list[Json]) -> tuple[list[Json], Mark]:
    found = Mark.NONE
    kept: list[Json] = []
    for coding in codings:
        mark = mark_of(coding)
        found |= mark
        if mark is Mark.NONE:
            kept.append(coding)
    return kept, found


def _with(resource: Json, name: str, value: list[Json] | Json) -> Json:
    """Return a copy with an element replaced, or without it when the value is empty."""
    if value:
        return resource | {name: value}
    return {key: item for key, item in resource.items() if key != name}
