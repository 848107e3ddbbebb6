"""The table of lanes: what is done after an answer, or without any request. A new tenant is one row here."""

from collections.abc import Sequence
from datetime import timedelta

from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change


def tidy(runtime: Runtime, _message: Pending) -> Change:
    """Remove expired entries of the vault. Nothing depends on it: every read compares the time."""
    runtime.ports.vault.purge(runtime.now())
    return NOTHING


TIDYING = Lane("tidying", tidy, every=timedelta(minutes=5))
LANES: Sequence[Lane] = (TIDYING,)


def build(runtime: Runtime) -> Worker:
    """Build the worker of this process."""
    return Worker(runtime, LANES)
