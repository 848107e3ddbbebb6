"""What a token's scopes allow, checked before any data is read.

Source: SMART App Launch 2.2, scopes for requesting FHIR resources
(https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
"""

from collections.abc import Iterable

from consent_rules.scopes import ScopeGrant
from consent_rules.visibility import AccessFacts, Visibility
from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem

Limits = tuple[tuple[frozenset[str] | None, frozenset[str] | None], ...]
"""Pairs (types, categories) whose union the scopes allow; None allows all."""

UNLIMITED: Limits = ((None, None),)


def demand(caller: Caller, types: Iterable[str], letter: str, patient: PatientId | None = None) -> Limits:
    """Return the limits that the scopes set on one letter of one of these resource types in one compartment.

    patient: the compartment; None before it is known, NO_SPACE for directory resources.
    Raises: Problem(INSUFFICIENT_SCOPE) when no scope allows it.
    """
    grants = [g for type_ in types for g in caller.scopes.grants(type_, letter) if _applies(caller, g, patient)]
    if not grants:
        raise Problem.of(Category.INSUFFICIENT_SCOPE, f"the token holds no scope for `{letter}` of {'/'.join(types)}")
    return tuple(_limit(grant) for grant in grants)


def names_oneself(caller: Caller, reference: str) -> bool:
    """Tell whether a reference names the caller's own `fhirUser` resource and the token has the scope `fhirUser`.

    Source: SMART App Launch 2.2, scopes for requesting identity data.
    """
    return "fhirUser" in caller.scopes.other and bool(reference) and reference == caller.requester.person


def narrow(visibility: Visibility, limits: Limits) -> Visibility:
    """Restrict a visibility to what the scopes allow."""
    return visibility if (None, None) in limits else visibility.narrowed_to_any(limits)


def lets_read(caller: Caller, type_: str, facts: AccessFacts) -> bool:
    """Tell whether the scopes let a caller read a resource that the permit shows; a scope to change is not enough."""
    try:
        limits = demand(caller, (type_,), "r", facts.compartment)
    except Problem:
        return False
    return covers(limits, facts)


def covers(limits: Limits, facts: AccessFacts) -> bool:
    """Tell whether the limits of the scopes include a resource, whoever may see it."""
    return any(
        (kinds is None or facts.kind in kinds) and (categories is None or facts.category in categories)
        for kinds, categories in limits
    )


def _applies(caller: Caller, grant: ScopeGrant, patient: PatientId | None) -> bool:
    if grant.level == "patient":
        return not patient or patient == caller.launch_patient
    if grant.level == "user":
        return bool(caller.requester.person)
    return caller.requester.kind is RequesterKind.SYSTEM


def _limit(grant: ScopeGrant) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    kinds = categories = None
    for name, value in grant.query:
        codes = frozenset(item.rpartition("|")[2] for item in value.split(","))
        if name == "type":
            kinds = codes
        elif name == "category":
            categories = codes
    return kinds, categories
