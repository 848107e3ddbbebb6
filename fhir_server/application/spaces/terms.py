"""Terms that fall due: each is told once, by an event and the notice that is owed, when it happens.

The commit that starts a term puts a message for its end. Every decision compares the time itself and needs no message;
the worker only tells. A term that was changed or cancelled meanwhile is not told: the handler looks at the state first.
Terms that an earlier version began have no message: the first worker on a store looks for them once, in batches.
Source: rules A3, A7, A8, A9 and A11 (the life of a space), B13 (carers), E11 (a sealed document becomes visible), G8
(reviews).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import orjson

from consent_rules.consents import reviewing, visibility_marks
from consent_rules.lifecycle import erased_at, status_at
from consent_rules.model import Directive, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.visibility import micros
from consent_rules.vocabulary import NO_SPACE, DirectiveKind, PatientId, ReviewState, SpaceStatus
from fhir_server.application.core import audit_log, notices_owed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.outbox.lanes import NOTHING, Lane, Later
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import TYPE as CASE
from fhir_server.domain.case_files import case_of, is_case
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.review_files import TYPE as REVIEW
from fhir_server.domain.review_files import ReviewFile, file_of
from fhir_server.domain.search.criteria import AnyOf, Criterion, Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.outbox import Message, Pending
from fhir_server.ports.store import Change, SpaceWrite
from fhir_server.ports.vault import Secret


class Term(StrEnum):
    """The kinds of terms."""

    OPENING = "opening"
    CLOSING = "closing"
    ERASURE = "erasure"
    SEAL = "seal"
    REVIEW = "review"
    CASE = "case"
    CARER = "carer"


@dataclass(frozen=True, slots=True)
class _End:
    """How the end of a term of a space is told. status: after it. kind: of its event."""

    status: SpaceStatus
    kind: EventKind


_ENDS = {
    Term.OPENING: _End(SpaceStatus.ACTIVE, EventKind.SPACE_OPENED),
    Term.CLOSING: _End(SpaceStatus.CLOSED, EventKind.SPACE_CLOSED),
    Term.ERASURE: _End(SpaceStatus.ERASED, EventKind.ERASURE_DUE),  # nobody can read a notice any more
}
_BEFORE_THE_END = timedelta(days=2)
_EARLIER = "earlier"
"""Stands where a message names its term: this message looks for terms that have no message."""
_SOUGHT = Secret("migration", "terms-without-message", b"")
_SPACES_AT_ONCE, _ROWS_AT_ONCE = 50, 200
_IS_SEALED = AnyOf(frozenset(), visibility_marks.SEALED)
_STARTED_BY = {
    SpaceStatus.ANNOUNCED: Term.OPENING,
    SpaceStatus.SUSPENDED: Term.CLOSING,
    SpaceStatus.CLOSED: Term.ERASURE,
}


def begin_of_space(work: UnitOfWork, record: RecordState) -> None:
    """Plan the message for the term that a new state of a space starts, if it starts one."""
    term = _STARTED_BY.get(record.status)
    if term:
        _send_of_space(work, record, term)


def begin_of_seal(work: UnitOfWork, patient: PatientId, document: str, sealed_until: datetime) -> None:
    """Plan the message for the end of the time in which the patient does not see a document. document: id."""
    body = {"term": Term.SEAL, "document": document, "until": sealed_until.isoformat()}
    _send(work, patient, body, sealed_until)


def begin_of_review(work: UnitOfWork, file: ReviewFile) -> None:
    """Plan the message for the day by which an emergency access is to be reviewed."""
    _send(work, file.patient, {"term": Term.REVIEW, "opening": file.opening}, file.due)


def begin_of_care(work: UnitOfWork, carer: Directive) -> None:
    """Plan the message two days before the access of a carer ends; none for a shorter time, told when it began."""
    if carer.end and carer.end - _BEFORE_THE_END > work.at:
        body = {"term": Term.CARER, "consent": carer.id, "until": carer.end.isoformat()}
        _send(work, work.entered.patient, body, carer.end - _BEFORE_THE_END)


def fall_due(runtime: Runtime, message: Pending) -> Change:
    """Tell the end of a term, unless it was cancelled; the change holds only while the state stays as it is.

    Raises: Later when the term now ends later than the message says.
    """
    body: Json = orjson.loads(message.body)
    if body["term"] == _EARLIER:
        return _find_earlier(runtime, body)
    patient, term = PatientId(message.compartment or ""), Term(body["term"])
    with runtime.ports.store.snapshot() as snapshot:
        audited = AuditedInteraction(Interaction.OPERATION, "Patient", target=f"Patient/{patient}")
        work = UnitOfWork(runtime, Caller.of_server(), audited, snapshot)
        if term is Term.CASE:
            return _of_case(work, patient, body)
        space = snapshot.load_space(patient)
        if space is None or not space.state:
            return NOTHING
        work.spaces[patient] = SpaceWrite(patient, space.revision)
        record = record_codec.load(space.state)
        told = _TELLERS.get(term, _of_space)(work, record, body)
    return work.planned() if told else NOTHING


def seek_earlier(runtime: Runtime) -> None:
    """Put, once in the life of a store, the message that looks for running terms without a message."""
    vault, now = runtime.ports.vault, runtime.now()
    if vault.get(_SOUGHT.kind, _SOUGHT.key, now) is None:
        audit_log.commit(runtime, Change((), outbox=(_search_from(NO_SPACE, now, now),)))
        vault.add(_SOUGHT)


def _search_from(after: PatientId, asked_at: datetime, now: datetime) -> Message:
    text = orjson.dumps({"term": _EARLIER, "after": after, "asked": asked_at.isoformat()})
    return Message(LANE.name, text.decode(), text, now)


def _find_earlier(runtime: Runtime, body: Json) -> Change:
    """Plan messages for the terms of a batch of spaces, and the message that goes on with the next batch.

    A term that has a message already keeps it, because the key is the same. A term that ended before the search is not
    told. The change holds only while these spaces stay as they are.
    """
    asked_at = datetime.fromisoformat(body["asked"])
    audited = AuditedInteraction(Interaction.OPERATION, "Patient")
    with runtime.ports.store.snapshot() as snapshot:
        work = UnitOfWork(runtime, Caller.of_server(), audited, snapshot)
        patients = snapshot.patients(PatientId(body["after"]), _SPACES_AT_ONCE)
        for patient in patients:
            _begin_again(work, patient)
    work.messages = [one for one in work.messages if one.due and one.due > asked_at]
    told = {one.compartment for one in work.messages}
    work.spaces = {patient: pin for patient, pin in work.spaces.items() if patient in told}
    if len(patients) == _SPACES_AT_ONCE:
        work.send(_search_from(patients[-1], asked_at, work.at))
    return work.planned()


def _begin_again(work: UnitOfWork, patient: PatientId) -> None:
    """Plan the messages of all terms that run in a space."""
    space = work.snapshot.load_space(patient)
    if space is None or not space.state:
        return
    work.spaces[patient] = SpaceWrite(patient, space.revision)
    record = record_codec.load(space.state)
    term = _STARTED_BY.get(status_at(record, work.at, work.runtime.profile))
    if term:
        _send_of_space(work, record, term)
    for document in _rows(work, patient, "DocumentReference", (_IS_SEALED,)):
        if document.facts.access.sealed_until and orjson.loads(document.body)["status"] == "current":
            begin_of_seal(work, patient, document.id, document.facts.access.sealed_until)
    for task in _rows(work, patient, REVIEW, ()):
        written = orjson.loads(task.body)
        if not is_case(written) and not file_of(written).outcome:
            begin_of_review(work, file_of(written))


def _rows(work: UnitOfWork, patient: PatientId, type_: str, criteria: tuple[Criterion, ...]) -> Iterator[Stored]:
    view, search = whole_space(ReadingReason.TERMS, patient), Search(type_, criteria, limit=_ROWS_AT_ONCE)
    while True:
        page = work.snapshot.find(search, view)
        yield from page.rows
        if page.next is None:
            return
        search = replace(search, after=page.next)


def _of_space(work: UnitOfWork, record: RecordState, body: Json) -> bool:
    term = Term(body["term"])
    due = _due(record, term, work.runtime.profile)
    if due is None or _begun(record, term, work.runtime.profile) != body["begun"]:
        return False
    if work.at < due:
        raise Later(due)
    end = _ENDS[term]
    _tell(work, record.patient, end.kind, f"Patient/{record.patient}")
    if ROWS[end.kind].notices:
        notices_owed.of_space(work, record, end.kind)
    if term is Term.CLOSING:
        _send_of_space(work, record, Term.ERASURE)
    return True


def _of_seal(work: UnitOfWork, record: RecordState, body: Json) -> bool:
    stored = _read(work, record.patient, "DocumentReference", str(body["document"]))
    is_open = status_at(record, work.at, work.runtime.profile) is SpaceStatus.ACTIVE
    if stored is None or not is_open or not stored.facts.access.marks & visibility_marks.SEALED:
        return False
    access = stored.facts.access
    if visibility_marks.is_sealed(access, work.at):
        if access.sealed_until is None:
            return False
        raise Later(access.sealed_until)
    reference = f"DocumentReference/{stored.id}"
    confidential = bool(access.marks & visibility_marks.HIDDEN_FROM_GUARDIANS)
    work.audited = replace(work.audited, resource_type="DocumentReference", target=reference, confidential=confidential)
    _tell(work, record.patient, EventKind.SEAL_ENDED, reference, confidential=confidential)
    return True


def _of_review(work: UnitOfWork, record: RecordState, body: Json) -> bool:
    stored = _read(work, record.patient, REVIEW, str(body["opening"]))
    file = file_of(orjson.loads(stored.body)) if stored else None
    if file is None or file.outcome:
        return False
    if reviewing.state_at(file.review, work.at) is not ReviewState.OVERDUE:
        raise Later(file.due)
    work.audited = replace(work.audited, target=file.consent)
    _tell(work, record.patient, EventKind.REVIEW_OVERDUE, file.consent)
    return True


def _of_carer(work: UnitOfWork, record: RecordState, body: Json) -> bool:
    """Tell that a carer's access ends in two days, unless it was ended or has another end now."""
    held = next((d for d in record.directives if d.id == body["consent"] and d.kind is DirectiveKind.CARER), None)
    if held is None or held.end is None or held.end.isoformat() != body["until"]:
        return False
    if work.at < held.end - _BEFORE_THE_END:
        raise Later(held.end - _BEFORE_THE_END)
    _tell(work, record.patient, EventKind.CARER_ENDS, f"Consent/{held.id}")
    notices_owed.of_carer(work, record, held)
    return True


