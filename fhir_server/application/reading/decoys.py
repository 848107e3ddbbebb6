"""Extra work for an unknown id, so that its answer takes as long as the answer for a hidden id.

The server repeats the last decision and throws the answer away. An attacker who compares two ids of one space makes the
server read that space last, so that both answers cost the same.
"""

from contextlib import suppress

from consent_rules.vocabulary import NO_SPACE, Action, PatientId
from fhir_server.application.core.access import Access
from fhir_server.application.core.enforcement_point import judge
from fhir_server.application.core.minor_confidentiality import is_confidential
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.ports.store import StoreUnavailable

_DAMAGED = (ArithmeticError, AttributeError, KeyError, StoreUnavailable, TypeError, ValueError)
"""The errors that reading a damaged state or body raises."""


def remember(runtime: Runtime, patient: PatientId, audited: AuditedInteraction) -> None:
    """Remember this space and interaction for the next unknown id."""
    runtime.decoys[:] = [(patient, audited)]


def look_elsewhere(access: Access, action: Action) -> None:
    """Repeat the last decision and the reads of a denial; tell nobody the result and audit nothing.

    If the space of the last decision is damaged, this request does not fail.
    """
    decoys = access.runtime.decoys
    patient, audited = decoys[0] if decoys else (NO_SPACE, access.audited)
    with suppress(*_DAMAGED):
        judge(access, patient, action)
        is_confidential(access.beside(audited), patient)
