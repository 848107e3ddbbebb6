"""What a row says of a kind of event besides its codes: whether it is a choice, who may know of it, whom it is told.

Source: rules B10, E9, G3, G6, H1, H2, H4 and H5 (docs/rules.md); docs/adr/0044.
"""

from dataclasses import dataclass
from enum import Enum

from consent_rules.vocabulary import Code


class NoticeKind(Code):
    """The kinds of notices: codes of `Communication.category`."""

    ANNOUNCED = "space-announced"
    OPPOSED = "space-opposed"
    OPENED = "space-opened"
    SUSPENDED = "space-suspended"
    CLOSED = "space-closed"
    ERASURE_ASKED = "space-erasure-asked"
    WAITING = "result-waits"
    FIRST_ACCESS = "first-access"
    ACCESS = "access"
    BREAK_GLASS = "break-glass"
    REGULATION = "emergency-regulation"
    REVIEWED = "emergency-reviewed"
    FILED = "document-filed"
    CHANGED = "document-changed"
    CHOICE_CLOSED = "choice-closed"
    PASSWORD = "password-changed"  # noqa: S105 - a name
    FACTORS = "second-factor-changed"


class Choice(Enum):
    """When an event is a choice of the patient, which no professional and no auditor reads (H4).

    OF_THE_SIDE: when the patient or somebody for the patient acts. IN_A_SPACE: when the event belongs to a space.
    """

    NEVER = "never"
    ALWAYS = "always"
    OF_THE_SIDE = "of-the-side"
    IN_A_SPACE = "in-a-space"


class Secrecy(Enum):
    """By what it is judged who on the patient's side may know of an event.

    DOCUMENTS: by the documents that it names or writes; a reader who sees none of them does not see the event.
    OPEN: everybody who reads the journal may know. HOLDER: only the patient, because an account is personal.
    An event that is confidential for another reason is hidden from guardians whatever its kind (B10).
    """

    DOCUMENTS = "documents"
    OPEN = "open"
    HOLDER = "holder"


class Recipients(Enum):
    """Who gets a notice.

    HOLDERS: the patient and the representatives, but only the patient when the event is confidential.
    HOLDER: the patient. PHYSICIANS: as HOLDERS, and the declared physicians (G6).
    """

    HOLDERS = "holders"
    HOLDER = "holder"
    PHYSICIANS = "physicians"


@dataclass(frozen=True, slots=True)
class NoticeRule:
    """A notice that an event of a kind may owe: the permit or the patient's wishes say whether it does."""

    kind: NoticeKind
    to: Recipients = Recipients.HOLDERS
