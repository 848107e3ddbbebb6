"""Create, update, patch and delete of every type: one row of the registry, one handler, alone or in a transaction.

A handler plans on a unit of work and stores nothing itself. The server does not start if a write has no handler.
Source: https://hl7.org/fhir/R4/http.html#create, #update, #patch, #delete.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from fhir_server.application.audit_sources import receiving
from fhir_server.application.consents import admissions, consent_requests
from fhir_server.application.core.minor_confidentiality import is_confidential_failure
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.documents import document_requests, publication
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import translator
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.registry import REGISTRY, Interaction, ResourceType


class Plan(Protocol):
    """A function that plans one write of a type; a deletion returns None."""

    def __call__(self, work: UnitOfWork, request: WriteRequest) -> Written | None:
        """Plan the write."""


@dataclass(frozen=True, slots=True)
class Handler:
    """The functions that plan the writes of a type.

    plans: by interaction.
    rank: place of the type in a transaction, after the types to which it may refer; None for a type that only a
        submission creates or replaces.
    match: finds the one resource that the criteria of a write name, in the caller's view; "" for none.
    """

    plans: Mapping[Interaction, Plan]
    rank: int | None = None
    match: Callable[[UnitOfWork, WriteRequest], str] = resources.match


NO_HANDLER = Handler({})


@translator
def write(runtime: Runtime, caller: Caller, request: WriteRequest) -> Written | None:
    """Create, replace, patch or delete a resource; return None after a deletion.

    A creation with a condition returns the existing resource that meets the condition. An update by criteria is a
    creation if the caller sees no resource that meets the criteria. A deletion does nothing if the resource does not
    exist or the caller does not see it.
    Raises: Problem for a fault that the handler of the type finds, and for a denial.
    """
    row, creates = request.row, request.interaction is Interaction.CREATE
    transaction = row.transactions.get(Interaction.CREATE, "") if creates else ""
    target = f"{row.name}/{request.id}" if request.id else ""
    audited = AuditedInteraction(request.interaction, row.name, transaction, target=target)
    return carry_out(runtime, caller, audited, plan_of(request))


@translator
def create(runtime: Runtime, caller: Caller, row: ResourceType, resource: Json) -> Written:
    """Create a resource without a condition. Raises: as `write`."""
    written = write(runtime, caller, WriteRequest(Interaction.CREATE, row, resource=resource))
    if written is None:
        raise AssertionError(row.name)
    return written


def plan_of(request: WriteRequest) -> Callable[[UnitOfWork], Written | None]:
    """Return the function that plans a write: alone, or as a part of a transaction."""
    plan = HANDLERS[request.row.name].plans.get(request.interaction)
    if plan is None:
        return partial(_refuse, Problem(Category.METHOD_NOT_ALLOWED))
    if request.interaction is Interaction.CREATE and request.condition and not request.row.creates_conditionally:
        text = "a document cannot be created with a condition"
        return partial(_refuse, Problem.of(Category.UNSUPPORTED, text))
    if request.interaction is not Interaction.CREATE and request.condition:
        planned = partial(_plan_matching, request=request)
    else:
        planned = partial(plan, request=request)
    return partial(_plan_only_new, planned) if request.only_new else planned


def _plan_only_new(plan: Callable[[UnitOfWork], Written | None], work: UnitOfWork) -> Written | None:
    """Plan a write that must create its resource (RFC 9110, 13.1.2); an existing resource stays as it is.

    Raises: as the plan, such as a denial; Problem(VERSION_CONFLICT) when the resource exists.
    """
    written = plan(work)
    if written is not None and not written.created:
        raise Problem(Category.VERSION_CONFLICT)
    return written


def _plan_matching(work: UnitOfWork, request: WriteRequest) -> Written | None:
    """Plan a write of the one resource that meets criteria."""
    settled = settled_by_match(work, request)
    if settled is not None:
        return HANDLERS[request.row.name].plans[settled.interaction](work, settled)
    trace_nothing(work)
    return None


def trace_nothing(work: UnitOfWork) -> None:
    """Audit a deletion whose criteria no resource meets that the caller sees; a denial has been audited already."""
    if not work.refused:
        work.trace_outcome(Outcome(OutcomeCode.REFUSED, "not-visible", confidential=is_confidential_failure(work)))


def settled_by_match(work: UnitOfWork, request: WriteRequest) -> WriteRequest | None:
    """Turn a write by criteria into a write of the resource that meets them; None for a deletion that nothing meets.

    An update that nothing meets becomes a creation.
    Source: https://hl7.org/fhir/R4/http.html#cond-update, #3.1.0.7.1 (delete) and #patch.
    Raises: Problem(MULTIPLE_MATCHES); NOT_FOUND for a patch that nothing meets; INVALID when the resource has another
    id than the match; METHOD_NOT_ALLOWED for a type that cannot be written by criteria, and for a client that chooses
    the id of a new resource; VERSION_CONFLICT when If-Match demands a version and nothing meets the criteria.
    """
    row, wanted = request.row, request.resource.get("id")
    if row.unconditional:
        raise Problem(Category.METHOD_NOT_ALLOWED)
    id_ = HANDLERS[row.name].match(work, request)
    if id_:
        if wanted not in (None, id_):
            raise Problem.of(Category.INVALID, "`id` is not the one of the match", request.at("id"), "value")
        resource = request.resource and request.resource | {"id": id_}
        return replace(request, id=id_, condition="", resource=resource)
    if request.interaction is Interaction.PATCH:
        raise Problem(Category.NOT_FOUND)
    if request.interaction is Interaction.DELETE:
        return None
    if wanted:
        text = "nothing meets the criteria, and no client chooses the id of a new resource"
        raise Problem.of(Category.METHOD_NOT_ALLOWED, text, request.at("id"))
    if request.if_match.strip():
        raise Problem(Category.VERSION_CONFLICT)
    return replace(request, interaction=Interaction.CREATE, condition="")


def _refuse(problem: Problem, _work: UnitOfWork) -> Written:
    """Refuse a write while it is planned, so that the refusal is audited."""
    raise problem


def demand_handlers(rows: Mapping[str, ResourceType] = REGISTRY) -> None:
    """Check at the start that the registry and the handlers agree.

    Raises: LookupError naming each interaction of a row without a handler, and each handler that no row offers.
    """
    faults = [fault for row in rows.values() for fault in _faults(row, HANDLERS.get(row.name, NO_HANDLER))]
    faults += [f"{name}: no row" for name in HANDLERS if name not in rows]
    if faults:
        raise LookupError("; ".join(faults))


def _faults(row: ResourceType, handler: Handler) -> list[str]:
    missing = (one for one in _WRITES if one in row.interactions and one not in handler.plans)
    needless = (one for one in handler.plans if one not in row.interactions)
    return [
        *(f"{row.name} offers {interaction.value} without a handler" for interaction in missing),
        *(f"{row.name} has a handler for {interaction.value}, which it does not offer" for interaction in needless),
    ]


_WRITES = (Interaction.CREATE, Interaction.UPDATE, Interaction.PATCH, Interaction.DELETE)
_OF_DIRECTORY: Mapping[Interaction, Plan] = {
    Interaction.CREATE: resources.record_identity,
    Interaction.UPDATE: resources.change_identity,
    Interaction.PATCH: resources.plan_patch,
}
_OF_CONSENTS: Mapping[Interaction, Plan] = {
    Interaction.CREATE: consent_requests.plan_create,
    Interaction.UPDATE: consent_requests.plan_update,
    Interaction.PATCH: consent_requests.plan_patch,
}
_OF_DOCUMENTS: Mapping[Interaction, Plan] = {
    Interaction.CREATE: publication.plan_document,
    Interaction.PATCH: document_requests.plan_patch,
    Interaction.DELETE: document_requests.plan_delete,
}
_OF_ADMISSIONS: Mapping[Interaction, Plan] = {
    Interaction.CREATE: admissions.record,
    Interaction.UPDATE: admissions.change,
}
HANDLERS: Mapping[str, Handler] = {
    "Organization": Handler(_OF_DIRECTORY, rank=0),
    "Practitioner": Handler(_OF_DIRECTORY, rank=1),
    "Endpoint": Handler(_OF_DIRECTORY, rank=2),
    "Location": Handler(_OF_DIRECTORY, rank=3),
    "HealthcareService": Handler(_OF_DIRECTORY, rank=4),
    "PractitionerRole": Handler(_OF_DIRECTORY, rank=5),
    "CareTeam": Handler(_OF_DIRECTORY, rank=6),
    "Patient": Handler(_OF_DIRECTORY, rank=7),
    "RelatedPerson": Handler(_OF_DIRECTORY, rank=8),
    "Consent": Handler(_OF_CONSENTS, rank=9, match=consent_requests.match),
    "Encounter": Handler(_OF_ADMISSIONS, rank=10),
    "AuditEvent": Handler({Interaction.CREATE: receiving.receive}, rank=11),
    "DocumentReference": Handler(_OF_DOCUMENTS, match=document_requests.match),
}
"""The handler of each type that can be written. No other code chooses a write by the name of a type."""
