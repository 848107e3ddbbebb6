"""What a token's scopes leave of an interaction, decided before any data is looked at.

Source: SMART App Launch 2.2, scopes for requesting FHIR resources
(https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
"""

from collections.abc import Iterable

from consent_rules.scopes import ScopeGrant
from consent_rules.visibility import AccessFacts, Visibility
from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem

Limits = tuple[tuple[frozenset[str] | None, frozenset[str] | None], ...]
"""Pairs (types, categories) whose union the scopes allow; None allows all."""

UNLIMITED: Limits = ((None, None),)


def demand(caller: Caller, types: Iterable[str], letter: str, patient: str | None = None) -> Limits:
    """Return the limits that the scopes set on one letter of one of these resource types in one compartment.

    patient: the compartment; None before it is known, "" for directory resources.
    Raises: Problem(INSUFFICIENT_SCOPE) when no scope grants it.
    """
    grants = [g for type_ in types for g in caller.scopes.grants(type_, letter) if _applies(caller, g, patient)]
    if not grants:
        raise Problem.of(Category.INSUFFICIENT_SCOPE, f"the token holds no scope for `{letter}` of {'/'.join(types)}")
    return tuple(_limit(grant) for grant in grants)


def names_oneself(caller: Caller, reference: str) -> bool:
    """Tell whether a reference is what `fhirUser` names, which a token with that scope may read, and nothing beside it.

    Source: SMART App Launch 2.2, scopes for requesting identity data.
    """
    return "fhirUser" in caller.scopes.other and bool(reference) and reference == caller.requester.person


def narrow(visibility: Visibility, limits: Limits) -> Visibility:
    """Restrict a visibility to what the scopes allow."""
    return visibility if (None, None) in limits else visibility.narrowed_to_any(limits)


def lets_read(caller: Caller, type_: str, facts: AccessFacts) -> bool:
    """Tell whether the scopes let a caller read a resource that the rules have shown; changing it is not reading it."""
    try:
        limits = demand(caller, (type_,), "r", facts.compartment)
    except Problem:
        return False
    return covers(limits, facts)


def covers(limits: Limits, facts: AccessFacts) -> bool:
    """Tell whether what the scopes allow takes in a resource, whoever may see it."""
    return any(
        (kinds is None or facts.kind in kinds) and (categories is None or facts.category in categories)
        for kinds, categories in limits
    )


def _applies(caller: Caller, grant: ScopeGrant, patient: str | None) -> bool:
    if grant.level == "patient":
        return patient in (None, "") or patient == caller.launch_patient
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
