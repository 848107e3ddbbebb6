"""The words for why an access was given or refused, in English; the French ones are in the catalogue of events.

They speak to the patient, who is the reader of the journal.
"""

from collections.abc import Mapping
from types import MappingProxyType

from consent_rules.vocabulary import Basis, Grade, Reason
from fhir_server.domain.problem import Category

GROUNDS: Mapping[str, str] = MappingProxyType(
    {
        Basis.PATIENT: "it is your own space",
        Basis.REPRESENTATIVE: "legal representative",
        Basis.CARER: "carer whom you named",
        Basis.DECLARED_PHYSICIAN: "declared physician (médecin traitant)",
        Basis.ADMINISTRATOR: "professional whom you gave the rights of your declared physician",
        Basis.CARE_TEAM: "agreement to the care team",
        Basis.CONSENT: "agreement to this one consultation",
        Basis.BREAK_GLASS: "emergency (break-glass)",
        Basis.REGULATION: "emergency call",
        Basis.DEPOSITOR: "filing of the document by the same party",
        Basis.SYSTEM: "software that acts alone",
        Basis.IDENTIFICATION: "check of identity, no document shown",
        Basis.COLLECTION: "recording of an agreement",
        Basis.AUDIT: "control of accesses",
        Basis.SUPPORT: "support",
        Basis.OWN_TRACES: "its own accesses",
    }
)
GROUNDS_BY_GRADE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (Basis.CARE_TEAM, Grade.PATIENT): "your agreement to the care team",
        (Basis.CARE_TEAM, Grade.THIRD_PARTY): "agreement to the care team, supported by what a third party recorded",
        (Basis.CARE_TEAM, Grade.DECLARED): "agreement to the care team, as a professional declared it",
        (Basis.CONSENT, Grade.PATIENT): "your agreement to this one consultation",
        (Basis.CONSENT, Grade.THIRD_PARTY): "agreement to this one consultation, supported by what a third party "
        "recorded",
        (Basis.CONSENT, Grade.DECLARED): "agreement to this one consultation, as a professional declared it",
        (Basis.BREAK_GLASS, Grade.DECLARED): "emergency (break-glass), as a professional declared it",
        (Basis.REGULATION, Grade.DECLARED): "emergency call, as a professional declared it",
    }
)
"""The words for a ground with the grade of its evidence: what a professional declared is not “your agreement”."""
GRADES: Mapping[str, str] = MappingProxyType(
    {
        Grade.PATIENT: "by an act of the patient",
        Grade.THIRD_PARTY: "recorded by a third party",
        Grade.DECLARED: "declared by the professional alone",
    }
)
REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        Reason.NO_CONSENT: "you have not agreed to this access",
        Reason.CONSENT_USED: "the agreement was for one consultation or a limited time, and has ended",
        Reason.BLOCKED: "you have blocked this professional",
        Reason.APPROVAL_PENDING: "you have not approved this first access",
        Reason.NOT_ENTITLED: "this profession has no access",
        Reason.FORBIDDEN_PARTY: "the law forbids this access",
        Reason.UNIDENTIFIED: "the person was not identified by name",
        Reason.EMERGENCY_OFF: "you have switched this emergency access off",
        Reason.EMERGENCY_NOT_OPEN: "no emergency was declared",
        Reason.EMERGENCIES_ONLY: "only emergencies were served",
        Reason.NO_AUTHORITY: "no authority over this space",
        Reason.CLOSED: "the space is closed",
        Reason.ANNOUNCED: "the space is not open yet",
        Reason.OPPOSED: "the opening of the space was opposed",
        Reason.SUSPENDED: "access to the space is suspended",
        Reason.ERASED: "the space was erased",
        Reason.TOO_YOUNG: "too young for an account of one’s own",
        Category.FORBIDDEN: "this person had no right to do this",
        Category.DUPLICATE: "this is there already",
        Category.NOT_FOUND: "it is unknown or not open to this person",
        Category.BUSINESS_RULE: "a rule does not allow this now",
        Category.INSUFFICIENT_SCOPE: "the app was not given the right to do this",
        Category.CONSENT_REQUIRED: "you have not agreed to this access",
        "not-visible": "the document is unknown or not open to this person",
    }
)
"""By the reason that the event names; a category stands for a refusal by the application after a permit."""
BY_APP = "you let this app act for you"
RESTORED = (
    "The service is in its state of %(at)s again. What was recorded after that instant, your choices included, is gone "
    "and has to be made again."
)
"""What a restore means for the patient. %(at)s: the instant, in the language of the reader."""
