"""The Consent Enforcement Point: the only place that asks the rules, and where a refusal is traced.

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
    """A space that the caller has entered: the answer of the rules, and the state that it was given for.

    app_exclusions: documents that the person keeps from the app that calls.
    """

    entry: Permit
    record: RecordState
    space: Space
    app_exclusions: tuple[Extent, ...] = ()

    @property
    def pin(self) -> SpaceWrite:
        """Assert, in a commit, that the decision still holds."""
        return SpaceWrite(self.space.patient, self.space.revision)

    def sees(self, view: View) -> Visibility:
        """Return what is visible of one part of the space."""
        seen = self.entry.sees(view)
        if view is View.DOCUMENTS:
            return seen.without(self.app_exclusions)
        about = self.entry.sees(View.ABOUT).without(self.app_exclusions).clauses
        return replace(seen, documents=about) if view in _ABOUT_DOCUMENTS else seen


def judge(runtime: Runtime, snapshot: Snapshot, caller: Caller, patient: str, action: Action) -> Opened | Deny:
    """Ask the rules about one space, from one read of its state.

    A patient who has no space is judged as one who said nothing, so that the answer does not tell.
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
    """Ask the rules in force today about a state that has been read; nothing is read or traced."""
    return decide(request, record, runtime.matrix, runtime.profile)


def has_no_other_ground(runtime: Runtime, caller: Caller, opened: Opened) -> bool:
    """Tell whether somebody who looks a patient up may do nothing else there: the identity traits are shown alone.

    Blocked, not agreed to and asked about are one and the same here; the rules answer from the state that was loaded.
    """
    if opened.entry.basis is not Basis.IDENTIFICATION:
        return False
    return isinstance(answer_of(runtime, _asked(runtime, caller, Action.CONSULT), opened.record), Deny)


def demand_served(runtime: Runtime, caller: Caller, patient: str, audited: AuditedInteraction) -> None:
    """Stop what no space could let in while only emergencies are let through, before anything of it is read (K2).

    patient: whom the request names itself, "" when nobody; a refusal is traced there when the space is known.
    Raises: Problem(UNAVAILABLE), the same whatever is asked about whom.
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
    """Return the decision state that a space keeps; one whose keys are gone is erased."""
    if space is None:
        return RecordState(patient=patient, status=SpaceStatus.ACTIVE)
    return record_codec.load(space.state) if space.state else RecordState(patient=patient, status=SpaceStatus.ERASED)


def open_record(
    runtime: Runtime, snapshot: Snapshot, caller: Caller, patient: str, action: Action, audited: AuditedInteraction
) -> Opened:
    """Enter a space named by the caller, or trace the refusal and raise.

    Raises: Problem(CONSENT_REQUIRED) for whatever the patient decided or did not, FORBIDDEN for what the caller is.
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
    """Enter the space of a resource named by its id alone; None after tracing a refusal.

    Whoever may not enter learns nothing about the id, so the caller must answer as for an unknown one.
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
    """To whom a refusal is told. confidential: it is a minor's secret (B10). about: the documents behind it."""

    confidential: bool = False
    about: tuple[str, ...] = ()


def _fate(snapshot: Snapshot, patient: str, audited: AuditedInteraction) -> Fate:
    """Return to whom a refusal in the space that an interaction names is told: a search is judged by its query."""
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
    """Trace a refusal; durable when it returns."""
    matrix_version = refusal.matrix_version
    outcome = Outcome(
        "4", refusal.reason, rules=refusal.rules, matrix_version=matrix_version, confidential=fate.confidential
    )
    outcome = replace(outcome, about=fate.about)
    audit_log.record(runtime, caller, audited, outcome, patient)


_CALLER_REASONS = frozenset({"forbidden-party", "unidentified", "not-entitled"})
"""Reasons that say what the caller is; every other reason depends on the patient and is told alike."""


def problem_of(refusal: Deny, caller: Caller) -> Problem:
    """Say a refusal to the caller without betraying the patient's choices."""
    if refusal.reason == Reason.EMERGENCIES_ONLY:
        text = "only emergencies are served now; whoever runs this server has stopped everything else"
        return Problem.of(Category.UNAVAILABLE, text, code=refusal.reason)
    if caller.requester.kind is RequesterKind.PATIENT:
        return Problem(Category.FORBIDDEN, Issue("this space is not open", code=refusal.reason))
    if refusal.reason in _CALLER_REASONS:
        return Problem(Category.FORBIDDEN, Issue("this capacity gives no access to patients' spaces", code="forbidden"))
    return Problem(
        Category.CONSENT_REQUIRED, Issue(f"no access to this space; {ACCEPTED_PROOFS}", code="consent-required")
    )
