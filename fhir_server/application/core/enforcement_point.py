"""The Consent Enforcement Point: only this module calls the decision, and it audits each denial.

Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/volume-1.html), actor Consent Enforcement Point.
"""

from dataclasses import dataclass, replace

from consent_rules.decision.decide import decide
from consent_rules.decision.preconditions import barred
from consent_rules.model import AccessRequest, Deny, Permit, RecordState
from consent_rules.visibility import Extent, Visibility
from consent_rules.vocabulary import Action, Basis, Purpose, Reason, RequesterKind, SpaceStatus, View
from fhir_server.application.core import audit_log
from fhir_server.application.core.app_restrictions import extents_of
from fhir_server.application.core.minor_confidentiality import documents_behind, documents_there, is_confidential
from fhir_server.application.core.runtime import Runtime
from fhir_server.deadline import demand_time
from fhir_server.domain import record_codec
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.ports.store import Snapshot, Space, SpaceWrite

ACCEPTED_PROOFS = "accepted proofs: consent of the patient for this consultation, consent for the care team"


_ABOUT_DOCUMENTS = frozenset({View.TRACES, View.NOTICES})


@dataclass(frozen=True, slots=True)
class Opened:
    """A space that the caller has entered: the permit, and the state of the space for which it was given.

    app_exclusions: documents that the person withholds from the calling app.
    """

    entry: Permit
    record: RecordState
    space: Space
    app_exclusions: tuple[Extent, ...] = ()

    @property
    def pin(self) -> SpaceWrite:
        """A write that makes a commit fail if the space has changed since the decision."""
        return SpaceWrite(self.space.patient, self.space.revision)

    def sees(self, view: View) -> Visibility:
        """Return what is visible of one part of the space."""
        seen = self.entry.sees(view)
        if view is View.DOCUMENTS:
            return seen.without(self.app_exclusions)
        about = self.entry.sees(View.ABOUT).without(self.app_exclusions).clauses
        return replace(seen, documents=about) if view in _ABOUT_DOCUMENTS else seen


def judge(runtime: Runtime, snapshot: Snapshot, caller: Caller, patient: str, action: Action) -> Opened | Deny:
    """Decide about one space, from one read of its state.

    A patient without a space is treated like a patient without directives, so that the answer does not tell them apart.
    Raises: OutOfTime.
    """
    demand_time()
    space = snapshot.load_space(patient)
    record = record_of(patient, space)
    answer = answer_of(runtime, _asked(runtime, caller, action), record)
    if isinstance(answer, Deny):
        return answer
    app_exclusions = extents_of(snapshot, caller.app_exclusions, patient)
    return Opened(answer, record, space or Space(patient, 0, b""), app_exclusions)


def answer_of(runtime: Runtime, request: AccessRequest, record: RecordState) -> Permit | Deny:
    """Decide by the rules in force today about a state that has been read; read and audit nothing."""
    return decide(request, record, runtime.matrix, runtime.profile)


def has_no_other_ground(runtime: Runtime, caller: Caller, opened: Opened) -> bool:
    """Tell whether a caller may only look the patient up: then only the identity traits are shown.

    A block, a missing consent and a consent that waits for approval make no difference here. The decision uses the
    state that was already loaded.
    """
    if opened.entry.basis is not Basis.IDENTIFICATION:
        return False
    return isinstance(answer_of(runtime, _asked(runtime, caller, Action.CONSULT), opened.record), Deny)


def demand_served(runtime: Runtime, caller: Caller, patient: str, audited: AuditedInteraction) -> None:
    """During a lockdown, refuse every request but emergencies before anything is read for it (K2).

    patient: the patient whom the request names, "" for none; the denial is audited in that patient's space, if any.
    Raises: Problem(UNAVAILABLE), the same for every request and patient.
    """
    refusal = barred(_asked(runtime, caller, Action.CONSULT)) if caller.in_lockdown else None
    if refusal is None:
        return
    with runtime.ports.store.snapshot() as snapshot:
        space = snapshot.load_space(patient) if patient else None
    refuse(runtime, caller, refusal, patient if space and space.state else "", audited)
    raise problem_of(refusal, caller)


