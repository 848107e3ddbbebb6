"""The default Consents of a space: stored when the space opens, one of each, and never beside a contradicting Consent.

They belong to the patient. They only state what holds without them, so that a decision need not load them.
Source: CH EPR PPQm 5.0, templates 202 and 203 (http://fhir.ch/ig/ch-epr-fhir/); PPQ-3; rules E12, G4 and G5.
"""

from collections.abc import Iterator
from dataclasses import replace

import orjson

from consent_rules.model import RecordState
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import PatientId
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.consents.defaults import SET_ASIDE, born, choices_in, contradicting, default_in, settled
from fhir_server.domain.consents.ppqm import DEFAULTS, template_of
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.stored import Facts, Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.registry import REGISTRY, ResourceType

_AT_ONCE = 50
_NAMED = AnyOf(frozenset(tokens.any_system("identifier", template) for template in DEFAULTS))


def file_first(work: UnitOfWork, patient: PatientId) -> tuple[str, ...]:
    """Plan the defaults of a new space; return their references."""
    ids = [work.runtime.ports.ids.new() for _ in DEFAULTS]
    for id_, consent in born(patient, ids, work.at):
        work.put(_stored(work, consent, id_, 1, AccessFacts(compartment=patient)))
    return tuple(f"Consent/{id_}" for id_ in ids)


def demand_room(work: UnitOfWork, consent: Json, root: str) -> None:
    """Refuse a default Consent that the space already has or that another Consent contradicts; others pass.

    consent: with its present or future id. root: the FHIRPath of the Consent.
    Raises: Problem(DUPLICATE) when the space has this default as another Consent, BUSINESS_RULE when a Consent
    contradicts it; each Problem names the Consent to change.
    """
    template, own = default_in(consent), str(consent["id"])
    if not template:
        return
    present = {stored.id for stored, body in _of_space(work, work.entered.patient) if default_in(body) == template}
    if present and own not in present:
        text = f"the space has this default as Consent/{min(present)}; change that Consent"
        raise Problem.of(Category.DUPLICATE, text, f"{root}.identifier", "duplicate")
    others = (one for one in work.record().directives if one.id != own)
    against = contradicting(consent, others, work.at) if consent.get("status") == "active" else frozenset()
    if against:
        seen = sorted(work.snapshot.visible_ids("Consent", against, work.entered))
        named = ", ".join(f"Consent/{id_}" for id_ in seen) or "another choice"
        text = f"{named} contradicts this default; withdraw that choice, and the default applies again"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{root}.policyRule", "contradicts")


def settle(work: UnitOfWork, after: RecordState, own: str) -> RecordState:
    """Set aside the defaults that a directive contradicts, and restore the defaults that nothing contradicts any more.

    after: the state with the Consent `own`. Return the state without the directives of defaults that changed.
    """
    if choices_in(work.record().directives) == choices_in(after.directives):
        return after
    for stored, consent in tuple(_of_space(work, after.patient)):
        others = tuple(one for one in after.directives if one.id != stored.id)
        speaks_aside = consent["status"] == SET_ASIDE and len(others) < len(after.directives)
        changed = settled(consent, others, work.at)
        if stored.id != own and changed is not consent and not speaks_aside:
            _change(work, stored, changed)
            after = replace(after, directives=others)
    return after


def facts_of_choice(consent: Json, access: AccessFacts) -> Facts:
    """Return the facts of a Consent, without a look-up token for the number of its template.

    Such a token would be the same in every space, and would show in the database which Consents are alike.
    """
    return facts_without_template(consent, access, REGISTRY["Consent"])


def facts_without_template(resource: Json, access: AccessFacts, row: ResourceType) -> Facts:
    """Return the facts of a resource of any type, without a look-up token for the number of a template."""
    facts, template = facts_of(resource, access, row), template_of(resource)
    if not template:
        return facts
    shared = {token for token in facts.lookup if token.endswith(f"|{template}")}
    return replace(facts, lookup=facts.lookup - shared)


def _change(work: UnitOfWork, stored: Stored, changed: Json) -> None:
    reference = f"Consent/{stored.id}"
    work.change(stored, _stored(work, changed, stored.id, work.next_version(stored), stored.facts.access))
    work.trace(AuditedInteraction(Interaction.UPDATE, "Consent", target=reference), (reference,))


def _of_space(work: UnitOfWork, patient: PatientId) -> Iterator[tuple[Stored, Json]]:
    """Yield the defaults of a space with their bodies, as stored or as this work has planned them."""
    planned = [write.after for (type_, _), write in work.writes.items() if type_ == "Consent"]
    found = [stored for stored in planned if stored.facts.access.compartment == patient]
    ids = {stored.id for stored in found}
    search: Search | None = Search("Consent", (_NAMED,), limit=_AT_ONCE)
    while search:
        page = work.snapshot.find(search, whole_space(ReadingReason.DEFAULT_CHOICES, patient))
        found += (row for row in page.rows if row.id not in ids)
        search = replace(search, after=page.next) if page.next else None
    for stored in found:
        body = orjson.loads(stored.body)
        if default_in(body):
            yield stored, body


def _stored(work: UnitOfWork, consent: Json, id_: str, version: int, access: AccessFacts) -> Stored:
    body, facts = bodies.stamped(consent, id_, version, work.stamp), facts_of_choice(consent, access)
    return work.version("Consent", id_, version, body, facts)
