"""The Consent Enforcement Point: only this module calls the decision, and it audits each denial.

Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/volume-1.html), actor Consent Enforcement Point.
"""

from dataclasses import replace

from consent_rules.decision.decide import decide
from consent_rules.decision.denials import barred
from consent_rules.model import AccessRequest, Deny, Permit, RecordState
from consent_rules.visibility import Extent
from consent_rules.vocabulary import Action, Basis, PatientId, Reason, RequesterKind, SpaceStatus
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import Access, Beside, Opened, request_of, ruled
from fhir_server.application.core.ceilings import reached
from fhir_server.application.core.ceilings.tallies import Tally
from fhir_server.application.core.minor_confidentiality import (
    confidential_evidence,
    documents_behind,
    documents_there,
    is_confidential,
    name_what_has_a_number,
)
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.deadline import demand_time
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Change, Space

ACCEPTED_PROOFS = "accepted proofs: consent of the patient for this consultation, consent for the care team"
_LONGEST_CHAINS = 1000
"""How many documents of the replacement chains that a person withholds from an app are looked up."""


def judge(access: Access, patient: PatientId, action: Action) -> Opened | Deny:
    """Decide about one space, from one read of its state.

    A patient without a space is treated like a patient without directives, so that the answer does not tell them apart.
    Raises: OutOfTime.
    """
    demand_time()
    runtime, space = access.runtime, access.snapshot.load_space(patient)
    record = record_of(patient, space)
    beside = _beside(access, record)
    by = ruled(record, beside, access.at, runtime.profile)
    answer = decide(access.asks(action), by, runtime.matrix, runtime.profile)
    if isinstance(answer, Deny):
        return answer
    told = _told(access, answer, by, action)
    return Opened(answer, record, space or Space(patient, 0, b""), _withheld_from_app(access, patient), told, beside)


def _beside(access: Access, record: RecordState) -> Beside | None:
    """Return the space whose identity is merged with that of this one, which costs one read; None for none."""
    if record.merged is None:
        return None
    other = record.merged.other
    space = access.snapshot.load_space(other)
    return Beside(space or Space(other, 0, b""), record_of(other, space))


def _told(access: Access, permit: Permit, record: RecordState, action: Action) -> Permit | None:
    """Return the permit that the audit log tells, decided without the evidence that minors or seals hide (B10, E9).

    Otherwise the grade of an access could tell a guardian of a hidden stay, and a patient of a result that waits.
    """
    runtime = access.runtime
    hidden = confidential_evidence(access.snapshot, record, permit, access.at, runtime.profile)
    if not hidden:
        return permit
    left = replace(record, directives=tuple(one for one in record.directives if one.id not in hidden))
    answer = decide(access.asks(action), left, runtime.matrix, runtime.profile)
    return answer if isinstance(answer, Permit) else None


def _withheld_from_app(access: Access, patient: PatientId) -> tuple[Extent, ...]:
    """Return the documents of one space that the person withholds from the app, and those that later replaced them.

    They are removed from reads, versions, contents, lists, searches, counts and references alike, whatever the scopes
    of the app allow. The grant stores them, and nobody else is told of them.
    System-level: this reads replacement chains whoever may see them, and gives away only ids to leave out.
    """
    excluded = access.caller.granted.withheld
    extents = (Extent(kinds=frozenset(excluded.kinds)),) if excluded.kinds else ()
    if not excluded.documents:
        return extents
    chains = Search("DocumentReference", (AnyOf(frozenset(excluded.families)),), limit=_LONGEST_CHAINS)
    members = access.snapshot.find(chains, whole_space(ReadingReason.APP_RESTRICTIONS, patient)).rows
    return (*extents, Extent(documents=frozenset({*excluded.documents, *(row.id for row in members)})))


def judge_again(access: Access, opened: Opened, action: Action) -> Opened | Deny:
    """Decide about another action in an entered space, on the state that was already loaded.

    This costs a read only where the permit rests on evidence that may be hidden from the patient's side.
    """
    runtime = access.runtime
    by = ruled(opened.record, opened.beside, access.at, runtime.profile)
    answer = decide(access.asks(action), by, runtime.matrix, runtime.profile)
    if isinstance(answer, Deny):
        return answer
    return replace(opened, permit=answer, told=_told(access, answer, by, action))


def answer_of(runtime: Runtime, request: AccessRequest, record: RecordState) -> Permit | Deny:
    """Decide by the rules in force today about a state that has been read; read and audit nothing."""
    return decide(request, record, runtime.matrix, runtime.profile)


def has_no_other_ground(access: Access, opened: Opened) -> bool:
    """Tell whether a caller may only look the patient up: then only the identity traits are shown.

    A block, a missing consent and a consent that waits for approval make no difference here.
    """
    is_looked_up = opened.permit.basis is Basis.IDENTIFICATION
    return is_looked_up and isinstance(judge_again(access, opened, Action.CONSULT), Deny)


