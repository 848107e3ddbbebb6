"""The metadata of a FHIR document: the Composition of a Bundle read into a DocumentReference.

What the Composition refers to within the Bundle is contained in the DocumentReference.
Source: https://hl7.org/fhir/R4/documents.html; https://hl7.org/fhir/R4/composition.html;
https://profiles.ihe.net/ITI/MHD/ITI-106.html.
"""

from collections.abc import Iterator, Mapping

import orjson

from fhir_server.domain.documents.generated import URI, Draft, Generated, pruned, unique_id
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json

_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_AUTHORS = frozenset({"Practitioner", "PractitionerRole", "Organization", "Device", "Patient", "RelatedPerson"})
_PERSONS = frozenset({"Practitioner"})
_KEPT = {
    "Patient": ("identifier", "name", "gender", "birthDate"),
    "Practitioner": ("identifier", "name"),
    "PractitionerRole": ("identifier", "practitioner", "organization", "code", "specialty"),
    "Organization": ("identifier", "name"),
    "RelatedPerson": ("identifier", "name", "patient", "relationship"),
    "Device": ("identifier", "deviceName"),
}
"""The elements that a contained copy of a party of the Bundle has, by type; the others stay in the document alone."""


def metadata_of(bundle: Json) -> Generated:
    """Return the DocumentReference of a FHIR document, with the document inside.

    Raises: Problem(INVALID) for a Bundle that is no document, or whose Composition lacks what a document needs.
    """
    composition, parties = _composition(bundle), _parties(bundle)
    draft = Draft()
    number = bundle.get("identifier", {})
    if not number.get("value"):
        raise _invalid("a document has an identifier", "Bundle.identifier")
    draft.elements["masterIdentifier"] = unique_id(str(number.get("system") or URI), str(number["value"]))
    draft.elements["type"] = composition.get("type")
    _categories(composition, draft)
    draft.elements["description"] = composition.get("title")
    code = composition.get("confidentiality")
    draft.elements["securityLabel"] = [{"coding": [{"system": _CONFIDENTIALITY, "code": code}]}] if code else []
    _subject(composition, parties, draft)
    authors = [_party(one, parties, draft, "author") for one in composition.get("author", ())]
    draft.elements["author"] = [one for one in authors if one]
    legal = [one for one in composition.get("attester", ()) if one.get("mode") == "legal" and one.get("party")]
    draft.elements["authenticator"] = _party(legal[0]["party"], parties, draft, "authenticator") if legal else None
    keeper = composition.get("custodian")
    draft.elements["custodian"] = _organization(keeper, parties) if keeper else None
    draft.elements["relatesTo"] = [*_relations(composition, draft)]
    _context(composition, parties, draft)
    made = str(bundle.get("timestamp") or composition.get("date") or "")
    draft.elements["date"] = made if "T" in made else ""
    language = composition.get("language") or bundle.get("language")
    attachment = {"contentType": "application/fhir+json", "language": language, "title": composition.get("title")}
    return draft.finished(orjson.dumps(bundle), attachment | {"creation": composition.get("date") or made})


def _invalid(text: str, element: str) -> Problem:
    return Problem.of(Category.INVALID, text, element, "required")


def _composition(bundle: Json) -> Json:
    entries = bundle.get("entry", ())
    first: Json = entries[0].get("resource", {}) if entries else {}
    if bundle.get("type") != "document" or first.get("resourceType") != "Composition":
        raise _invalid("the Bundle is no document that begins with a Composition", "Bundle.type")
    for name in ("type", "subject", "date", "author", "title"):
        if not first.get(name):
            raise _invalid("a document states it", f"Bundle.entry[0].resource.{name}")
    return first


def _parties(bundle: Json) -> Mapping[str, Json]:
    """Return the resources of the Bundle by the references that may name them."""
    found: dict[str, Json] = {}
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource", {})
        found[str(entry.get("fullUrl", ""))] = resource
        found.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", resource)
    found.pop("", None)
    return found


def _categories(composition: Json, draft: Draft) -> None:
    categories = composition.get("category", [])
    draft.elements["category"] = categories[:1]
    if not categories:
        draft.note("the Composition does not state the class of the document", "category")
    elif len(categories) > 1:
        draft.note("a document has one class; the first is kept", "category")


def _subject(composition: Json, parties: Mapping[str, Json], draft: Draft) -> None:
    named = composition["subject"]
    known = parties.get(str(named.get("reference", "")), {})
    ids = [one for one in known.get("identifier", ()) if one.get("system") and one.get("value")]
    number = ids[0] if ids else named.get("identifier")
    if known.get("resourceType", "Patient") != "Patient" or not number:
        text = "the subject is a Patient of the Bundle with an identifier, or is named by one"
        raise _invalid(text, "Bundle.entry[0].resource.subject")
    draft.elements["subject"] = {"identifier": {name: number[name] for name in ("system", "value") if name in number}}
    if known:
        draft.elements["context"] = {"sourcePatientInfo": draft.contain(_kept(known))}


def _kept(resource: Json) -> Json:
    type_ = resource["resourceType"]
    return {"resourceType": type_} | {name: resource[name] for name in _KEPT[type_] if name in resource}


def _party(
    reference: Json, parties: Mapping[str, Json], draft: Draft, element: str, allowed: frozenset[str] = _AUTHORS
) -> Json:
    """Return a reference to a party: to a contained copy when the party is in the Bundle, otherwise unchanged."""
    known = parties.get(str(reference.get("reference", "")))
    if known is None:
        return reference
    if known.get("resourceType") not in allowed:
        draft.note(f"a {known.get('resourceType')} cannot be named here", element)
        return {}
    inner = _kept(known)
    if "practitioner" in inner:
        inner["practitioner"] = _party(inner["practitioner"], parties, draft, element, _PERSONS)
    if "organization" in inner:
        inner["organization"] = _organization(inner["organization"], parties)
    if "patient" in inner:
        inner.pop("patient")
    return draft.contain(pruned(inner))


def _organization(reference: Json, parties: Mapping[str, Json]) -> Json:
    """Return a logical reference to an establishment of the Bundle, or the reference as it is."""
    known = parties.get(str(reference.get("reference", "")))
    if known is None:
        return reference
    return pruned({"identifier": next(iter(known.get("identifier", ())), None), "display": known.get("name")})


def _relations(composition: Json, draft: Draft) -> Iterator[Json]:
    for relation in composition.get("relatesTo", ()):
        number = relation.get("targetIdentifier", {})
        if number.get("value") and relation.get("code") in ("replaces", "transforms", "signs", "appends"):
            target = f"DocumentReference?identifier={number.get('system', '')}|{number['value']}"
            yield {"code": relation["code"], "target": {"reference": target}}
        else:
            draft.note("a relation is mapped only with an identifier of its target", "relatesTo")


def _context(composition: Json, parties: Mapping[str, Json], draft: Draft) -> None:
    context: Json = draft.elements.get("context", {})
    events = composition.get("event", [])
    context["event"] = [code for event in events for code in event.get("code", ())]
    periods = [event["period"] for event in events if event.get("period")]
    context["period"] = periods[0] if periods else None
    if len(periods) > 1:
        draft.note("a document has one period; that of the first event is kept", "context.period")
    stay = parties.get(str(composition.get("encounter", {}).get("reference", "")), {})
    number = next(iter(stay.get("identifier", ())), None)
    context["encounter"] = [{"identifier": number}] if number else []
    for name in ("facilityType", "practiceSetting"):
        draft.note("the Composition does not state it", f"context.{name}")
    draft.elements["context"] = pruned(context)