def _asked(runtime: Runtime, caller: Caller, action: Action) -> AccessRequest:
    now = runtime.ports.clock.now()
    return AccessRequest(caller.requester, action, Purpose(caller.purpose), now, caller.in_lockdown)


def record_of(patient: str, space: Space | None) -> RecordState:
    """Return the decision state that a space stores; a space whose keys are gone is erased."""
    if space is None:
        return RecordState(patient=patient, status=SpaceStatus.ACTIVE)
    return record_codec.load(space.state) if space.state else RecordState(patient=patient, status=SpaceStatus.ERASED)


def open_record(
    runtime: Runtime, snapshot: Snapshot, caller: Caller, patient: str, action: Action, audited: AuditedInteraction
) -> Opened:
    """Enter a space that the caller names, or audit the denial and raise.

    Raises: Problem(CONSENT_REQUIRED) when the denial depends on the patient, FORBIDDEN when it depends on the caller.
    """
    answer = judge(runtime, snapshot, caller, patient, action)
    if isinstance(answer, Opened):
        return answer
    refuse(
        runtime,
        caller,
        answer,
        patient if snapshot.load_space(patient) else "",
        audited,
        _fate(snapshot, patient, audited),
    )
    raise problem_of(answer, caller)


def open_unnamed(
    runtime: Runtime, snapshot: Snapshot, caller: Caller, patient: str, action: Action, audited: AuditedInteraction
) -> Opened | None:
    """Enter the space of a resource that is named only by its id; audit a denial and return None.

    A denied requester must learn nothing about the id, so calling code must answer as for an unknown id.
    """
    answer = judge(runtime, snapshot, caller, patient, action)
    if isinstance(answer, Opened):
        return answer
    fate = Fate(
        is_confidential(snapshot, patient, audited),
        documents_behind(snapshot, patient, (audited.target, *audited.sought)),
    )
    refuse(runtime, caller, answer, patient, audited, fate)
    return None


@dataclass(frozen=True, slots=True)
class Fate:
    """Who may read of a denial. confidential: hidden from guardians (B10). about: ids of the documents concerned."""

    confidential: bool = False
    about: tuple[str, ...] = ()


def _fate(snapshot: Snapshot, patient: str, audited: AuditedInteraction) -> Fate:
    """Return who may read of a denial in the space that an interaction names; for a search, its query decides that."""
    if audited.interaction == "search-type" or not (audited.confidential or audited.sought):
        return Fate()
    return Fate(is_confidential(snapshot, patient, audited), documents_there(snapshot, patient, audited.sought))


def refuse(
    runtime: Runtime,
    caller: Caller,
    refusal: Deny,
    patient: str,
    audited: AuditedInteraction,
    fate: Fate = Fate(),
) -> None:
    """Store the audit event of a denial; the event is durable when this returns."""
    matrix_version = refusal.matrix_version
    outcome = Outcome(
        "4", refusal.reason, rules=refusal.rules, matrix_version=matrix_version, confidential=fate.confidential
    )
    outcome = replace(outcome, about=fate.about)
    audit_log.record(runtime, caller, audited, outcome, patient)


_CALLER_REASONS = frozenset({"forbidden-party", "unidentified", "not-entitled"})
"""Reasons that depend on the caller alone. All others depend on the patient, and callers get one answer for them."""


def problem_of(refusal: Deny, caller: Caller) -> Problem:
    """Return the answer to a denied caller, which reveals no directive of the patient."""
    if refusal.reason == Reason.EMERGENCIES_ONLY:
        text = "only emergencies are served now; the operator of this server has stopped everything else"
        return Problem.of(Category.UNAVAILABLE, text, code=refusal.reason)
    if caller.requester.kind is RequesterKind.PATIENT:
        return Problem(Category.FORBIDDEN, Issue("this space is not open", code=refusal.reason))
    if refusal.reason in _CALLER_REASONS:
        return Problem(Category.FORBIDDEN, Issue("you have no access to any patient's space", code="forbidden"))
    return Problem(
        Category.CONSENT_REQUIRED, Issue(f"no access to this space; {ACCEPTED_PROOFS}", code="consent-required")
    )
