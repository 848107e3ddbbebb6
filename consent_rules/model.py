"""Facts in, answers out: the values that the one decision takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consent_rules.visibility import Clause, Visibility
from consent_rules.vocabulary import Action, Purpose, RequesterKind, View


@dataclass(frozen=True, slots=True)
class Requester:
    """Pure facts about who asks, all from signed or looked-up claims, never from the request's own words.

    person: "Patient/…", "RelatedPerson/…" or "Practitioner/…", "" for software alone. role: "PractitionerRole/…".
    organization: "Organization/…" of the practice situation or of the software. client: "Device/<client id>".
    profession: code of the matrix row ("70"), "" when none. specialty: code, "" when none.
    """

    kind: RequesterKind
    person: str = ""
    role: str = ""
    organization: str = ""
    client: str = ""
    profession: str = ""
    specialty: str = ""

    @property
    def identities(self) -> frozenset[str]:
        """Every reference under which a directive may name this requester, the software excepted."""
        return frozenset({self.person, self.role, self.organization} - {""})


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One question to the rules; `at` is UTC-aware."""

    requester: Requester
    action: Action
    purpose: Purpose
    at: datetime


@dataclass(frozen=True, slots=True)
class RuleApplied:
    """One rule that spoke: statement number of docs/rules.md, and the ids of the consents it used."""

    statement: str
    outcome: str
    consents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """The requester may enter, and sees this.

    basis: ground of the access, a code of vocabulary.Basis. obligations: codes of vocabulary.Obligation.
    views: the clauses of each part of the space; a part that is absent shows nothing.
    """

    compartment: str
    basis: str
    rules: tuple[RuleApplied, ...]
    views: Mapping[View, tuple[Clause, ...]]
    obligations: frozenset[str] = frozenset()
    matrix_version: str = ""

    def sees(self, view: View) -> Visibility:
        """Return what is visible of one part of the space."""
        return Visibility(self.compartment, self.views.get(view, ()))


@dataclass(frozen=True, slots=True)
class Refuse:
    """The requester may not enter. reason: a code of vocabulary.Reason, for the trace; callers get less."""

    reason: str
    rules: tuple[RuleApplied, ...] = field(default=())
    matrix_version: str = ""