def _of_case(work: UnitOfWork, patient: PatientId, body: Json) -> Change:
    """Record that a case was not decided in time. patient: in whose space, NO_SPACE for a case about no patient."""
    stored = _read(work, patient, CASE, str(body["case"]))
    case = case_of(orjson.loads(stored.body)) if stored else None
    if case is None or stored is None or case.outcome:
        return NOTHING
    if work.at < case.due:
        raise Later(case.due)
    space = work.snapshot.load_space(patient) if patient else None
    if space:
        work.spaces[patient] = SpaceWrite(patient, space.revision)
        work.patient = patient
    work.audited = AuditedInteraction(
        Interaction.OPERATION, CASE, target=case.reference, operation=ROWS[EventKind.CASE_OVERDUE].operation
    )
    work.trace_outcome(Outcome(touched=(case.reference,)))
    return work.planned()


_TELLERS = {Term.SEAL: _of_seal, Term.REVIEW: _of_review, Term.CARER: _of_carer}


def _tell(work: UnitOfWork, patient: PatientId, kind: EventKind, touched: str, *, confidential: bool = False) -> None:
    work.patient = patient
    work.audited = replace(work.audited, operation=ROWS[kind].operation)
    work.trace_outcome(Outcome(touched=(touched,), confidential=confidential))


