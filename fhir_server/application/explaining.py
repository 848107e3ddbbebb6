"""Why the caller may enter a space or may not, in words: to the holder's side in full, to anybody else what is public.

Source: docs/rules.md; the leak rules: a refusal that depends on the patient reads like that of an unknown patient.
"""

from dataclasses import dataclass

from consent_rules.explanation import Explainer
from consent_rules.model import Entry, Refuse, RuleApplied
from consent_rules.vocabulary import Action, Basis, RequesterKind
from fhir_server.application import scoping, trail
from fhir_server.application.enforcement import Opened, judge, problem_of
from fhir_server.application.runtime import Runtime
from fhir_server.domain.audit import Deed, Verdict
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category

_SIDE = frozenset({Basis.PATIENT, Basis.REPRESENTATIVE})


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer of the rules, told. basis: "" when refused. code: what the refusal itself would say."""

    permitted: bool
    basis: str
    code: str
    rules: tuple[RuleApplied, ...]
    matrix_version: str
    texts: tuple[str, ...]


def explain(runtime: Runtime, caller: Caller, patient: str, kind: str, language: str) -> Explanation:
    """Explain whether the caller may consult a space.

    kind: a document type whose cell of the published matrix is told too, "" for none. language: "fr" or "en".
    Raises: Problem(INSUFFICIENT_SCOPE).
    """
    scoping.demand(caller, ("Patient",), "r", patient)
    with runtime.ports.store.snapshot() as snapshot:
        answer = judge(runtime, snapshot, caller, patient, Action.CONSULT)
        known = snapshot.load_space(patient) is not None
    told = _told(runtime, caller, answer, kind, language)
    deed = Deed("operation", "Patient", target=f"Patient/{patient}", operation="explain")
    verdict = Verdict(basis=told.basis, matrix_version=told.matrix_version)
    trail.record(runtime, caller, deed, verdict, patient if known else "")
    return told


def _told(runtime: Runtime, caller: Caller, answer: Opened | Refuse, kind: str, language: str) -> Explanation:
    judged: Entry | Refuse = answer.entry if isinstance(answer, Opened) else answer
    of_side = isinstance(judged, Entry) and judged.basis in _SIDE
    safe = not (of_side or caller.requester.kind is RequesterKind.PATIENT)
    explainer = Explainer(runtime.matrix, language, safe)
    texts = explainer.answer(judged)
    if kind:
        texts = (*texts, explainer.kind(caller.requester.profession, kind))
    if isinstance(judged, Entry):
        return Explanation(True, judged.basis, "", judged.rules, judged.matrix_version, texts)  # noqa: FBT003
    refusal = problem_of(judged, caller)
    alike = safe and refusal.category is Category.CONSENT_REQUIRED
    rules = () if alike else judged.rules
    return Explanation(False, "", refusal.issues[0].code, rules, runtime.matrix.version, texts)  # noqa: FBT003
