"""What has expired leaves the vault now and then; nothing relies on it, for every look-up compares the time."""

from datetime import timedelta

from fhir_server.application.runtime import Runtime
from fhir_server.ports import Secret

EVERY = timedelta(minutes=5)
_KIND = "tidied"


def tidy(runtime: Runtime) -> bool:
    """Remove expired entries, once in five minutes whatever the number of processes; tell whether it was done now."""
    vault, now = runtime.ports.vault, runtime.ports.clock.now()
    period = str(now.timestamp() // EVERY.total_seconds())
    if vault.get(_KIND, period, now) or not vault.add(Secret(_KIND, period, b"", expires=now + EVERY)):
        return False
    vault.purge(now)
    return True