def _read(work: UnitOfWork, patient: PatientId, type_: str, id_: str) -> Stored | None:
    found = work.snapshot.read(type_, id_, whole_space(ReadingReason.TERMS, patient))
    return None if found is None or found.deleted else found


def _send_of_space(work: UnitOfWork, record: RecordState, term: Term) -> None:
    profile = work.runtime.profile
    due = _due(record, term, profile)
    if due:
        _send(work, record.patient, {"term": term, "begun": _begun(record, term, profile)}, due)


def _send(work: UnitOfWork, patient: PatientId, body: Json, due: datetime) -> None:
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    work.send(Message(LANE.name, f"{text.decode()}|{micros(due)}", text, work.at, due, patient))


def _due(record: RecordState, term: Term, profile: RuleProfile) -> datetime | None:
    """Return when a term of a space ends; None when it does not run in this state."""
    since, status = record.since, record.status
    if since is None:
        return None
    if term is Term.OPENING:
        return profile.notice.after(since) if status is SpaceStatus.ANNOUNCED else None
    if term is Term.CLOSING:
        return profile.suspension.after(since) if status is SpaceStatus.SUSPENDED else None
    closed_at = _closed_at(record, profile)
    return erased_at(record, closed_at, profile) if closed_at else None


def _begun(record: RecordState, term: Term, profile: RuleProfile) -> str:
    """Return what distinguishes one term from another of its kind: when it began, and a request that shortened it."""
    since = _closed_at(record, profile) if term is Term.ERASURE else record.since
    asked = record.erasure_asked_at if term is Term.ERASURE else None
    return "|".join(at.isoformat() if at else "" for at in (since, asked))


def _closed_at(record: RecordState, profile: RuleProfile) -> datetime | None:
    """Return when the space was or will be closed, None when it is neither closed nor suspended."""
    if record.status is SpaceStatus.CLOSED:
        return record.since
    if record.status is SpaceStatus.SUSPENDED and record.since:
        return profile.suspension.after(record.since)
    return None


LANE = Lane("terms", fall_due, together=10, begin=seek_earlier)
