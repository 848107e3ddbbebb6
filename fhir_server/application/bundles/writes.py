"""Create, update, patch and delete of every type: one row of the registry, one handler, alone or in a transaction.

A handler plans on a unit of work and stores nothing itself. The server does not start if a write has no handler.
Source: https://hl7.org/fhir/R4/http.html#create, #update, #patch, #delete.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fhir_server.application.consents import recording
from fhir_server.application.consents.authority import Choosing
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out
from fhir_server.application.directory import resources
from fhir_server.application.directory.resources import Placing
from fhir_server.application.documents import patch as documents_patch
from fhir_server.application.documents import publication, versions
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.r4.patch import Patch
from fhir_server.registry import REGISTRY, Interaction, ResourceType


@dataclass(frozen=True, slots=True)
class Sent:
    """A resource that somebody sends.

    id: of the stored resource that this one replaces; for a new resource, the id that a transaction has chosen or "".
    root: expression of the resource in the request body. condition: If-None-Exist, as a query.
    """

    row: ResourceType
    resource: Json
    id: str = ""
    root: str = ""
    condition: str = ""
    if_match: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A stored resource that somebody names, to change or delete it. query: names the resource if there is no id."""

    row: ResourceType
    id: str
    if_match: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Handler:
    """The functions that plan the writes of a type; None for a write that the type does not offer.

    rank: place of the type in a transaction, after the types to which it may refer; None for a type that only a
        submission creates or replaces. transaction: IHE's name for the creation.
    """

    create: Callable[[UnitOfWork, Sent], Written] | None = None
    update: Callable[[UnitOfWork, Sent], Written] | None = None
    patch: Callable[[UnitOfWork, Named, Patch], Written] | None = None
    delete: Callable[[UnitOfWork, Named], Stored | None] | None = None
    rank: int | None = None
    transaction: str = ""


def create(runtime: Runtime, caller: Caller, row: ResourceType, resource: Json, condition: str = "") -> Written:
    """Create a resource, or return the existing resource that meets the condition.

    condition: If-None-Exist, as a query.
    Raises: Problem for a fault that the handler of the type finds, and for a denial.
    """
    audited = AuditedInteraction(Interaction.CREATE, row.name, HANDLERS[row.name].transaction)
    sent = Sent(row, resource, condition=condition)
    return carry_out(runtime, caller, audited, lambda work: plan_create(work, sent))


def update(
    runtime: Runtime, caller: Caller, row: ResourceType, id_: str, resource: Json, if_match: str = ""
) -> Written:
    """Replace the current version of a resource.

    Raises: as `create`; Problem(NOT_FOUND), VERSION_CONFLICT.
    """
    audited = AuditedInteraction(Interaction.UPDATE, row.name, target=f"{row.name}/{id_}")
    sent = Sent(row, resource, id_, if_match=if_match)
    return carry_out(runtime, caller, audited, lambda work: plan_update(work, sent))


def patch(runtime: Runtime, caller: Caller, named: Named, change: Patch) -> Written:
    """Change parts of a resource.

    Raises: as `update`; Problem(BUSINESS_RULE) when the result is not valid, IMMUTABLE_ELEMENT, MULTIPLE_MATCHES.
    """
    audited = AuditedInteraction(
        Interaction.PATCH, named.row.name, target=f"{named.row.name}/{named.id}" if named.id else ""
    )
    return carry_out(runtime, caller, audited, lambda work: plan_patch(work, named, change))


def delete(runtime: Runtime, caller: Caller, named: Named) -> None:
    """Delete a resource; do nothing if the resource does not exist or the caller does not see it.

    Raises: Problem(FORBIDDEN) if the caller sees the resource but may not delete it, VERSION_CONFLICT.
    """
    audited = AuditedInteraction(Interaction.DELETE, named.row.name, target=f"{named.row.name}/{named.id}")
    carry_out(runtime, caller, audited, lambda work: plan_delete(work, named))


