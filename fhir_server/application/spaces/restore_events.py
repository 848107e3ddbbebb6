"""Audit events of a restore: each space gets an event that the service was restored to an instant.

The events are committed in large groups, and the patient finds them among all other audit events. One event without a
space names the operator.
"""

from collections.abc import Iterator
from datetime import datetime

from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.application.core import audit_log, operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Change

RESTORE = "restore"
SERVICE = "Habilis"
"""Who acts, in the events that patients read; the event without a space names the person who typed the command."""
_AT_ONCE = 500


@command(EventKind.SERVICE_RESTORED)
def tell(runtime: Runtime, by: str, instant: datetime) -> int:
    """Audit a restore to an instant, for the operator and in every space; return how many spaces there are.

    Raises: StoreUnavailable, and then the restore must not be put in place.
    """
    told = instant.isoformat(timespec="seconds").replace("+00:00", "Z")
    operator_acts.record(runtime, by, RESTORE, reason=told)
    audited, outcome = AuditedInteraction(Interaction.OPERATION, "", operation=RESTORE), Outcome(reason=told)
    service, count = Caller.of_operator(SERVICE), 0
    for patients in _spaces(runtime):
        traces = (audit_log.trace(runtime, service, audited, outcome, patient) for patient in patients)
        audit_log.commit(runtime, *(Change((trace,)) for trace in traces))
        count += len(patients)
    return count


def _spaces(runtime: Runtime) -> Iterator[tuple[PatientId, ...]]:
    after = NO_SPACE
    while True:
        with runtime.ports.store.snapshot() as snapshot:
            found = snapshot.patients(after, _AT_ONCE)
        if not found:
            return
        yield found
        after = found[-1]
