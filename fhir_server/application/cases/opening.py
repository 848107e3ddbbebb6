"""Opening a case: its file is stored in the commit of what opened it; when the same happens again, the case counts it.

Source: statements V8, V11, V13 and V20 of docs/rules.md; docs/adr/0086-cases-for-the-officer.md.
"""

from datetime import datetime

import orjson

from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain import case_files
from fhir_server.domain.case_files import TYPE, Case, case_of, stored_of
from fhir_server.domain.stored import Stored
from fhir_server.ports.outbox import Message
from fhir_server.ports.store import Snapshot, Write

TERMS_LANE = "terms"
_MOST_CONTESTS = 1000
"""The most contests against one person that are looked at, far more than any limit of a rule profile."""


def open_case(work: UnitOfWork, case: Case) -> Case:
    """Plan a new case, or count once more in the stored case with the same id; return the case as it will be stored.

    A worker plans on a UnitOfWork of the server itself, and commits `work.planned()`.
    """
    before = _read(work.snapshot, case)
    if before is None:
        work.put(stored_of(case, work.stamp))
        work.send(overdue_message(case, work.at))
        return case
    again = case_files.opened_again(case_of(orjson.loads(before.body), before.facts.access), case)
    keep(work, before, again)
    return again


def writes_of(snapshot: Snapshot, case: Case, stamp: datetime) -> tuple[Write, ...]:
    """Return the writes of a case for a bare `Change`, as `open_case`; with `overdue_message` in its outbox."""
    before = _read(snapshot, case)
    if before is None:
        return (Write(stored_of(case, stamp), (0, 0)),)
    again = case_files.opened_again(case_of(orjson.loads(before.body), before.facts.access), case)
    return (Write(stored_of(again, max(stamp, before.last_updated), before), (before.version, before.mark)),)


def overdue_message(case: Case, at: datetime) -> Message:
    """Return the message for the deadline of a case: the worker then records an event if the case is undecided."""
    text = orjson.dumps({"term": "case", "case": case.id}, option=orjson.OPT_SORT_KEYS)
    return Message(TERMS_LANE, f"case {case.id}", text, at, case.due, case.patient or None)


def keep(work: UnitOfWork, before: Stored, case: Case) -> None:
    """Plan the next version of a case."""
    work.change(before, stored_of(case, work.runtime.stamps.after(before.last_updated, work.stamp), before))


def contesters_of(snapshot: Snapshot, who: str) -> dict[PatientId, frozenset[str]]:
    """Return who contests somebody, by patient, in the cases that count: undecided, or decided against them (V13).

    A patient counts once, however often they contest. System-level: tell nobody but the officer who they are.
    """
    found: dict[PatientId, frozenset[str]] = {}
    for case in contests_against(snapshot, who):
        found[case.patient] = found.get(case.patient, frozenset()) | {str(case.contester)}
    return found


def contests_against(snapshot: Snapshot, who: str) -> tuple[Case, ...]:
    """Return the cases of contests that count against somebody. System-level, as `contesters_of`."""
    found = snapshot.compartments_with(TYPE, frozenset({case_files.against(who)}), _MOST_CONTESTS)
    cases = (find(snapshot, id_, patient) for patient, id_ in found)
    return tuple(case for case in cases if case)


def find(snapshot: Snapshot, id_: str, patient: PatientId = NO_SPACE) -> Case | None:
    """Return a case by its id, None when there is none. System-level."""
    stored = snapshot.read(TYPE, id_, whole_space(ReadingReason.REVIEW, patient))
    return case_of(orjson.loads(stored.body), stored.facts.access) if stored and not stored.deleted else None


def _read(snapshot: Snapshot, case: Case) -> Stored | None:
    return snapshot.read(TYPE, case.id, whole_space(ReadingReason.REVIEW, case.patient))
