"""What happened, as the audit log records it: an interaction, and how it ended."""

from dataclasses import dataclass, field, replace

from consent_rules.model import RuleApplied
from consent_rules.vocabulary import Basis, Code, Grade, PatientId, RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS, is_choice, kind_by_codes
from fhir_server.domain.events.rules import Secrecy
from fhir_server.domain.values import Interaction
from fhir_server.registry import DOCUMENTS

_LONGEST_NAME = 200
"""In characters: a type, an id and a version of 64 characters each."""
_OF_THE_SIDE = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})
_OF_OFFICERS = frozenset(
    {EventKind.CASE_QUEUE_READ, EventKind.CASE_READ, EventKind.CASE_DECIDED, EventKind.CASE_OVERDUE}
)


class OutcomeCode(Code):
    """How an interaction ended: codes of http://hl7.org/fhir/audit-event-outcome."""

    DONE = "0"
    REFUSED = "4"
    FAILED = "8"


@dataclass(frozen=True, slots=True)
class AuditedInteraction:
    """One interaction, as the audit log records it.

    transaction: "ITI-67" and the like, "" when none.
    target: the reference that was requested, "" for a search. query: method, URL and headers of a search, as sent.
    operation: name of the operation without its dollar sign, "" for any other interaction.
    sought: references that the interaction names besides its target: by id in a search, or in what a write carries or
        matches. The audit log names them only within the query of a search.
    confidential: whether the written resource shall be hidden from the minor's guardians (B10).
    kind: what happened, None when the other fields tell it.
    """

    interaction: Interaction
    resource_type: str
    transaction: str = ""
    target: str = ""
    query: str = ""
    operation: str = ""
    sought: tuple[str, ...] = ()
    confidential: bool = False
    kind: EventKind | None = None

    @property
    def event_kind(self) -> EventKind:
        """The kind of the event."""
        return self.kind or kind_by_codes(self.interaction, self.resource_type, self.operation)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the interaction ended, why, and which resources were touched.

    reason: a code of the rules or of a `Problem`, or what the operator said. basis: None when no ground was needed.
    confidential: the event itself is hidden from guardians, whatever it is about (B10).
    about: ids of documents that the interaction named through another resource: a List, a content, a Consent or an
        audit event.
    beyond: whether the event counts as about no document, whatever the request named. This is so when a search also
        showed resources to which nothing that it named has led, and when the request was refused before the server
        looked up anything that it named.
    """

    code: OutcomeCode = OutcomeCode.DONE
    reason: str = ""
    basis: Basis | None = None
    rules: tuple[RuleApplied, ...] = ()
    matrix_version: str = ""
    touched: tuple[str, ...] = field(default=())
    confidential: bool = False
    about: tuple[str, ...] = ()
    beyond: bool = False

    @property
    def grade(self) -> Grade | None:
        """The grade of the evidence behind a ground of care (V1)."""
        for rule in self.rules:
            if rule.grade:
                return rule.grade
        return None


def interaction_of(kind: EventKind, *, target: str = "") -> AuditedInteraction:
    """Return an interaction of a kind of event, with the codes of its row; the first when the row has several."""
    row = ROWS[kind]
    named = None if kind is kind_by_codes(row.interactions[0], row.resource_type or "", row.operation) else kind
    return AuditedInteraction(
        row.interactions[0], row.resource_type or "", target=target, operation=row.operation, kind=named
    )


NO_DOCUMENT = "00000000-0000-4000-8000-000000000000"
"""An id that is never issued; an event about it is about a document that no reader sees."""


def as_readable(kind: EventKind, outcome: Outcome) -> Outcome:
    """Return the outcome to record: only auditors may read an event about a case in the audit log of a space (V22)."""
    if kind not in _OF_OFFICERS:
        return outcome
    return replace(outcome, confidential=True, about=(NO_DOCUMENT,), beyond=False)


def about(audited: AuditedInteraction, outcome: Outcome) -> tuple[str, ...]:
    """Return the ids of the documents that an event is about: those that the request named, and those that it wrote.

    A search that names nothing, and any event whose outcome is `beyond`, is about no document: otherwise a caller could
    hide a search from the patient by also naming a document that does not exist. A search that names only other things,
    none of which leads to a document, is about `NO_DOCUMENT`.
    """
    if outcome.beyond:
        return ()
    is_search = audited.interaction == Interaction.SEARCH
    named = audited.sought if is_search else (*outcome.touched, audited.target)
    parts = [reference.split("/") for reference in named if reference]
    documents = tuple(part[1] for part in parts if part[0] in DOCUMENTS and len(part) > 1)
    found = tuple(dict.fromkeys((*documents, *outcome.about)))
    return found or ((NO_DOCUMENT,) if is_search and named else ())


def bounded(audited: AuditedInteraction) -> AuditedInteraction:
    """Return an interaction with its names cut to the longest valid name, because a client may send anything."""
    if max(len(audited.target), len(audited.resource_type), len(audited.operation)) <= _LONGEST_NAME:
        return audited
    names = {name: getattr(audited, name)[:_LONGEST_NAME] for name in ("target", "resource_type", "operation")}
    return replace(audited, **names)


def part_of(audited: AuditedInteraction, outcome: Outcome, caller: Caller, patient: PatientId | None) -> str:
    """Return the part of the audit log that an event belongs to, for readers who may read only some parts (H4).

    Only the patient's side reads "choice", and only the patient's side and auditors read "refusal". A professional who
    read why their own request was refused, or that it asked for a hidden document, would learn what the answer did not
    reveal.
    """
    of_the_side = caller.requester.kind in _OF_THE_SIDE
    if is_choice(audited.event_kind, audited.resource_type, of_the_side=of_the_side, in_a_space=patient is not None):
        return "choice"
    return "access" if outcome.code == OutcomeCode.DONE else "refusal"


def is_of_holder(audited: AuditedInteraction, patient: PatientId | None) -> bool:
    """Tell whether an event belongs to the patient alone, so that it is hidden from guardians."""
    return patient is not None and ROWS[audited.event_kind].secrecy is Secrecy.HOLDER
