"""The closed vocabulary of the rules.

Source: the French code system of document visibility, TRE_A07
(https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument),
HL7 v3 ActReason for purposes of use, and the numbered statements of docs/rules.md.
"""

from enum import Enum, IntFlag, StrEnum


class Mark(IntFlag):
    """A visibility mark of a document; marks are cumulative (E6). The value is the bit that stores keep."""

    NONE = 0
    MASQUE_PS = 1
    INVISIBLE_PATIENT = 2
    INVISIBLE_REPRESENTANTS_LEGAUX = 4
    MASQUE_PSOCIAL = 8
    MASQUE_PT = 16


class View(Enum):
    """What part of a space a visibility is about."""

    DOCUMENTS = "documents"
    DIRECTIVES = "directives"
    TRACES = "traces"
    IDENTITY = "identity"


class RequesterKind(StrEnum):
    """Who asks: the capacity in which one identified party acts for the length of a token."""

    PATIENT = "patient"
    RELATED = "related"
    PROFESSIONAL = "professional"
    SYSTEM = "system"
    AUDITOR = "auditor"
    SUPPORT = "support"
    FORBIDDEN = "forbidden"


class Action(StrEnum):
    """What is asked of a space."""

    CONSULT = "consult"
    DEPOSIT = "deposit"
    RELABEL = "relabel"
    DIRECT = "direct"
    READ_TRACES = "read-traces"
    IDENTIFY = "identify"


class Purpose(StrEnum):
    """Why: codes of http://terminology.hl7.org/CodeSystem/v3-ActReason."""

    TREATMENT = "TREAT"
    EMERGENCY = "ETREAT"
    BREAK_GLASS = "BTG"
    PATIENT_REQUEST = "PATRQT"
    FAMILY_REQUEST = "FAMRQT"
    AUDIT = "HCOMPL"


class SpaceStatus(StrEnum):
    """Life of a space (rules A1 to A14)."""

    ANNOUNCED = "announced"
    OPPOSED = "opposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"
