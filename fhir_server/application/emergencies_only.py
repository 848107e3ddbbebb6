"""The switch of whoever runs the server: nothing is let through but emergencies, until it is taken back (K2).

It lies beside the tokens, so that the one look-up in front of every request brings it along, in every process.
Nothing else is touched: no consent, no mark, no token.
"""

from dataclasses import dataclass
from datetime import datetime

import orjson

from consent_rules.model import Requester
from consent_rules.scopes import Scopes
from consent_rules.vocabulary import RequesterKind
from fhir_server.application import trail
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed, Verdict
from fhir_server.ports import Secret

NAME = ("switch", "emergencies-only")
"""Kind and key of the entry of the vault: it is there while the switch is on."""
ADMINISTRATION = "HSYSADMIN"
"""Code of http://terminology.hl7.org/CodeSystem/v3-ActReason: administration of the system."""


@dataclass(frozen=True, slots=True)
class Stop:
    """That only emergencies are let through. by: who switched it on; reason: why. Neither leaves the command line."""

    since: datetime
    by: str
    reason: str


def find(runtime: Runtime) -> Stop | None:
    """Return the stop that holds, None while everybody is served."""
    entry = runtime.ports.vault.get(*NAME, runtime.ports.clock.now())
    return _load(entry) if entry else None


def switch_on(runtime: Runtime, by: str, reason: str) -> Stop:
    """Let nothing through but emergencies, from the next request on; a stop that holds already stays as it is.

    Raises: ValueError without a reason; StoreUnavailable, and then nothing is changed.
    """
    if not reason.strip():
        raise ValueError("say why: --reason TEXT")
    held = find(runtime)
    if held:
        return held
    stop = Stop(runtime.ports.clock.now(), by, reason.strip())
    _trace(runtime, "emergencies-only-on", by, stop.reason)
    runtime.ports.vault.add(Secret(*NAME, orjson.dumps(stop)))  # unless somebody else was quicker
    return find(runtime) or stop


def switch_off(runtime: Runtime, by: str) -> Stop | None:
    """Serve everybody again, from the next request on; return the stop that held, None when there was none.

    Raises: StoreUnavailable, and then the stop still holds.
    """
    held = find(runtime)
    if held:
        _trace(runtime, "emergencies-only-off", by, "")
        runtime.ports.vault.drop(*NAME)
    return held


def _trace(runtime: Runtime, operation: str, by: str, reason: str) -> None:
    """Tell the trail first: what cannot be traced is not done."""
    caller = Caller(
        Requester(RequesterKind.SYSTEM, client="Device/habilis"),
        Scopes(),
        token_id="",
        grant_id="",
        client_id="habilis",
        client_name=by,
        display=by,
        purpose=ADMINISTRATION,
    )
    trail.record(runtime, caller, Deed("operation", "", operation=operation), Verdict(reason=reason), "")


def _load(entry: Secret) -> Stop:
    held = orjson.loads(entry.value)
    return Stop(datetime.fromisoformat(held["since"]), held["by"], held["reason"])
