"""Steps that tests of several pages take."""

from consent_rules.model import Requester
from consent_rules.vocabulary import PatientId, Purpose, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.spaces import break_glass
from tests.factories import a_caller


def open_in_an_emergency(runtime: Runtime, patient: PatientId, name: str, reason: str) -> str:
    """Let Dr Awa break the glass of a space; return the id of the Consent. name: as it is displayed."""
    awa = Requester(
        RequesterKind.PROFESSIONAL,
        "Practitioner/awa",
        organization="Organization/chu",
        client="Device/d",
        profession="10",
    )
    caller = a_caller(awa, "user/*.rs", display=name, purpose=Purpose.BREAK_GLASS)
    return break_glass.open_as_granted(runtime, caller, patient, reason)