@query
def demand_served(runtime: Runtime, caller: Caller, patient: PatientId | None, audited: AuditedInteraction) -> None:
    """During a lockdown, refuse every request but emergencies before anything is read for it (K2).

    patient: the patient whom the request names; the denial is audited in that patient's space, if any.
    Raises: Problem(UNAVAILABLE), the same for every request and patient.
    """
    refusal = barred(request_of(caller, Action.CONSULT, runtime.now())) if caller.in_lockdown else None
    if refusal is None:
        return
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        space = snapshot.load_space(patient) if patient else None
    refuse(access, refusal, patient if space and space.state else None, about=None)
    raise problem_of(refusal, caller)


def record_of(patient: PatientId, space: Space | None) -> RecordState:
    """Return the decision state that a space stores; a space whose keys are gone is erased."""
    if space is None:
        return RecordState(patient=patient, status=SpaceStatus.ACTIVE)
    return record_codec.load(space.state) if space.state else RecordState(patient=patient, status=SpaceStatus.ERASED)


def open_record(access: Access, patient: PatientId, action: Action) -> Opened:
    """Enter a space that the caller names, or audit the denial and raise.

    Raises: Problem(CONSENT_REQUIRED) when the denial depends on the patient, FORBIDDEN when it depends on the caller.
    """
    answer = judge(access, patient, action)
    if isinstance(answer, Opened):
        access.note_opened(answer)
        return answer
    access.note_refused(patient)
    name_what_has_a_number(access, patient)
    where, audited = patient if access.snapshot.load_space(patient) else None, access.audited
    if audited.interaction == Interaction.SEARCH or not (audited.confidential or audited.sought):
        refuse(access, answer, where, about=None)  # nothing that the search names was looked up
    else:
        about = documents_there(access.snapshot, patient, audited.sought)
        refuse(access, answer, where, confidential=is_confidential(access, patient), about=about)
    raise problem_of(answer, access.caller)


def open_unnamed(access: Access, patient: PatientId, action: Action) -> Opened | None:
    """Enter the space of a resource that is named only by its id; audit a denial and return None.

    A denied requester must learn nothing about the id, so calling code must answer as for an unknown id.
    """
    answer = judge(access, patient, action)
    if isinstance(answer, Opened):
        access.note_opened(answer)
        return answer
    access.note_refused(patient)
    name_what_has_a_number(access, patient)
    snapshot, audited = access.snapshot, access.audited
    there = documents_there(snapshot, patient, audited.sought)  # no other id may hide the denial from the patient
    about = (*documents_behind(snapshot, patient, (audited.target,)), *there)
    refuse(access, answer, patient, confidential=is_confidential(access, patient), about=tuple(dict.fromkeys(about)))
    return None


def refuse(
    access: Access,
    refusal: Deny,
    patient: PatientId | None,
    *,
    confidential: bool = False,
    about: tuple[str, ...] | None = (),
) -> None:
    """Store the audit event of a denial; the event is durable when this returns.

    patient: in whose space, None for none. confidential, about: as in Outcome; about is None when the denial is about
    no document, whatever the request names.
    """
    outcome = Outcome(OutcomeCode.REFUSED, refusal.reason, rules=refusal.rules, matrix_version=refusal.matrix_version)
    outcome = replace(outcome, confidential=confidential, about=about or (), beyond=about is None)
    if not access.looked_up:
        audit_log.record(access.runtime, access.caller, access.audited, outcome, patient)
        return
    trace = audit_log.trace(access.runtime, access.caller, access.audited, outcome, patient)
    demand_time()
    looked_up, access.looked_up = len(access.looked_up), {}
    reached.commit(access, Change((trace,)), {Tally.IDENTITIES: looked_up})


_CALLER_REASONS = frozenset({Reason.FORBIDDEN_PARTY, Reason.UNIDENTIFIED, Reason.NOT_ENTITLED})
"""Reasons that depend on the caller alone. All others depend on the patient, and callers get one answer for them."""


def problem_of(refusal: Deny, caller: Caller) -> Problem:
    """Return the answer to a denied caller, which reveals no directive of the patient."""
    if refusal.reason is Reason.EMERGENCIES_ONLY:
        text = "only emergencies are served now; the operator of this server has stopped everything else"
        return Problem.of(Category.UNAVAILABLE, text, code=refusal.reason)
    if caller.requester.kind is RequesterKind.PATIENT:
        text = "you may not do this" if refusal.reason in _CALLER_REASONS else "this space is not open"
        return Problem(Category.FORBIDDEN, Issue(text, code=refusal.reason))
    if refusal.reason in _CALLER_REASONS:
        return Problem(Category.FORBIDDEN, Issue("you have no access to any patient's space", code="forbidden"))
    return Problem(
        Category.CONSENT_REQUIRED, Issue(f"no access to this space; {ACCEPTED_PROOFS}", code="consent-required")
    )
