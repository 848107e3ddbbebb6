"""Inviting a relative: a carer for a time, or the second parent of a minor, who then acts from their own account.

Whoever invites records the choice at once, as if they named a person whom the insurer had recorded; a code of sixty
random bits lets one account act as that person. The code lives for a week in the vault, and ends with the choice.
Wrong, used and expired codes, and codes of one's own space, get one answer. Nobody who was invited may invite others:
the decision refuses it (B13).
Source: rules B4, B12 and B13; docs/adr/0145-relatives-by-invitation.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import orjson

from consent_rules.consents.recording import may_follow
from consent_rules.decision.conditions import is_about_relative
from consent_rules.model import Directive, RecordState
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, DirectiveKind, PatientId
from fhir_server.application.consents.choices import NameCarer, RecordRepresentative
from fhir_server.application.consents.recording import CONSENT, Place, plan_choice
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE
from fhir_server.application.core.enforcement_point import open_record, record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.directory.professionals import name_of
from fhir_server.application.directory.resources import recorded_patient
from fhir_server.application.identity import accounts, credentials
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.attempts import Attempts, key_of
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import Outcome, OutcomeCode, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.consents.directives import consent_of, directives_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.ports.vault import Secret
from fhir_server.registry import REGISTRY

CODE_LENGTH = 12
"""In symbols of five random bits."""
LIFETIME = timedelta(days=7)
LONGEST_NAME = 80
_KIND, _FAILED, _EVERYBODY = "relative-invitation", "relative-invitation-failed", "everybody"
_WINDOW = timedelta(hours=1)
_NAMED_BY = {DirectiveKind.CARER: NameCarer, DirectiveKind.REPRESENTATIVE: RecordRepresentative}


@dataclass(frozen=True, slots=True)
class Wish:
    """Who is invited, and what for. kind: CARER or REPRESENTATIVE. name: of the person who is invited.

    until: exclusive, for a carer only. classes: codes for the classes of documents that a carer sees, None for all.
    """

    kind: DirectiveKind
    name: str
    until: datetime | None = None
    classes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that waits. code: for people to read. consent: id of the choice. until: when the code ends."""

    code: str
    consent: str
    until: datetime


class _Kept(msgspec.Struct, frozen=True):
    """An invitation as the vault keeps it.

    giver: "Patient/…" or "RelatedPerson/…". person: "RelatedPerson/…", as whom the account will act. consent: id of the
    choice. of: the patient's name, by which the person who is invited will read whose space it is.
    """

    code: str
    patient: PatientId
    giver: str
    person: str
    consent: str
    of: str


_DECODER = msgspec.json.Decoder(_Kept)


@command(EventKind.RELATIVE_INVITED, EventKind.CARER_NAMED, EventKind.GUARDIAN_RECORDED)
def invite(runtime: Runtime, caller: Caller, patient: PatientId, wish: Wish) -> Invitation:
    """Name a relative and make the code by which their account joins.

    Raises: Problem(FORBIDDEN) for whoever may not name this relative; BUSINESS_RULE for a name that is empty or too
    long, an end that has passed, and a carer beyond the number that the rules allow.
    """
    audited = interaction_of(EventKind.RELATIVE_INVITED, target=f"Patient/{patient}")
    kept = carry_out(runtime, caller, audited, lambda work: _plan(work, patient, wish))
    until = runtime.now() + LIFETIME
    if not runtime.ports.vault.add(Secret(_KIND, kept.code, msgspec.json.encode(kept), _group(patient), until)):
        raise Problem(Category.UNAVAILABLE)
    return Invitation(credentials.readable_code(kept.code), kept.consent, until)


@query
def waiting(runtime: Runtime, caller: Caller, patient: PatientId) -> tuple[Invitation, ...]:
    """Return the invitations of the caller in a space that nobody has accepted; those of others stay unknown."""
    entries = runtime.ports.vault.entries(_KIND, runtime.now(), _group(patient))
    kept = [(_DECODER.decode(entry.value), entry.expires) for entry in entries]
    return tuple(
        Invitation(credentials.readable_code(one.code), one.consent, until)
        for one, until in kept
        if until and one.giver == caller.requester.person
    )


