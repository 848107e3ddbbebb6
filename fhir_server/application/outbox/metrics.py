"""What the metrics show of the outbox: sums over all lanes.

How many messages each single lane holds could reveal a patient's choice.
Source: docs/threat-model.md, "What the metrics tell".
"""

from collections.abc import Mapping

from fhir_server.application.core.runtime import Runtime
from fhir_server.metrics.families import DEAD_LETTERS, OUTBOX_LAG, OUTBOX_READY
from fhir_server.ports.store import StoreUnavailable

_STEP = 10
"""Messages and seconds are shown in tens, so that nobody sees whether one act was followed by a message."""


def read(runtime: Runtime) -> Mapping[str, float]:
    """Return the metrics of the outbox as it is now; none when the store does not answer."""
    now = runtime.now()
    try:
        states = runtime.ports.outbox.states(now)
    except StoreUnavailable:
        return {}
    ready = sum(state.ready for state in states)
    since = min((state.oldest for state in states if state.oldest), default=now)
    return {
        OUTBOX_READY: ready // _STEP * _STEP,
        OUTBOX_LAG: max((now - since).total_seconds(), 0.0) // _STEP * _STEP,
        DEAD_LETTERS: sum(state.dead for state in states),
    }
