"""Consents as directives and back: a Consent is honoured exactly as written, or refused with the elements at fault.

A permit without an actor is for the establishments that the Consent names as custodians; a deny without an actor is
against everybody. A deny in one Consent goes before a permit in another (docs/adr/0014).

Source: IHE PCF 1.1, profiles consentBasic and consentIntermediate (https://profiles.ihe.net/ITI/PCF/); CH PPQm 5.0 for
the defaults of a new space, each an explicit Consent (http://fhir.ch/ig/ch-epr-fhir/).
"""

from collections.abc import Iterator
from dataclasses import replace

from consent_rules.decision.conditions import is_about_relative
from consent_rules.model import Directive
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import DirectiveKind, Mark, PatientId
from fhir_server.domain.consents.checks import excepted_of, missing, speaks_for_itself, unhonoured
from fhir_server.domain.consents.elements import (
    classes_of,
    custodians,
    documents_of,
    kind_of,
    kinds_of,
    labels_in,
    period_in,
    professions_in,
    proof_of,
    purposes_of,
    references,
)
from fhir_server.domain.consents.kinds import PERSONS
from fhir_server.domain.consents.ppqm import said_by, template_of
from fhir_server.domain.consents.writing import consent_of
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import dates
from fhir_server.domain.values import Json

__all__ = ["access_of", "consent_of", "directives_of", "is_active", "speaks"]

_DENIALS = frozenset({DirectiveKind.BLOCK, DirectiveKind.WITHHELD})


def is_active(consent: Json) -> bool:
    """Tell whether to compile a Consent at all; drafts, proposals and withdrawn Consents have no effect."""
    return consent.get("status") == "active"


def directives_of(consent: Json, id_: str) -> tuple[Directive, ...]:
    """Compile a Consent whose references are relative and resolved. Its root comes first, then its exceptions.

    The status counts only for a Consent made from a template, which may compile to nothing. The Consent itself does not
    say who gave it (`by_patient`, `recorder`): consent_rules.consents.recording adds that.
    Raises: Problem(INVALID) for what is missing, BUSINESS_RULE for what cannot be honoured, naming each element.
    """
    provision = consent.get("provision") or {}
    if template_of(consent):
        return _by_template(consent, id_)
    issues = [*missing(consent, provision), *unhonoured(consent, provision)]
    if issues:
        invalid = any(issue.code == "required" for issue in issues)
        raise Problem(Category.INVALID if invalid else Category.BUSINESS_RULE, *issues)
    try:
        root = _root(consent, provision, id_)
        exceptions = [item for item in provision.get("provision", []) if speaks_for_itself(provision, item)]
        return (root, *_reached_too(root, provision, exceptions), *(_exception(root, provision, i) for i in exceptions))
    except ValueError as problem:
        raise Problem.of(Category.INVALID, str(problem), "Consent.provision") from problem


def speaks(consent: Json) -> bool:
    """Tell whether the directives of a Consent are in force: a default always, any other Consent while it is active."""
    return is_active(consent) or bool(template_of(consent))


def access_of(patient: PatientId, *said: Directive) -> AccessFacts:
    """Return who may see a Consent: the patient, the person or software that recorded it, and actors whom it lets in.

    The actors do not see a Consent that withholds anything from anybody, because it would show them what others may not
    see. A Consent by which a minor limits a guardian is hidden from every guardian. Persons do not see a Consent that
    names several, because it would tell each about the others.
    """
    if not said:
        return AccessFacts(compartment=patient)
    directive = said[0]
    marks = Mark.INVISIBLE_REPRESENTANTS_LEGAUX if any(map(is_about_relative, said)) else Mark.NONE
    keeps = any(d.kind in _DENIALS or d.excluded for d in said)
    named = [] if keeps else sorted({actor for d in said for actor in d.actors})
    persons = [actor for actor in named if actor.startswith("Practitioner")]
    person = persons[0] if len(persons) == 1 else directive.recorder
    return AccessFacts(
        compartment=patient,
        kind=directive.kind.value,
        marks=marks,
        owner_person=person,
        owner_organization=next((actor for actor in named if actor.startswith("Organization/")), ""),
        owner_client=directive.recorder if directive.recorder != person else "",
    )


def _by_template(consent: Json, id_: str) -> tuple[Directive, ...]:
    try:
        return said_by(consent, id_, active=is_active(consent))
    except ValueError as problem:
        raise Problem.of(Category.INVALID, str(problem), "Consent.provision.period") from problem


def _root(consent: Json, provision: Json, id_: str) -> Directive:
    kind = kind_of(consent, provision)
    actors = frozenset(references(provision))
    if kind is DirectiveKind.AGREEMENT and not actors:
        actors = custodians(consent)
    start, end = period_in(provision, "period")
    data_start, data_end = period_in(provision, "dataPeriod")
    excepted = excepted_of(provision)
    return Directive(
        id=id_,
        kind=kind,
        actors=actors,
        excluded=frozenset(actor for item in excepted for actor in references(item)) - {""},
        purposes=purposes_of(provision, kind),
        start=start,
        end=end,
        recorded_at=dates.instant_of(dates.interval_of(consent["dateTime"])[0]),
        proof=proof_of(consent),
        kinds=kinds_of(provision),
        categories=classes_of(provision),
        reason=str((consent.get("sourceAttachment") or {}).get("title", "")) if kind in PERSONS else "",
        documents=documents_of(provision),
        data_start=data_start,
        data_end=data_end,
        labels=labels_in(provision),
        professions=frozenset[str]().union(*map(professions_in, excepted)),
    )


def _reached_too(root: Directive, provision: Json, exceptions: list[Json]) -> Iterator[Directive]:
    """Yield the root directive for the actors whom an exception lets read more, when the root names no actor.

    Each actor gets a directive of its own, so that a professional's consent is not taken for that of a team.
    """
    if not references(provision):
        for item in exceptions:
            if item["type"] == "permit":
                yield replace(root, actors=frozenset(references(item)) or root.actors)


def _exception(root: Directive, provision: Json, item: Json) -> Directive:
    """Return an exception as a directive of its own, with the actors and period of the root unless it states others."""
    kind = DirectiveKind.WITHHELD if item["type"] == "deny" else DirectiveKind.AGREEMENT
    data_start, data_end = period_in(item, "dataPeriod")
    return replace(
        root,
        kind=kind,
        actors=frozenset(references(item)) or root.actors,
        purposes=purposes_of({"purpose": provision.get("purpose", [])}, kind),
        kinds=kinds_of(item),
        categories=classes_of(item),
        documents=documents_of(item),
        data_start=data_start,
        data_end=data_end,
        labels=labels_in(item),
    )
