"""The accesses to one space as its audit log tells them, and what there is around each of them.

Only events that everybody may know of are read: what is hidden from a reader neither explains an access nor makes one
suspicious, so that no alert depends on it (V22).
Source: statements V19 and V22 (docs/rules-index.csv).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from consent_rules.model import Directive, RecordState
from consent_rules.rule_profile import Detection
from consent_rules.visibility import micros
from consent_rules.vocabulary import Basis, DirectiveKind, Grade, PatientId
from fhir_server.application.core.system_views import ReadingReason, seen_by_everybody
from fhir_server.application.directory.professionals import units_in
from fhir_server.domain.audit.audit_event_parts import is_used
from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.audit.stored_events import kind_of_event
from fhir_server.domain.detection.conduct import hour_of
from fhir_server.domain.detection.facts import Accessed, Around
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.search.criteria import DateIs, Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.ports.store import Snapshot

_PAGE, _MOST = 200, 5000
_PROFESSIONAL = "Practitioner/"
_OPENINGS = frozenset({EventKind.GLASS_BROKEN, EventKind.REGULATION_OPENED})
_DEPOSITS = frozenset({EventKind.DOCUMENTS_PUBLISHED, EventKind.DOCUMENT_PUBLISHED, EventKind.DOCUMENT_REPLACED})
_READS = frozenset(kind for kind in EventKind if NoticeKind.FIRST_ACCESS in {rule.kind for rule in kind.row.notices})
_EMERGENCIES = frozenset({Basis.BREAK_GLASS.value, Basis.REGULATION.value})
_SUPPORTED = (Grade.PATIENT, Grade.THIRD_PARTY)
_BEST = (Grade.PATIENT, Grade.THIRD_PARTY, Grade.DECLARED)


@dataclass(frozen=True, slots=True)
class Entered:
    """One access, the name of its actor, and the reference of its audit event."""

    access: Accessed
    display: str
    event: str


@dataclass(frozen=True, slots=True)
class SpaceTrail:
    """What happened in one space. deposits: instants by establishment."""

    record: RecordState
    entries: tuple[Entered, ...]
    deposits: tuple[tuple[str | None, datetime], ...]

    def of_hour(self, hour: int) -> tuple[Entered, ...]:
        """Return the accesses of an hour: the first of each person in each establishment, refusals apart."""
        found: dict[tuple[str, str | None, bool], Entered] = {}
        for one in self.entries:
            if hour_of(one.access.at) == hour:
                key = (one.access.person, one.access.where, one.access.refused)
                found.setdefault(key, one)
                if one.access.emergency and not found[key].access.emergency:
                    found[key] = one
        return tuple(found.values())

    def around(self, one: Entered, detection: Detection) -> Around:
        """Return what is known around an access."""
        access, span, near = one.access, detection.evidence.exact, detection.team.exact
        soon = access.at + detection.settles.exact
        present = [
            other.access
            for other in self.entries
            if other.access.person != access.person
            and other.access.where == access.where
            and not other.access.refused
            and access.at - span <= other.access.at
        ]
        others = [other for other in present if abs(other.at - access.at) <= near]
        cared = [fact for fact in self.record.directives if _tells_of_care(fact, access)]
        return Around(
            named=any(access.person in fact.actors for fact in cared),
            care=bool(cared),
            deposit=any(where == access.where and abs(at - access.at) <= span for where, at in self.deposits),
            teammate=access.team is not None
            and any(other.team == access.team and other.grade in _SUPPORTED for other in others),
            elsewhere=bool(others),
            filed=any(where == access.where and access.at < at <= soon for where, at in self.deposits),
            others=len({other.person for other in present if other.at <= soon}),
        )


def read(
    snapshot: Snapshot, record: RecordState, patient: PatientId, span: tuple[datetime, datetime], now: datetime
) -> SpaceTrail:
    """Read what happened in a space. span: begin and end.

    now: documents that are still sealed then are left out.
    """
    entries: list[Entered] = []
    deposits: list[tuple[str | None, datetime]] = []
    for stored in _events(snapshot, patient, span, now):
        event: Json = orjson.loads(stored.body)
        kind = kind_of_event(event)
        if kind in _DEPOSITS and event["outcome"] == OutcomeCode.DONE:
            deposits.append((_organization(event), datetime.fromisoformat(event["recorded"])))
        elif kind in _READS | _OPENINGS and stored.facts.access.owner_person.startswith(_PROFESSIONAL):
            entries.append(_entered(record, stored, event, kind))
    units: dict[tuple[str, str | None], str | None] = {}
    return SpaceTrail(record, tuple(_in_unit(snapshot, one, units, now) for one in entries), tuple(deposits))


def _in_unit(
    snapshot: Snapshot, one: Entered, units: dict[tuple[str, str | None], str | None], now: datetime
) -> Entered:
    """Return an entry with the actor's unit, if the directory names exactly one. units: those found already."""
    person, where = one.access.person, one.access.where
    if (person, where) not in units:
        found = units_in(snapshot, person, where, now) if where else frozenset()
        units[person, where] = next(iter(found)) if len(found) == 1 else where
    return replace(one, access=replace(one.access, team=units[person, where]))


