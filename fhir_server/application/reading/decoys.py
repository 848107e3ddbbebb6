"""The work that an unknown id costs: the same as an id that is there and hidden, so that no clock tells them apart.

What was looked at last is judged once more and the answer thrown away. Somebody who compares two ids of one space
makes this server look at that space, and so compares like with like.
"""

from contextlib import suppress
from dataclasses import dataclass

from consent_rules.vocabulary import Action
from fhir_server.application.core.enforcement_point import judge
from fhir_server.application.core.minor_confidentiality import is_confidential
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.ports.store import Snapshot, StoreUnavailable

_DAMAGED = (ArithmeticError, AttributeError, KeyError, StoreUnavailable, TypeError, ValueError)
"""What reading a damaged state or body raises."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for one thing by its id, and how."""

    caller: Caller
    action: Action
    audited: AuditedInteraction


def remember(runtime: Runtime, patient: str, audited: AuditedInteraction) -> None:
    """Keep what is looked at now, for the next id that is unknown."""
    runtime.decoys[:] = [(patient, audited)]


def look_elsewhere(runtime: Runtime, snapshot: Snapshot, question: Question) -> None:
    """Judge what was looked at last, and read it as a refusal does; nothing of it is told or traced.

    A space that is damaged since fails nobody who asks for something else.
    """
    patient, audited = runtime.decoys[0] if runtime.decoys else ("", question.audited)
    with suppress(*_DAMAGED):
        judge(runtime, snapshot, question.caller, patient, question.action)
        is_confidential(snapshot, patient, audited)
