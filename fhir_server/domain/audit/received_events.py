"""AuditEvents that another system posts: what each must say, and how it differs from an event of this server.

A received event keeps what its source wrote. It has an id of this server and a tag that names the source, and it
belongs to a part of the audit log of its own, whose events no rule takes for something that happened here.
Source: IHE ITI-20 (https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html), 3.20.4.2, FHIR Feed; IHE BALP 1.1.4, content
(https://profiles.ihe.net/ITI/BALP/content.html); docs/adr/0134-events-of-other-systems.md.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from consent_rules.visibility import micros
from fhir_server.domain.problem import Issue
from fhir_server.domain.search import dates
from fhir_server.domain.values import ClientId, Json

PART = "received"
"""The part of the audit log to which received events belong; auditors alone read it."""
RECEIVED_FROM = "urn:habilis:received-from"
"""System of the tag of a received event; its code is the client id of the source."""
OURS = "urn:habilis:"
"""How the URLs and systems that this server gives to its own events begin."""
_REQUIRED = ("action", "outcome", "subtype")
"""What every pattern of BALP has beyond base R4."""
_LEEWAY = timedelta(minutes=5)
"""By how much the clock of a source may be ahead."""


def faults(event: Json, client: ClientId, now: datetime, root: str) -> Iterator[Issue]:
    """Yield what is wrong with a posted event, which is valid R4. client: of the source. root: its FHIRPath."""
    for name in _REQUIRED:
        if name not in event:
            yield Issue("is required of a received event", f"{root}.{name}", "required")
    for index, agent in enumerate(event["agent"]):
        if "who" not in agent:
            yield Issue("is required of a received event", f"{root}.agent[{index}].who", "required")
    if not _is_by(event["source"]["observer"], client):
        text = f"must name the source: the reference Device/{client}, or an identifier with the value {client}"
        yield Issue(text, f"{root}.source.observer", "foreign-source")
    if not _is_past(event["recorded"], now):
        yield Issue("must be an instant that does not lie in the future", f"{root}.recorded", "value")
    if _claims_to_be_ours(event):
        yield Issue(f"no element may begin with {OURS}, as those of this server do", root, "reserved")


def _is_past(recorded: str, now: datetime) -> bool:
    try:
        return dates.interval_of(recorded)[0] <= micros(now + _LEEWAY)
    except ValueError:
        return False


def _is_by(observer: Json, client: ClientId) -> bool:
    """Tell whether an observer names the source, by its reference, its identifier or both, and nobody else."""
    reference, value = observer.get("reference"), observer.get("identifier", {}).get("value")
    return {reference, value} - {None} != set() and reference in (None, f"Device/{client}") and value in (None, client)


def _claims_to_be_ours(value: object) -> bool:
    """Tell whether a text anywhere in a value begins as the names of this server do, whatever the case."""
    if isinstance(value, dict):
        return any(_claims_to_be_ours(item) for item in value.values())
    if isinstance(value, list):
        return any(_claims_to_be_ours(item) for item in value)
    return isinstance(value, str) and value.strip().casefold().startswith(OURS)


def tagged(event: Json, client: ClientId) -> Json:
    """Return an event with the tag of its source."""
    meta = event.get("meta", {})
    tag = {"system": RECEIVED_FROM, "code": client, "display": "Received from another system"}
    return event | {"meta": meta | {"tag": [*meta.get("tag", ()), tag]}}
