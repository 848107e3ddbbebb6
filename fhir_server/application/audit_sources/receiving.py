"""Receiving an AuditEvent of another system: stored as that system told it, and read by auditors alone.

Nothing of a patient is looked up, so that the answer depends on the request alone. The event belongs to no space: no
journal tells it, no rule of detection judges it, and the feed to an outside repository leaves it out.
Source: IHE ITI-20 (https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html); docs/adr/0134-events-of-other-systems.md.
"""

import orjson

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import NO_SPACE, RequesterKind
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.shown import Shown
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client
from fhir_server.domain import bodies
from fhir_server.domain.audit import received_events
from fhir_server.domain.audit.interactions import AuditedInteraction, OutcomeCode
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Trace
from fhir_server.registry import TRACE
from fhir_server.settings import limits


@command(EventKind.AUDIT_EVENT_RECEIVED)
def receive(work: UnitOfWork, request: WriteRequest) -> Written:
    """Store an event that a registered audit source tells of itself, and audit that it was received.

    Raises: Problem(FORBIDDEN) for whoever is no registered audit source; INSUFFICIENT_SCOPE; TOO_LARGE; BUSINESS_RULE
    naming each element by which the event would say less than BALP asks, or speak for somebody else.
    """
    source = _source(work)
    smart_scopes.demand(work.caller, (TRACE,), "c", NO_SPACE)
    _demand_small(request)
    found = tuple(received_events.faults(request.resource, source.id, work.at, request.expression))
    if found:
        raise Problem(Category.BUSINESS_RULE, *found)
    event = _stored(work, request, source)
    work.traces.append(Trace(event, EventKind.AUDIT_EVENT_RECEIVED, OutcomeCode.DONE, is_told_by_others=True))
    audited = AuditedInteraction(Interaction.CREATE, TRACE, kind=EventKind.AUDIT_EVENT_RECEIVED)
    work.trace_unopened(audited, (f"{TRACE}/{event.id}",), NO_SPACE)
    return Written(Shown(event, knows_marks=False), created=True)


def _source(work: UnitOfWork) -> Client:
    """Return the client that calls, which must be registered as an audit source now."""
    client = clients.find(work.runtime, work.caller.granted.client_id)
    if work.caller.requester.kind is not RequesterKind.SYSTEM or client is None or not client.audit_source:
        raise Problem.of(Category.FORBIDDEN, "only a registered audit source may post its AuditEvents")
    return client


def _demand_small(request: WriteRequest) -> None:
    most = limits.in_force().received_event_bytes
    if len(orjson.dumps(request.resource)) > most:
        raise Problem.of(Category.TOO_LARGE, f"an event may have at most {most} bytes", request.expression)


def _stored(work: UnitOfWork, request: WriteRequest, source: Client) -> Stored:
    """Return the event as it is kept: with an id of ours, and in no space, whomever it names."""
    id_ = work.runtime.ports.ids.new()
    event = received_events.tagged(request.resource, source.id)
    access = AccessFacts(NO_SPACE, kind=received_events.PART, owner_client=source.device)
    facts = facts_of(event, access, request.row)
    body = bodies.stamped(event, id_, 1, work.stamp)
    return work.version(TRACE, id_, 1, body, facts)
