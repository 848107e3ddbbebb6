"""The work that an unknown id costs: the same as an id that is there and hidden, so that no clock tells them apart.

What was looked at last is judged once more and the answer thrown away. Somebody who compares two ids of one space
makes this server look at that space, and so compares like with like.
"""

from contextlib import suppress
from dataclasses import dataclass

from consent_rules.vocabulary import Action
from fhir_server.application.enforcement import judge
from fhir_server.application.runtime import Runtime
from fhir_server.application.secrecy import is_secret
from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed
from fhir_server.ports import Snapshot, StoreUnavailable

_DAMAGED = (ArithmeticError, AttributeError, KeyError, StoreUnavailable, TypeError, ValueError)
"""What reading a damaged state or body raises."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for one thing by its id, and how."""

    caller: Caller
    action: Action
    deed: Deed


def remember(runtime: Runtime, patient: str, deed: Deed) -> None:
    """Keep what is looked at now, for the next id that is unknown."""
    runtime.decoys[:] = [(patient, deed)]


def look_elsewhere(runtime: Runtime, snapshot: Snapshot, question: Question) -> None:
    """Judge what was looked at last, and read it as a refusal does; nothing of it is told or traced.

    A space that is damaged since fails nobody who asks for something else.
    """
    patient, deed = runtime.decoys[0] if runtime.decoys else ("", question.deed)
    with suppress(*_DAMAGED):
        judge(runtime, snapshot, question.caller, patient, question.action)
        is_secret(snapshot, patient, deed)
