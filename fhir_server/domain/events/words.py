"""The words for events and notices, in English; the French ones are in `translations/fr/LC_MESSAGES/events.po`.

The words of an event stand with its kind (`domain.events.kinds`). The audit event, the journal and the notices read all
of them by `domain.events.sentences`. `python -m tests.domain.event_texts` renews the French catalogue.
French uses the verb `avoir` and the active voice, so that no participle shows the gender of who acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent_rules.vocabulary import ReviewOutcome
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
        NoticeKind.ANNOUNCED: "A health space will be opened six weeks after this message, unless it is opposed.",
        NoticeKind.OPPOSED: "The opposition to the opening of the space is recorded. This message is the proof.",
        NoticeKind.OPENED: "The space is open.",
        NoticeKind.SUSPENDED: "Access to the space is suspended. It closes after six weeks unless this is opposed.",
        NoticeKind.CLOSED: "The space is closed. Its data are archived; it can be opened again.",
        NoticeKind.ERASURE_ASKED: "The erasure of the closed space was asked for; it happens within three months.",
        NoticeKind.WAITING: "The space was updated; it is advisable to talk about it with a health professional, in "
        "particular the attending physician.",
        NoticeKind.FIRST_ACCESS: "%(who)s looked at the space for the first time.",
        NoticeKind.ACCESS: "%(who)s looked at the space.",
        NoticeKind.BREAK_GLASS: EventKind.GLASS_BROKEN,
        NoticeKind.REGULATION: EventKind.REGULATION_OPENED,
        NoticeKind.REVIEWED: "The opening of the space in an emergency by %(who)s was reviewed.",
        NoticeKind.FILED: EventKind.DOCUMENTS_PUBLISHED,
        NoticeKind.CHANGED: "%(who)s changed a document of the space.",
        NoticeKind.CHOICE_CLOSED: "A choice recorded in the space cannot be applied as it is written. It gives nobody "
        "access; record it again if it is still wanted.",
        NoticeKind.PASSWORD: EventKind.PASSWORD_SET,
        NoticeKind.FACTORS: "%(who)s changed the second factor of the account.",
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
WANTED = "wanted to %(act)s"
SOFTWARE = "A program"
TO_REVIEW = "To be reviewed by %(when)s."
OPENED_ON = "It was opened on %(when)s."
