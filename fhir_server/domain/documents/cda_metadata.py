"""The metadata of a CDA R2 document: its header read into a DocumentReference, and what has no place there.

A document type declaration is refused, so no entity is ever expanded, and nothing is fetched.
Source: IHE ITI TF-3, 4.2.3.2 and IHE PCC TF-2, 4.1.1 (how XDS metadata come from a CDA header);
https://profiles.ihe.net/ITI/MHD/ITI-106.html; ANS, volet Structuration minimale de documents de santé.
"""

import re
from collections.abc import Iterator

from lxml import etree

from fhir_server.domain.documents.cda_xml import (
    TIME,
    V3,
    attribute_at,
    bare_text,
    invalid,
    root_of,
    text_at,
    written_time,
)
from fhir_server.domain.documents.generated import URI, Draft, Generated, pruned, unique_id
from fhir_server.domain.values import Json

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "2.16.840.1.113883.5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "1.2.250.1.213.1.1.4.12": "https://mos.esante.gouv.fr/NOS/TRE_A05-TypeDocComplementaire/FHIR/TRE-A05-TypeDocComplementaire",
    "1.2.250.1.213.1.1.4.9": "https://mos.esante.gouv.fr/NOS/TRE_A01-CadreExercice/FHIR/TRE-A01-CadreExercice",
    "1.2.250.1.71.4.2.4": "https://mos.esante.gouv.fr/NOS/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite",
    "1.2.250.1.213.1.1.4.13": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument",
    "1.2.250.1.71.4.2.1": "https://rpps.esante.gouv.fr",
    "1.2.250.1.71.4.2.2": "https://finess.esante.gouv.fr",
}
"""URIs of code systems and of identifiers by their OID; any other OID becomes `urn:oid:`."""
_GENDERS = {"M": "male", "F": "female", "UN": "other"}
_RELATIONS = {"RPLC": "replaces", "APND": "appends", "XFRM": "transforms"}


def metadata_of(content: bytes) -> Generated:
    """Return the DocumentReference of a CDA document, with the document inside.

    Raises: Problem(INVALID) for what is not well-formed, declares a document type, or is no CDA document with an id, a
    code and a patient; TOO_LARGE for more elements than the limits allow.
    """
    root, draft = root_of(content), Draft()
    draft.elements["masterIdentifier"] = _master(root, draft)
    draft.elements["type"] = _required_concept(root)
    draft.elements["description"] = text_at(root, "h:title")
    draft.elements["securityLabel"] = [*filter(None, map(_concept, _each(root, "h:confidentialityCode")))]
    _subject(root, draft)
    draft.elements["author"] = [_author(one, draft) for one in _each(root, "h:author/h:assignedAuthor")]
    signer = next(_each(root, "h:legalAuthenticator/h:assignedEntity"), None)
    draft.elements["authenticator"] = _assigned(signer, draft) if signer is not None else None
    keeper = next(_each(root, "h:custodian/h:assignedCustodian/h:representedCustodianOrganization"), None)
    draft.elements["custodian"] = _organization(keeper) if keeper is not None else None
    draft.elements["relatesTo"] = [*_relations(root, draft)]
    draft.elements["context"] = _context(root, draft)
    made = _time(root, "h:effectiveTime", draft, "content[0].attachment.creation")
    draft.elements["date"] = made if "T" in made else ""
    _note_unmapped(root, draft)
    attachment = {"contentType": "text/xml", "language": attribute_at(root, "h:languageCode", "code")}
    return draft.finished(content, attachment | {"title": text_at(root, "h:title"), "creation": made})


def _each(node: etree._Element, path: str) -> Iterator[etree._Element]:
    yield from node.iterfind(path, V3)


def _master(root: etree._Element, draft: Draft) -> Json:
    named = _identifier(root.find("h:id", V3))
    if not named:
        raise invalid("the document has no `ClinicalDocument.id`")
    if named["system"] != URI:
        draft.note("`id` has a root and an extension: the root is the system", "masterIdentifier")
    return unique_id(named["system"], named["value"])


def _identifier(node: etree._Element | None) -> Json:
    """Return an II as an Identifier, empty for one without a root; a root alone is a URI."""
    root = str(node.get("root", "")) if node is not None else ""
    extension = str(node.get("extension", "")) if node is not None else ""
    if not (_OID.fullmatch(root) or _UUID.fullmatch(root)):
        return {}
    uri = f"urn:oid:{root}" if _OID.fullmatch(root) else f"urn:uuid:{root.lower()}"
    return {"system": _SYSTEMS.get(root, uri), "value": extension} if extension else {"system": URI, "value": uri}


def _concept(node: etree._Element | None) -> Json:
    """Return a CD as a CodeableConcept, empty for one without a code."""
    if node is None or not node.get("code"):
        return {}
    system = str(node.get("codeSystem", ""))
    uri = _SYSTEMS.get(system) or (f"urn:oid:{system}" if _OID.fullmatch(system) else "")
    return {"coding": [pruned({"system": uri, "code": node.get("code"), "display": node.get("displayName")})]}


def _required_concept(root: etree._Element) -> Json:
    found = _concept(root.find("h:code", V3))
    if not found:
        raise invalid("the document has no `ClinicalDocument.code`")
    return found


