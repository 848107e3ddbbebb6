"""Small valid resources of every registered type, and a way to break one of their elements."""

from copy import deepcopy

GONE = object()
"""Stands for an element that is taken out."""

_SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}

BODIES = {
    "DocumentReference": {
        "resourceType": "DocumentReference",
        "id": "d1",
        "meta": {"profile": ["http://example.org/any"]},
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>A report</p></div>'},
        "contained": [{"resourceType": "Practitioner", "id": "pr", "name": [{"family": "Martin", "given": ["Anne"]}]}],
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"},
        "identifier": [{"use": "official", "system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}],
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "55107-7"}]}],
        "subject": {"reference": "Patient/p1"},
        "date": "2026-01-05T09:00:00.000+01:00",
        "author": [{"reference": "#pr"}],
        "relatesTo": [{"code": "appends", "target": {"reference": "DocumentReference/d0"}}],
        "securityLabel": [{"coding": [{"system": "http://example.org/labels", "code": "N"}]}],
        "content": [
            {
                "attachment": {
                    "contentType": "text/xml; charset=utf-8",
                    "language": "fr-FR",
                    "url": "Binary/b1",
                    "size": 12,
                    "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
                    "creation": "2026-01-05",
                }
            }
        ],
        "context": {"period": {"start": "2026-01-04", "end": "2026-01-05"}},
    },
    "Patient": {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"}],
        "active": True,
        "name": [{"use": "official", "family": "Durand", "given": ["Camille", None], "_given": [None, {"id": "g"}]}],
        "telecom": [{"system": "phone", "value": "+33100000000"}],
        "gender": "female",
        "birthDate": "1979-03-05",
        "_birthDate": {"extension": [{"url": "http://example.org/source", "valueString": "card"}]},
        "deceasedBoolean": False,
        "address": [{"use": "home", "city": "Brest"}],
        "contact": [{"name": {"family": "Durand"}}],
        "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
    },
    "Practitioner": {
        "resourceType": "Practitioner",
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700000000"}],
        "name": [{"family": "Martin"}],
        "qualification": [{"code": {"text": "physician"}}],
    },
    "PractitionerRole": {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": "Practitioner/pr1"},
        "organization": {"reference": "Organization/o1"},
        "availableTime": [{"daysOfWeek": ["mon"], "availableStartTime": "08:00:00"}],
    },
    "Organization": {"resourceType": "Organization", "name": "CHU A", "telecom": [{"system": "phone", "value": "1"}]},
    "RelatedPerson": {"resourceType": "RelatedPerson", "patient": {"reference": "Patient/p1"}, "gender": "male"},
    "Binary": {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERg=="},
    "List": {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "subject": {"reference": "Patient/p1"},
        "date": "2026-01-05T09:00:00+01:00",
        "entry": [{"item": {"reference": "DocumentReference/d1"}, "date": "2026-01-05"}],
    },
    "Consent": {
        "resourceType": "Consent",
        "status": "active",
        "scope": _SCOPE,
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/p1"},
        "dateTime": "2026-01-05",
        "performer": [{"reference": "Patient/p1"}],
        "policy": [{"uri": "http://example.org/policy"}],
        "provision": {
            "type": "permit",
            "provision": [
                {
                    "type": "deny",
                    "actor": [{"role": {"text": "IRCP"}, "reference": {"reference": "Practitioner/pr2"}}],
                    "data": [{"meaning": "instance", "reference": {"reference": "DocumentReference/d1"}}],
                }
            ],
        },
    },
    "AuditEvent": {
        "resourceType": "AuditEvent",
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "action": "R",
        "recorded": "2026-01-05T09:00:00Z",
        "outcome": "0",
        "agent": [{"requestor": True, "network": {"address": "10.0.0.8", "type": "2"}}],
        "source": {"observer": {"display": "server"}},
        "entity": [{"what": {"reference": "Patient/p1"}, "query": "R0VU"}],
    },
    "Bundle": {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:0f4dcf2b-0d93-4c5a-a1ab-4f56d2b6f9a1",
                "resource": {"resourceType": "Patient"},
                "request": {"method": "POST", "url": "Patient"},
            }
        ],
    },
    "Parameters": {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [{"name": "type", "valueCode": "add"}]}],
    },
}


def broken(type_, path, value):
    """Return a valid body in which one element, by its dotted path, is replaced, added or taken out."""
    body = deepcopy(BODIES[type_])
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = body
    for part in parents:
        place = place[part] if isinstance(place, list) else place.setdefault(part, {})
    if value is GONE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return body
