"""Invitations: a one-time code that the patient shows, by which one professional enters for one consultation.

A code of sixty random bits lives for minutes, at most a day, in the vault under a keyed hash. It may be for one
professional or one establishment, and for some documents only. Whoever redeems it records an agreement of the grade
`patient`, because the patient has shown the code. Wrong, expired, used and foreign codes, and codes of a space that is
closed to the caller, get one answer. The vault is read once for each code, right or wrong.
Source: rules C1, C4, B2 and B6; statement V1 of docs/rules.md; docs/adr/0091-invitations.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from consent_rules.consents import recording as rules_of_recording
from consent_rules.decision.decision_context import context_of
from consent_rules.model import AccessRequest, Deny, Directive, Requester
from consent_rules.vocabulary import Action, PatientId, Proof, Purpose, RequesterKind
from fhir_server.application.consents.entrances import (
    REFUSED_ALIKE,
    Entrance,
    Shown,
    agreement_with,
    demand_professional,
    let_in,
    no_entrance,
)
from fhir_server.application.consents.recording import CONSENT
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE
from fhir_server.application.core.enforcement_point import answer_of, open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, carry_out
from fhir_server.application.documents import replacement_chain
from fhir_server.application.identity import credentials
from fhir_server.application.identity.attempts import Attempts, key_of
from fhir_server.domain.audit.interactions import Outcome, OutcomeCode, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, query
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.references import split
from fhir_server.ports.vault import Secret
from fhir_server.registry import PARTIES

CODE_LENGTH = 12
"""In symbols of five random bits."""
_KIND = "invitation"
_NO_CODE = "no code"
"""The code that is looked up in place of a text that cannot be one, so that both cost the same."""
_WINDOW = timedelta(hours=1)
_FAILED, _EVERYBODY = "invitation-failed", "everybody"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the patient wants to show.

    audience: "Practitioner/…", "PractitionerRole/…" or "Organization/…" that alone may redeem the code, None for
    whoever redeems it first. minutes: for how long it can be redeemed, None for the time of the rule profile.
    documents: ids of those that it opens, None for all that the matrix gives.
    """

    audience: str | None = None
    minutes: int | None = None
    documents: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code to show. code: for people to read. until: when it can be redeemed no more."""

    code: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A code in force, without the code itself. giver: "Patient/…" or "RelatedPerson/…". until: as in `Invitation`.

    audience, documents: as in `Wish`; None in the code of somebody else too, whose wishes are their own.
    """

    giver: str
    until: datetime
    audience: str | None
    documents: frozenset[str] | None
    is_own: bool


class _Kept(msgspec.Struct, frozen=True):
    """An invitation as the vault keeps it. giver: "Patient/…" or "RelatedPerson/…"; kind: of this requester."""

    code: str
    patient: PatientId
    giver: str
    kind: RequesterKind
    audience: str | None
    documents: frozenset[str] | None

    def is_for(self, requester: Requester) -> bool:
        """Tell whether a professional may redeem it."""
        return self.audience is None or self.audience in requester.identities


_DECODER = msgspec.json.Decoder(_Kept)


@command(EventKind.INVITATION_MADE)
def invite(runtime: Runtime, caller: Caller, patient: PatientId, wish: Wish) -> Invitation:
    """Make the code by which a professional enters once; the caller's earlier code for this space becomes invalid.

    Raises: Problem(FORBIDDEN) for anybody but the patient's side; BUSINESS_RULE for a time that is too long, an unknown
    professional, and a document that the caller does not see.
    """
    audited = interaction_of(EventKind.INVITATION_MADE, target=f"Patient/{patient}")
    kept, until = carry_out(runtime, caller, audited, lambda work: _plan_invitation(work, patient, wish))
    _forget(runtime, patient, kept.giver)
    entry = Secret(_KIND, kept.code, msgspec.json.encode(kept), _group(patient), until)
    if not runtime.ports.vault.add(entry):
        raise Problem(Category.UNAVAILABLE)
    return Invitation(credentials.readable_code(kept.code), until)


@command(EventKind.INVITATION_CANCELLED)
def cancel(runtime: Runtime, caller: Caller, patient: PatientId) -> None:
    """Make codes invalid: every code of the space for the patient, only their own for a representative.

    Raises: Problem(FORBIDDEN) for anybody but the patient's side.
    """
    audited = interaction_of(EventKind.INVITATION_CANCELLED, target=f"Patient/{patient}")

    def plan(work: UnitOfWork) -> None:
        _enter_as_giver(work, patient)
        work.trace(work.audited, (f"Patient/{patient}",))

    carry_out(runtime, caller, audited, plan)
    of_all = caller.requester.kind is RequesterKind.PATIENT
    _forget(runtime, patient, None if of_all else caller.requester.person)


