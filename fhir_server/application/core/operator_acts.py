"""What the operator does to apps, people and keys: each act is audited before it happens."""

import orjson

from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction, Json


def record(runtime: Runtime, by: str, operation: str, what: str = "", reason: str = "") -> None:
    """Audit a command.

    by: who runs it. operation: its name. what: a reference. reason: what the command changes, without secrets.
    Raises: StoreUnavailable, and then the command must not go on.
    """
    record_of(runtime, Caller.of_operator(by), operation, what, reason)


def record_of(runtime: Runtime, caller: Caller, operation: str, what: str, reason: str) -> None:
    """Audit what the operator does by a command, or an officer by an operation. Raises: as `record`."""
    audited = AuditedInteraction(Interaction.OPERATION, "", target=what, operation=operation)
    audit_log.record(runtime, caller, audited, Outcome(reason=reason), None)


@command(EventKind.SERVICE_BACKED_UP)
def record_backup(runtime: Runtime, by: str) -> None:
    """Record that the operator copies data, keys and contents. Raises: as `record`."""
    record(runtime, by, "backup")


@command(EventKind.DATA_KEY_ROTATED)
def record_new_keys(runtime: Runtime, by: str) -> None:
    """Record that the operator replaces the key that wraps the keys of the data. Raises: as `record`."""
    record(runtime, by, "rotate-keys")


@query
def find_resource(runtime: Runtime, type_: str, id_: str) -> Json | None:
    """Return a resource that a command names, None when there is none; the operator may know every resource."""
    with runtime.ports.store.snapshot() as snapshot:
        place = snapshot.locate(type_, id_) if id_ else None
        stored = snapshot.read(type_, id_, whole_space(ReadingReason.OPERATOR, place.compartment)) if place else None
    return orjson.loads(stored.body) if stored and stored.body and not stored.deleted else None
