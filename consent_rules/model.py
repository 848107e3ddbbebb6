"""The values that the decision takes and returns: requester, request and state of the space; permit or denial."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from consent_rules.visibility import Clause, Extent, Visibility, micros
from consent_rules.vocabulary import (
    Action,
    Basis,
    Capacity,
    DirectiveKind,
    Grade,
    Label,
    Obligation,
    PatientId,
    Proof,
    Purpose,
    Reason,
    RequesterKind,
    SpaceStatus,
    View,
)


@dataclass(frozen=True, slots=True)
class Requester:
    """Facts about who asks, all from signed or looked-up claims, never from what the request itself says.

    person: "Patient/…", "RelatedPerson/…" or "Practitioner/…", "" for software alone. role: "PractitionerRole/…".
    organization: "Organization/…" of the practice situation or of the software. client: "Device/<client id>".
    profession: code of the matrix row ("70"), "" when none. specialty: code, "" when none.
    capacity: the post in this practice situation, if the post changes the rules.
    vouched: whether software names the person, who has not logged in (V5).
    """

    kind: RequesterKind
    person: str = ""
    role: str = ""
    organization: str = ""
    client: str = ""
    profession: str = ""
    specialty: str = ""
    capacity: Capacity = Capacity.NONE
    vouched: bool = False

    @property
    def identities(self) -> frozenset[str]:
        """Every reference by which a directive may name this requester, without the software."""
        return frozenset({self.person, self.role, self.organization} - {""})


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One request to the decision; `at` is UTC-aware.

    in_lockdown: whether the operator of the server now permits only emergencies (K2).
    """

    requester: Requester
    action: Action
    purpose: Purpose
    at: datetime
    in_lockdown: bool = False


@dataclass(frozen=True, slots=True)
class RuleApplied:
    """One rule that the decision applied: its statement number in docs/rules.md and the ids of the consents it used.

    grade: the best evidence behind a ground of care (V1); None for every other rule.
    """

    statement: str
    outcome: str
    consents: tuple[str, ...] = ()
    grade: Grade | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """The requester may enter the space; `views` says what the requester sees.

    basis: ground of the access. obligations: what the server must do.
    views: the clauses of each part of the space; a part that is absent shows nothing.
    grade: the best evidence behind the ground (V1); None when the ground is not a professional's care.
    everywhere: the permit is for every space at once, and for what belongs to no space.
    """

    compartment: PatientId
    basis: Basis
    rules: tuple[RuleApplied, ...]
    views: Mapping[View, tuple[Clause, ...]]
    obligations: frozenset[Obligation] = frozenset()
    matrix_version: str = ""
    grade: Grade | None = None
    everywhere: bool = False

    def sees(self, view: View) -> Visibility:
        """Return what is visible of one part of the space."""
        return Visibility(self.compartment, self.views.get(view, ()), everywhere=self.everywhere)


@dataclass(frozen=True, slots=True)
class Deny:
    """The requester may not enter. reason: for the audit log; callers learn less."""

    reason: Reason
    rules: tuple[RuleApplied, ...] = field(default=())
    matrix_version: str = ""


