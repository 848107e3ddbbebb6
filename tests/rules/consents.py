"""Consents as they are sent, in a word or two each."""

import pytest

from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.domain.consents.directives import directives_of
from fhir_server.domain.consents.elements import ACT_CODE, CLASSES
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY
from fhir_server.domain.problem import Problem

K = DirectiveKind
TREAT, BTG, ETREAT = Purpose.TREATMENT, Purpose.BREAK_GLASS, Purpose.EMERGENCY
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
RECIPIENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
G15 = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
DATUM = {"meaning": "instance", "reference": {"reference": "DocumentReference/d1"}}
DECLARED = {
    "coding": [
        {
            "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/"
            "TRE-R259-HL7ParticipationFunction",
            "code": "PCP",
        }
    ]
}


def actor(reference, role=RECIPIENT):
    return {"role": role, "reference": {"reference": reference}}


def purposes(*codes):
    return [{"system": REASON, "code": code} for code in codes]


def label(code):
    return {"system": CONFIDENTIALITY if code in "NRV" else ACT_CODE, "code": code}


LABEL = label("R")


def class_(code):
    return {"system": CLASSES, "code": code}


CODE = {"coding": [{"system": "http://loinc.org", "code": "11369-6"}]}
LIMITS = [("code", [CODE]), ("class", [class_("10")]), ("data", [DATUM]), ("dataPeriod", {"start": "2020"})]
LIMITS.append(("securityLabel", [LABEL]))


def profession(code, system=G15):
    reference = {"type": "PractitionerRole", "identifier": {"system": system, "value": code}}
    return {"role": RECIPIENT, "reference": reference}


def consent(*actors, type_="permit", rule=None, proof=None, **provision):
    made = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/camille"},
        "dateTime": "2026-03-02",
        "performer": [{"reference": "Patient/camille"}],
        "organization": [{"reference": "Organization/chu"}],
        "sourceAttachment": {"title": "told to the nurse"},
        "policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}],
        "provision": {"type": type_, **({"actor": [actor(a) for a in actors]} if actors else {}), **provision},
    }
    if rule:
        made["policyRule"] = {"coding": [{"system": "urn:habilis:directive", "code": rule}]}
    if proof:
        made["category"].append({"coding": [{"system": "urn:habilis:proof", "code": proof}]})
    return made


def directive_of(made, id_):
    """The directive of the root of a Consent."""
    return directives_of(made, id_)[0]


def refused(made):
    with pytest.raises(Problem) as caught:
        directive_of(made, "c1")
    return caught.value.category, [issue.expression for issue in caught.value.issues]
