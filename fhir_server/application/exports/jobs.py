"""Export jobs: what was asked, for whom, and how far the plan is; the vault keeps them until they expire.

A job holds no resource. It belongs to one client, person, practice situation, patient and purpose: for everybody else,
its id is unknown.
Source: https://hl7.org/fhir/uv/bulkdata/export.html (Bulk Data Access 2.0 and 3.0); docs/adr/0120-exports-are-plans.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller, Granted
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.ports.vault import Secret

KIND, _SLICE = "export", "export-slice"
POLL_SECONDS = 5
"""How long a client waits between two looks at a job that is being planned."""
_TOLERATED = timedelta(seconds=1)
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Part:
    """What a job exports of one type. queries: searches of the type whose results are joined, as (name, value)."""

    type: str
    queries: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks to export.

    request: the URL as sent. only: the patients that are named, None for all. establishment: "Organization/…" whose
    present admissions are exported, "" for all. elements: names of the elements to show, empty for all.
    """

    request: str
    parts: tuple[Part, ...]
    only: tuple[PatientId, ...] | None = None
    establishment: str = ""
    elements: tuple[str, ...] = ()

    def of(self, establishment: str) -> "Asked":
        """Return the same wish, limited to the patients in the care of an establishment."""
        return replace(self, establishment=establishment)


@dataclass(frozen=True, slots=True)
class Job:
    """One export.

    granted, scopes: of the token that asked, with which the worker looks for spaces; a download is decided by the token
    of its own request.
    slices: how many groups of spaces the plan has. polled: when the caller last looked at a plan that was not ready.
    left_out: how many spaces were in the plan and closed to the caller at a download.
    """

    id: str
    owner: str
    granted: Granted
    scopes: str
    asked: Asked
    begun: datetime
    expires: datetime
    is_planned: bool = False
    slices: int = 0
    polled: datetime | None = None
    left_out: int = 0


_DECODER = msgspec.json.Decoder(Job)
_IDS = msgspec.json.Decoder(tuple[str, ...])


def owner_of(caller: Caller) -> str:
    """Return a name for whoever may see a job: the client, for one person, practice situation, patient and purpose."""
    granted, requester = caller.granted, caller.requester
    who = (granted.client_id, requester.kind, requester.person, requester.role, requester.organization)
    return sha256(msgspec.json.encode((*who, granted.launch_patient, granted.purpose))).hexdigest()


def store(runtime: Runtime, job: Job) -> None:
    """Store a new job."""
    runtime.ports.vault.add(Secret(KIND, job.id, msgspec.json.encode(job), f"exports {job.owner}", job.expires))


def count(runtime: Runtime, owner: str) -> int:
    """Return how many jobs an owner has that have not expired."""
    return len(runtime.ports.vault.entries(KIND, runtime.now(), f"exports {owner}"))


def find(runtime: Runtime, id_: str) -> Job | None:
    """Return a job, whoever asks; None when it is unknown, ended or expired."""
    entry = runtime.ports.vault.get(KIND, id_, runtime.now())
    return _DECODER.decode(entry.value) if entry else None


def change(runtime: Runtime, id_: str, changed: Callable[[Job], Job]) -> Job | None:
    """Change a job; return it as it is then, None when it is gone.

    Raises: Problem(UNAVAILABLE) when others changed it again and again meanwhile.
    """
    vault = runtime.ports.vault
    for _ in range(_ATTEMPTS):
        entry = vault.get(KIND, id_, runtime.now())
        if entry is None:
            return None
        after = changed(_DECODER.decode(entry.value))
        if vault.replace(replace(entry, key=id_, value=msgspec.json.encode(after))):
            return after
    raise Problem(Category.UNAVAILABLE)


def drop(runtime: Runtime, job: Job) -> None:
    """Remove a job and its plan."""
    runtime.ports.vault.drop(KIND, job.id)
    runtime.ports.vault.drop_group(f"export {job.id}")


def put_slice(runtime: Runtime, job: Job, number: int, spaces: tuple[PatientId, ...]) -> None:
    """Store a slice of the plan, in place of one that an interrupted step has stored."""
    vault, key = runtime.ports.vault, f"{job.id} {number}"
    vault.drop(_SLICE, key)
    vault.add(Secret(_SLICE, key, msgspec.json.encode(spaces), f"export {job.id}", job.expires))


def slice_of(runtime: Runtime, job: Job, number: int) -> tuple[PatientId, ...] | None:
    """Return the spaces of a slice, None when there is no such slice."""
    entry = runtime.ports.vault.get(_SLICE, f"{job.id} {number}", runtime.now())
    return tuple(PatientId(id_) for id_ in _IDS.decode(entry.value)) if entry else None


def note_poll(runtime: Runtime, job: Job) -> None:
    """Note that the caller looks at a job that is not ready.

    Raises: Problem(TOO_MANY) when the caller has looked a moment ago.
    """
    now = runtime.now()
    free_at = job.polled + timedelta(seconds=POLL_SECONDS) if job.polled else now
    if now < free_at - _TOLERATED:
        seconds = max(1, -(-int((free_at - now).total_seconds() * 1000) // 1000))
        text = "ask for the state of an export less often: see Retry-After"
        raise Problem(Category.TOO_MANY, Issue(text, code="throttled"), retry_after=seconds)
    change(runtime, job.id, lambda held: replace(held, polled=now))
