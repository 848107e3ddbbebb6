"""FHIR resources of the people and establishments, for the demonstration and for bulk data.

Sources: https://hl7.fr/ig/fhir/core/ (identifier systems of FR Core), https://interop.esante.gouv.fr/ig/fhir/annuaire/.
"""

from fhir_server.domain.values import Json
from seed.cast import FINESS, INS_TEST, RPPS, EstablishmentPart, PatientPart, ProfessionalPart

G15 = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
SECTORS = "https://mos.esante.gouv.fr/NOS/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite"
LOCAL = "urn:habilis:demonstration"
"""Identifier system for people and places without an official number."""
RELATION = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"


def patient_resource(part: PatientPart) -> Json:
    """Build the Patient of an insured person."""
    return {
        "resourceType": "Patient",
        "identifier": [{"use": "official", "system": INS_TEST, "value": part.ins_value}],
        "active": True,
        "name": [{"use": "official", "family": part.family, "given": [part.given]}],
        "gender": part.gender,
        "birthDate": part.birth,
    }


def guardian_resource(child: str, part: PatientPart, of: PatientPart) -> Json:
    """Build the RelatedPerson of a parent who acts for a child. child: id of the child's Patient."""
    return {
        "resourceType": "RelatedPerson",
        "identifier": [{"system": LOCAL, "value": f"representative-{part.key}-{of.key}"}],
        "active": True,
        "patient": {"reference": f"Patient/{child}"},
        "relationship": [{"coding": [{"system": RELATION, "code": "PRN", "display": "parent"}]}],
        "name": [{"family": part.family, "given": [part.given]}],
    }


def organization_resource(part: EstablishmentPart) -> Json:
    """Build the Organization of an establishment or a practice."""
    return {
        "resourceType": "Organization",
        "identifier": [{"system": FINESS, "value": part.finess}],
        "active": True,
        "type": [{"coding": [{"system": SECTORS, "code": part.sector}]}],
        "name": part.name,
    }


def practitioner_resource(part: ProfessionalPart) -> Json:
    """Build the Practitioner of a professional."""
    name: Json = {"family": part.family, "given": [part.given]}
    if part.prefix:
        name["prefix"] = [part.prefix]
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": RPPS, "value": part.rpps}],
        "active": True,
        "name": [name],
        "qualification": [{"code": profession_concept(part)}],
    }


def role_resource(part: ProfessionalPart, practitioner: str, organization: str) -> Json:
    """Build the PractitionerRole that links a professional to an establishment, both given by their ids."""
    return {
        "resourceType": "PractitionerRole",
        "identifier": [{"system": LOCAL, "value": f"role-{part.key}"}],
        "active": True,
        "practitioner": {"reference": f"Practitioner/{practitioner}"},
        "organization": {"reference": f"Organization/{organization}"},
        "code": [profession_concept(part)],
    }


def profession_concept(part: ProfessionalPart) -> Json:
    """Return the profession as a concept of TRE_G15."""
    return {"coding": [{"system": G15, "code": part.profession, "display": part.profession_label}]}


def author_resource(part: ProfessionalPart) -> Json:
    """Build the Practitioner that a document contains as its author."""
    return practitioner_resource(part) | {"id": "author"}


def source_resource(part: PatientPart, id_: str = "source") -> Json:
    """Build the Patient that a document contains, as the sender of the document knows the patient."""
    return patient_resource(part) | {"id": id_}