@command(EventKind.RELATIVE_JOINED)
def accept(runtime: Runtime, caller: Caller, account: Account, typed: str) -> RepresentedPatient:
    """Use up a code: from now on the account acts for the patient who invited it.

    caller: the person of the account. Raises: Problem(TOO_MANY) after too many vain attempts; BUSINESS_RULE, always the
    same, for a code that lets nobody in; with its own reason for a carer who follows as many as the rules allow.
    """
    counts = _counts(runtime, account)
    _demand_room(runtime, caller, counts)
    _demand_scope(runtime, caller)
    code = credentials.typed_code(typed, CODE_LENGTH)
    entry = runtime.ports.vault.get(_KIND, code or "no code", runtime.now())
    kept = _DECODER.decode(entry.value) if entry else None
    directive = _in_force(runtime, kept) if kept else None
    if kept is None or directive is None or account.represented_patient(kept.patient):
        for key, limit in counts:
            Attempts(runtime.ports.vault, runtime.now(), _WINDOW).count(key, limit)
        _trace(runtime, caller, kept, Outcome(OutcomeCode.REFUSED, Category.BUSINESS_RULE.value, confidential=True))
        raise _no_invitation()
    if directive.kind is DirectiveKind.CARER and not may_follow(_followed(runtime, account), runtime.profile):
        text = "you are the carer of as many people as the rules allow; end one of these first"
        raise Problem.of(Category.BUSINESS_RULE, text, "Parameters.parameter", "too-many-carers")
    return _join(runtime, caller, account, kept)


def _join(runtime: Runtime, caller: Caller, account: Account, kept: _Kept) -> RepresentedPatient:
    joined = RepresentedPatient(kept.patient, kept.person, kept.of)
    if runtime.ports.vault.take(_KIND, kept.code, runtime.now()) is None:
        raise _no_invitation()
    _trace(runtime, caller, kept, Outcome(touched=(f"Consent/{kept.consent}", kept.person)))
    accounts.change_account(runtime, replace(account, patients=(*account.patients, joined)))
    return joined


def _plan(work: UnitOfWork, patient: PatientId, wish: Wish) -> _Kept:
    if work.caller.requester.kind not in PATIENTS_SIDE:
        work.patient = patient if work.snapshot.load_space(patient) else None
        raise Problem.of(Category.FORBIDDEN, "you may not call this operation", code="not-entitled")
    smart_scopes.demand(work.caller, CONSENT, "c", patient)
    open_record(work, patient, Action.DIRECT)
    _demand_right(wish, work.at)
    person, consent = work.runtime.ports.ids.new(), work.runtime.ports.ids.new()
    body: Json = {
        "resourceType": "RelatedPerson",
        "active": True,
        "patient": {"reference": f"Patient/{patient}"},
        "name": [{"text": wish.name.strip()}],
    }
    stamped = bodies.stamped(body, person, 1, work.stamp)
    facts = facts_of(orjson.loads(stamped), AccessFacts(compartment=patient), REGISTRY["RelatedPerson"])
    work.put(work.version("RelatedPerson", person, 1, stamped, facts))
    work.trace_outcome(work.entered.outcome(f"Patient/{patient}", f"RelatedPerson/{person}"))
    named = frozenset({f"RelatedPerson/{person}"})
    _record(work, Directive(consent, wish.kind, named, end=wish.until, categories=wish.classes, recorded_at=work.at))
    code = credentials.new_code(CODE_LENGTH)
    of = name_of(recorded_patient(work, patient))
    return _Kept(code, patient, work.caller.requester.person, f"RelatedPerson/{person}", consent, of)


