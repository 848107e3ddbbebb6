"""Commands about apps and software: register, change, rekey, disable, enable and remove; each is audited first.

The operator does this at the command line, and an app that registers itself does it for itself.
Sources: RFC 7591 and RFC 7592; docs/adr/0043.
"""

from collections.abc import Collection
from dataclasses import replace

from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import clients, grants
from fhir_server.application.identity.clients import Client
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction

_ENDS_GRANTS = frozenset({"scopes", "organization", "auth_method"})
"""Members of a client whose change ends its grants, because the grants were given under the old ones."""


@command(EventKind.CLIENT_REGISTERED)
def register_client(runtime: Runtime, caller: Caller, client: Client, told: str) -> None:
    """Register a client. told: what the audit log says about it.

    Raises: ValueError when the id is taken, or when the client contradicts itself.
    """
    _audit(runtime, caller, client, "register-client", told)
    clients.register(runtime, client)


@command(EventKind.CLIENT_REGISTERED)
def replace_registration(runtime: Runtime, caller: Caller, client: Client, told: str) -> None:
    """Replace what an app has registered about itself; its grants go on.

    Raises: KeyError when there is no such client; ValueError when it changed meanwhile or contradicts itself.
    """
    _audit(runtime, caller, client, "register-client", told)
    clients.change(runtime, client)


@command(EventKind.CLIENT_CHANGED)
def edit_client(runtime: Runtime, caller: Caller, client: Client, changed: Collection[str]) -> int:
    """Change a client; a change of scopes, organization or authentication ends all its grants; return how many.

    client: as it shall be. changed: names of the members that change.
    Raises: as `replace_registration`.
    """
    _audit(runtime, caller, client, "edit-client", f"changed: {', '.join(changed)}")
    clients.change(runtime, client)
    return grants.revoke_client(runtime, client.id) if _ENDS_GRANTS & set(changed) else 0


@command(EventKind.CLIENT_REKEYED)
def rekey_client(runtime: Runtime, caller: Caller, client: Client, told: str) -> None:
    """Replace the keys or the secret of a client. client: with the new ones. told: which of them, for the audit log.

    Raises: as `replace_registration`.
    """
    _audit(runtime, caller, client, "rekey-client", told)
    clients.change(runtime, client)


@command(EventKind.CLIENT_DISABLED)
def disable_client(runtime: Runtime, caller: Caller, client: Client) -> int:
    """Disable a client and end all its grants; return how many ended."""
    _audit(runtime, caller, client, "disable-client")
    clients.change(runtime, replace(client, disabled=True))
    return grants.revoke_client(runtime, client.id)


@command(EventKind.CLIENT_ENABLED)
def enable_client(runtime: Runtime, caller: Caller, client: Client) -> None:
    """Let a disabled client ask for tokens again; its ended grants stay ended."""
    _audit(runtime, caller, client, "enable-client")
    clients.change(runtime, replace(client, disabled=False))


@command(EventKind.CLIENT_REMOVED)
def remove_client(runtime: Runtime, caller: Caller, client: Client, told: str) -> None:
    """Delete a client with what is kept for it, and end all its grants. told: who removed it, for the audit log."""
    _audit(runtime, caller, client, "remove-client", told)
    clients.remove(runtime, client.id)
    runtime.ports.vault.drop_group(f"client:{client.id}")
    grants.revoke_client(runtime, client.id)


def _audit(runtime: Runtime, caller: Caller, client: Client, operation: str, told: str = "") -> None:
    """Audit a change before it happens: what cannot be audited is not done.

    Raises: StoreUnavailable.
    """
    audited = AuditedInteraction(Interaction.OPERATION, "", target=client.device, operation=operation)
    audit_log.record(runtime, caller, audited, Outcome(reason=told), None)
