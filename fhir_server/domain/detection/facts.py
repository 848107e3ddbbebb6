"""The facts that detection judges: accesses, what the directory says of two people, and what the rules answer.

No value here can name a document, so that no alert can tell of one: accesses are counted by spaces.
Source: statements V19, V20 and V22 (docs/rules-index.csv).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consent_rules.vocabulary import Code, Grade


class Explanation(Code):
    """Evidence that explains an access and that its actor could not have produced alone, the strongest first (V19).

    NAMED: a third party named the actor, as in a referral. THIRD_PARTY: a third party named only the establishment.
    """

    PATIENT = "patient"
    NAMED = "named"
    TEAM = "team"
    THIRD_PARTY = "third-party"
    DEPOSIT = "deposit"


class Doubt(Code):
    """How much an access needs an explanation.

    NONE: the patient, a third party who names the actor, or the actor's team explains it. SOME: only something about
    the establishment explains it, which would explain an access by anybody of its staff. FULL: nobody but the actor
    explains it.
    """

    NONE = "none"
    SOME = "some"
    FULL = "full"


class Tie(Code):
    """What the directory says that an actor and the holder of a space have in common."""

    ADDRESS = "address"
    PHONE = "phone"
    RARE_NAME = "rare-name"
    NAME = "name"
    STREET = "street"
    TEAM = "colleague-of-team"
    EMPLOYER = "employer"


class Oddity(Code):
    """What is unusual about one access.

    ALONE: nobody else of the establishment has entered the space for some days, and nobody says that the establishment
    cares for the patient now; the weight is how seldom the actor is so. ASTRAY: otherwise, how seldom the actor enters
    where nobody of the own team has been. OFF_DUTY: the actor has no fully explained access in the hours before and
    after, and does not come back to what began a day ago or earlier. RETURNS: as ALONE, and the actor was alone in this
    space hours ago, within a day. EMERGENCY: a declared emergency is the ground. FILED, which makes an access less odd:
    the establishment filed something in the hours after. OTHERS, also less: how many others of the establishment have
    entered the space within weeks.
    """

    ALONE = "alone"
    ASTRAY = "astray"
    OFF_DUTY = "off-duty"
    RETURNS = "returns"
    EMERGENCY = "emergency"
    FILED = "filed-after"
    OTHERS = "others"


class Rule(Code):
    """The named rules (V20)."""

    SAME_ADDRESS = "same-address"
    SAME_NAME = "same-name"
    SAME_EMPLOYER = "same-employer"
    OUT_OF_PLACE = "out-of-place"
    CELEBRITY = "celebrity"
    SEQUENCE = "sequence"
    VOLUME = "volume"
    DORMANT = "dormant-account"
    ENDED = "ended-space"
    EMERGENCIES = "emergencies"
    REFUSALS = "refusals"


@dataclass(frozen=True, slots=True)
class Accessed:
    """One access, as the audit log tells it.

    person, where, team: references of who entered, of the establishment and of the unit in it. space: id of the
    patient. grade: of the evidence behind the ground, None when it is no ground of care. refused: whether it was
    denied.
    """

    person: str
    where: str | None
    team: str | None
    profession: str | None
    space: str
    at: datetime
    grade: Grade | None = None
    emergency: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What is known, when an access is judged, of what others did in the space around the time of the access.

    named: a third party named the actor. care: a third party recorded care by the establishment. deposit: the
    establishment filed something that everybody may see. teammate: another member of the actor's team entered on
    evidence that is better than declared, a few days before or after at most. elsewhere: somebody else of the
    establishment entered, a few days before or after at most. filed: the establishment filed something in the hours
    after the access. others: how many others of the establishment have entered within some weeks.
    """

    named: bool = False
    care: bool = False
    deposit: bool = False
    teammate: bool = False
    elsewhere: bool = False
    filed: bool = False
    others: int = 0


@dataclass(frozen=True, slots=True)
class Traits:
    """What the directory says of a person; each value is compared for equality alone and may be a hash.

    rare_names: those of the names that few people bear. teams: units where the person works.
    """

    names: frozenset[str] = frozenset()
    rare_names: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    streets: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    employers: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule calls the officer. space: None when the hit is about the actor's conduct in many spaces.

    person: None when it is about many actors. evidence: codes and counts. due: by when an officer is to judge it.
    """

    rule: Rule
    at: datetime
    due: datetime
    person: str | None = None
    space: str | None = None
    evidence: Mapping[str, int] = field(default_factory=dict)