def _time(node: etree._Element, path: str, draft: Draft, element: str) -> str:
    """Return a TS as a dateTime, "" for none; FHIR has no time without its zone, so that the date alone is kept."""
    value = attribute_at(node, path, "value")
    if not value:
        return ""
    match = TIME.fullmatch(value)
    told = written_time(match) if match else ""
    if not told:
        draft.note(f"`{path.rpartition(':')[2]}` is no time of HL7 version 3", element)
    elif match and match[4] and not match[7]:
        draft.note(f"`{path.rpartition(':')[2]}` has no time zone; its date alone is kept", element)
    return told


def _subject(root: etree._Element, draft: Draft) -> None:
    patients = [*_each(root, "h:recordTarget/h:patientRole")]
    if len(patients) != 1:
        raise invalid("the document has no patient, or several (`recordTarget`)")
    role = patients[0]
    ids = [found for one in _each(role, "h:id") if (found := _identifier(one))]
    if not ids:
        raise invalid("the patient of the document has no identifier (`recordTarget/patientRole/id`)")
    person = role.find("h:patient", V3)
    known: Json = {"resourceType": "Patient", "identifier": ids}
    if person is not None:
        birth = _time(person, "h:birthTime", draft, "context.sourcePatientInfo")
        gender = _GENDERS.get(attribute_at(person, "h:administrativeGenderCode", "code"), "")
        known |= pruned({"name": _names(person), "gender": gender, "birthDate": birth.partition("T")[0]})
    draft.elements["subject"] = {"identifier": ids[0]}
    draft.elements["context"] = {"sourcePatientInfo": draft.contain(known)}


def _names(person: etree._Element) -> list[Json]:
    found = []
    for name in _each(person, "h:name"):
        parts = {"given": [bare_text(one) for one in _each(name, "h:given")], "family": text_at(name, "h:family")}
        parts |= {"prefix": [bare_text(one) for one in _each(name, "h:prefix")]}
        parts["given"], parts["prefix"] = [*filter(None, parts["given"])], [*filter(None, parts["prefix"])]
        built = pruned(parts)
        found.append(built or pruned({"text": bare_text(name)}))
    return [one for one in found if one]


def _author(node: etree._Element, draft: Draft) -> Json:
    device = node.find("h:assignedAuthoringDevice", V3)
    if device is None:
        return _assigned(node, draft)
    ids = [found for one in _each(node, "h:id") if (found := _identifier(one))]
    name = text_at(device, "h:softwareName") or text_at(device, "h:manufacturerModelName")
    named = [{"name": name, "type": "model-name"}] if name else []
    return draft.contain(pruned({"resourceType": "Device", "identifier": ids, "deviceName": named}))


def _assigned(node: etree._Element, draft: Draft) -> Json:
    """Return a reference to an assigned person: a Practitioner; with an establishment, a PractitionerRole."""
    ids = [found for one in _each(node, "h:id") if (found := _identifier(one))]
    person = node.find("h:assignedPerson", V3)
    names = _names(person) if person is not None else []
    who = draft.contain(pruned({"resourceType": "Practitioner", "identifier": ids, "name": names}))
    place = node.find("h:representedOrganization", V3)
    told = _organization(place) if place is not None else {}
    code = _concept(node.find("h:code", V3))
    if not told and not code:
        return who
    role = {"resourceType": "PractitionerRole", "practitioner": who, "organization": told}
    return draft.contain(pruned(role | {"code": [code] if code else []}))


def _organization(node: etree._Element) -> Json:
    """Return a logical reference to an establishment."""
    return pruned({"identifier": _identifier(node.find("h:id", V3)), "display": text_at(node, "h:name")})


def _relations(root: etree._Element, draft: Draft) -> Iterator[Json]:
    for related in _each(root, "h:relatedDocument"):
        code = _RELATIONS.get(str(related.get("typeCode", "")))
        named = _identifier(related.find("h:parentDocument/h:id", V3))
        if code and named:
            target = f"DocumentReference?identifier={named['system']}|{named['value']}"
            yield {"code": code, "target": {"reference": target}}
        else:
            draft.note("a `relatedDocument` has no known type or no id of its parent", "relatesTo")


def _context(root: etree._Element, draft: Draft) -> Json:
    context: Json = draft.elements.get("context", {})
    events = [*_each(root, "h:documentationOf/h:serviceEvent")]
    context["event"] = [found for one in events if (found := _concept(one.find("h:code", V3)))]
    if events:
        start = _time(events[0], "h:effectiveTime/h:low", draft, "context.period")
        end = _time(events[0], "h:effectiveTime/h:high", draft, "context.period")
        context["period"] = pruned({"start": start, "end": end})
        setting = "h:performer/h:assignedEntity/h:representedOrganization/h:standardIndustryClassCode"
        context["practiceSetting"] = _concept(events[0].find(setting, V3))
    stay = root.find("h:componentOf/h:encompassingEncounter", V3)
    if stay is not None:
        context["facilityType"] = _concept(stay.find("h:location/h:healthCareFacility/h:code", V3))
        number = _identifier(stay.find("h:id", V3))
        context["encounter"] = [{"identifier": number}] if number else []
    for name in ("facilityType", "practiceSetting"):
        if not context.get(name):
            draft.note("the header does not state it", f"context.{name}")
    return pruned(context)


_UNMAPPED = ("dataEnterer", "informant", "informationRecipient", "authenticator", "participant", "inFulfillmentOf",
             "authorization", "setId", "versionNumber")  # fmt: skip
"""Parts of a header for which a DocumentReference has no element."""


def _note_unmapped(root: etree._Element, draft: Draft) -> None:
    for name in _UNMAPPED:
        if root.find(f"h:{name}", V3) is not None:
            draft.note(f"`{name}` of the header has no element here", "")
    draft.note("the header does not state the class of the document", "category")
