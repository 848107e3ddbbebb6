"""Choices about access as FHIR Consents: agreements, blocks, the declared physician.

Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/), profile consentBasic.
"""

from datetime import UTC, datetime
from typing import Any

from seed.book import Demonstration

Json = dict[str, Any]

_SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
_CATEGORY = {"system": "http://loinc.org", "code": "59284-0"}
_RECIPIENT = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
_TREAT = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}
_BASIC = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentBasic"
_POLICY = "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"


def team(demo: Demonstration, holder: str, establishment: str) -> Json:
    """Agree once to a care team: whoever acts for this establishment."""
    return _consent(demo, holder, "permit", f"Organization/{demo.organizations[establishment]}")


def consultation(demo: Demonstration, holder: str, professional: str) -> Json:
    """Agree to one professional for one consultation, told to that professional, who records it."""
    return _consent(demo, holder, "permit", f"Practitioner/{demo.professionals[professional]}")


def block(demo: Demonstration, holder: str, professional: str) -> Json:
    """Block one professional, whatever else was agreed."""
    return _consent(demo, holder, "deny", f"Practitioner/{demo.professionals[professional]}")


def _consent(demo: Demonstration, holder: str, type_: str, actor: str) -> Json:
    patient = {"reference": f"Patient/{demo.patients[holder]}"}
    return {
        "resourceType": "Consent",
        "meta": {"profile": [_BASIC]},
        "status": "active",
        "scope": {"coding": [_SCOPE]},
        "category": [{"coding": [_CATEGORY]}],
        "patient": patient,
        "dateTime": datetime.now(UTC).isoformat(timespec="seconds"),
        "performer": [patient],
        "organization": [{"reference": f"Organization/{demo.organizations['chu-a']}"}],
        "sourceAttachment": {"title": "Choix exprimé par la personne"},
        "policy": [{"uri": _POLICY}],
        "provision": {
            "type": type_,
            "purpose": [_TREAT],
            "actor": [{"role": {"coding": [_RECIPIENT]}, "reference": {"reference": actor}}],
        },
    }
