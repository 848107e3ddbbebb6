"""What a row says of a kind of event besides its codes: whether it is a choice, who may know of it, whom it is told.

Source: rules B10, E9, G3, G6, H1, H2, H4 and H5 (docs/rules.md); docs/adr/0044.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Self

from consent_rules.vocabulary import Code
from fhir_server.domain.values import Interaction


class NoticeKind(Code):
    """The kinds of notices: codes of `Communication.category`.

    label: what the notice is about, where a person chooses what is mailed. sentence: what the notice says, in English;
    %(who)s stands for who acted. None for “who did what” in the words of the first kind of event that owes the notice.
    """

    _value_: str
    label: str
    sentence: str | None

    def __new__(cls, value: str, label: str = "", sentence: str | None = None) -> Self:
        """Make a member, which equals its code."""
        made = str.__new__(cls, value)
        made._value_, made.label, made.sentence = value, label, sentence
        return made

    # fmt: off
    ANNOUNCED = ("space-announced", "A space will be opened for you",
        "A health space will be opened six weeks after this message, unless it is opposed.")
    OPPOSED = ("space-opposed", "Your opposition to the space",
        "The opposition to the opening of the space is recorded. This message is the proof.")
    OPENED = ("space-opened", "The space is open", "The space is open.")
    SUSPENDED = ("space-suspended", "Access to the space is suspended",
        "Access to the space is suspended. It closes after six weeks unless this is opposed.")
    CLOSED = ("space-closed", "The space is closed",
        "The space is closed. Its data are archived; it can be opened again.")
    ERASURE_ASKED = ("space-erasure-asked", "The erasure of the space",
        "The erasure of the closed space was asked for; it happens within three months.")
    MERGED = ("identity-merged", "Your identity is merged with another",
        ("This identity was recorded twice and is now merged with the other one. Each space keeps its documents and "
         "opens to nobody new; what you closed in one is closed in both. If the other identity is not yours, say so: "
         "the merge is undone without loss."))
    UNMERGED = ("identity-unmerged", "The merge of your identity is undone",
        ("The merge of this identity with another is undone. The space holds what was filed in it; only its own "
         "choices hold from now on."))
    WAITING = ("result-waits", "The space was updated",
        ("The space was updated; it is advisable to talk about it with a health professional, in particular the "
         "attending physician."))
    FIRST_ACCESS = ("first-access", "Somebody looks at the space for the first time",
        "%(who)s looked at the space for the first time.")
    ACCESS = ("access", "Somebody looks at the space again", "%(who)s looked at the space.")
    BREAK_GLASS = ("break-glass", "Emergency: somebody opens the space without your agreement", None)
    REGULATION = ("emergency-regulation", "Emergency call: somebody opens the space", None)
    ADMITTED = ("care-stated", "An establishment says that you are in its care",
        "%(who)s says that the patient is in its care.")
    LET_IN = ("professional-let-in", "Somebody uses a code that you showed", None)
    CARD_READ = ("card-read", "Somebody reads your card",
        "%(who)s used your card, which registered software has read. The server has checked this evidence.")
    REVIEWED = ("emergency-reviewed", "An emergency access was reviewed",
        "The opening of the space in an emergency by %(who)s was reviewed.")
    DECLARED = ("agreement-declared", "Somebody declares that you agreed",
        "%(who)s declares that you agreed to an access to the space.")
    DECIDED = ("contest-decided", "What you contested was examined",
        "What was contested about %(who)s was examined.")
    UNEXPLAINED = ("unexplained-access", "An access that nothing explains",
        ("%(who)s looked at the space, and nothing that is recorded explains this access. If you do not know this "
         "person, you can contest the access: the person is then blocked."))
    FILED = ("document-filed", "Somebody files documents", None)
    CHANGED = ("document-changed", "Somebody changes a document", "%(who)s changed a document of the space.")
    CHOICE_CLOSED = ("choice-closed", "A choice of yours cannot be applied",
        ("A choice recorded in the space cannot be applied as it is written. It gives nobody access; record it again "
         "if it is still wanted."))
    CARER_ENDS = ("carer-ends", "The access of a carer ends in two days",
        "The access of a carer to the space ends in two days. Name the carer again if it is to go on.")
    PASSWORD = ("password-changed", "Your password was changed", None)
    FACTORS = ("second-factor-changed", "Your second factor was changed",
        "%(who)s changed the second factor of the account.")
    # fmt: on


class Choice(Enum):
    """When an event is a choice of the patient, which no professional and no auditor reads (H4).

    OF_THE_SIDE: when the patient or somebody for the patient acts. IN_A_SPACE: when the event belongs to a space.
    """

    NEVER = "never"
    ALWAYS = "always"
    OF_THE_SIDE = "of-the-side"
    IN_A_SPACE = "in-a-space"


class Secrecy(Enum):
    """What decides who on the patient's side may know of an event.

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


@dataclass(frozen=True, slots=True)
class EventRow:
    """What the server knows of one kind of event.

    interactions: by which the act is done, the usual one first. resource_type: None for any type or for no type.
    notices: which the event may owe, the usual one first; empty when it owes none.
    operation: "" for an interaction that is no operation.
    """

    interactions: tuple[Interaction, ...]
    resource_type: str | None
    choice: Choice
    secrecy: Secrecy
    notices: tuple[NoticeRule, ...]
    operation: str = ""
