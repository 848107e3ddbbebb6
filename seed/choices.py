"""Choices about access as FHIR Consents: agreements, blocks, the declared physician.

Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/), profile consentBasic.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from consent_rules.vocabulary import DirectiveKind
from fhir_server.domain.consents.elements import DIRECTIVE
from fhir_server.domain.consents.writing import said
from fhir_server.domain.values import Json
from seed.book import Demonstration

_SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
_CATEGORY = {"system": "http://loinc.org", "code": "59284-0"}
_RECIPIENT = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
_DECLARED = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
_TREAT = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}
_BASIC = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentBasic"
_POLICY = "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"


def of_the_cast(demo: Demonstration) -> Iterator[tuple[str, str, Json]]:
    """Yield the choices of the cast: the name of the choice, the token that records it, the Consent."""
    yield "camille-declares-martin", "camille", declared_physician(demo, "camille", "martin")
    yield "camille-agrees-chu-a", "camille", team(demo, "camille", "chu-a")
    yield "camille-agrees-paul", "camille", team(demo, "camille", "cabinet-paul")
    yield "ines-agrees-anna", "ines", team(demo, "ines", "centre-sante")
    yield "ines-declares-martin", "ines", declared_physician(demo, "ines", "martin")
    for name, related in demo.guardians.items():
        yield f"representative-{name}", "annuaire", representative(demo, name.partition("/")[2], related)
    yield "leo-declares-martin", "camille/leo", declared_physician(demo, "leo", "martin")
    yield "marc-declares-martin", "marc", declared_physician(demo, "marc", "martin")


def declared_physician(demo: Demonstration, holder: str, professional: str) -> Json:
    """Declare the attending physician (médecin traitant), who reads everything."""
    return _consent(demo, holder, "permit", f"Practitioner/{demo.professionals[professional]}", _DECLARED)


def representative(demo: Demonstration, child: str, related: str) -> Json:
    """State that a related person is a minor's guardian, as the insurer's software does."""
    consent = _consent(demo, child, "permit", f"RelatedPerson/{related}")
    del consent["provision"]["purpose"]
    return consent | {"policyRule": {"coding": [{"system": DIRECTIVE, "code": DirectiveKind.REPRESENTATIVE.value}]}}


def team(demo: Demonstration, holder: str, establishment: str) -> Json:
    """Agree once to a care team: everybody who acts for this establishment."""
    return _consent(demo, holder, "permit", f"Organization/{demo.organizations[establishment]}")


def consultation(demo: Demonstration, holder: str, professional: str) -> Json:
    """Agree to one consultation with one professional; the patient says so to the professional, who records it."""
    return _consent(demo, holder, "permit", f"Practitioner/{demo.professionals[professional]}")


def block(demo: Demonstration, holder: str, professional: str) -> Json:
    """Block one professional, in spite of any agreement."""
    return _consent(demo, holder, "deny", f"Practitioner/{demo.professionals[professional]}")


def _consent(demo: Demonstration, holder: str, type_: str, actor: str, role: Json = _RECIPIENT) -> Json:
    patient = {"reference": f"Patient/{demo.patients[holder]}"}
    return {
        "resourceType": "Consent",
        **({"meta": {"profile": [_BASIC]}} if role is _RECIPIENT else {}),  # this profile allows recipients only
        "status": "active",
        "scope": {"coding": [_SCOPE]},
        "category": [{"coding": [_CATEGORY]}],
        "patient": patient,
        "dateTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "performer": [patient],
        "organization": [{"reference": f"Organization/{next(iter(demo.organizations.values()))}"}],
        "sourceAttachment": said("Choix exprimé par la personne"),
        "policy": [{"uri": _POLICY}],
        "provision": {
            "type": type_,
            "purpose": [_TREAT],
            "actor": [{"role": {"coding": [role]}, "reference": {"reference": actor}}],
        },
    }
