"""Consents as directives and back: each is honoured exactly as its text says, or refused with what cannot be honoured.

A permit without an actor is given to the establishments that the Consent names as custodians; a deny without one
reaches everybody. Of several Consents a deny goes before any permit (docs/adr/0014).

Source: IHE PCF 1.1, profiles consentBasic and consentIntermediate (https://profiles.ihe.net/ITI/PCF/); CH PPQm 5.0
for the choices that a space is born with, each an explicit Consent (http://fhir.ch/ig/ch-epr-fhir/).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from consent_rules.model import Directive
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import DirectiveKind
from fhir_server.domain import dates
from fhir_server.domain.consent_checks import PERSONS, missing, unhonoured
from fhir_server.domain.consent_elements import (
    custodians,
    kind_of,
    kinds_of,
    nested_of,
    proof_of,
    purposes_of,
    references,
)
from fhir_server.domain.consent_writing import consent_of
from fhir_server.domain.problem import Category, Problem

Json = dict[str, Any]

__all__ = ["access_of", "consent_of", "directive_of", "is_active"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_active(consent: Json) -> bool:
    """Tell whether a Consent is to be compiled at all; drafts, proposals and withdrawn ones say nothing."""
    return consent.get("status") == "active"


def directive_of(consent: Json, id_: str) -> Directive:
    """Compile a Consent; its references are relative and resolved.

    Who gave it (`by_patient`, `recorder`) is no word of the Consent: consent_rules.recording stamps it.
    Raises: Problem(INVALID) for what is missing, BUSINESS_RULE for what cannot be honoured, naming each element.
    """
    provision = consent.get("provision") or {}
    issues = [*missing(consent, provision), *unhonoured(consent, provision)]
    if issues:
        invalid = any(issue.code == "required" for issue in issues)
        raise Problem(Category.INVALID if invalid else Category.BUSINESS_RULE, *issues)
    try:
        return _compiled(consent, provision, id_)
    except ValueError as problem:
        raise Problem.of(Category.INVALID, str(problem), "Consent.provision") from problem


def access_of(directive: Directive, patient: str) -> AccessFacts:
    """Return who may see a Consent: the patient, and whoever it lets in or recorded it; never whom it blocks."""
    named = sorted(directive.actors) if directive.kind is not DirectiveKind.BLOCK else []
    person = next((actor for actor in named if actor.startswith("Practitioner")), directive.recorder)
    return AccessFacts(
        compartment=patient,
        kind=directive.kind.value,
        owner_person=person,
        owner_organization=next((actor for actor in named if actor.startswith("Organization/")), ""),
        owner_client=directive.recorder if directive.recorder != person else "",
    )


def _compiled(consent: Json, provision: Json, id_: str) -> Directive:
    kind = kind_of(consent, provision)
    actors = frozenset(references(provision))
    if kind is DirectiveKind.AGREEMENT and not actors:
        actors = custodians(consent)
    start, end = _period(provision)
    return Directive(
        id=id_,
        kind=kind,
        actors=actors,
        excluded=frozenset(actor for item in nested_of(provision, "deny") for actor in references(item)),
        purposes=purposes_of(provision, kind),
        start=start,
        end=end,
        recorded_at=_instant(dates.interval_of(consent["dateTime"])[0]),
        proof=proof_of(consent),
        kinds=kinds_of(provision),
        reason=str((consent.get("sourceAttachment") or {}).get("title", "")) if kind in PERSONS else "",
    )


def _period(provision: Json) -> tuple[datetime | None, datetime | None]:
    period = provision.get("period") or {}
    low, high = dates.period_of(period)
    return (_instant(low) if "start" in period else None, _instant(high) if "end" in period else None)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(micros, dates.LATEST - 1))
