"""Emergency openings of an establishment: the officer is called on a day that has several times the usual number.

An opening only puts a message into its own commit, so that it waits for no count and is never refused because there are
many. The worker counts it, and opens or renews the case of the establishment and the day.
Source: statement V10 of docs/rules.md; docs/adr/0104-what-is-usual-for-an-establishment.md.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import orjson

from consent_rules.vocabulary import NO_SPACE
from fhir_server.application.cases.opening import overdue_message, writes_of
from fhir_server.application.core.ceilings import breakers, supervising
from fhir_server.application.core.ceilings.breakers import EMERGENCIES_LANE
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.domain.case_files import Case, CaseKind, case_id, grows_by
from fhir_server.domain.stored import instant
from fhir_server.domain.usual_days import DailyCounts
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change, StoreConflict
from fhir_server.ports.vault import Secret

RULE = "emergencies-of-the-establishment"
_KIND = "emergency-days"
_DAY = timedelta(days=1)


def count(runtime: Runtime, message: Pending) -> Change:
    """Count one opening; return the case that it opens or renews. Raises: StoreConflict when another worker counts."""
    said = orjson.loads(message.body)
    place, at = str(said["place"]), instant(said["at"])
    ceilings = supervising.find(runtime).ceilings_for(place, runtime.profile.ceilings)
    today, usual = _noted(runtime, place, at, str(said["name"]))
    most = max(ceilings.emergency_officer, ceilings.emergency_usual_days * usual)
    more = grows_by(today - most + 1) if today >= most else 0
    if not more:
        return NOTHING
    case = Case(
        id=case_id(runtime.cursor_key, CaseKind.CEILING, place, RULE, at),
        kind=CaseKind.CEILING,
        patient=NO_SPACE,
        opened_at=at,
        due=runtime.profile.case_decision.after(at),
        rule=RULE,
        who=place,
        evidence={"emergencies": today, "usual-day": usual},
        times=more,
    )
    return _opened(runtime, case)


def _opened(runtime: Runtime, case: Case) -> Change:
    """Return the change that opens or renews a case; only the first of a day leaves an audit event of its own."""
    with runtime.ports.store.snapshot() as snapshot:
        writes = writes_of(snapshot, case, runtime.stamps.next(runtime.now()))
    is_new = writes[0].expected == (0, 0)
    traces = (breakers.trace_of(runtime, str(case.who), RULE),) if is_new else ()
    return Change(traces, writes, outbox=(overdue_message(case, runtime.now()),) if is_new else ())


def _noted(runtime: Runtime, place: str, at: datetime, name: str) -> tuple[int, int]:
    """Add an opening to the daily counts of its establishment; return the count of its day and the usual count."""
    window, vault = runtime.profile.ceilings.emergency_usual_window.exact // _DAY, runtime.ports.vault
    entry = vault.get(_KIND, place, runtime.now())
    counts = msgspec.json.decode(entry.value, type=DailyCounts) if entry else DailyCounts()
    today = counts.note(at.date(), name, window)
    after = Secret(_KIND, place, msgspec.json.encode(counts))
    is_kept = vault.replace(replace(after, revision=entry.revision)) if entry else vault.add(after)
    if not is_kept:
        raise StoreConflict
    return today, counts.usual(at.date(), window)


LANE = Lane(EMERGENCIES_LANE, count)
