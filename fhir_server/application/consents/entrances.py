"""Letting a professional in for one consultation, on evidence that the patient showed and the server has checked.

The evidence is the code of an invitation, or a card. It is recorded as an agreement of the grade `patient`, and the
patient is told.
Source: rules C1 and C4; statement V1 of docs/rules.md; docs/adr/0091-invitations.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from consent_rules.model import Directive, Requester
from consent_rules.vocabulary import Action, DirectiveKind, Grade, PatientId, Proof, Purpose, RequesterKind
from fhir_server.application.consents import authority
from fhir_server.application.consents.recording import CONSENT, Place, keep
from fhir_server.application.core import audit_log, notices_owed, smart_scopes
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.documents import replacement_chain
from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.consents.directives import consent_of, directives_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem


@dataclass(frozen=True, slots=True)
class Entrance:
    """What a professional has got by a code or a card. consent: id of the recorded agreement, which ends at `until`."""

    patient: PatientId
    consent: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What the patient showed. claim: uses it up. reader: reference of the software that read it, None for none."""

    proof: Proof
    claim: Callable[[], None]
    reader: str | None = None


def let_in(work: UnitOfWork, patient: PatientId, shown: Shown, agreed: Directive) -> Entrance:
    """Plan the agreement with the calling professional for one consultation, and the notice of it.

    shown: what the patient showed, which is used up last. agreed: what the patient's side gave: the documents and the
    giver.
    Raises: as `open_record` and `authority.verified`.
    """
    smart_scopes.demand(work.caller, CONSENT, "c", patient)
    open_record(work, patient, Action.DIRECT)
    id_, profile, proof = work.runtime.ports.ids.new(), work.runtime.profile, shown.proof
    until = min(profile.named_consent.after(work.at), profile.proofs[proof].after(work.at)).replace(microsecond=0)
    stated = replace(agreed, id=id_, end=until, recorded_at=work.at, proof=proof)
    consent = consent_of(stated, patient, work.caller.requester.organization)
    found = authority.verified(work, directives_of(consent, id_), Grade.PATIENT, "Consent")
    said = tuple(replace(one, given_by=agreed.given_by) for one in found)
    keep(work, consent, Place(id_), said)
    confidential = replacement_chain.are_confidential(work, patient, said)
    notices_owed.of_entrance(work, f"Consent/{id_}", confidential=confidential)
    work.trace(work.audited, (f"Consent/{id_}", *((shown.reader,) if shown.reader else ())))
    shown.claim()
    return Entrance(patient, id_, until)


def agreement_with(requester: Requester, documents: frozenset[str] | None = None, giver: str = "") -> Directive:
    """Return the agreement with a professional, for treatment. giver: reference of the representative, "" for none."""
    return Directive(
        "",
        DirectiveKind.AGREEMENT,
        frozenset({requester.person}),
        purposes=frozenset({Purpose.TREATMENT}),
        documents=documents,
        given_by=giver,
    )


def demand_professional(runtime: Runtime, caller: Caller, act: EventKind) -> None:
    """Refuse whoever is no professional, before anything is looked up. Raises: Problem(FORBIDDEN)."""
    requester = caller.requester
    if requester.kind is not RequesterKind.PROFESSIONAL or not requester.person:
        refusal = Problem.of(Category.FORBIDDEN, "only a professional redeems a code or a card", code="not-entitled")
        audit_log.record_refusal(runtime, caller, interaction_of(act), refusal)
        raise refusal


REFUSED_ALIKE = frozenset(
    {Category.CONSENT_REQUIRED, Category.FORBIDDEN, Category.BUSINESS_RULE, Category.INSUFFICIENT_SCOPE}
)
"""Refusals that would tell whose code or card it is: the caller gets `no_entrance` instead."""


def no_entrance() -> Problem:
    """Return the one answer for every code or card that does not let the caller in."""
    text = "this cannot be used: it is wrong, was used, has expired, or is for somebody else"
    return Problem.of(Category.BUSINESS_RULE, text, "Parameters.parameter", "code-not-usable")
