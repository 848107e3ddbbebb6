"""What a restore tells: each journal says that the service is as it was at an instant, and the trail says by whom.

One event for each space, in commits of many: the holder finds it where every other access is found, by the API too.
"""

from collections.abc import Iterator
from datetime import datetime

from fhir_server.application.core import audit_log, operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.ports.store import Change

RESTORE, BACKUP = "restore", "backup"
SERVICE = "Habilis"
"""Who acts, for holders: whoever typed the command is named in the operator's own line of the trail."""
_AT_ONCE = 500


def tell(runtime: Runtime, by: str, instant: datetime) -> int:
    """Tell the trail and every space of a restore to an instant; return how many spaces there are.

    Raises: StoreUnavailable, and then the restore must not be put in place.
    """
    told = instant.isoformat(timespec="seconds").replace("+00:00", "Z")
    operator_acts.record(runtime, by, RESTORE, reason=told)
    audited, outcome = AuditedInteraction("operation", "", operation=RESTORE), Outcome(reason=told)
    service, count = operator_acts.operator(SERVICE), 0
    for patients in _spaces(runtime):
        traces = (audit_log.trace(runtime, service, audited, outcome, patient) for patient in patients)
        runtime.ports.store.commit_many([Change((trace,)) for trace in traces])
        count += len(patients)
    return count


def _spaces(runtime: Runtime) -> Iterator[tuple[str, ...]]:
    after = ""
    while True:
        with runtime.ports.store.snapshot() as snapshot:
            found = snapshot.patients(after, _AT_ONCE)
        if not found:
            return
        yield found
        after = found[-1]
