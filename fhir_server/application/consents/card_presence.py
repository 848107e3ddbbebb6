"""Cards: registered software reads a patient's card at the desk, and the professional enters for one consultation.

The software signs who was there: the patient by the national health identity, and the professional. What it has signed
is used once. Whoever presents it records an agreement of the grade `patient`, because the patient has shown the card.
The card of nobody here, of another patient, for another professional, of a space that is closed to the caller, and one
that was presented before get one answer. Each card is counted; a card that lets nobody in also counts as a look-up of
an identity.
Source: rules B2, B6, C1 and C4; statement V1 of docs/rules.md; docs/adr/0101-card-presence.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from consent_rules.lifecycle import is_minor
from consent_rules.model import A_GUARDIAN
from consent_rules.vocabulary import PatientId, Proof
from fhir_server.application.consents.entrances import (
    REFUSED_ALIKE,
    Entrance,
    Shown,
    agreement_with,
    demand_professional,
    let_in,
    no_entrance,
)
from fhir_server.application.core import audit_log
from fhir_server.application.core.access import Access
from fhir_server.application.core.ceilings import reached
from fhir_server.application.core.ceilings.tallies import Tally
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.identity.clients import Client
from fhir_server.domain.audit.interactions import AuditedInteraction, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.ports.store import Change
from fhir_server.ports.vault import Secret

_KIND = "card-presented"
_PRACTITIONER = "Practitioner"
Identifier = tuple[str, str]
"""System and value."""


@dataclass(frozen=True, slots=True)
class CardReading:
    """What registered software has read and signed.

    number: of the assertion, which no other assertion of this reader has until `until`. Its text form (`repr`) names
    nobody, because an error may show it.
    """

    reader: Client
    number: str
    until: datetime
    patient: Identifier = field(repr=False)
    professional: Identifier = field(repr=False)


@command(EventKind.CARD_PRESENTED)
def present(
    runtime: Runtime, caller: Caller, read: Callable[[], CardReading], expected: PatientId | None = None
) -> Entrance:
    """Let the calling professional into a space for one consultation, because the patient's card was read for them.

    read: checks what the reader has signed, and raises what `not_valid` returns. expected: whose card it must be, None
    for anybody's.
    Raises: Problem(FORBIDDEN) for who is no professional; BUSINESS_RULE as `not_valid`, or, always the same, for a card
    that lets the caller in nowhere; UNAUTHENTICATED or TOO_MANY at a ceiling.
    """
    demand_professional(runtime, caller, EventKind.CARD_PRESENTED)
    audited = interaction_of(EventKind.CARD_PRESENTED)
    reading = _checked(runtime, caller, read)
    _count(runtime, caller, audited)
    spent: list[str] = []
    try:
        return carry_out(runtime, caller, audited, lambda work: _enter(work, reading, expected, spent))
    except Problem as problem:
        if problem.category not in REFUSED_ALIKE:
            raise
        raise no_entrance() from None


def not_valid(text: str) -> Problem:
    """Return the answer for what no registered reader can have signed for the caller. text: what was expected."""
    said = f"the assertion of the card reader is not valid: {text}"
    return Problem.of(Category.BUSINESS_RULE, said, "Parameters.parameter", "card-assertion-not-valid")


def _checked(runtime: Runtime, caller: Caller, read: Callable[[], CardReading]) -> CardReading:
    """Return what the reader has signed; nobody has been looked up when it is refused."""
    try:
        reading = read()
        _demand_independent(reading.reader, caller)
    except Problem as refusal:
        audit_log.record_refusal(runtime, caller, interaction_of(EventKind.CARD_PRESENTED), refusal)
        raise
    return reading


def _demand_independent(reader: Client, caller: Caller) -> None:
    """Refuse software that vouches for itself, and the reader of another establishment: one key alone opens nothing."""
    if reader.id == caller.granted.client_id:
        raise not_valid("the software that calls cannot be the card reader")
    if reader.organization and reader.organization != caller.requester.organization:
        raise not_valid("the card reader is registered for another establishment")


def _count(runtime: Runtime, caller: Caller, audited: AuditedInteraction) -> None:
    """Count a card before it is looked up, so that a card of nobody and a right one meet the same ceiling.

    Raises: Problem(UNAUTHENTICATED) or TOO_MANY at the ceiling.
    """
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
    reached.commit(access, Change(()), {Tally.CARDS: 1})


def _enter(work: UnitOfWork, reading: CardReading, expected: PatientId | None, spent: list[str]) -> Entrance:
    patient = work.identify(*reading.patient)
    space = work.snapshot.load_space(patient) if patient else None
    work.patient = patient if space else None
    if patient is None or expected not in {None, patient} or not _is_the_caller(work, reading.professional):
        raise no_entrance()
    work.audited = replace(work.audited, target=f"Patient/{patient}")
    is_of_minor = is_minor(record_of(patient, space), work.at, work.runtime.profile)
    agreed = agreement_with(work.caller.requester, giver=A_GUARDIAN if is_of_minor else "")
    shown = Shown(Proof.CARD, lambda: _claim(work, reading, spent), reading.reader.device)
    entrance = let_in(work, patient, shown, agreed)
    work.looked_up.clear()
    return entrance


def _is_the_caller(work: UnitOfWork, professional: Identifier) -> bool:
    """Tell whether the directory gives this identifier to the caller alone."""
    found = work.snapshot.compartments_with(_PRACTITIONER, tokens.identifier_key("identifier", *professional), 2)
    return [f"{_PRACTITIONER}/{id_}" for _, id_ in found] == [work.caller.requester.person]


def _claim(work: UnitOfWork, reading: CardReading, spent: list[str]) -> None:
    """Use the assertion up, once for all attempts at the commit."""
    entry = Secret(_KIND, f"{reading.reader.id}|{reading.number}", b"", expires=reading.until)
    if not spent and not work.runtime.ports.vault.add(entry):
        raise no_entrance()
    spent.append(reading.number)