@query
def in_force(runtime: Runtime, caller: Caller, patient: PatientId) -> tuple[Standing, ...]:
    """Return the codes in force that the caller may cancel, the first to end first.

    Raises: Problem(FORBIDDEN) for anybody but the patient's side.
    """
    audited = interaction_of(EventKind.INVITATIONS_LOOKED_AT, target=f"Patient/{patient}")

    def plan(work: UnitOfWork) -> None:
        _enter_as_giver(work, patient, "r")
        work.trace(work.audited, (f"Patient/{patient}",))

    carry_out(runtime, caller, audited, plan)
    entries = runtime.ports.vault.entries(_KIND, runtime.now(), _group(patient))
    kept = [(_DECODER.decode(entry.value), entry.expires) for entry in entries if entry.expires]
    of_all, person = caller.requester.kind is RequesterKind.PATIENT, caller.requester.person
    found = (_standing(one, until, person) for one, until in kept if of_all or one.giver == person)
    return tuple(sorted(found, key=lambda one: one.until))


def _standing(kept: _Kept, until: datetime, person: str) -> Standing:
    if kept.giver != person:
        return Standing(kept.giver, until, None, None, is_own=False)
    return Standing(kept.giver, until, kept.audience, kept.documents, is_own=True)


@command(EventKind.INVITATION_REDEEMED)
def redeem(runtime: Runtime, caller: Caller, typed: str) -> Entrance:
    """Use up a code and let the calling professional into its space, for one consultation.

    Raises: Problem(FORBIDDEN) for whoever is no professional; TOO_MANY after too many vain attempts; BUSINESS_RULE,
    always the same, for a code that does not let the caller in.
    """
    demand_professional(runtime, caller, EventKind.INVITATION_REDEEMED)
    counts = _Counts(runtime, caller)
    counts.demand_room()
    now = runtime.now()
    code = credentials.typed_code(typed, CODE_LENGTH)
    entry = runtime.ports.vault.get(_KIND, code or _NO_CODE, now)
    kept = _DECODER.decode(entry.value) if entry else None
    if kept is None or not kept.is_for(caller.requester):
        counts.add()
        _record_refusal(runtime, caller, kept.patient if kept else None)
        raise no_entrance()
    try:
        return _enter(runtime, caller, kept)
    except Problem as problem:
        if problem.category not in REFUSED_ALIKE:
            raise
        counts.add()
        raise no_entrance() from None


def _plan_invitation(work: UnitOfWork, patient: PatientId, wish: Wish) -> tuple[_Kept, datetime]:
    work.names(*(f"DocumentReference/{id_}" for id_ in sorted(wish.documents or ())))
    _enter_as_giver(work, patient)
    until = _until(work, wish.minutes)
    audience = _audience(work, wish.audience)
    requester = work.caller.requester
    stated = replace(agreement_with(requester, wish.documents), actors=frozenset({audience or "Practitioner/anybody"}))
    (agreed,) = replacement_chain.resolved(work, (_as_giver(work, stated),), "Parameters")
    confidential = replacement_chain.are_confidential(work, patient, (agreed,))
    work.trace_outcome(work.entered.outcome(f"Patient/{patient}", confidential=confidential))
    code = credentials.new_code(CODE_LENGTH)
    return _Kept(code, patient, requester.person, requester.kind, audience, agreed.documents), until


def _enter_as_giver(work: UnitOfWork, patient: PatientId, letter: str = "c") -> None:
    """Enter as the patient or a representative; anybody else gets the same answer for every patient.

    letter: of the scope for Consents that the caller needs.
    """
    if work.caller.requester.kind not in PATIENTS_SIDE:
        work.patient = patient if work.snapshot.load_space(patient) else None
        raise Problem.of(Category.FORBIDDEN, "you may not call this operation", code="not-entitled")
    smart_scopes.demand(work.caller, CONSENT, letter, patient)
    open_record(work, patient, Action.DIRECT)


def _as_giver(work: UnitOfWork, stated: Directive) -> Directive:
    """Demand that the caller might record the same agreement as a choice of their own."""
    runtime = work.runtime
    context = context_of(work.asks(Action.DIRECT), work.record(), runtime.matrix, runtime.profile)
    answer = rules_of_recording.record(context, stated)
    if isinstance(answer, Deny):
        raise Problem.of(Category.FORBIDDEN, "you may not let a professional in", code=answer.reason)
    return answer


