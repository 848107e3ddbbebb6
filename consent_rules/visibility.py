"""Visibility: a value that says which documents of one space a requester with a permit sees.

A visibility is a union of clauses; inside a clause every stated condition must hold. Without a clause, nothing is
visible. `admits` defines the rule; the storage adapters translate the same value into SQL and into MongoDB's filter
language, and tests/ports checks on generated documents that all three agree.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from consent_rules.vocabulary import NO_SPACE, Label, Mark, PatientId

Interval = tuple[int, int]
"""Half-open interval of instants, in microseconds since 1970-01-01T00:00:00Z."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return an instant as it stands in an Interval."""
    return (at - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """The facts of one stored resource that decide who sees it; computed once, when it is written.

    compartment: id of the patient whose space holds the resource, "" for directory resources.
    kind: the document type code of the matrix column, "" when the type is not one of the matrix.
    category: class code of the document, "" when unknown.
    marks: visibility marks in force.
    sealed_until: until when INVISIBLE_PATIENT closes the document to the patient (E11); None without that mark.
    owner_person, owner_organization, owner_client: references of the depositing professional,
        establishment and software ("Practitioner/…", "Organization/…", "Device/…"), "" when there is none.
    id: of the resource, without its type. authored: when it was written, None when unknown.
    labels: what a document says of its own confidentiality, None when unknown.
    """

    compartment: PatientId
    kind: str = ""
    category: str = ""
    marks: Mark = Mark.NONE
    sealed_until: datetime | None = None
    owner_person: str = ""
    owner_organization: str = ""
    owner_client: str = ""
    id: str = ""
    authored: Interval | None = None
    labels: Label | None = None

    @property
    def owners(self) -> frozenset[str]:
        """The references that count as depositor."""
        return frozenset({self.owner_person, self.owner_organization, self.owner_client} - {""})

    def is_owned_by(self, references: frozenset[str]) -> bool:
        """Tell whether one of these references counts as depositor."""
        person, organization, client = self.owner_person, self.owner_organization, self.owner_client
        return (
            (person in references and person != "")
            or (organization in references and organization != "")
            or (client in references and client != "")
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """Some documents, as a directive describes them: every stated condition must hold; None states no condition.

    documents: ids. kinds, categories: type and class codes. since, until: half-open time in which a document was
    written, as in Interval. labels: the document carries at least one of them; NONE states no condition.
    """

    documents: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    since: int | None = None
    until: int | None = None
    labels: Label = Label.NONE

    def covers(self, facts: AccessFacts) -> bool:
        """Tell whether a document certainly belongs here: not if a fact is unknown or its time lies partly outside."""
        if self.labels and not (facts.labels and facts.labels & self.labels):
            return False
        return self._names(facts) and (
            self._is_timeless
            or (
                facts.authored is not None
                and (self.since is None or self.since <= facts.authored[0])
                and (self.until is None or facts.authored[1] <= self.until)
            )
        )

    def touches(self, facts: AccessFacts) -> bool:
        """Tell whether a document may belong here: also if a fact is unknown or its time lies partly inside."""
        if self.labels and facts.labels is not None and not facts.labels & self.labels:
            return False
        return self._names(facts) and (
            facts.authored is None
            or (
                (self.since is None or self.since < facts.authored[1])
                and (self.until is None or facts.authored[0] < self.until)
            )
        )

    @property
    def _is_timeless(self) -> bool:
        return self.since is None and self.until is None

    def _names(self, facts: AccessFacts) -> bool:
        return (
            (self.documents is None or facts.id in self.documents)
            and (self.kinds is None or facts.kind in self.kinds)
            and (self.categories is None or facts.category in self.categories)
        )


class Clause(NamedTuple):
    """A set of conditions that show a document when all of them hold. A tuple, as every decision builds several.

    kinds, categories: allowed values; None allows all.
    closed_by: the document must have none of these marks (never INVISIBLE_PATIENT, which `unsealed_at` checks).
    unsealed_at: at this instant the document must no longer be sealed from the patient; None states no condition.
    owned_by: the document must have one of these owners; None states no condition.
    knows_marks: whether a reader who sees the document by this clause may also see its visibility marks.
    within: the documents to which the patient limited this clause; None states no condition.
    barred: the documents that are withheld.
    of_seen: an audit event or notice about documents must be about one that the reader sees (`Visibility.documents`);
        the stores check this condition, `admits` does not.
    of_waiting: the same, but a document counts also while it is sealed from the patient, and not once it is deleted.
    """

    kinds: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    closed_by: Mark = Mark.NONE
    unsealed_at: datetime | None = None
    owned_by: frozenset[str] | None = None
    knows_marks: bool = False
    within: Extent | None = None
    barred: tuple[Extent, ...] = ()
    of_seen: bool = False
    of_waiting: bool = False

    def admits(self, facts: AccessFacts) -> bool:
        """Tell whether this clause shows a resource of the right compartment."""
        return (
            (self.kinds is None or facts.kind in self.kinds)
            and (self.categories is None or facts.category in self.categories)
            and (facts.marks is Mark.NONE or not facts.marks & self.closed_by)
            and (self.unsealed_at is None or facts.sealed_until is None or facts.sealed_until <= self.unsealed_at)
            and (self.owned_by is None or facts.is_owned_by(self.owned_by))
            and (self.within is None or self.within.covers(facts))
            and not (self.barred and any(extent.touches(facts) for extent in self.barred))
        )

    def narrowed(self, kinds: frozenset[str] | None, categories: frozenset[str] | None) -> "Clause":
        """Return this clause, further restricted to kinds and categories; None restricts nothing."""
        if kinds is None and categories is None:
            return self
        return self._replace(kinds=_meet(self.kinds, kinds), categories=_meet(self.categories, categories))


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a requester sees of one compartment: documents, audit events, notices or Consents.

    documents: for clauses with `of_seen` or `of_waiting`, the clauses by which the same reader sees documents.
    everywhere: the clauses hold in every space and for what belongs to no space. Only a search of the audit log over
        all spaces uses such a filter; for any other query the filter holds in `compartment` alone.
    """

    compartment: PatientId
    clauses: tuple[Clause, ...] = ()
    documents: tuple[Clause, ...] = ()
    everywhere: bool = False

    def admits(self, facts: AccessFacts) -> bool:
        """Tell whether a resource is visible."""
        if facts.compartment != self.compartment and not self.everywhere:
            return False
        for clause in self.clauses:  # noqa: SIM110 - a loop costs half of `any`, and every result of a search comes here
            if clause.admits(facts):
                return True
        return False

    def knows_marks(self, facts: AccessFacts) -> bool:
        """Tell whether the visibility marks of a visible resource may be shown."""
        for clause in self.clauses:  # noqa: SIM110 - as in `admits`
            if clause.knows_marks and clause.admits(facts):
                return True
        return False

    def without(self, extents: tuple[Extent, ...]) -> "Visibility":
        """Return this visibility without some documents."""
        if not extents:
            return self
        clauses = tuple(clause._replace(barred=(*clause.barred, *extents)) for clause in self.clauses)
        return replace(self, clauses=clauses)

    def narrowed_to_any(self, limits: tuple[tuple[frozenset[str] | None, frozenset[str] | None], ...]) -> "Visibility":
        """Return this visibility restricted to the union of (kinds, categories) pairs, as a granular scope asks."""
        clauses = tuple(c.narrowed(kinds, categories) for c in self.clauses for kinds, categories in limits)
        return replace(self, clauses=clauses)


DIRECTORY = Visibility(NO_SPACE, clauses=(Clause(),))
"""What every authenticated caller sees of the directory resources."""
NOTHING = Visibility(NO_SPACE)
"""What a denied requester sees."""


def _meet(a: frozenset[str] | None, b: frozenset[str] | None) -> frozenset[str] | None:
    if a is None:
        return b
    return a if b is None else a & b
