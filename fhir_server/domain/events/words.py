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
DECISIONS: Mapping[ReviewOutcome, str] = MappingProxyType(
    {
        ReviewOutcome.JUSTIFIED: "Result: what this person did or declared was justified.",
        ReviewOutcome.NOT_JUSTIFIED: "Result: what this person did or declared was not justified.",
    }
)
"""The outcome of a contest, as the patient reads it."""
PROOFS: Mapping[Proof, str] = MappingProxyType(
    {
        Proof.ORAL: "According to this person, you agreed orally.",
        Proof.WRITTEN: "According to this person, you agreed in writing.",
        Proof.PATIENT: "According to this person, you recorded it yourself.",
        Proof.CARD: "According to this person, your card was read.",
        Proof.CODE: "According to this person, you showed a code.",
        Proof.APPOINTMENT: "The reason given is an appointment.",
        Proof.ADMISSION: "The reason given is an admission.",
        Proof.REFERRAL: "The reason given is a referral.",
        Proof.PRESCRIPTION: "The reason given is a prescription.",
    }
)
GRADES: Mapping[Grade, str] = MappingProxyType(
    {
        Grade.PATIENT: "The server has checked this evidence.",
        Grade.THIRD_PARTY: "Somebody else has recorded facts that support it.",
        Grade.DECLARED: "Nobody else has confirmed it.",
    }
)
"""How strong the evidence of a declared agreement is: words that follow those of `PROOFS` in the notice (V7)."""
WITHOUT_LOGIN = "the software %(app)s, in the name of %(person)s, without that person’s own login,"
"""Who acted, when software named a person who had not logged in (V5)."""
WANTED = "wanted to %(act)s"
SOFTWARE = "A program"
TO_REVIEW = "To be reviewed by %(when)s."
OPENED_ON = "The access was on %(when)s."
