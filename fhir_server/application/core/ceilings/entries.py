"""Which spaces a request newly enters on a professional's declaration alone, and the mark that it leaves there.

The decision state of the space keeps the mark, by person and until when. The decision reads that state anyway, so that
a read in a space that is open already costs no look-up.
Source: docs/adr/0084-what-is-counted-and-what-follows.md.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from consent_rules.decision.evidence import is_for_team
from consent_rules.model import Directive, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import Basis, DirectiveKind, Grade, RequesterKind
from fhir_server.application.core.access import Access, Opened

_EMERGENCIES = frozenset({Basis.BREAK_GLASS, Basis.REGULATION})
_MOST_MARKS = 500
"""The most marks of one space; the mark that ends first gives way, and its person is counted again later."""


def is_on_declared(opened: Opened) -> bool:
    """Tell whether a space was entered on a declared ground of ordinary care."""
    permit = opened.permit
    return permit.grade is Grade.DECLARED and permit.basis not in _EMERGENCIES


def is_new(access: Access, record: RecordState) -> bool:
    """Tell whether an entry of the caller into this space has not been counted yet, or no longer counts."""
    until = record.entered.get(access.caller.requester.person)
    return until is None or until <= access.at


def marked(access: Access, record: RecordState, until: datetime) -> RecordState:
    """Return the state with the mark of the caller, without marks that have ended."""
    held = {person: ends for person, ends in record.entered.items() if ends > access.at}
    held[access.caller.requester.person] = until
    kept = sorted(held.items(), key=lambda mark: mark[1])[-_MOST_MARKS:]
    return replace(record, entered=dict(kept))


def end_of(access: Access, opened: Opened) -> datetime:
    """Return until when an entered space counts as entered: as long as a declared agreement of that kind holds."""
    used = {id_ for rule in opened.permit.rules for id_ in rule.consents}
    return end_of_word(access, [one for one in opened.record.directives if one.id in used])


def end_of_word(access: Access, said: Iterable[Directive]) -> datetime:
    """Return until when declared agreements count as one entry."""
    profile = access.runtime.profile
    return max((_end(profile, one, access.at) for one in said), default=profile.named_consent.after(access.at))


def _end(profile: RuleProfile, said: Directive, at: datetime) -> datetime:
    span = profile.declared_team_consent if is_for_team(said) else profile.named_consent
    return min(span.after(at), said.end) if said.end and said.end > at else span.after(at)


def declared(access: Access, said: Iterable[Directive]) -> list[Directive]:
    """Return those agreements that a professional only declares: each opens the space on that declaration."""
    if access.caller.requester.kind is not RequesterKind.PROFESSIONAL:
        return []
    return [one for one in said if one.kind is DirectiveKind.AGREEMENT and one.grade is Grade.DECLARED]
