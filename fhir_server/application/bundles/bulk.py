"""Planning many writes for a load in bulk: the rules are those of every write, and whole batches are committed at once.

This is for use while nobody else changes the spaces, because a plan is not made again. Only invented people are loaded
like this.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fhir_server.application.bundles import handlers
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.documents import publication
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import translator
from fhir_server.domain.values import Json
from fhir_server.ports.store import Change
from fhir_server.registry import Interaction, ResourceType


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned write. id: of the created resource, "" for a submission."""

    change: Change
    id: str = ""


@translator
def plan_creations(runtime: Runtime, row: ResourceType, resources: Iterable[tuple[Caller, Json]]) -> Iterator[Planned]:
    """Plan the creation of resources of one type, each by its caller, on one snapshot.

    Raises: whatever a creation raises.
    """
    audited = AuditedInteraction(Interaction.CREATE, row.name)
    with runtime.ports.store.snapshot() as snapshot:
        for caller, resource in resources:
            work = UnitOfWork(runtime, caller, audited, snapshot)
            written = handlers.plan_of(WriteRequest(Interaction.CREATE, row, resource=resource))(work)
            yield Planned(work.planned(), written.shown.stored.id if written else "")


@translator
def plan_submissions(runtime: Runtime, caller: Caller, bundles: Iterable[Json]) -> Iterator[Planned]:
    """Plan submissions of one publisher (ITI-65), on one snapshot. Raises: whatever a publication raises."""
    with runtime.ports.store.snapshot() as snapshot:
        for bundle in bundles:
            work = UnitOfWork(runtime, caller, publication.SUBMISSION, snapshot)
            publication.plan_publication(work, bundle)
            yield Planned(work.planned())
