"""The words for events and notices, in English; the French ones are in `translations/fr/LC_MESSAGES/events.po`.

The words of an event stand with its kind (`domain.events.kinds`). The audit event, the journal and the notices read all
of them by `domain.events.sentences`. `python -m tests.domain.event_texts` renews the French catalogue.
French uses the verb `avoir` and the active voice, so that no participle shows the gender of who acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent_rules.vocabulary import Grade, Proof, ReviewOutcome
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody did, and what somebody wanted to do.

    %(thing)s, %(of_thing)s and %(things)s stand for the words of the resource type, %(app)s for the name of the app.
    """

    did: str
    wish: str


WORDS: Mapping[EventKind, Words] = MappingProxyType({kind: Words(kind.did, kind.wish) for kind in EventKind})
NOTICES: Mapping[NoticeKind, str | EventKind] = MappingProxyType(
    {
        kind: kind.sentence or next(event for event in EventKind if kind in {rule.kind for rule in event.row.notices})
        for kind in NoticeKind
    }
)
"""The sentence of each kind of notice; a kind of event stands for “who did what” in the words of that kind."""
REVIEWS: Mapping[ReviewOutcome, str] = MappingProxyType(
    {
        ReviewOutcome.JUSTIFIED: "Result of the review: the access was justified.",
        ReviewOutcome.NOT_JUSTIFIED: "Result of the review: the access was not justified.",
        ReviewOutcome.DISCIPLINARY: "Result of the review: the access was not justified, and disciplinary steps "
        "follow.",
    }
)
PROOFS: Mapping[Proof, str] = MappingProxyType(
    {
        Proof.ORAL: "You are said to have agreed orally.",
        Proof.WRITTEN: "You are said to have agreed in writing.",
        Proof.PATIENT: "You are said to have recorded it yourself.",
        Proof.CARD: "Your card is said to have been read.",
        Proof.CODE: "A code of yours is said to have been used.",
        Proof.APPOINTMENT: "An appointment is given as the reason.",
        Proof.ADMISSION: "An admission is given as the reason.",
        Proof.REFERRAL: "A referral is given as the reason.",
        Proof.PRESCRIPTION: "A prescription is given as the reason.",
    }
)
GRADES: Mapping[Grade, str] = MappingProxyType(
    {
        Grade.PATIENT: "The server has checked this evidence.",
        Grade.THIRD_PARTY: "Somebody else has recorded facts that support it.",
        Grade.DECLARED: "Nothing but this word supports it.",
    }
)
"""What the notice of a declared agreement says of its proof and of the grade of the evidence (V7)."""
WITHOUT_LOGIN = "the software %(app)s, in the name of %(person)s, without that person’s own login,"
"""Who acted, when software named a person who had not logged in (V5)."""
WANTED = "wanted to %(act)s"
SOFTWARE = "A program"
TO_REVIEW = "To be reviewed by %(when)s."
OPENED_ON = "It was opened on %(when)s."
