"""Resources that come from the code, as if they were stored: their facts, their version, and searches among them.

Source: https://hl7.org/fhir/R4/search.html; docs/adr/0114-resources-from-the-code.md.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import orjson

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import NO_SPACE
from fhir_server.application.core.search_index import facts_of
from fhir_server.domain import bodies
from fhir_server.domain.commands import query
from fhir_server.domain.search.criteria import Search
from fhir_server.domain.search.dates import interval_of
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.registry import ResourceType

_VERSIONS = 10**9
_NO_DATE = (0, 0)


@query
def as_stored(resource: Json, row: ResourceType, changed: datetime) -> Stored:
    """Return a resource of the code as the store would hold it.

    Its version is a number from its content: it changes when the content does. changed: UTC.
    """
    id_ = str(resource["id"])
    version = int(sha256(orjson.dumps(resource)).hexdigest()[:12], 16) % _VERSIONS + 1
    found = facts_of(resource, AccessFacts(NO_SPACE), row)
    facts = replace(found, dates={**found.dates, "_lastUpdated": interval_of(bodies.instant(changed))})
    body = bodies.stamped(resource, id_, version, changed)
    return Stored(
        row.name, id_, version, 0, deleted=False, last_updated=changed, marked_at=None, body=body, facts=facts
    )


@query
def matching(resources: Iterable[Stored], wanted: Search) -> list[Stored]:
    """Return all resources that match a search, sorted by its date parameter, and else as they come."""
    found = [
        one
        for one in resources
        if (wanted.ids is None or one.id in wanted.ids) and all(each.matches(one.facts) for each in wanted.criteria)
    ]
    found.sort(key=lambda one: one.facts.dates.get(wanted.sort, _NO_DATE)[0], reverse=wanted.descending)
    return found