def _record(work: UnitOfWork, directive: Directive) -> None:
    """Plan the choice that names the relative, as the API would record the same Consent."""
    consent = consent_of(directive, work.entered.patient, "")
    said = directives_of(consent, directive.id)
    plan_choice(work, _NAMED_BY[directive.kind](work.entered.patient, said, consent), Place(directive.id))


def _demand_right(wish: Wish, at: datetime) -> None:
    faults: list[Issue] = []
    if not 0 < len(wish.name.strip()) <= LONGEST_NAME or not wish.name.isprintable():
        faults.append(Issue(f"`name` has 1 to {LONGEST_NAME} printable characters", "Parameters.parameter", "name"))
    if wish.kind is DirectiveKind.CARER and (wish.until is None or wish.until <= at):
        faults.append(Issue("`until` is an instant to come: a carer acts until then", "Parameters.parameter", "until"))
    if wish.kind is not DirectiveKind.CARER and (wish.until or wish.classes):
        faults.append(Issue("a legal representative has neither an end nor limits", "Parameters.parameter", "until"))
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _in_force(runtime: Runtime, kept: _Kept) -> Directive | None:
    """Return the choice behind an invitation, None when it does not hold any more."""
    record, at = _record_of(runtime, kept.patient), runtime.now()
    found = (d for d in record.directives if d.id == kept.consent and not is_about_relative(d))
    return next((d for d in found if d.holds_at(at) and kept.person in d.actors), None)


def _followed(runtime: Runtime, account: Account) -> int:
    """Count the patients who have named this account's persons as carer, now or for later (B13)."""
    return sum(
        _is_carer(_record_of(runtime, one.patient).directives, one.person, runtime.now()) for one in account.patients
    )


def _is_carer(directives: Iterable[Directive], person: str, at: datetime) -> bool:
    return any(
        d.kind is DirectiveKind.CARER and person in d.actors and (d.end is None or at < d.end) for d in directives
    )


def _record_of(runtime: Runtime, patient: PatientId) -> RecordState:
    with runtime.ports.store.snapshot() as snapshot:
        return record_of(patient, snapshot.load_space(patient))


def _counts(runtime: Runtime, account: Account) -> tuple[tuple[str, int], ...]:
    ceilings = runtime.profile.ceilings
    own, in_all = key_of(_FAILED, account.subject), key_of(_FAILED, _EVERYBODY)
    return (own, ceilings.failed_codes_an_hour), (in_all, ceilings.failed_codes_an_hour_in_all)


def _demand_room(runtime: Runtime, caller: Caller, counts: tuple[tuple[str, int], ...]) -> None:
    attempts = Attempts(runtime.ports.vault, runtime.now(), _WINDOW)
    full = [(key, limit) for key, limit in counts if attempts.is_full(key, limit)]
    if full:
        told = Issue("too many codes were tried in vain; try again later")
        refusal = Problem(Category.TOO_MANY, told, retry_after=max(attempts.seconds_left(*one) for one in full))
        audit_log.record_refusal(runtime, caller, interaction_of(EventKind.RELATIVE_JOINED), refusal)
        raise refusal


def _demand_scope(runtime: Runtime, caller: Caller) -> None:
    try:
        smart_scopes.demand(caller, CONSENT, "c")
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, interaction_of(EventKind.RELATIVE_JOINED), problem)
        raise


def _trace(runtime: Runtime, caller: Caller, kept: _Kept | None, outcome: Outcome) -> None:
    audited = interaction_of(EventKind.RELATIVE_JOINED, target=f"Patient/{kept.patient}" if kept else "")
    audit_log.record(runtime, caller, audited, outcome, kept.patient if kept else None)


def _no_invitation() -> Problem:
    text = "this code does not let you in: it is wrong, was used, has expired, or is not for you"
    return Problem.of(Category.BUSINESS_RULE, text, "Parameters.parameter", "no-invitation")


def _group(patient: PatientId) -> str:
    return f"relatives:{patient}"