A_GUARDIAN = "a guardian"
"""Stands for whichever legal representative of a minor: nobody knows who has shown the minor's card."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One decision of the patient, or one fact about who may act, as the rules read it from one Consent.

    id: of the Consent. actors: references it names, empty for everybody. excluded: references it does not apply to.
    purposes: those it applies to, empty for all. start, end: half-open period in which it holds, UTC-aware.
    recorded_at: when it was given. proof: the evidence for it. by_patient: whether the patient or a representative
        recorded it themselves. recorder: reference of the professional who wrote it down, "" when by_patient.
    kinds, categories, documents, data_start, data_end: documents that it covers, by type, class, id and the half-open
        time in which they were written; None for all. labels: they carry at least one of these, NONE for all.
    professions: codes to which a directive that withholds documents does not apply.
    reason: why, for emergency openings. grade: of the evidence, from what the server knows (V1).
    given_by: reference of the representative on whose invitation a professional recorded it, A_GUARDIAN when any of
        them may have shown the card of a minor, "" for none.
    """

    id: str
    kind: DirectiveKind
    actors: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    start: datetime | None = None
    end: datetime | None = None
    recorded_at: datetime | None = None
    proof: Proof = Proof.ORAL
    by_patient: bool = False
    recorder: str = ""
    kinds: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    reason: str = ""
    documents: frozenset[str] | None = None
    data_start: datetime | None = None
    data_end: datetime | None = None
    professions: frozenset[str] = frozenset()
    labels: Label = Label.NONE
    grade: Grade = Grade.DECLARED
    given_by: str = ""

    @property
    def extent(self) -> Extent:
        """The documents that the directive covers."""
        since = None if self.data_start is None else micros(self.data_start)
        until = None if self.data_end is None else micros(self.data_end)
        return Extent(self.documents, self.kinds, self.categories, since, until, self.labels)

    @property
    def precision(self) -> int:
        """How precisely the directive describes its documents: 0 the whole space, 1 a class of documents, 2 by id."""
        if self.documents is not None:
            return 2
        limits = (self.kinds, self.categories, self.data_start, self.data_end, self.labels or None)
        return 1 if any(limit is not None for limit in limits) else 0

    def holds_at(self, at: datetime) -> bool:
        """Tell whether an instant lies in the stated period."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    def names(self, identities: frozenset[str]) -> bool:
        """Tell whether one of the identities is named, and none of them is excluded."""
        return not self.actors.isdisjoint(identities) and self.excluded.isdisjoint(identities)


@dataclass(frozen=True, slots=True)
class Membership:
    """One member of a care team, for a half-open period. grade: of the evidence; a declared one is too weak (V4)."""

    member: str
    start: datetime | None = None
    end: datetime | None = None
    grade: Grade = Grade.DECLARED

    def holds_at(self, at: datetime) -> bool:
        """Tell whether the membership holds at an instant."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Team:
    """A care team of the patient (C2). reference: "CareTeam/…"."""

    reference: str
    members: tuple[Membership, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge of the identity of a space with that of another space; the states of both spaces hold it.

    id: of the merge. other: whose space the other is. replaced: whether this identity is the source, which the other
    replaces. at: when. was_active: `Patient.active` of the source before, None when it was not stated.
    """

    id: str
    other: PatientId
    replaced: bool
    at: datetime
    was_active: bool | None = None


@dataclass(frozen=True, slots=True)
class RecordState:
    """All facts that decide about one space, loaded with one read.

    patient: id, without the type. status: the state that was set last; lifecycle.status_at returns the state in force.
    since: when that state was set (the notice sent, the space closed …).
    erasure_asked_at: when the erasure of a closed space was requested.
    birth_date: None when unknown, which counts as adult. directives: in the order in which they were given.
    deceased: whether the patient's death is recorded. told: accesses of which the patient has already been told,
        each "person establishment" (H1).
    unread: ids of Consents with a stored directive that could not be read; `directives` holds what is left of it.
    entered: who has entered on a declared ground that was counted, and until when that counts. No rule reads it.
    merged: with which space the identity is merged, None for none.
    """

    patient: PatientId
    status: SpaceStatus
    since: datetime | None = None
    erasure_asked_at: datetime | None = None
    birth_date: date | None = None
    directives: tuple[Directive, ...] = ()
    teams: tuple[Team, ...] = ()
    deceased: bool = False
    told: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    entered: Mapping[str, datetime] = field(default_factory=dict, hash=False)
    merged: Merge | None = None

    def with_directive(self, *said: Directive) -> "RecordState":
        """Return the state with the directives of a Consent, in place of that Consent's earlier directives."""
        ids = {directive.id for directive in said}
        others = tuple(kept for kept in self.directives if kept.id not in ids)
        return replace(self, directives=(*others, *said))

    def inheriting(self, older: str, newer: str) -> "RecordState":
        """Return the state in which every directive about a document also covers the document that replaces it."""
        return replace(self, directives=tuple(_naming_both(kept, older, newer) for kept in self.directives))

    def without(self, consent_id: str) -> "RecordState":
        """Return the state without the directives of one Consent.

        A removed block leaves a BLOCK_LIFTED directive, so that consents given before the block do not revive (F5).
        """
        return replace(self, directives=tuple(_after_withdrawal(self.directives, consent_id)))


OF_THE_REGISTRY = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.DECLARED_PHYSICIAN})
"""Facts that the operator of the insurer's registry records; no professional may state them."""


def implied_grade(kind: DirectiveKind, *, by_patient: bool) -> Grade:
    """Return the grade of a directive that was stored before directives stated one (V1)."""
    if by_patient:
        return Grade.PATIENT
    return Grade.THIRD_PARTY if kind in OF_THE_REGISTRY else Grade.DECLARED


RESTRICTING = frozenset(
    {
        DirectiveKind.BLOCK,
        DirectiveKind.BLOCK_LIFTED,
        DirectiveKind.WITHHELD,
        DirectiveKind.HIDDEN_BY_DEFAULT,
        DirectiveKind.CARE_HISTORY_HIDDEN,
        DirectiveKind.ASK_FIRST,
    }
)


def closed(directive: Directive) -> Directive | None:
    """Return what is left of a directive that cannot be read in full: it opens nothing and still closes what it closed.

    A restricting directive then holds at all times, and for documents of any time. Nothing is left of the others.
    """
    if directive.kind not in RESTRICTING:
        return None
    return replace(directive, start=None, end=None, recorded_at=None, data_start=None, data_end=None)


def _after_withdrawal(directives: tuple[Directive, ...], consent_id: str) -> list[Directive]:
    kept = []
    for directive in directives:
        if directive.id != consent_id:
            kept.append(directive)
        elif directive.kind in (DirectiveKind.BLOCK, DirectiveKind.BLOCK_LIFTED):
            kept.append(replace(directive, kind=DirectiveKind.BLOCK_LIFTED))
    return kept


def _naming_both(directive: Directive, older: str, newer: str) -> Directive:
    if directive.documents is None or older not in directive.documents:
        return directive
    return replace(directive, documents=directive.documents | {newer})
