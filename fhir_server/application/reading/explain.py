"""Explains in words why the caller may enter a space or sees a document.

The patient and representatives get the full text, all others only what is public.
Source: docs/rules.md; the leak rules: a denial that depends on the patient reads like that for an unknown patient.
"""

from dataclasses import dataclass, replace

from consent_rules.model import Deny, Permit, RuleApplied
from consent_rules.tools.explanation import Explainer
from consent_rules.vocabulary import Action, Basis, PatientId, RequesterKind
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.enforcement_point import judge, problem_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category
from fhir_server.domain.values import Interaction
from fhir_server.registry import REGISTRY


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a decision. basis: None for a denial. code: the code that the denied request would get."""

    permitted: bool
    basis: Basis | None
    code: str
    rules: tuple[RuleApplied, ...]
    matrix_version: str
    texts: tuple[str, ...]


@query
def explain(runtime: Runtime, caller: Caller, patient: PatientId, kind: str, language: str) -> Explanation:
    """Explain whether the caller may consult a space.

    kind: a document type whose cell of the published matrix is explained too, "" for none. language: "fr" or "en".
    Raises: Problem(INSUFFICIENT_SCOPE).
    """
    audited = AuditedInteraction(Interaction.OPERATION, "Patient", target=f"Patient/{patient}", operation="explain")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        audit_log.demand_scope(access, ("Patient",), "r", patient)
        answer = judge(access, patient, Action.CONSULT)
        access.patient = patient if snapshot.load_space(patient) else None
    told = _told(access, answer, kind, language)
    # A denial is audited as a denial: else the caller's own audit event would reveal that the patient is known here.
    outcome = Outcome(OutcomeCode.REFUSED, answer.reason) if isinstance(answer, Deny) else Outcome(basis=told.basis)
    audit_log.record_outcome(access, replace(outcome, matrix_version=told.matrix_version))
    return told


@query
def explain_document(runtime: Runtime, caller: Caller, id_: str, language: str) -> Explanation:
    """Explain why the caller sees a document; this is a read like any other.

    Raises: Problem(NOT_FOUND) for an unknown document, and for one that a cell of the matrix or the patient hides.
    """
    shown = read.read(runtime, caller, REGISTRY["DocumentReference"], id_)
    facts = shown.stored.facts.access
    audited = AuditedInteraction(
        Interaction.READ, "DocumentReference", target=shown.reference
    )  # audited by the read above
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        answer = judge(access, facts.compartment, Action.CONSULT)
    if isinstance(answer, Deny):
        raise read.not_found()
    told = _told(access, answer, "", language)
    explainer = Explainer(runtime.matrix, language, safe=not shown.knows_marks)
    return replace(told, texts=(*told.texts, *explainer.document(access.asks(Action.CONSULT), answer.permit, facts)))


def _told(access: Access, answer: Opened | Deny, kind: str, language: str) -> Explanation:
    runtime, caller = access.runtime, access.caller
    judged: Permit | Deny = answer.permit if isinstance(answer, Opened) else answer
    of_side = isinstance(answer, Opened) and answer.is_for_patient
    safe = not (of_side or caller.requester.kind is RequesterKind.PATIENT)
    explainer = Explainer(runtime.matrix, language, safe)
    texts = explainer.answer(judged)
    if kind:
        texts = (*texts, explainer.kind(caller.requester.profession, kind))
    if isinstance(judged, Permit):
        return Explanation(True, judged.basis, "", judged.rules, judged.matrix_version, texts)  # noqa: FBT003
    refusal = problem_of(judged, caller)
    alike = safe and refusal.category is Category.CONSENT_REQUIRED
    rules = () if alike else judged.rules
    return Explanation(False, None, refusal.issues[0].code, rules, runtime.matrix.version, texts)  # noqa: FBT003
