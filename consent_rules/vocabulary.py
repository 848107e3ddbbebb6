"""The closed vocabulary of the rules.

Source: the French code system of document visibility, TRE_A07
(https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument),
HL7 v3 ActReason for purposes of use, and the numbered statements of docs/rules.md.
"""

from enum import IntFlag, StrEnum
from typing import NewType

PatientId = NewType("PatientId", str)
"""The id of a Patient, which names a space; never a reference such as "Patient/1", nor the name of an account."""
NO_SPACE = PatientId("")
"""Stored in place of a space: resources of the directory, and audit events about no patient, are in none."""


class Mark(IntFlag):
    """A visibility mark of a document; marks are cumulative (E6). The value is the bit that stores keep."""

    NONE = 0
    MASQUE_PS = 1
    INVISIBLE_PATIENT = 2
    INVISIBLE_REPRESENTANTS_LEGAUX = 4
    MASQUE_PSOCIAL = 8
    MASQUE_PT = 16


class Label(IntFlag):
    """What a document says of its own confidentiality: codes of v3-Confidentiality and, after them, of v3-ActCode.

    These are the codes that IHE PCF binds (https://profiles.ihe.net/ITI/PCF/), and the code V. The value is the bit
    that stores keep.
    """

    NONE = 0
    N = 1
    R = 2
    V = 4
    ETH = 8
    ETHUD = 16
    OPIOIDUD = 32
    PSY = 64
    SDV = 128
    HIV = 256


class Code(StrEnum):
    """A closed list of codes. A code equals the string that it stands for, and has the same hash."""

    __hash__ = str.__hash__  # the hash of Enum is a slow call in Python, and the rules often look codes up in tables


class View(Code):
    """The part of a space that a visibility is about."""

    DOCUMENTS = "documents"
    DIRECTIVES = "directives"
    TRACES = "traces"
    IDENTITY = "identity"
    NOTICES = "notices"
    REVIEWS = "reviews"
    ABOUT = "about"
    """The documents about which the reader may see audit events and notices, also while the space is closed."""


class RequesterKind(Code):
    """Who asks: the role in which one identified party acts during the life of a token."""

    PATIENT = "patient"
    RELATED = "related"
    PROFESSIONAL = "professional"
    SYSTEM = "system"
    AUDITOR = "auditor"
    SUPPORT = "support"
    FORBIDDEN = "forbidden"


class Capacity(Code):
    """A post in a practice situation that changes the rules for a professional; most professionals have none."""

    NONE = ""
    COORDINATING_PHYSICIAN = "coordinating-physician"
    OCCUPATIONAL_PHYSICIAN = "occupational-physician"


class Action(Code):
    """What a requester wants to do in a space."""

    CONSULT = "consult"
    DEPOSIT = "deposit"
    CHANGE_MARKS = "relabel"
    DIRECT = "direct"
    READ_TRACES = "read-traces"
    READ_ALL_TRACES = "read-all-traces"
    """Search the audit log of all spaces at once, and what belongs to no space."""
    IDENTIFY = "identify"
    OPEN_EMERGENCY = "open-emergency"
    READ_NOTICES = "read-notices"
    OPERATE_REGISTRY = "keep"
    REVIEW = "review"


class Purpose(Code):
    """Why the requester asks: codes of http://terminology.hl7.org/CodeSystem/v3-ActReason.

    No professional gets a permit for the last two, and no Consent can name them.
    """

    TREATMENT = "TREAT"
    EMERGENCY = "ETREAT"
    BREAK_GLASS = "BTG"
    PATIENT_REQUEST = "PATRQT"
    FAMILY_REQUEST = "FAMRQT"
    AUDIT = "HCOMPL"
    ADMINISTRATION = "HSYSADMIN"
    """The operator administers the server."""
    OTHER = "PurposeOfUse"
    """A purpose that the rules do not know."""


class SpaceStatus(Code):
    """The state of a space (rules A1 to A14)."""

    ANNOUNCED = "announced"
    OPPOSED = "opposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"


class DirectiveKind(Code):
    """What a directive says: a decision of the patient, or a fact about who may act; each comes from one Consent."""

    AGREEMENT = "agreement"
    BLOCK = "block"
    BLOCK_LIFTED = "block-lifted"
    WITHHELD = "withheld"
    DECLARED_PHYSICIAN = "declared-physician"
    ADMINISTRATOR = "administrator"
    REPRESENTATIVE = "representative"
    GUARDIAN = "guardian"
    CARER = "carer"
    EMERGENCY_OPENING = "emergency-opening"
    HIDDEN_IN_EMERGENCY = "hidden-in-emergency"
    HIDDEN_BY_DEFAULT = "hidden-by-default"
    CARE_HISTORY_HIDDEN = "care-history-hidden"
    ASK_FIRST = "ask-first"
    AT_ONCE = "at-once"
    TOLD_OF_FILING = "told-of-filing"
    CARE = "care"
    """A fact of care that a third party recorded: it opens nothing alone, but supports what a professional declared."""


