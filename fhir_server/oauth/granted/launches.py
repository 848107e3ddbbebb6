"""EHR launch: an opaque handle that passes a patient from a hospital's software to an app.

Source: SMART App Launch 2.2, launch from an EHR.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import orjson

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.clients import Client
from fhir_server.domain.values import ClientId, Json
from fhir_server.ports.vault import Secret

KIND = "launch"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Launch:
    """The meaning of a handle: one app, one person of the EHR, one patient, and further context."""

    client_id: ClientId
    login: str
    patient: PatientId
    context: Json = field(default_factory=dict)


_DECODER = msgspec.json.Decoder(Launch)


def create_launch(runtime: Runtime, launch: Launch) -> str:
    """Return a new handle."""
    handle = runtime.ports.ids.secret()
    expires = runtime.ports.clock.now() + LIFETIME
    runtime.ports.vault.add(Secret(KIND, handle, orjson.dumps(launch), expires=expires))
    return handle


def has_space(runtime: Runtime, patient: PatientId) -> bool:
    """Tell whether a patient has a space here, in any state."""
    if not _ID.fullmatch(patient):
        return False
    with runtime.ports.store.snapshot() as snapshot:
        return snapshot.load_space(patient) is not None


def find_launch(runtime: Runtime, handle: str, client: Client) -> Launch | None:
    """Return the launch of a handle that was made for this app."""
    if not 0 < len(handle) <= 128 or not handle.isascii():  # noqa: PLR2004
        return None
    entry = runtime.ports.vault.get(KIND, handle, runtime.ports.clock.now())
    launch = _DECODER.decode(entry.value) if entry else None
    return launch if launch and launch.client_id == client.id else None


def end_launch(runtime: Runtime, handle: str) -> bool:
    """Use up a handle; exactly one of several concurrent callers gets True."""
    return runtime.ports.vault.take(KIND, handle, runtime.ports.clock.now()) is not None
