"""What whoever runs the server does to apps, people and keys: each act is told to the trail before it happens."""

from consent_rules.model import Requester
from consent_rules.scopes import Scopes
from consent_rules.vocabulary import RequesterKind
from fhir_server.application import trail
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed, Verdict

PURPOSE = "HSYSADMIN"
"""Code of http://terminology.hl7.org/CodeSystem/v3-ActReason: administration of the system."""


def operator(by: str) -> Caller:
    """Return the party of a command. by: who runs it, as "account@machine" or by the name given."""
    return Caller(
        Requester(RequesterKind.SYSTEM, client="Device/habilis"),
        Scopes(),
        token_id="",
        grant_id="",
        client_id="habilis",
        client_name=by,
        display=by,
        purpose=PURPOSE,
    )


def record(runtime: Runtime, by: str, operation: str, what: str = "", reason: str = "") -> None:
    """Tell the trail of a command. operation: its name. what: a reference. reason: what it changes, without secrets.

    Raises: StoreUnavailable, and then the command must not go on.
    """
    deed = Deed("operation", "", target=what, operation=operation)
    trail.record(runtime, operator(by), deed, Verdict(reason=reason), "")
