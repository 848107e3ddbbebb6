"""The lockdown: the operator of the server lets nothing through but emergencies, until the operator ends it (K2).

It lies beside the tokens, so that the one look-up in front of every request brings it along, in every process.
Nothing else is touched: no consent, no mark, no token.
"""

from dataclasses import dataclass
from datetime import datetime

import orjson

from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.vault import Secret

NAME = ("switch", "emergencies-only")
"""Kind and key of the entry of the vault: it is there while the switch is on."""


@dataclass(frozen=True, slots=True)
class Lockdown:
    """That only emergencies are let through. by: who switched it on; reason: why. Neither leaves the command line."""

    since: datetime
    by: str
    reason: str


def find(runtime: Runtime) -> Lockdown | None:
    """Return the stop that holds, None while everybody is served."""
    entry = runtime.ports.vault.get(*NAME, runtime.ports.clock.now())
    return _load(entry) if entry else None


def switch_on(runtime: Runtime, by: str, reason: str) -> Lockdown:
    """Let nothing through but emergencies, from the next request on; a stop that holds already stays as it is.

    Raises: ValueError without a reason; StoreUnavailable, and then nothing is changed.
    """
    if not reason.strip():
        raise ValueError("say why: --reason TEXT")
    held = find(runtime)
    if held:
        return held
    stop = Lockdown(runtime.ports.clock.now(), by, reason.strip())
    operator_acts.record(runtime, by, "emergencies-only-on", reason=stop.reason)  # what cannot be traced is not done
    runtime.ports.vault.add(Secret(*NAME, orjson.dumps(stop)))  # unless somebody else was quicker
    return find(runtime) or stop


def switch_off(runtime: Runtime, by: str) -> Lockdown | None:
    """Serve everybody again, from the next request on; return the stop that held, None when there was none.

    Raises: StoreUnavailable, and then the stop still holds.
    """
    held = find(runtime)
    if held:
        operator_acts.record(runtime, by, "emergencies-only-off")
        runtime.ports.vault.drop(*NAME)
    return held


def _load(entry: Secret) -> Lockdown:
    held = orjson.loads(entry.value)
    return Lockdown(datetime.fromisoformat(held["since"]), held["by"], held["reason"])
