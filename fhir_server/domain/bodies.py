"""The bytes of a resource: stamped when written, sent unchanged, stamped again for a caller who may know its marks.

Source: https://hl7.org/fhir/R4/resource.html#Meta. Marks are outside the version chain (docs/labels.md).
"""

from datetime import datetime

import orjson

from consent_rules.vocabulary import Mark
from fhir_server.domain.documents.security_labels import with_marks
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json

FORM = "_form"
"""Element of a stored Binary, which no client sees: the type of resource that the content is."""
_OPEN_IN_META = 2
"""How many braces are open inside `meta` of the resource itself; the meta of a contained resource lies deeper."""


def instant(at: datetime) -> str:
    """Return a UTC-aware time as a FHIR instant with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamped(resource: Json, id_: str, version: int, at: datetime) -> bytes:
    """Return the stored bytes of one version: type, id and server-assigned meta first, the rest as it was sent."""
    kept = {name: value for name, value in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    head = {
        "resourceType": resource["resourceType"],
        "id": id_,
        "meta": {"versionId": str(version), "lastUpdated": instant(at), **kept},
    }
    return orjson.dumps(head | {name: value for name, value in resource.items() if name not in head})


def version_id(stored: Stored, *, knows_marks: bool) -> str:
    """Return the version id as this caller sees it."""
    return f"{stored.version}-{stored.mark}" if knows_marks else str(stored.version)


def last_updated(stored: Stored, *, knows_marks: bool) -> datetime:
    """Return the time of the last change that this caller may know of."""
    if knows_marks and stored.marked_at is not None:
        return max(stored.last_updated, stored.marked_at)
    return stored.last_updated


def body_for(stored: Stored, *, knows_marks: bool) -> bytes:
    """Return the body as this caller sees it: marks, their version and their time only if the caller may know them."""
    if not knows_marks:
        return stored.body
    plain = b'"versionId":"%d"' % stored.version
    if stored.facts.access.marks is Mark.NONE and stored.marked_at is None:
        start, found, rest = stored.body.partition(plain)
        if found and start.count(b"{") == _OPEN_IN_META:  # the meta of the resource itself, not of a contained resource
            return start + b'"versionId":"%d-%d"' % (stored.version, stored.mark) + rest
    return _reworked(stored)


def form_of(body: bytes) -> str:
    """Return the type of resource that a stored content is, "" when it is none. body: of its Binary."""
    return str(orjson.loads(body).get(FORM, "")) if body else ""


def _reworked(stored: Stored) -> bytes:
    resource = with_marks(orjson.loads(stored.body), stored.facts.access.marks)
    meta = resource.setdefault("meta", {})
    meta["versionId"] = version_id(stored, knows_marks=True)
    meta["lastUpdated"] = instant(last_updated(stored, knows_marks=True))
    return orjson.dumps(resource)