def _events(snapshot: Snapshot, patient: PatientId, span: tuple[datetime, datetime], now: datetime) -> Iterator[Stored]:
    view = seen_by_everybody(ReadingReason.DETECTION, patient, now)
    within = DateIs("date", (("ap", (micros(span[0]), micros(span[1]))),))
    search, read_so_far = Search("AuditEvent", (within,), sort="date", descending=True, limit=_PAGE), 0
    while read_so_far < _MOST:
        page = snapshot.find(search, view)
        yield from page.rows
        read_so_far += len(page.rows)
        if page.next is None:
            return
        search = replace(search, after=page.next)


def _entered(record: RecordState, stored: Stored, event: Json, kind: EventKind) -> Entered:
    user = next(agent for agent in event["agent"] if agent["who"].get("reference") == stored.facts.access.owner_person)
    where, basis = _organization(event), _detail(event, "ground")
    used = frozenset(_consents(event))
    access = Accessed(
        person=stored.facts.access.owner_person,
        where=where,
        team=where,
        profession=next((str(code["code"]) for role in user.get("role", ()) for code in role["coding"]), None),
        space=record.patient,
        at=datetime.fromisoformat(event["recorded"]),
        grade=_grade(record, used),
        emergency=kind in _OPENINGS or basis in _EMERGENCIES,
        refused=event["outcome"] != OutcomeCode.DONE,
    )
    return Entered(access, str(user["who"].get("display", "")), f"{stored.type}/{stored.id}")


def _grade(record: RecordState, used: Iterable[str]) -> Grade:
    """Return the best grade among the directives on which an access rested; a directive that is gone tells nothing."""
    found = {directive.grade for directive in record.directives if directive.id in used}
    return next((grade for grade in _BEST if grade in found), Grade.DECLARED)


def _tells_of_care(fact: Directive, access: Accessed) -> bool:
    """Tell whether a directive is a third party's word that the establishment or the person cares for the patient."""
    names = {access.person, access.where, access.team}
    return (
        fact.kind is DirectiveKind.CARE
        and fact.grade is Grade.THIRD_PARTY
        and not fact.actors.isdisjoint(names)
        and (fact.start is None or fact.start - timedelta(days=1) <= access.at)
        and (fact.end is None or access.at < fact.end)
    )


def _consents(event: Json) -> Iterator[str]:
    for entity in event.get("entity", ()):
        if is_used(entity):
            yield str(entity["what"]["reference"]).partition("/")[2]


def _organization(event: Json) -> str | None:
    references = (str(agent["who"].get("reference", "")) for agent in event["agent"])
    return next((one for one in references if one.startswith("Organization/")), None)


def _detail(event: Json, name: str) -> str | None:
    return next(
        (
            str(detail["valueString"])
            for entity in event.get("entity", ())
            for detail in entity.get("detail", ())
            if detail["type"] == name
        ),
        None,
    )
