"""The settings of a space as the rules read them, the agreements that wait for the patient, and what an emergency sees.

Only the patient and representatives may ask. What emergencies see is the answer of `decide` for a physician made up for
the question, for each document that the caller sees too.
Source: rules E12, G4 and G5; "ask me first" of docs/consents.md; docs/operations.md ($space-settings).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from consent_rules.decision.conditions import is_switch, waits_until
from consent_rules.model import Directive, RecordState
from consent_rules.tools.hypothetical_requesters import Stage, as_profession, visible
from consent_rules.vocabulary import SETTINGS, Action, DirectiveKind, PatientId, Purpose
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE, Access, Opened
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import Outcome, OutcomeCode, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search

MODES = {"break-glass": Purpose.BREAK_GLASS, "regulation": Purpose.EMERGENCY}
"""The modes of an emergency, by the name that a setting has for each."""
SHOWN = 100
"""At most so many documents are told of, newest first."""
_PHYSICIAN = "10"
_CURRENT = AnyOf(frozenset({tokens.any_system("status", "current")}))


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. name: a code of SETTINGS, or a mode of an emergency. is_on: whether it holds, a mode is open.

    consents: ids of the Consents that set it, or that switch the mode off.
    is_blocked: whether a block of everybody closes the mode, whatever its switch says.
    """

    name: str
    is_on: bool
    consents: tuple[str, ...] = ()
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """An agreement that a professional wrote down and that waits. consent: id. actors: references of whom it names.

    recorder: reference of who wrote it down. until: when silence has refused it.
    """

    consent: str
    actors: tuple[str, ...]
    recorder: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class SeenInEmergency:
    """One current document. seen: whether a physician would see it in an emergency today."""

    document: str
    seen: bool


@dataclass(frozen=True, slots=True)
class SpaceSettings:
    """All of it. documents: latest changed first, None when the scopes show none. has_more: whether there are more."""

    settings: tuple[Setting, ...]
    waiting: tuple[Waiting, ...]
    documents: tuple[SeenInEmergency, ...] | None = None
    has_more: bool = False

    def of(self, name: str) -> Setting:
        """Return a setting by its name."""
        return next(one for one in self.settings if one.name == name)


@query
def settings_of(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceSettings:
    """Return the settings of a space, as far as the caller may read its Consents.

    Raises: Problem(FORBIDDEN) for everybody but the patient and representatives who may read choices, the same for
    every patient; whatever the decision about the space raises.
    """
    audited = interaction_of(EventKind.SPACE_SETTINGS_READ, target=f"Patient/{patient}")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        if caller.requester.kind not in PATIENTS_SIDE:
            raise _refused(access, patient)
        limits = audit_log.demand_scope(access, ("Consent",), "r", patient)
        opened = open_record(access, patient, Action.DIRECT)
        if not (opened.is_for_patient and opened.of("Consent").clauses):
            raise _refused(access, patient)
        filters = opened.within(caller, "r", {"Consent": limits})
        known = {one.id for one in opened.record.directives}
        seen = snapshot.visible_ids("Consent", known, filters)
        record = replace(opened.record, directives=tuple(d for d in opened.record.directives if d.id in seen))
        documents, has_more = _documents(access, opened, record)
        parts = tuple(_settings(record, access.at)), tuple(_waiting(access, record))
    audit_log.record_outcome(access, opened.outcome(f"Patient/{patient}"))
    return SpaceSettings(*parts, documents, has_more)


def _refused(access: Access, patient: PatientId) -> Problem:
    access.patient = patient if access.snapshot.load_space(patient) else None
    audit_log.record_outcome(access, Outcome(OutcomeCode.REFUSED, "not-entitled"))
    return Problem.of(Category.FORBIDDEN, "you may not call this operation", code="not-entitled")


def _settings(record: RecordState, at: datetime) -> Iterator[Setting]:
    held = [one for one in record.directives if one.holds_at(at)]
    for name, mode in MODES.items():
        closing = [one for one in held if _closes(one, mode)]
        switches = sorted(one.id for one in closing if is_switch(one))
        yield Setting(name, not closing, tuple(switches), is_blocked=len(switches) < len(closing))
    for kind in sorted(SETTINGS):
        setting = sorted(one.id for one in held if one.kind is kind)
        yield Setting(kind.value, bool(setting), tuple(setting))


def _closes(directive: Directive, mode: Purpose) -> bool:
    """Tell whether a block closes a mode to everybody."""
    is_for_all = directive.kind is DirectiveKind.BLOCK and not directive.actors and not directive.precision
    return is_for_all and (not directive.purposes or mode in directive.purposes)


def _waiting(access: Access, record: RecordState) -> Iterator[Waiting]:
    """Yield the agreements that wait, latest first, unless the patient has let the same persons in meanwhile."""
    held = [one for one in record.directives if one.holds_at(access.at)]
    if not any(one.kind is DirectiveKind.ASK_FIRST for one in held):
        return
    profile = access.runtime.profile
    due = [(one, waits_until(one, profile)) for one in held if one.kind is DirectiveKind.AGREEMENT]
    approved = [one.actors for one, until in due if until is None]
    for one, until in sorted(due, key=lambda pair: pair[1] or access.at, reverse=True):
        since = one.recorded_at or one.start
        if until and since and access.at < until and not any(one.actors <= actors for actors in approved):
            yield Waiting(one.id, tuple(sorted(one.actors)), one.recorder, since, until)


def _documents(access: Access, opened: Opened, record: RecordState) -> tuple[tuple[SeenInEmergency, ...] | None, bool]:
    """Return what an emergency sees of the newest current documents of the caller, and whether there are more.

    None when the scopes show no documents. record: the state, without what the caller may not know of.
    """
    runtime, patient = access.runtime, opened.patient
    try:
        limits = smart_scopes.demand(access.caller, ("DocumentReference",), "s", patient)
    except Problem:
        return None, False
    search = Search("DocumentReference", (_CURRENT,), limit=SHOWN)
    page = access.snapshot.find(search, opened.within(access.caller, "s", {"DocumentReference": limits}))
    stage = Stage(record, runtime.matrix, runtime.profile, access.at)
    answers = [as_profession(stage, _PHYSICIAN, name) for name in MODES]
    shown = [visible(answer, [row.facts.access for row in page.rows]) for answer in answers]
    seen = [any(each) for each in zip(*shown, strict=True)]
    told = tuple(SeenInEmergency(row.id, sees) for row, sees in zip(page.rows, seen, strict=True))
    return told, page.next is not None
