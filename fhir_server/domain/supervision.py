"""What officer and operator have set for single people, establishments, apps and professions: suspensions, exceptions.

It is read with the token of each request, so that it holds from the next request on, in every process.
Source: docs/adr/0085-breakers-and-registered-exceptions.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Self

import msgspec
import orjson

from consent_rules.model import Requester
from consent_rules.rule_profile import Ceilings
from consent_rules.vocabulary import Code

CEILINGS = frozenset(item.name for item in fields(Ceilings) if item.type == "int" or item.type is int)
"""The ceilings that are whole numbers."""
OF_EVERYBODY = frozenset({"breaker_contests", "breaker_days", "failed_codes_an_hour", "failed_codes_an_hour_in_all"})
"""The ceilings that are the same for everybody: no exception can be registered for them."""
PROFESSION = "profession:"


class BreakerCause(Code):
    """Why a suspension began by itself: the subject reached ceilings, or patients contest what it declares."""

    CEILINGS = "ceilings"
    CONTESTS = "contests"


@dataclass(frozen=True, slots=True)
class Suspension:
    """Each space that the subject newly enters needs better evidence than a declaration (V13).

    subject: a reference. by, reason: for the officer.
    cause, case: of a suspension that began by itself, and the id of its case; None when a person began it.
    """

    subject: str
    since: datetime
    by: str
    reason: str
    cause: BreakerCause | None = None
    case: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredException:
    """Other numbers for one subject (V12). role: the words for the public list, which never name a person.

    subject: a reference, or "profession:" and its code. numbers: by the name of the ceiling.
    """

    subject: str
    role: str
    numbers: Mapping[str, int]
    since: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Supervision:
    """All suspensions and registered exceptions."""

    suspensions: tuple[Suspension, ...] = ()
    exceptions: tuple[RegisteredException, ...] = field(default=())

    def of(self, subject: str) -> Suspension | None:
        """Return the suspension of a subject."""
        return next((one for one in self.suspensions if one.subject == subject), None)

    def suspends(self, requester: Requester) -> bool:
        """Tell whether the requester, their establishment or their software is suspended."""
        return any(one.subject in subjects_of(requester) for one in self.suspensions)

    def ceilings_of(self, requester: Requester, usual: Ceilings) -> Ceilings:
        """Return the ceilings of a requester: the usual ones, except those for which an exception is registered."""
        return self._numbers(subjects_of(requester), usual) if self.exceptions else usual

    def ceilings_for(self, subject: str, usual: Ceilings) -> Ceilings:
        """Return the ceilings of one subject alone, such as an establishment, whoever acts there."""
        return self._numbers(frozenset({subject}), usual)

    def _numbers(self, own: frozenset[str], usual: Ceilings) -> Ceilings:
        numbers = {name: most for one in self.exceptions if one.subject in own for name, most in one.numbers.items()}
        return replace(usual, **numbers)  # type: ignore[arg-type] # `CEILINGS` names whole numbers alone

    def with_suspension(self, suspension: Suspension) -> Self:
        """Return the supervision with a suspension, in place of an earlier one of the same subject."""
        others = tuple(one for one in self.suspensions if one.subject != suspension.subject)
        return replace(self, suspensions=(*others, suspension))

    def begun(self, suspension: Suspension) -> Self:
        """Return the supervision with a suspension that begins by itself, unless the subject is suspended already."""
        return self if self.of(suspension.subject) else self.with_suspension(suspension)

    def ended(self, suspension: Suspension) -> Self:
        """Return the supervision without exactly this suspension."""
        return replace(self, suspensions=tuple(one for one in self.suspensions if one != suspension))

    def with_exception(self, exception: RegisteredException) -> Self:
        """Return the supervision with an exception, in place of an earlier one of the same subject."""
        others = tuple(one for one in self.exceptions if one.subject != exception.subject)
        return replace(self, exceptions=(*others, exception))

    def without(self, subject: str, *, exceptions: bool = False) -> Self:
        """Return the supervision without the suspension, or without the exceptions, of a subject."""
        if exceptions:
            return replace(self, exceptions=tuple(one for one in self.exceptions if one.subject != subject))
        return replace(self, suspensions=tuple(one for one in self.suspensions if one.subject != subject))


NO_SUPERVISION = Supervision()
_DECODER = msgspec.json.Decoder(Supervision)


def subjects_of(requester: Requester) -> frozenset[str]:
    """Return the subjects by which a suspension or an exception can apply to a requester."""
    profession = f"{PROFESSION}{requester.profession}" if requester.profession else ""
    return frozenset({requester.person, requester.organization, requester.client, profession} - {""})


@lru_cache(maxsize=4)
def load(stored: bytes) -> Supervision:
    """Read what `dump` wrote; the same bytes give the same value, because each request reads them."""
    return _DECODER.decode(stored)


def dump(supervision: Supervision) -> bytes:
    """Write a supervision."""
    return orjson.dumps(supervision)
