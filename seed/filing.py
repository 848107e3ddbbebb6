"""Submissions as a hospital, a laboratory, a practice or a patient sends them.

Sources: IHE MHD ITI-65 and ITI-105 (https://profiles.ihe.net/ITI/MHD/), PDSm 3.1.1
(https://interop.esante.gouv.fr/ig/fhir/pdsm/).
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from uuid import NAMESPACE_OID, uuid5

from consent_rules.vocabulary import PatientId
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY, TRE_A07
from fhir_server.domain.values import Json

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
MHD = "https://profiles.ihe.net/ITI/MHD"
CLASSES = "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument"
SECTORS = "https://mos.esante.gouv.fr/NOS/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite"
SETTINGS = "https://mos.esante.gouv.fr/NOS/TRE_A01-CadreExercice/FHIR/TRE-A01-CadreExercice"
FORMATS = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
URI = "urn:ietf:rfc:3986"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document comes from. custodian: id of the Organization, "" when the patient files."""

    custodian: str
    sector: str
    setting: str


@dataclass(frozen=True, slots=True)
class Filing:
    """One document to be filed. type_, category: (system, code, display) and (code, display).

    patient: id. author, source_patient: resources to contain. replaces: id of the document that it replaces.
    """

    unique_id: str
    title: str
    date: str
    mime: str
    content: bytes
    patient: PatientId
    type_: tuple[str, str, str]
    category: tuple[str, str]
    author: Json
    source_patient: Json
    place: Place
    marks: tuple[str, ...] = ()
    replaces: str = ""


def document_reference(filing: Filing, url: str) -> Json:
    """Build the DocumentReference of a comprehensive submission; its attachment refers to `url`."""
    resource = _reference(filing)
    if filing.place.custodian:
        resource["meta"] = {"profile": [f"{PDSM}/pdsm-comprehensive-document-reference"]}
    resource["content"] = [_content(filing, {"url": url})]
    return resource


def simplified(filing: Filing) -> Json:
    """Build the single body of an ITI-105 publication, which includes the content."""
    resource = _reference(filing)
    resource["content"] = [_content(filing, {"data": b64encode(filing.content).decode()})]
    return resource


def submission(filings: Sequence[Filing], set_id: str) -> Json:
    """Build the ITI-65 transaction of one lot: the set, the documents, their contents, and the superseded documents.

    set_id: OID of the set, the same at every attempt.
    """
    entries = [_set_entry(filings, set_id)]
    for filing in filings:
        binary = _urn(filing.unique_id, "content")
        entries.append(_post(_urn(filing.unique_id, "entry"), document_reference(filing, binary)))
        body = {"resourceType": "Binary", "contentType": filing.mime, "data": b64encode(filing.content).decode()}
        entries.append(_post(binary, body))
    entries += [_supersede(filing) for filing in filings if filing.replaces]
    profile = f"{PDSM}/pdsm-comprehensive-provide-document-bundle"
    return {"resourceType": "Bundle", "meta": {"profile": [profile]}, "type": "transaction", "entry": entries}


def _post(full_url: str, resource: Json) -> Json:
    return {
        "fullUrl": full_url,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }


def _supersede(filing: Filing) -> Json:
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "value", "valueCode": "superseded"},
    ]
    return {
        "fullUrl": _urn(filing.unique_id, "supersede"),
        "resource": {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]},
        "request": {"method": "PATCH", "url": f"DocumentReference/{filing.replaces}"},
    }


def _set_entry(filings: Sequence[Filing], set_id: str) -> Json:
    first = filings[0]
    resource: Json = {
        "resourceType": "List",
        "meta": {"profile": [f"{PDSM}/pdsm-submissionset-comprehensive"]},
        "contained": [first.author],
        "extension": [
            _extension("ihe-designationType", {"valueCodeableConcept": _concept(CLASSES, *first.category)}),
            _extension("ihe-sourceId", {"valueIdentifier": {"system": URI, "value": f"urn:oid:{set_id}"}}),
        ],
        "identifier": [_identifier("uniqueId", f"urn:oid:{set_id}")],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": f"{MHD}/CodeSystem/MHDlistTypes", "code": "submissionset"}]},
        "subject": {"reference": f"Patient/{first.patient}"},
        "date": max(filing.date for filing in filings),
        "source": {"reference": f"#{first.author['id']}"},
        "entry": [{"item": {"reference": _urn(filing.unique_id, "entry")}} for filing in filings],
    }
    return _post(_urn(set_id, "set"), resource)


def _reference(filing: Filing) -> Json:
    system, code, display = filing.type_
    resource: Json = {
        "resourceType": "DocumentReference",
        "contained": [filing.author, filing.source_patient],
        "masterIdentifier": _identifier("uniqueId", f"urn:oid:{filing.unique_id}"),
        "status": "current",
        "type": _concept(system, code, display),
        "category": [_concept(CLASSES, *filing.category)],
        "subject": {"reference": f"Patient/{filing.patient}"},
        "date": filing.date,
        "author": [{"reference": f"#{filing.author['id']}"}],
        "securityLabel": [_concept(CONFIDENTIALITY, "N", "normal")]
        + [_concept(TRE_A07, mark) for mark in filing.marks],
        "context": {
            "period": {"start": filing.date},
            "facilityType": _concept(SECTORS, filing.place.sector),
            "practiceSetting": _concept(SETTINGS, filing.place.setting),
            "sourcePatientInfo": {"reference": f"#{filing.source_patient['id']}"},
        },
    }
    if filing.place.custodian:
        resource["custodian"] = {"reference": f"Organization/{filing.place.custodian}"}
    if filing.replaces:
        target = {"reference": f"DocumentReference/{filing.replaces}"}
        resource["relatesTo"] = [{"code": "replaces", "target": target}]
    return resource


def _content(filing: Filing, where: Json) -> Json:
    attachment = {
        "contentType": filing.mime,
        "language": "fr-FR",
        "size": len(filing.content),
        "hash": b64encode(sha1(filing.content, usedforsecurity=False).digest()).decode(),
        "title": filing.title,
        "creation": filing.date,
    }
    format_ = {"system": FORMATS, "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient", "display": "mimeType Sufficient"}
    return {"attachment": attachment | where, "format": format_}


def _identifier(code: str, value: str) -> Json:
    coding = {"system": f"{MHD}/CodeSystem/IHE.MHD.MHDIdentifierType", "code": code}
    return {"type": {"coding": [coding]}, "system": URI, "value": value}


def _extension(name: str, value: Json) -> Json:
    return {"url": f"{MHD}/StructureDefinition/{name}"} | value


def _concept(system: str, code: str, display: str = "") -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display}] if display else [coding]}


def _urn(oid: str, role: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_OID, f'{oid}/{role}')}"
