"""Opening a space in an emergency: stores a Consent that says who opens the space, in which mode and why.

The Consent is stored before anything is shown. Later reads are ordinary reads: every decision loads the opening with
the state of the space.
Source: L.1111-17 I and R.1111-48 of the French public health code (rules G1 to G8).
"""

from dataclasses import dataclass
from datetime import datetime

import orjson

from consent_rules.consents import recording
from consent_rules.decision import emergency
from consent_rules.model import Deny, Directive
from consent_rules.vocabulary import Action, Obligation, PatientId, Purpose, Reason
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.enforcement_point import open_record, problem_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.spaces import break_glass_reviews, consent_repairs
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.consents.directives import access_of, consent_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction
from fhir_server.registry import REGISTRY

REASON_LIMIT = 1000
"""Most characters of a reason: the reason is part of the state that each decision loads, the notice and the review."""
OPERATIONS = {Purpose.BREAK_GLASS: "break-glass", Purpose.EMERGENCY: "regulation-access"}


@dataclass(frozen=True, slots=True)
class Opening:
    """An emergency opening. consent: id of its Consent. review_due: deadline of the review, None when none is owed."""

    consent: str
    until: datetime
    review_due: datetime | None = None


@command(EventKind.GLASS_BROKEN, EventKind.REGULATION_OPENED)
def open_as_granted(runtime: Runtime, caller: Caller, patient: PatientId, reason: str) -> str:
    """Open a space in the mode of the caller's purpose; return the id of the Consent.

    Raises: Problem(BUSINESS_RULE) without a reason; CONSENT_REQUIRED or FORBIDDEN from the decision, the same for a
    patient who switched the mode off and for a patient without a space.
    """
    return open_in_emergency(runtime, caller, patient, None, reason).consent


@command(EventKind.GLASS_BROKEN, EventKind.REGULATION_OPENED)
def open_in_emergency(
    runtime: Runtime, caller: Caller, patient: PatientId, mode: Purpose | None, reason: str
) -> Opening:
    """Open a space in a mode. mode: None to take it from the purpose of the grant, without a check of scopes.

    Raises: as `open_as_granted`; FORBIDDEN when the grant was not given for this mode, INSUFFICIENT_SCOPE.
    """
    if not any(symbol.isalnum() for symbol in reason):
        raise Problem.of(Category.BUSINESS_RULE, "an emergency access needs a reason", code="reason-required")
    if len(reason) > REASON_LIMIT:
        text = f"the reason has at most {REASON_LIMIT} characters"
        raise Problem.of(Category.BUSINESS_RULE, text, code="reason-too-long")
    operation = OPERATIONS[mode or (Purpose.EMERGENCY if caller.purpose is Purpose.EMERGENCY else Purpose.BREAK_GLASS)]
    audited = AuditedInteraction(Interaction.OPERATION, "Patient", target=f"Patient/{patient}", operation=operation)
    return carry_out(runtime, caller, audited, lambda work: _plan(work, patient, mode, reason))


def _plan(work: UnitOfWork, patient: PatientId, mode: Purpose | None, reason: str) -> Opening:
    if mode:
        _demand_grant(work, patient, mode)
    opened = open_record(work, patient, Action.OPEN_EMERGENCY)
    caller, id_ = work.caller, work.runtime.ports.ids.new()
    if not opened.space.revision:
        work.patient, work.spaces = None, {}
        raise problem_of(Deny(Reason.NO_CONSENT), caller)
    request = work.asks(Action.OPEN_EMERGENCY)
    directive = emergency.opening(request, id_, reason, work.runtime.profile)
    work.put(_stored(work, directive, patient))
    work.emergencies += request.purpose is Purpose.BREAK_GLASS
    record = recording.tidied(work.record(), work.at, work.runtime.profile)
    work.decide(record.with_directive(directive))
    consent_repairs.close_unread(work)
    notices_owed.of_opening(work, directive)
    due = (
        emergency.review_due(work.at, work.runtime.profile) if Obligation.REVIEW in opened.permit.obligations else None
    )
    if due:
        break_glass_reviews.begin(work, patient, directive, due)
    work.trace(work.audited, (f"Consent/{id_}",))
    return Opening(id_, emergency.until(request.purpose, work.at, work.runtime.profile), due)


def _demand_grant(work: UnitOfWork, patient: PatientId, mode: Purpose) -> None:
    """Refuse a caller whose grant is not for this mode: the grant sets the purpose, never the request (ADR 0016)."""
    if work.caller.purpose is not mode:
        work.patient = patient if work.snapshot.load_space(patient) else None
        text = f"this operation needs a grant for the purpose {mode}; ask the authorization server for one"
        raise Problem.of(Category.FORBIDDEN, text, code="emergency-grant-required")
    smart_scopes.demand(work.caller, ("DocumentReference",), "r", patient)


def _stored(work: UnitOfWork, directive: Directive, patient: PatientId) -> Stored:
    consent = consent_of(directive, patient, work.caller.requester.organization)
    body = bodies.stamped(consent, directive.id, 1, work.stamp)
    facts = facts_of(orjson.loads(body), access_of(patient, directive), REGISTRY["Consent"])
    return work.version("Consent", directive.id, 1, body, facts)