def plan_create(work: UnitOfWork, sent: Sent) -> Written:
    """Plan the creation of a resource.

    Raises: Problem(UNSUPPORTED) for a condition on a type that is never created conditionally.
    """
    if sent.condition and not sent.row.creates_conditionally:
        raise Problem.of(Category.UNSUPPORTED, "a document cannot be created with a condition")
    plan = HANDLERS[sent.row.name].create
    if plan is None:
        raise Problem(Category.METHOD_NOT_ALLOWED)
    return plan(work, sent)


def plan_update(work: UnitOfWork, sent: Sent) -> Written:
    """Plan the replacement of a resource."""
    plan = HANDLERS[sent.row.name].update
    if plan is None:
        raise Problem(Category.METHOD_NOT_ALLOWED)
    return plan(work, sent)


def plan_patch(work: UnitOfWork, named: Named, change: Patch) -> Written:
    """Plan a change to parts of a resource."""
    plan = HANDLERS[named.row.name].patch
    if plan is None:
        raise Problem(Category.METHOD_NOT_ALLOWED)
    return plan(work, named, change)


def plan_delete(work: UnitOfWork, named: Named) -> None:
    """Plan a deletion."""
    plan = HANDLERS[named.row.name].delete
    if plan is None:
        raise Problem(Category.METHOD_NOT_ALLOWED)
    plan(work, named)


def demand_handlers(rows: Mapping[str, ResourceType] = REGISTRY) -> None:
    """Check at the start that the registry and the handlers agree.

    Raises: LookupError naming each interaction of a row without a handler, and each handler that no row offers.
    """
    faults = [fault for row in rows.values() for fault in _faults(row, HANDLERS.get(row.name, Handler()))]
    faults += [f"{name}: no row" for name in HANDLERS if name not in rows]
    if faults:
        raise LookupError("; ".join(faults))


def _faults(row: ResourceType, handler: Handler) -> list[str]:
    plans = {
        Interaction.CREATE: handler.create,
        Interaction.UPDATE: handler.update,
        Interaction.PATCH: handler.patch,
        Interaction.DELETE: handler.delete,
    }
    return [
        f"{row.name} offers {interaction.value} without a handler"
        if plan is None
        else f"{row.name} has a handler for {interaction.value}, which it does not offer"
        for interaction, plan in plans.items()
        if (interaction in row.interactions) is (plan is None)
    ]


def _entry_of_directory(sent: Sent) -> Placing:
    return Placing(sent.row, sent.resource, sent.id, sent.root)


def _choice(sent: Sent) -> Choosing:
    return Choosing(sent.resource, sent.id, sent.root or "Consent")


def _patch_document(work: UnitOfWork, named: Named, change: Patch) -> Written:
    id_ = named.id or documents_patch.matched(work, named.query)
    return documents_patch.plan_patch(work, id_, change, named.if_match)


def _directory(rank: int) -> Handler:
    return Handler(
        create=lambda work, sent: resources.plan_create(work, _entry_of_directory(sent), sent.condition),
        update=lambda work, sent: resources.plan_update(work, _entry_of_directory(sent), sent.if_match),
        patch=lambda work, named, change: resources.plan_patch(work, named.row, named.id, change, named.if_match),
        rank=rank,
    )


HANDLERS: Mapping[str, Handler] = {
    "Organization": _directory(0),
    "Practitioner": _directory(1),
    "PractitionerRole": _directory(2),
    "Patient": _directory(3),
    "RelatedPerson": _directory(4),
    "Consent": Handler(
        create=lambda work, sent: recording.plan_create(work, _choice(sent), sent.condition),
        update=lambda work, sent: recording.plan_update(work, _choice(sent), sent.if_match),
        patch=lambda work, named, change: recording.plan_patch(work, named.id, change, named.if_match),
        rank=5,
    ),
    "DocumentReference": Handler(
        create=lambda work, sent: publication.plan_document(work, sent.resource),
        patch=_patch_document,
        delete=lambda work, named: versions.plan_delete(work, named.id, named.if_match),
        transaction="ITI-105",
    ),
}
"""The handler of each type that can be written. No other code chooses a write by the name of a type."""