SETTINGS = frozenset(
    {
        DirectiveKind.HIDDEN_IN_EMERGENCY,
        DirectiveKind.HIDDEN_BY_DEFAULT,
        DirectiveKind.CARE_HISTORY_HIDDEN,
        DirectiveKind.ASK_FIRST,
        DirectiveKind.AT_ONCE,
        DirectiveKind.TOLD_OF_FILING,
    }
)
"""Directives that set the whole space: they name nobody, and the patient's side records them."""


class Proof(Code):
    """What shows that care is effective and that the patient agrees (C1 to C6)."""

    ORAL = "oral"
    WRITTEN = "written"
    PATIENT = "patient"
    CARD = "card"
    CODE = "code"
    APPOINTMENT = "appointment"
    ADMISSION = "admission"
    REFERRAL = "referral"
    PRESCRIPTION = "prescription"


class Grade(Code):
    """How strong the evidence behind a ground of access is (V1); from the strongest to the weakest.

    PATIENT: the holder's own authenticated act, a code or a card that the holder showed. THIRD_PARTY: recorded by
    somebody other than the reader. DECLARED: stated by the reader alone.
    """

    PATIENT = "patient"
    THIRD_PARTY = "third_party"
    DECLARED = "declared"


class Basis(Code):
    """The ground of an access, as the audit log names it."""

    PATIENT = "patient"
    REPRESENTATIVE = "legal-representative"
    CARER = "carer"
    DECLARED_PHYSICIAN = "declared-physician"
    ADMINISTRATOR = "administrator"
    CARE_TEAM = "care-team"
    CONSENT = "consent"
    BREAK_GLASS = "break-glass"
    REGULATION = "emergency-regulation"
    DEPOSITOR = "depositor"
    SYSTEM = "system"
    IDENTIFICATION = "identification"
    COLLECTION = "consent-collection"
    AUDIT = "audit"
    SUPPORT = "support"
    OWN_TRACES = "own-traces"


class Reason(Code):
    """Why a request is denied.

    The first three describe the caller, the fourth describes the server: they never depend on the patient.
    For every other reason, callers get the same answer.
    """

    FORBIDDEN_PARTY = "forbidden-party"
    UNIDENTIFIED = "unidentified"
    NOT_ENTITLED = "not-entitled"
    EMERGENCIES_ONLY = "emergencies-only"
    ANNOUNCED = "announced"
    OPPOSED = "opposed"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"
    BLOCKED = "blocked"
    TOO_YOUNG = "too-young"
    NO_AUTHORITY = "no-authority"
    NO_CONSENT = "no-consent"
    CONSENT_USED = "consent-used"
    APPROVAL_PENDING = "approval-pending"
    EMERGENCY_OFF = "emergency-off"
    EMERGENCY_NOT_OPEN = "emergency-not-open"
    RULE_ERROR = "rule-error"
    MARK_NOT_ALLOWED = "mark-not-allowed"
    MARKS_EXCLUDE_EACH_OTHER = "marks-exclude-each-other"
    ALREADY_SEEN = "already-seen"
    AT_ONCE = "patient-wants-results-at-once"
    SEALING_NEEDS_CARE = "sealing-needs-care"
    ILLEGAL_TRANSITION = "illegal-transition"
    TOO_EARLY = "too-early"
    TOO_MANY_CARERS = "too-many-carers"
    NOT_YOURS_TO_SAY = "not-yours-to-say"
    PERIOD_TOO_LONG = "period-too-long"
    POST_DATED = "post-dated"
    TOO_MANY_CHOICES = "too-many-choices"
    SECOND_APPROVER_MISSING = "second-approver-missing"
    REPRESENTATIVE_NOT_LIMITED = "representative-not-limited"
    NOTICE_MISSING = "notice-missing"
    OWN_OPENING = "own-opening"
    ALREADY_REVIEWED = "already-reviewed"


class Obligation(Code):
    """What the server must do when it permits a request (E10, G3, G6, G7, H1)."""

    NOTIFY_PATIENT = "notify-patient"
    NOTIFY_DECLARED_PHYSICIAN = "notify-declared-physician"
    NOTIFY_FIRST_ACCESS = "notify-first-access"
    SHOW_EMERGENCY_MODE = "show-emergency-mode"
    REVIEW = "review"


class ReviewOutcome(Code):
    """The outcome of the review of a break-glass."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"
    DISCIPLINARY = "disciplinary"


class ReviewState(Code):
    """The state of the review of a break-glass: pending, overdue, or its outcome."""

    PENDING = "pending"
    OVERDUE = "overdue"
    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"
    DISCIPLINARY = "disciplinary"
