"""One question with all that it is judged by."""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.matrix import Matrix
from consent_rules.model import AccessRequest, Directive, Membership, RecordState, Requester
from consent_rules.profiles import RuleProfile
from consent_rules.vocabulary import DirectiveKind


@dataclass(frozen=True, slots=True)
class Case:
    """The request, the state of the space, the matrix and the profile in force."""

    request: AccessRequest
    record: RecordState
    matrix: Matrix
    profile: RuleProfile

    @property
    def requester(self) -> Requester:
        """Who asks."""
        return self.request.requester

    @property
    def at(self) -> datetime:
        """When it is asked."""
        return self.request.at

    def identities(self) -> frozenset[str]:
        """Every reference under which a directive may reach the requester, the care teams of today included."""
        own = self.requester.identities
        teams = (team.reference for team in self.record.teams if _has_member(team.members, own, self.at))
        return own.union(teams) if self.record.teams else own

    def in_force(self, kind: DirectiveKind) -> list[Directive]:
        """Return the directives of one kind whose stated period holds now."""
        return [d for d in self.record.directives if d.kind is kind and d.holds_at(self.at)]

    def has(self, kind: DirectiveKind) -> bool:
        """Tell whether a directive of one kind is in force."""
        return any(d.kind is kind and d.holds_at(self.at) for d in self.record.directives)


def _has_member(members: tuple[Membership, ...], identities: frozenset[str], at: datetime) -> bool:
    return any(m.member in identities and m.holds_at(at) for m in members)
