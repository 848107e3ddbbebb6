"""Two spaces whose identities are merged: what closes in one closes in the other, and nothing opens in the other.

Each space keeps its own directives. A decision about a space adds to them what the other space restricts, so that the
stricter choice of both holds in both, and no decision becomes wider by a merge (AC51).
Source: docs/adr/0125-a-merge-joins-what-closes.md.
"""

from dataclasses import replace
from datetime import datetime

from consent_rules.lifecycle import status_at
from consent_rules.model import RESTRICTING, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import DirectiveKind, SpaceStatus

_WIDENS = DirectiveKind.HIDDEN_IN_EMERGENCY
"""The one setting of a space that shows more (G5): it holds only while both spaces have it."""


def under_both(own: RecordState, other: RecordState, at: datetime, profile: RuleProfile) -> RecordState:
    """Return the state by which a space is decided while its identity is merged with that of another space.

    Directives of the other space get the id of the merge: nobody learns the id of a Consent of another space.
    """
    merge = own.merged.id if own.merged else ""
    both = any(said.kind is _WIDENS and said.holds_at(at) for said in other.directives)
    kept = tuple(said for said in own.directives if both or said.kind is not _WIDENS)
    added = tuple(
        replace(said, id=merge, actors=said.actors | _members(said.actors, other, at))
        for said in other.directives
        if said.kind in RESTRICTING
    )
    joined = replace(own, directives=(*kept, *added))
    closed = _closed_by(other, at, profile)
    if closed is None or status_at(own, at, profile) is not SpaceStatus.ACTIVE:
        return joined
    return replace(joined, status=closed, since=None)


def _members(actors: frozenset[str], other: RecordState, at: datetime) -> frozenset[str]:
    """Return the members of the other space's care teams that a directive names: this space does not know the teams."""
    teams = (team for team in other.teams if team.reference in actors)
    return frozenset(one.member for team in teams for one in team.members if one.holds_at(at))


def _closed_by(other: RecordState, at: datetime, profile: RuleProfile) -> SpaceStatus | None:
    """Return the state that the other space imposes, None while it is open.

    An erased space counts as closed: its end erases nothing here.
    """
    status = status_at(other, at, profile)
    if status is SpaceStatus.ACTIVE:
        return None
    return SpaceStatus.CLOSED if status is SpaceStatus.ERASED else status
