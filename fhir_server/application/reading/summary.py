"""What a summary of a patient is assembled from: the identity, and the latest current documents that the caller sees.

Source: https://hl7.org/fhir/uv/ips/OperationDefinition-summary.html; docs/operations.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.access import Access
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading import read
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.values import Interaction
from fhir_server.registry import DOCUMENT, PATIENT, REGISTRY

MOST = 200
"""How many documents a summary names; there may be older ones."""
_CURRENT = AnyOf(frozenset({tokens.any_system("status", "current")}))


@dataclass(frozen=True, slots=True)
class Summarized:
    """A patient and the latest documents, the last changed first.

    are_all: whether there are no older ones. at: the instant of the summary. ids: new ones, for the Bundle, its
    Composition and its author.
    """

    patient: Shown
    documents: tuple[Shown, ...]
    are_all: bool
    at: datetime
    ids: tuple[str, str, str]


@query
def summarize(runtime: Runtime, caller: Caller, patient: PatientId, sent: str) -> Summarized:
    """Return what a summary of a patient is assembled from. sent: the request as the audit log keeps it.

    The token needs the scopes to read the Patient and to search documents; without the second there are none.
    Raises: Problem(NOT_FOUND), the same for an unknown patient and for one whose space the caller may not enter.
    """
    target = f"{PATIENT}/{patient}"
    audited = AuditedInteraction(Interaction.OPERATION, PATIENT, target=target, query=sent, operation="summary")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        filters = read.enter_by_id(access, REGISTRY[PATIENT])
        stored = snapshot.read(PATIENT, patient, filters)
        whom = read.present(access, (stored,) if stored else (), filters)
        found = _documents(access) if whom else ((), True)
        outcome = read.outcome_by_id(access, ())
        if whom:
            outcome = replace(read.outcome_of(access.opened, (*whom, *found[0])), beyond=True)
    read.record_unless_refused(access, outcome)
    if not whom:
        raise read.not_found()
    new = runtime.ports.ids.new
    return Summarized(whom[0], *found, access.at, (new(), new(), new()))


def _documents(access: Access) -> tuple[tuple[Shown, ...], bool]:
    """Return the documents that a search would show, the last changed first, and whether these are all."""
    filters = access.entered.within(access.caller, "s")
    page = access.snapshot.find(Search(DOCUMENT, (_CURRENT,), limit=MOST), filters)
    return read.present(access, page.rows, filters), page.next is None