def _until(work: UnitOfWork, minutes: int | None) -> datetime:
    profile = work.runtime.profile
    if minutes is None:
        return profile.invitation.after(work.at)
    longest = (profile.longest_invitation.after(work.at) - work.at) // timedelta(minutes=1)
    if not 1 <= minutes <= longest:
        text = f"a code can be redeemed for 1 to {longest} minutes"
        raise Problem.of(Category.BUSINESS_RULE, text, "Parameters.parameter", "period-too-long")
    return work.at + timedelta(minutes=minutes)


def _audience(work: UnitOfWork, reference: str | None) -> str | None:
    if reference is None:
        return None
    named = split(reference, work.runtime.fhir_base)
    if named is None or named[0] not in PARTIES or not work.is_known(*named):
        text = "name a professional or an establishment of the directory"
        raise Problem.of(Category.BUSINESS_RULE, text, "Parameters.parameter", "unknown-reference")
    return "/".join(named)


def _enter(runtime: Runtime, caller: Caller, kept: _Kept) -> Entrance:
    audited = interaction_of(EventKind.INVITATION_REDEEMED, target=f"Patient/{kept.patient}")
    taken: list[Secret] = []

    def plan(work: UnitOfWork) -> Entrance:
        work.names(*(f"DocumentReference/{id_}" for id_ in sorted(kept.documents or ())))
        giver = "" if kept.kind is RequesterKind.PATIENT else kept.giver
        agreed = agreement_with(caller.requester, kept.documents, giver)
        return let_in(work, kept.patient, Shown(Proof.CODE, lambda: _claim(work, kept, taken)), agreed)

    return carry_out(runtime, caller, audited, plan)


def _claim(work: UnitOfWork, kept: _Kept, taken: list[Secret]) -> None:
    """Take the code out of the vault, once for all attempts at the commit."""
    _demand_giver(work, kept)
    entry = None if taken else work.runtime.ports.vault.take(_KIND, kept.code, work.runtime.now())
    if entry:
        taken.append(entry)
    if not taken:
        raise no_entrance()


def _demand_giver(work: UnitOfWork, kept: _Kept) -> None:
    """Demand that whoever gave the code may still do so."""
    request = AccessRequest(Requester(kept.kind, kept.giver), Action.DIRECT, Purpose.PATIENT_REQUEST, work.at)
    if isinstance(answer_of(work.runtime, request, work.rules_on(work.entered.record)), Deny):
        raise no_entrance()


@dataclass(frozen=True, slots=True)
class _Counts:
    """The vain attempts of one professional, and those of everybody."""

    runtime: Runtime
    caller: Caller

    def demand_room(self) -> None:
        """Refuse a further attempt after too many vain ones; nothing is looked up then. Raises: Problem(TOO_MANY)."""
        full = [(key, limit) for key, limit in self._limits if self._attempts.is_full(key, limit)]
        if full:
            seconds = max(self._attempts.seconds_left(key, limit) for key, limit in full)
            told = Issue("too many codes were tried in vain; try again later", code="ceiling-failed-codes-an-hour")
            refusal = Problem(Category.TOO_MANY, told, retry_after=seconds)
            audited = interaction_of(EventKind.INVITATION_REDEEMED)
            audit_log.record_refusal(self.runtime, self.caller, audited, refusal)
            raise refusal

    def add(self) -> None:
        """Count a vain attempt."""
        for key, limit in self._limits:
            self._attempts.count(key, limit)

    @property
    def _attempts(self) -> Attempts:
        return Attempts(self.runtime.ports.vault, self.runtime.now(), _WINDOW)

    @property
    def _limits(self) -> tuple[tuple[str, int], ...]:
        ceilings = self.runtime.profile.ceilings
        own = key_of(_FAILED, self.caller.requester.person)
        in_all = key_of(_FAILED, _EVERYBODY)
        return (own, ceilings.failed_codes_an_hour), (in_all, ceilings.failed_codes_an_hour_in_all)


def _record_refusal(runtime: Runtime, caller: Caller, patient: PatientId | None) -> None:
    """Store the audit event of a vain attempt.

    patient: in whose space, when the code exists but is for somebody else; None for no space.
    """
    audited = interaction_of(EventKind.INVITATION_REDEEMED, target=f"Patient/{patient}" if patient else "")
    outcome = Outcome(OutcomeCode.REFUSED, Category.BUSINESS_RULE.value, confidential=True, beyond=True)
    audit_log.record(runtime, caller, audited, outcome, patient)


def _forget(runtime: Runtime, patient: PatientId, giver: str | None) -> None:
    """Make the codes of a space invalid. giver: whose, None for everybody's."""
    vault = runtime.ports.vault
    for entry in vault.entries(_KIND, runtime.now(), _group(patient)):
        kept = _DECODER.decode(entry.value)
        if giver in {None, kept.giver}:
            vault.drop(_KIND, kept.code)


def _group(patient: PatientId) -> str:
    return f"invitations:{patient}"
