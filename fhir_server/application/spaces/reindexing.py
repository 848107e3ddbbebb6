"""Computes the search index of stored resources anew, after a version added search parameters.

Versions, dates and marks stay as they are. Servers may run meanwhile: what they change is indexed by them, so a
conflict needs no repetition. Documents and audit events keep their index: a document's holds its replacement chain, and
the audit log is never changed (docs/search.md).
"""

from collections.abc import Iterator
from dataclasses import replace

import orjson

from consent_rules.vocabulary import NO_SPACE, PatientId
from fhir_server.application.core import audit_log, operator_acts
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.spaces.default_consents import facts_without_template
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.search.criteria import Search
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Change, StoreConflict, Write
from fhir_server.registry import REGISTRY, AccessRule, ResourceType

_SPACES_AT_ONCE, _ROWS_AT_ONCE = 500, 200
_KEPT = frozenset({AccessRule.DOCUMENT, AccessRule.TRACE})
_ROWS = tuple(row for row in REGISTRY.values() if Interaction.SEARCH in row.interactions and row.access not in _KEPT)


@command(EventKind.INDEX_RENEWED)
def reindex(runtime: Runtime, by: str, after: PatientId = NO_SPACE) -> Iterator[tuple[PatientId, int]]:
    """Index the directory and then each space anew; yield the id of each, and how many resources it has.

    by: the account of the operator, for the audit log. after: the last space that an interrupted run has yielded, so
    that this one goes on behind it; NO_SPACE begins with the directory.
    """
    operator_acts.record(runtime, by, "reindex", reason=f"after {after}" if after else "")
    if not after:
        yield NO_SPACE, _reindex_one(runtime, NO_SPACE)
    while True:
        with runtime.ports.store.snapshot() as snapshot:
            page = snapshot.patients(after, _SPACES_AT_ONCE)
        for patient in page:
            yield patient, _reindex_one(runtime, patient)
        if len(page) < _SPACES_AT_ONCE:
            return
        after = page[-1]


def _reindex_one(runtime: Runtime, compartment: PatientId) -> int:
    rows = (row for row in _ROWS if (row.access is AccessRule.DIRECTORY) == (compartment == NO_SPACE))
    return sum(_reindex_type(runtime, row, compartment) for row in rows)


def _reindex_type(runtime: Runtime, row: ResourceType, compartment: PatientId) -> int:
    view, done = whole_space(ReadingReason.REINDEXING, compartment), 0
    search: Search | None = Search(row.name, limit=_ROWS_AT_ONCE)
    while search:
        with runtime.ports.store.snapshot() as snapshot:
            page = snapshot.find(search, view)
        _write(runtime, tuple(_indexed(row, stored) for stored in page.rows))
        done += len(page.rows)
        search = replace(search, after=page.next) if page.next else None
    return done


def _indexed(row: ResourceType, stored: Stored) -> Write:
    facts = facts_without_template(orjson.loads(stored.body), stored.facts.access, row)
    after = replace(stored, body=b"", facts=replace(facts, documents=stored.facts.documents))
    return Write(after, (stored.version, stored.mark))


def _write(runtime: Runtime, writes: tuple[Write, ...]) -> None:
    """Write all at once, or one by one when somebody else has changed one of them meanwhile."""
    if not writes:
        return
    try:
        audit_log.commit(runtime, Change((), writes))
    except StoreConflict:
        for write in writes if len(writes) > 1 else ():
            _write(runtime, (write,))
