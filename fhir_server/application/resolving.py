"""Conditional references and references to what exists: resolved in the caller's view, hidden is unknown.

Source: https://hl7.org/fhir/R4/http.html#trules (conditional references).
"""

from dataclasses import replace
from typing import Any

from consent_rules.vocabulary import Action
from fhir_server.application import matching, scoping
from fhir_server.application.finding import NOBODY, identify
from fhir_server.application.writing import Work
from fhir_server.domain import conditions, pointers
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.registry import REGISTRY

Json = dict[str, Any]


def is_conditional(reference: str) -> bool:
    """Tell whether a reference is of the form `Type?criteria`."""
    type_, found, _ = reference.partition("?")
    return bool(found) and type_.isalpha()


def conditional_names(work: Work, resource: Json, root: str, patient: str = "") -> dict[str, str]:
    """Return the literal reference for each conditional one in a resource.

    patient: the space that the caller files into, where its documents are looked up.
    Raises: Problem(BUSINESS_RULE) when one matches nothing in the caller's view, MULTIPLE_MATCHES when it matches more.
    """
    names: dict[str, str] = {}
    for expression, reference in pointers.references_in(resource, root):
        literal = reference["reference"]
        if is_conditional(literal) and literal not in names:
            names[literal] = resolve(work, literal, f"{expression}.reference", patient)
    return names


def resolve(work: Work, conditional: str, expression: str, patient: str = "") -> str:
    """Return the literal reference that a conditional one stands for; see `conditional_names`."""
    type_, _, query = conditional.partition("?")
    condition = conditions.parse(query, expression)
    row = REGISTRY.get(type_)
    if row is None:
        raise Problem.of(Category.BUSINESS_RULE, f"`{type_}` is not offered here", expression, "unknown-reference")
    if type_ == "Patient":
        return f"Patient/{_known(identified(work, condition.system, condition.value), expression)}"
    if patient:
        condition = replace(condition, patient=patient, patient_identifier=None)
        ids = matching.ids(work, row, condition, Action.DEPOSIT, "c")
    else:
        ids = matching.ids(work, row, condition, Action.CONSULT, "r")
    if len(ids) > 1:
        text = "the conditional reference matches more than one resource"
        raise Problem.of(Category.MULTIPLE_MATCHES, text, expression)
    return f"{type_}/{_known(ids[0] if ids else '', expression)}"


def refuse_as_unknown(work: Work, type_: str, action: Action) -> None:
    """Refuse whoever may write about no stranger as if a patient whom nobody knows were one (AC20).

    Raises: Problem(INSUFFICIENT_SCOPE), FORBIDDEN or CONSENT_REQUIRED, as for a patient who is known.
    """
    scoping.demand(work.caller, (type_,), "c", NOBODY)
    work.enter(NOBODY, action)
    work.patient = ""
    work.spaces.pop(NOBODY, None)
    work.met.pop(NOBODY, None)


def identified(work: Work, system: str, value: str) -> str:
    """Return the id of the patient whom an identifier names, "" when it is nobody whom the caller may look up.

    The patient is told of the look-up, whatever becomes of the write.
    """
    found = identify(work.snapshot, system, value)
    return found if found and work.may_identify(found) else ""


def unknown(expression: str) -> Issue:
    """Return the one fault of a reference that names nothing the caller sees."""
    return Issue("the reference names nothing that is known here", expression, "unknown-reference")


def _known(id_: str, expression: str) -> str:
    if not id_:
        raise Problem(Category.BUSINESS_RULE, unknown(expression))
    return id_
