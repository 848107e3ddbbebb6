"""The state of a space as bytes and back: a store keeps it beside the resources, and loads it in one read.

Only what differs from the default is written, in the order of the names. Instants are microseconds since the epoch.
Each class below is the stored form of a class of `consent_rules.model`, with the same names of its fields.
"""

from dataclasses import replace
from datetime import date

import msgspec

from consent_rules import model
from consent_rules.model import closed, implied_grade
from consent_rules.visibility import micros
from consent_rules.vocabulary import DirectiveKind, Grade, Label, PatientId, Proof, Purpose, SpaceStatus
from fhir_server.domain.stored import instant, instant_or_none, micros_or_none
from fhir_server.domain.values import Json

_NONE: frozenset[str] = frozenset()
_NO_PURPOSES: frozenset[Purpose] = frozenset()
_WHOM = frozenset({"id", "kind", "actors", "by_patient"})


class StoredDirective(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The stored form of one directive.

    grade: None for the grade that the kind and `by_patient` imply, so that earlier versions' states read as they are.
    """

    id: str
    kind: DirectiveKind
    actors: frozenset[str] = _NONE
    excluded: frozenset[str] = _NONE
    purposes: frozenset[Purpose] = _NO_PURPOSES
    start: int | None = None
    end: int | None = None
    recorded_at: int | None = None
    proof: Proof = Proof.ORAL
    by_patient: bool = False
    recorder: str = ""
    kinds: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    reason: str = ""
    documents: frozenset[str] | None = None
    data_start: int | None = None
    data_end: int | None = None
    professions: frozenset[str] = _NONE
    labels: int = 0
    grade: Grade | None = None
    given_by: str = ""

    def read(self) -> model.Directive:
        """Return the directive. Raises: OverflowError for an instant outside the calendar."""
        return model.Directive(
            self.id, self.kind, self.actors, self.excluded, self.purposes,
            instant_or_none(self.start), instant_or_none(self.end), instant_or_none(self.recorded_at),
            self.proof, self.by_patient, self.recorder, self.kinds, self.categories, self.reason, self.documents,
            instant_or_none(self.data_start), instant_or_none(self.data_end), self.professions, Label(self.labels),
            self.grade or implied_grade(self.kind, by_patient=self.by_patient), self.given_by,
        )  # fmt: skip


class StoredMembership(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The stored form of one membership."""

    member: str
    start: int | None = None
    end: int | None = None
    grade: Grade = Grade.DECLARED


class StoredTeam(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The stored form of one care team."""

    reference: str
    members: tuple[StoredMembership, ...]

    def read(self) -> model.Team:
        """Return the care team."""
        members = (
            model.Membership(one.member, instant_or_none(one.start), instant_or_none(one.end), one.grade)
            for one in self.members
        )
        return model.Team(self.reference, tuple(members))


class StoredMerge(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The stored form of one merge."""

    id: str
    other: PatientId
    replaced: bool
    at: int
    was_active: bool | None = None

    def read(self) -> model.Merge:
        """Return the merge."""
        return model.Merge(self.id, self.other, self.replaced, instant(self.at), self.was_active)


class StoredState(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The stored form of the state of a space."""

    patient: PatientId
    status: SpaceStatus
    since: int | None = None
    erasure_asked_at: int | None = None
    birth_date: date | None = None
    directives: tuple[StoredDirective, ...] = ()
    teams: tuple[StoredTeam, ...] = ()
    deceased: bool = False
    told: frozenset[str] = _NONE
    unread: frozenset[str] = _NONE
    entered: dict[str, int] = msgspec.field(default_factory=dict)
    merged: StoredMerge | None = None

    def read(self) -> model.RecordState:
        """Return the state. Raises: OverflowError for an instant outside the calendar."""
        return model.RecordState(
            self.patient, self.status, instant_or_none(self.since), instant_or_none(self.erasure_asked_at),
            self.birth_date, tuple([one.read() for one in self.directives]), tuple([one.read() for one in self.teams]),
            self.deceased, self.told, self.unread,
            {person: instant(until) for person, until in self.entered.items()} if self.entered else {},
            self.merged.read() if self.merged else None,
        )  # fmt: skip


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(StoredState)


def dump(record: model.RecordState) -> bytes:
    """Write a state; equal states give equal bytes."""
    return _ENCODER.encode(
        StoredState(
            record.patient, record.status, micros_or_none(record.since), micros_or_none(record.erasure_asked_at),
            record.birth_date, tuple([_written(one) for one in record.directives]),
            tuple([_written_team(one) for one in record.teams]), record.deceased, record.told or _NONE,
            record.unread or _NONE, {person: micros(until) for person, until in record.entered.items()},
            _written_merge(record.merged) if record.merged else None,
        )
    )  # fmt: skip


def load(state: bytes) -> model.RecordState:
    """Read what `dump` wrote. A directive that cannot be read closes what it may concern, and is named in `unread`.

    Raises: ValueError, KeyError or OverflowError for any other damage, so that a damaged state lets nobody in.
    """
    try:
        return _DECODER.decode(state).read()
    except (ValueError, OverflowError):
        return _salvaged(msgspec.json.decode(state))


def _salvaged(values: Json) -> model.RecordState:
    """Read a state in which one or more directives cannot be read."""
    read = [(value, _directive_or_none(value)) for value in values.get("directives", ())]
    unread = {str(value["id"]) for value, directive in read if directive is None}
    kept = (directive or _left_of(value) for value, directive in read)
    record = msgspec.convert(values | {"directives": ()}, StoredState).read()
    return replace(record, directives=tuple(filter(None, kept)), unread=record.unread | unread)


def _directive_or_none(value: Json) -> model.Directive | None:
    try:
        return msgspec.convert(value, StoredDirective).read()
    except (ValueError, OverflowError):
        return None


def _left_of(value: Json) -> model.Directive | None:
    """Return what closes all that an unreadable directive may concern; its kind and actors are enough for that."""
    directive = _directive_or_none({name: value[name] for name in _WHOM & value.keys()})
    return closed(directive) if directive else None


def _written(of: model.Directive) -> StoredDirective:
    implied = implied_grade(of.kind, by_patient=of.by_patient)
    return StoredDirective(
        of.id, of.kind, of.actors or _NONE, of.excluded or _NONE, of.purposes or _NO_PURPOSES,
        micros_or_none(of.start), micros_or_none(of.end), micros_or_none(of.recorded_at), of.proof, of.by_patient,
        of.recorder, of.kinds, of.categories, of.reason, of.documents, micros_or_none(of.data_start),
        micros_or_none(of.data_end), of.professions or _NONE, int(of.labels),
        None if of.grade is implied else of.grade, of.given_by,
    )  # fmt: skip


def _written_team(of: model.Team) -> StoredTeam:
    members = (
        StoredMembership(one.member, micros_or_none(one.start), micros_or_none(one.end), one.grade)
        for one in of.members
    )
    return StoredTeam(of.reference, tuple(members))


def _written_merge(of: model.Merge) -> StoredMerge:
    return StoredMerge(of.id, of.other, of.replaced, micros(of.at), of.was_active)
