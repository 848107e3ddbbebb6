"""Who is told of a notice by mail: accounts of its recipients who may see it at the very moment of sending.

So what a person gets by mail depends only on what they may read in the space. A notice that is hidden from a guardian
sends the guardian nothing, and no number and no time of mails to a guardian depends on what is hidden from them.
Source: rule B10; docs/threat-model.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Action, PatientId, Purpose
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.enforcement_point import judge
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.identity.accounts import Account, Grantee, find_by_person
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.audit.audit_event import PAGES
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller, Origin
from fhir_server.domain.commands import query
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.values import ClientId, Interaction
from fhir_server.ports.store import Snapshot
from fhir_server.registry import AccessRule, types_under

NOTICE_TYPES = types_under(AccessRule.NOTICE)
_PAGE = Client(ClientId(PAGES), "Habilis", ClientKind.PATIENT_APP)
_READING = Scopes.parse(" ".join(f"patient/{type_}.rs" for type_ in sorted(NOTICE_TYPES)))


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that was stored, and the accounts of its recipients who may see it now."""

    kind: NoticeKind
    patient: PatientId
    accounts: tuple[Account, ...]


@query
def patient_of(runtime: Runtime, id_: str) -> PatientId | None:
    """Return in whose space a notice is, None for an unknown id; whoever asks must still be allowed to read it."""
    with runtime.ports.store.snapshot() as snapshot:
        places = (snapshot.locate(type_, id_) for type_ in NOTICE_TYPES)
        return next((place.compartment for place in places if place), None)


def told_of(runtime: Runtime, id_: str) -> Told | None:
    """Return who is told of a notice, None when there is no such notice any more.

    System-level: this reads the notice whoever may see it, and gives away only who sees it.
    """
    with runtime.ports.store.snapshot() as snapshot:
        for type_ in NOTICE_TYPES:
            place = snapshot.locate(type_, id_)
            everything = whole_space(ReadingReason.DELIVERY, place.compartment) if place else None
            stored = snapshot.read(type_, id_, everything) if everything else None
            if place and stored and not stored.deleted:
                notice = orjson.loads(stored.body)
                named = [str(recipient["reference"]) for recipient in notice["recipient"]]
                found = tuple(_seeing(runtime, snapshot, (place.compartment, type_, id_), named))
                return Told(NoticeKind(stored.facts.access.kind), place.compartment, found)
    return None


def _seeing(
    runtime: Runtime, snapshot: Snapshot, notice: tuple[PatientId, str, str], named: list[str]
) -> Iterator[Account]:
    """Yield each account once, in the order in which the notice names its recipients."""
    met: set[str] = set()
    for person in named:
        for account in find_by_person(runtime, person):
            if account.subject not in met and _shows(runtime, snapshot, _callers(account, person, notice[0]), notice):
                met.add(account.subject)
                yield account


def _shows(
    runtime: Runtime, snapshot: Snapshot, callers: tuple[Caller, ...], notice: tuple[PatientId, str, str]
) -> bool:
    patient, type_, id_ = notice
    audited = AuditedInteraction(Interaction.READ, type_, target=f"{type_}/{id_}")
    for caller in callers:
        opened = judge(Access(runtime, caller, audited, snapshot), patient, Action.READ_NOTICES)
        if isinstance(opened, Opened) and snapshot.read(type_, id_, opened) is not None:
            return True
    return False


def _callers(account: Account, person: str, patient: PatientId) -> tuple[Caller, ...]:
    """Return the callers as which an account may read a notice to a person: one per situation of a professional."""
    grantees = [Grantee(_PAGE, account, practice=practice) for practice in account.practices]
    treating = [replace(one.on_page(account.subject), purpose=Purpose.TREATMENT) for one in grantees]
    own = Grantee(_PAGE, account, launch_patient=patient).on_page(account.subject)
    granted = [one for one in (*treating, own) if one.requester.person == person]
    return tuple(Caller.of_page(one, _READING, Origin(), in_lockdown=False) for one in granted)
