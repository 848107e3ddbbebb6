"""`$docref`: the current documents of a patient, by date of care and type, as the International Patient Access asks.

Source: https://hl7.org/fhir/uv/ipa/OperationDefinition-docref.html; US Core `$docref`; docs/operations.md.
"""

from dataclasses import dataclass

from consent_rules.visibility import Interval
from consent_rules.vocabulary import PatientId
from fhir_server.application.core import access_notices, audit_log
from fhir_server.application.core.access import Access, action_of
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import walk
from fhir_server.application.reading.read import outcome_of
from fhir_server.application.reading.search import COUNT_CAP
from fhir_server.application.reading.walk import BEGINNING, Step
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Criterion, Search
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Filters
from fhir_server.registry import DOCUMENT, REGISTRY

_CURRENT = AnyOf(frozenset({tokens.any_system("status", "current")}))
_SUMMARIES = AnyOf(frozenset(tokens.any_system("type", code) for code in ("60591-5", "34133-9", "SYNTH")))
"""The types of a patient's summary: medical summary, summary of an episode of care, and the French *synthèse*."""
_ROW = REGISTRY[DOCUMENT]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call asks for.

    start, end: bounds of the date of care, in microseconds. types: (system, code), system "" for any. formats: codes of
    the format of the content, of which one must match. stored: False when only documents made on demand are wanted;
    this server has none. sent: the request as the audit log keeps it.
    """

    patient: PatientId
    start: Interval | None = None
    end: Interval | None = None
    types: tuple[tuple[str, str], ...] = ()
    formats: tuple[str, ...] = ()
    stored: bool = True
    count: int = 20
    step: Step = BEGINNING
    sent: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of documents. total: None above the cap. next: None on the last page."""

    shown: tuple[Shown, ...]
    total: int | None
    next: Step | None


@query
def docref(runtime: Runtime, caller: Caller, wanted: Wanted) -> Found:
    """Return one page of the patient's current documents; without dates and types, the latest summary alone.

    Raises: as a search of documents: Problem(INSUFFICIENT_SCOPE) before any data is read; CONSENT_REQUIRED or
    FORBIDDEN, the same for an unknown patient and for one whose space the caller may not enter.
    """
    audited = AuditedInteraction(Interaction.SEARCH, _ROW.name, query=wanted.sent, operation="docref")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        audit_log.demand_scope(access, (_ROW.name,), "s")
        limits = audit_log.demand_scope(access, (_ROW.name,), "s", wanted.patient)
        opened = open_record(access, wanted.patient, action_of(_ROW))
        found = _found(access, opened.within(caller, "s", {_ROW.name: limits}), wanted)
        outcome = outcome_of(opened, found.shown)
    access_notices.record_access(access, outcome)
    return found


def _found(access: Access, filters: Filters, wanted: Wanted) -> Found:
    if not wanted.stored:
        return Found((), 0, None)
    if not (wanted.types or wanted.start or wanted.end or wanted.formats):
        latest = Search(_ROW.name, (_CURRENT, _SUMMARIES), sort="date", descending=True)
        page = walk.page(access, filters, [latest], BEGINNING, 1)
        return Found(page.shown, len(page.shown), None)
    parts = [
        Search(_ROW.name, (_CURRENT, *_asked(wanted), *of_time))
        for of_time in walk.of_care(_ROW, wanted.start, wanted.end)
    ]
    page = walk.page(access, filters, parts, wanted.step, wanted.count)
    return Found(page.shown, _total(access, filters, parts), page.next)


def _asked(wanted: Wanted) -> list[Criterion]:
    types = [
        tokens.exact_token("type", system, code) if system else tokens.any_system("type", code)
        for system, code in wanted.types
    ]
    formats = [tokens.any_system("format", code) for code in wanted.formats]
    return [AnyOf(frozenset(some)) for some in (types, formats) if some]


def _total(access: Access, filters: Filters, parts: list[Search]) -> int | None:
    """Return how many documents all parts have together, None above the cap."""
    counted = [access.snapshot.count(part, filters, COUNT_CAP) for part in parts]
    total = sum(number for number in counted if number is not None)
    return total if None not in counted and total <= COUNT_CAP else None
