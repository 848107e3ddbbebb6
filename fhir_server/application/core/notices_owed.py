"""Notices that a planned write owes: state of a space, emergency opening, documents, and results that wait.

Source: rules E10, G3, G6, G8 and H2; A2, A6, A9 and A11 for the life of a space.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from consent_rules.consents import uploads, visibility_marks
from consent_rules.decision import emergency
from consent_rules.model import Deny, Directive, RecordState
from consent_rules.vocabulary import Action, DirectiveKind, Obligation, Purpose, ReviewOutcome
from fhir_server.application.core import access_notices
from fhir_server.application.core.access_notices import holders, parties, stored
from fhir_server.application.core.enforcement_point import judge_again
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain.audit.interactions import Outcome
from fhir_server.domain.case_files import Case
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named, Notice
from fhir_server.domain.review_files import ReviewFile
from fhir_server.domain.stored import Stored


def of_space(work: UnitOfWork, record: RecordState, kind: EventKind) -> str:
    """Plan the notices that an event about the state of a space owes; return the id of the first Communication."""
    told = holders(record, confidential=False)
    first, *_ = [_put(work, Notice(rule.kind, record.patient, work.at, told)) for rule in ROWS[kind].notices]
    return first


def of_waiting(work: UnitOfWork, record: RecordState, documents: tuple[str, ...], *, confidential: bool) -> None:
    """Plan the notice that sealed documents were filed; the patient sees the notice when the term of E10 has passed.

    The notice names no document, and stays true if a professional has announced the result meanwhile. Its readers are
    those who would see one of the documents without the seal: nobody once the documents are withdrawn, and no guardian
    once they are hidden from guardians.
    documents: their ids. confidential: whether all of them are hidden from guardians already.
    """
    due = visibility_marks.information_due(work.at, work.runtime.profile)
    notice = Notice(NoticeKind.WAITING, record.patient, due, holders(record, confidential=confidential))
    work.put(stored(work.runtime, notice, confidential=confidential, documents=documents))


def of_documents(work: UnitOfWork, kind: EventKind, documents: Iterable[Stored]) -> None:
    """Plan the notices that somebody else filed or changed documents, if the patient wishes to be told (H2).

    documents: as they are after the change. No notice is about a sealed document. Only the minor is told of a
    document that is hidden from guardians.
    """
    record = work.record()
    if not uploads.is_told(work.asks(Action.DEPOSIT), record):
        return
    shown = [one for one in documents if not visibility_marks.is_sealed(one.facts.access, work.at)]
    who, where = parties(work.caller)
    hidden = visibility_marks.HIDDEN_FROM_GUARDIANS
    for confidential in (False, True):
        told = [one for one in shown if bool(one.facts.access.marks & hidden) is confidential]
        about = tuple(f"{one.type}/{one.id}" for one in told)
        if about:
            recipients, person = holders(record, confidential=confidential), who if who.reference else None
            notice = Notice(ROWS[kind].notices[0].kind, record.patient, work.at, recipients, person, where, about)
            ids = tuple(one.id for one in told)
            work.put(stored(work.runtime, notice, confidential=confidential, documents=ids))


def of_entrance(work: UnitOfWork, consent: str, *, confidential: bool) -> None:
    """Plan the notice that a professional was let in by a code or a card that the patient showed (V1, V7).

    consent: reference of the recorded agreement. confidential: whether the notice is hidden from guardians.
    """
    record = work.record()
    (rule,) = ROWS[work.audited.event_kind].notices
    who, where = parties(work.caller)
    recipients = holders(record, confidential=confidential)
    notice = Notice(rule.kind, record.patient, work.at, recipients, who, where, (consent,))
    work.put(stored(work.runtime, notice, confidential=confidential))


def of_admission(work: UnitOfWork, encounter: str, *, confidential: bool) -> None:
    """Plan the notice that an establishment begins to say that the patient is in its care.

    encounter: reference. confidential: whether the notice is hidden from guardians.
    """
    record, where = work.record(), parties(work.caller)[1]
    recipients = holders(record, confidential=confidential)
    notice = Notice(NoticeKind.ADMITTED, record.patient, work.at, recipients, where, None, (encounter,))
    work.put(stored(work.runtime, notice, confidential=confidential))


def of_declaration(work: UnitOfWork, said: Directive, *, confidential: bool) -> None:
    """Plan the notice that a professional declares an agreement, with its proof and grade (V7).

    confidential: whether the notice is hidden from guardians.
    """
    record = work.record()
    who, where = parties(work.caller)
    recipients = holders(record, confidential=confidential)
    notice = Notice(NoticeKind.DECLARED, record.patient, work.at, recipients, who, where, (f"Consent/{said.id}",))
    told = replace(notice, proof=said.proof, grade=said.grade)
    work.put(stored(work.runtime, told, confidential=confidential))


def of_reading(work: UnitOfWork, document: str) -> None:
    """Plan the notice that is owed when the answer to a change shows a professional the document (H1).

    A depositor who may not consult the space owes none. document: id.
    """
    record = work.record()
    reading = judge_again(work, replace(work.entered, record=record), Action.CONSULT)
    if isinstance(reading, Deny):
        return
    outcome = Outcome(basis=reading.permit.basis, touched=(f"DocumentReference/{document}",))
    notice = access_notices.of_change(work, outcome, reading, (document,))
    if notice is not None:
        work.put(notice.stored)
        if notice.key not in record.told:
            work.decide(replace(record, told=record.told | {notice.key}))


def of_opening(work: UnitOfWork, directive: Directive) -> None:
    """Plan the notices that an emergency opening owes, in the same commit (G3, G6).

    The patient is told the reason too; the declared physician is told who opened the space, when and how.
    """
    owed = work.entered.permit.obligations
    mode = work.caller.purpose
    due = emergency.review_due(work.at, work.runtime.profile) if Obligation.REVIEW in owed else None
    who, where = parties(work.caller)
    (rule,), record = ROWS[work.audited.event_kind].notices, work.record()
    told = Notice(rule.kind, record.patient, work.at, (), who, where, (), "", due)
    if Obligation.NOTIFY_PATIENT in owed:
        reached = replace(told, recipients=holders(record, confidential=False), reason=directive.reason)
        _put(work, replace(reached, about=(f"Consent/{directive.id}",)))
    if Obligation.NOTIFY_DECLARED_PHYSICIAN in owed:
        for physician in _declared(record, work, mode):
            _put(work, replace(told, recipients=(physician,)), physician)


def of_review(work: UnitOfWork, file: ReviewFile) -> str:
    """Plan the notice of the outcome of a review; return the id of the Communication.

    The recipients are those who were told of the opening with its reason. The reviewer's comment stays in the file.
    """
    record = work.record()
    told = Notice(
        NoticeKind.REVIEWED, record.patient, work.at, holders(record, confidential=False), file.who, file.where
    )
    about = (file.consent,)
    return _put(work, replace(told, about=about, opened_at=file.opened_at, outcome=file.outcome))


def of_decision(work: UnitOfWork, case: Case) -> None:
    """Plan the notice of what became of a contest, to those who may know of it. The reasons stay in the case."""
    record = work.record()
    told = holders(record, confidential=case.confidential)
    who = Named(case.who or "", case.display or "")
    outcome = ReviewOutcome(case.outcome.value) if case.outcome else None
    notice = Notice(NoticeKind.DECIDED, record.patient, work.at, told, who, outcome=outcome)
    work.put(stored(work.runtime, notice, confidential=case.confidential))


def of_unexplained(work: UnitOfWork, record: RecordState, who: Named, at: datetime) -> str:
    """Plan the notice of an access that nothing explains; return the id of the Communication.

    It names no document. at: when the access was.
    """
    notice = Notice(NoticeKind.UNEXPLAINED, record.patient, work.at, holders(record, confidential=False), who)
    return _put(work, replace(notice, opened_at=at))


def of_carer(work: UnitOfWork, record: RecordState, carer: Directive) -> None:
    """Plan the notices that a carer's access ends soon: to the patient's side, and to the carer (B13)."""
    told = Notice(NoticeKind.CARER_ENDS, record.patient, work.at, holders(record, confidential=False))
    _put(work, replace(told, about=(f"Consent/{carer.id}",)))
    for person in sorted(carer.actors):
        _put(work, replace(told, recipients=(person,)), person)


def _declared(record: RecordState, work: UnitOfWork, mode: Purpose) -> list[str]:
    """Return the physicians whose declaration covers treatment or this mode, without the person who acts."""
    named = frozenset().union(
        *(
            d.actors
            for d in record.directives
            if d.kind is DirectiveKind.DECLARED_PHYSICIAN
            and d.holds_at(work.at)
            and (not d.purposes or Purpose.TREATMENT in d.purposes or mode in d.purposes)
        )
    )
    persons = {actor for actor in named if actor.startswith("Practitioner/")}
    return sorted(persons - {work.caller.requester.person})


def _put(work: UnitOfWork, notice: Notice, physician: str = "") -> str:
    planned = stored(work.runtime, notice, physician=physician)
    work.put(planned)
    return planned.id
