"""The worker's part of an export: it looks for the spaces, some at a time, and stores them as slices of a plan.

Each step puts the message of the next one, so that an export goes on where a process died. A step that is repeated
stores the same slices again. The plan is ready when the last step has stored its slices.
Source: docs/adr/0120-exports-are-plans.md; docs/adr/0070-an-outbox-in-the-transaction.md.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic, sleep

import msgspec

from consent_rules.vocabulary import NO_SPACE, PatientId, RequesterKind
from fhir_server.application.core import lockdown
from fhir_server.application.core.access import Access
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.exports import jobs, leaving
from fhir_server.application.exports.jobs import Job
from fhir_server.application.outbox.lanes import NOTHING, Lane, Later
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Interaction
from fhir_server.ports.outbox import Message, Pending
from fhir_server.ports.store import Change
from fhir_server.settings import limits

SPACES_AT_ONCE = 200
"""Spaces that one step looks at."""
_LOCKED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Step:
    """Where a plan goes on. after: the last space that was looked at. slices: how many are stored.

    carried: spaces that belong to the next slice.
    """

    job: str
    number: int = 0
    after: PatientId = NO_SPACE
    slices: int = 0
    carried: tuple[PatientId, ...] = ()


_DECODER = msgspec.json.Decoder(Step)


def message_of(runtime: Runtime, step: Step) -> Message:
    """Return the message by which the worker does a step."""
    return Message(LANE.name, f"{step.job} {step.number}", msgspec.json.encode(step), runtime.now())


def plan_some(runtime: Runtime, message: Pending) -> Change:
    """Look at some spaces, store the slices that are full, and put the next step.

    Raises: Later during a lockdown.
    """
    step, began = _DECODER.decode(message.body), monotonic()
    job = jobs.find(runtime, step.job)
    if job is None or job.is_planned:
        return NOTHING
    if lockdown.find(runtime):
        raise Later(runtime.now() + _LOCKED)
    looked, found = _looked_at(runtime, job, step.after)
    step, is_last = _stored(runtime, job, step, found), len(looked) < SPACES_AT_ONCE
    if not is_last:
        sleep(monotonic() - began)  # requests get half of the processor's time, however many spaces there are
        following = replace(step, number=step.number + 1, after=looked[-1])
        return Change((), outbox=(message_of(runtime, following),))
    if step.carried:
        jobs.put_slice(runtime, job, step.slices, step.carried)
        step = replace(step, slices=step.slices + 1)
    jobs.change(runtime, job.id, lambda held: replace(held, is_planned=True, slices=step.slices))
    return NOTHING


def _stored(runtime: Runtime, job: Job, step: Step, found: tuple[PatientId, ...]) -> Step:
    """Store the slices that are full; return the step with what is left."""
    spaces, size = (*step.carried, *found), _size(runtime, job)
    full = len(spaces) // size
    for number in range(full):
        jobs.put_slice(runtime, job, step.slices + number, spaces[number * size : (number + 1) * size])
    return replace(step, slices=step.slices + full, carried=spaces[full * size :])


def _size(runtime: Runtime, job: Job) -> int:
    """Return how many spaces one file covers: for a person, no more than a token may send requests in a second."""
    most = limits.in_force().export_spaces
    if job.granted.requester.kind is RequesterKind.SYSTEM:
        return most
    searches = max(len(part.queries) for part in job.asked.parts)
    return min(most, max(1, runtime.profile.ceilings.requests_a_second // searches))


def _looked_at(runtime: Runtime, job: Job, after: PatientId) -> tuple[tuple[PatientId, ...], tuple[PatientId, ...]]:
    """Return the spaces that were looked at, and those of them that the plan has."""
    caller = Caller.of_token(job.granted, job.id, job.scopes)
    audited = AuditedInteraction(Interaction.OPERATION, "", operation="export")
    with runtime.ports.store.snapshot() as snapshot:
        if job.asked.only is None:
            looked = snapshot.patients(after, SPACES_AT_ONCE)
        else:
            looked = tuple(one for one in sorted(set(job.asked.only)) if one > after)[:SPACES_AT_ONCE]
        access = Access(runtime, caller, audited, snapshot)
        return looked, tuple(one for one in looked if leaving.is_planned(access, one, job.asked.establishment))


LANE = Lane("exports", plan_some)
