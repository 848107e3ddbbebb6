"""One request with all facts that decide it, sorted once so that every rule finds its facts."""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.matrix.table import Matrix
from consent_rules.model import AccessRequest, Directive, Membership, RecordState, Requester
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import DirectiveKind, Grade

_NO_TEAMS: frozenset[str] = frozenset()
_ANY = frozenset(Grade)
_CONFIRMED = frozenset({Grade.PATIENT, Grade.THIRD_PARTY})


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The request, the state of the space, the matrix and the profile in force.

    identities: every reference by which a directive may name the requester; present care teams are included.
    confirmed: the present care teams whose membership somebody other than a professional has recorded (V4).
    held: the directives whose stated period includes now, by kind. lifted: blocks that were withdrawn or have ended.
    memo: results that were already computed for this request.
    """

    request: AccessRequest
    record: RecordState
    matrix: Matrix
    profile: RuleProfile
    identities: frozenset[str]
    confirmed: frozenset[str]
    held: dict[DirectiveKind, list[Directive]]
    lifted: list[Directive]
    memo: dict[str, list[Directive]]

    @property
    def requester(self) -> Requester:
        """Who asks."""
        return self.request.requester

    @property
    def at(self) -> datetime:
        """When the requester asks."""
        return self.request.at

    def in_force(self, kind: DirectiveKind) -> list[Directive]:
        """Return the directives of one kind whose stated period includes now."""
        return self.held.get(kind, [])

    def has(self, kind: DirectiveKind) -> bool:
        """Tell whether a directive of one kind is in force."""
        return kind in self.held


def context_of(request: AccessRequest, record: RecordState, matrix: Matrix, profile: RuleProfile) -> DecisionContext:
    """Sort the facts of one request."""
    at, own = request.at, request.requester.identities
    confirmed = _NO_TEAMS
    if record.teams:
        confirmed = frozenset(t.reference for t in record.teams if _has_member(t.members, own, at, _CONFIRMED))
        own = own.union(t.reference for t in record.teams if _has_member(t.members, own, at))
    held: dict[DirectiveKind, list[Directive]] = {}
    lifted = []
    for directive in record.directives:
        kind = directive.kind
        if kind is DirectiveKind.BLOCK_LIFTED:
            lifted.append(directive)
        elif (directive.start is None and directive.end is None) or directive.holds_at(at):
            listed = held.get(kind)
            if listed is None:
                held[kind] = [directive]
            else:
                listed.append(directive)
        elif kind is DirectiveKind.BLOCK and directive.end is not None and directive.end <= at:
            lifted.append(directive)
    return DecisionContext(request, record, matrix, profile, own, confirmed, held, lifted, {})


def _has_member(
    members: tuple[Membership, ...], identities: frozenset[str], at: datetime, grades: frozenset[Grade] = _ANY
) -> bool:
    return any(m.member in identities and m.holds_at(at) and m.grade in grades for m in members)
