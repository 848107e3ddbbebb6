"""Opening a space in an emergency: a Consent that names who, in which mode and why, stored before anything is shown.

Reading afterwards is an ordinary read: the opening lies in the record that every decision loads.
Source: L.1111-17 I and R.1111-48 of the French public health code (rules G1 to G8).
"""

import orjson

from consent_rules import emergency, recording
from consent_rules.model import AccessRequest, Directive
from consent_rules.vocabulary import Action, Purpose
from fhir_server.application import telling
from fhir_server.application.indexing import facts_of
from fhir_server.application.runtime import Runtime
from fhir_server.application.writing import Work, carry_out
from fhir_server.domain import bodies
from fhir_server.domain.audit import Deed
from fhir_server.domain.caller import Caller
from fhir_server.domain.consents import access_of, consent_of
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.registry import REGISTRY


def open_space(runtime: Runtime, caller: Caller, patient: str, reason: str) -> str:
    """Open a space in the mode that the caller's purpose names; return the id of the Consent that says so.

    Raises: Problem(BUSINESS_RULE) without a reason; CONSENT_REQUIRED or FORBIDDEN from the decision, the same for a
    patient who switched the mode off and for one who has no space.
    """
    if not reason.strip():
        raise Problem.of(Category.BUSINESS_RULE, "an emergency access needs a reason", code="reason-required")
    deed = Deed("create", "Consent")
    return carry_out(runtime, caller, deed, lambda work: _plan(work, patient, reason))


def _plan(work: Work, patient: str, reason: str) -> str:
    opened = work.enter(patient, Action.OPEN_EMERGENCY)
    if not opened.space.revision:
        raise Problem.of(Category.CONSENT_REQUIRED, "no access to this space", code="consent-required")
    caller, id_ = work.caller, work.runtime.ports.ids.new()
    request = AccessRequest(caller.requester, Action.OPEN_EMERGENCY, Purpose(caller.purpose), work.at)
    directive = emergency.opening(request, id_, reason, work.runtime.profile)
    work.put(_stored(work, directive, patient))
    record = recording.tidied(work.record(opened), work.at, work.runtime.profile)
    work.decide(opened, record.with_directive(directive))
    telling.of_opening(work, opened, directive)
    work.trace(work.deed, opened, patient, (f"Consent/{id_}",))
    return id_


def _stored(work: Work, directive: Directive, patient: str) -> Stored:
    consent = consent_of(directive, patient, work.caller.requester.organization)
    body = bodies.stamped(consent, directive.id, 1, work.at)
    facts = facts_of(orjson.loads(body), access_of(patient, directive), REGISTRY["Consent"])
    return Stored(
        "Consent", directive.id, 1, 0, deleted=False, last_updated=work.at, marked_at=None, body=body, facts=facts
    )
