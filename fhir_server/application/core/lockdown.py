"""The lockdown: the operator of the server lets only emergencies through, until the operator ends the lockdown (K2).

The lockdown is stored beside the tokens, so that the one look-up before every request also finds the lockdown, in every
process. A lockdown changes no consent, no mark and no token.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import orjson

from fhir_server.application.core import operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.ports.vault import SWITCH, Secret

NAME = (SWITCH, "emergencies-only")
"""Kind and key of the vault's entry, which exists during a lockdown."""


@dataclass(frozen=True, slots=True)
class Lockdown:
    """A lockdown. by: who switched it on. reason: why. Only operators are shown these two."""

    since: datetime
    by: str
    reason: str


_DECODER = msgspec.json.Decoder(Lockdown)


@query
def find(runtime: Runtime) -> Lockdown | None:
    """Return the lockdown in force, None when there is none."""
    entry = runtime.ports.vault.get(*NAME, runtime.ports.clock.now())
    return _DECODER.decode(entry.value) if entry else None


@command(EventKind.LOCKDOWN_BEGUN)
def switch_on(runtime: Runtime, by: str, reason: str) -> Lockdown:
    """Let only emergencies through, from the next request on; a lockdown already in force stays as it is.

    Raises: ValueError without a reason; StoreUnavailable, and then nothing is changed.
    """
    if not reason.strip():
        raise ValueError("say why: --reason TEXT")
    held = find(runtime)
    if held:
        return held
    stop = Lockdown(runtime.ports.clock.now(), by, reason.strip())
    operator_acts.record(runtime, by, "emergencies-only-on", reason=stop.reason)  # what cannot be audited is not done
    runtime.ports.vault.add(Secret(*NAME, orjson.dumps(stop)))  # does nothing if somebody else was quicker
    return find(runtime) or stop


@command(EventKind.LOCKDOWN_ENDED)
def switch_off(runtime: Runtime, by: str) -> Lockdown | None:
    """Serve everybody again, from the next request on; return the lockdown that ended, None when there was none.

    Raises: StoreUnavailable, and then the lockdown stays in force.
    """
    held = find(runtime)
    if held:
        operator_acts.record(runtime, by, "emergencies-only-off")
        runtime.ports.vault.drop(*NAME)
    return held
