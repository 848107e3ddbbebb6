"""Commands about a filed document: hide and show, archive, supersede, change its confidentiality, withdraw.

Several commands about one document may be planned in one commit: they make one version, one audit event and one notice.
Source: PDSm 3.1.1, flux 03 and 04 (https://interop.esante.gouv.fr/ig/fhir/pdsm/); ANS PDSM4DMP, TD3.3a to TD3.3d;
docs/labels.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import orjson

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS, is_sealed, sealed_until
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, Mark, PatientId
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.access import PATIENTS_SIDE, Opened
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out
from fhir_server.application.documents import replacement_chain, versions
from fhir_server.application.reading.read import not_found
from fhir_server.application.spaces import terms
from fhir_server.domain import bodies
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import carrier, causes_of, command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters
from fhir_server.r4.parsing import load_json

ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
LABELS, STATUS = "DocumentReference.securityLabel", "DocumentReference.status"
EXTENSIONS = "DocumentReference.extension"
WITHDRAWN = "entered-in-error"
_ARCHIVING = frozenset({EventKind.DOCUMENT_ARCHIVED, EventKind.DOCUMENT_UNARCHIVED})


class DocumentCommand(Protocol):
    """A command about one document."""

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan the command. document: as it was read. Raises: Problem when the caller may not do this."""


@command(EventKind.DOCUMENT_HIDDEN)
@dataclass(frozen=True, slots=True)
class Hide:
    """Hide a document, and its whole replacement chain, from those whom the marks name (E1, B6)."""

    marks: Mark

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: Problem(FORBIDDEN) or BUSINESS_RULE when the rules deny one of the marks."""
        _mark(work, document, work.latest(document).facts.access.marks | self.marks)


@command(EventKind.DOCUMENT_SHOWN, EventKind.DOCUMENT_RELEASED)
@dataclass(frozen=True, slots=True)
class Show:
    """Show a document, and its whole replacement chain, again to those whom the marks name (E2, E11)."""

    marks: Mark

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: as `Hide`."""
        _mark(work, document, work.latest(document).facts.access.marks & ~self.marks)


@command(EventKind.DOCUMENT_ARCHIVED)
@dataclass(frozen=True, slots=True)
class Archive:
    """Set the archive flag of a document. flag: the extension as it was sent, None for the plain one."""

    flag: Json | None = None

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: Problem(FORBIDDEN) for who is neither the depositor nor on the patient's side."""
        _flag(work, document, [self.flag or {"url": ARCHIVED, "valueBoolean": True}])


@command(EventKind.DOCUMENT_UNARCHIVED)
@dataclass(frozen=True, slots=True)
class Unarchive:
    """Clear the archive flag of a document. flag: the extension as it was sent, None to remove it."""

    flag: Json | None = None

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: as `Archive`."""
        _flag(work, document, [self.flag] if self.flag else [])


@command(EventKind.DOCUMENT_CHANGED, EventKind.DOCUMENT_REPLACED)
@dataclass(frozen=True, slots=True)
class Supersede:
    """State that a document is superseded. where: the element of the request that asks for it."""

    where: str = STATUS

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: Problem(FORBIDDEN) for who did not file it, BUSINESS_RULE when it is superseded already."""
        versions.demand_depositor(work, document, self.where)
        resource = load_json(work.latest(document).body)
        if resource.get("status") != "current":
            text = "this document has been superseded already"
            raise Problem.of(Category.BUSINESS_RULE, text, self.where, "XDSRegistryDeprecatedDocumentError")
        versions.rewrite(work, document, resource | {"status": "superseded"})


@command(EventKind.DOCUMENT_CHANGED)
@dataclass(frozen=True, slots=True)
class ChangeConfidentiality:
    """Replace the confidentiality labels of a document; its visibility marks stay."""

    labels: tuple[Json, ...]

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: Problem(FORBIDDEN) for who did not file the document."""
        versions.demand_depositor(work, document, LABELS)
        _rewrite(work, document, {"securityLabel": list(self.labels)})


@command(EventKind.DOCUMENT_WITHDRAWN)
@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw a document that was filed in error: it is deleted, and its content with it (J2)."""

    def plan(self, work: UnitOfWork, document: Stored) -> None:
        """Plan it. Raises: Problem(FORBIDDEN) for who neither filed nor wrote the document."""
        versions.withdraw(work, document)


@carrier
def change_document(runtime: Runtime, caller: Caller, id_: str, *commands: DocumentCommand) -> Written:
    """Carry out commands about one document in one commit.

    Raises: Problem(NOT_FOUND) for a document that the caller does not see, and whatever a command raises.
    """
    audited = AuditedInteraction(Interaction.PATCH, "DocumentReference", target=f"DocumentReference/{id_}")

    def plan(work: UnitOfWork) -> Written:
        if any(isinstance(one, Hide) and one.marks & HIDDEN_FROM_GUARDIANS for one in commands):
            work.carries_confidential()
        patient, limits = space_of(work, id_)
        document = seen(work, id_, open_unnamed(work, patient, Action.CHANGE_MARKS), limits)
        done = plan_commands(work, document, commands)
        if shows_it(work, done):
            notices_owed.of_reading(work, id_)
        return answer(work, document, done)

    return carry_out(runtime, caller, audited, plan)


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """A document that the caller may change. seen: as the caller sees it."""

    stored: Stored
    filters: Filters
    seen: Json

    @property
    def knows_marks(self) -> bool:
        """Whether the caller may know the visibility marks of the document."""
        return self.filters.of(self.stored.type).knows_marks(self.stored.facts.access)


def space_of(work: UnitOfWork, id_: str) -> tuple[PatientId, smart_scopes.Limits]:
    """Return the patient in whose space a document is, and the limits that the scopes set on changes there.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike; INSUFFICIENT_SCOPE.
    """
    smart_scopes.demand(work.caller, ("DocumentReference",), "u")
    work.names(f"DocumentReference/{id_}")
    location = work.snapshot.locate("DocumentReference", id_)
    if location is None:
        raise not_found()
    try:
        return location.compartment, smart_scopes.demand(work.caller, ("DocumentReference",), "u", location.compartment)
    except Problem as problem:
        raise not_found() from problem


def seen(work: UnitOfWork, id_: str, opened: Opened | None, limits: smart_scopes.Limits) -> SeenDocument:
    """Return a document as the caller sees it in the space that was opened.

    Raises: Problem(NOT_FOUND), the answer for an unknown id, when the caller does not see the document.
    """
    if opened is None:
        raise not_found()
    filters = opened.within(work.caller, "u", {"DocumentReference": limits})
    stored = work.read("DocumentReference", id_, filters)
    if stored is None:
        raise not_found()
    shown = work.shown(stored, filters)
    return SeenDocument(stored, filters, orjson.loads(bodies.body_for(shown.stored, knows_marks=shown.knows_marks)))


def plan_commands(work: UnitOfWork, document: SeenDocument, commands: Iterable[DocumentCommand]) -> Stored:
    """Plan commands about one document, in order, with one audit event and one notice; return the document as planned.

    Raises: whatever a command raises.
    """
    done_by: list[DocumentCommand] = []
    for one in commands:
        before = work.latest(document.stored)
        one.plan(work, document.stored)
        if work.latest(document.stored) is not before:
            done_by.append(one)
    done = work.latest(document.stored)
    kind = _kind(document.stored, done, done_by, work.at)
    _trace(work, done, kind)
    if kind:
        notices_owed.of_documents(work, kind, (done,))
    return done


def shows_it(work: UnitOfWork, done: Stored) -> bool:
    """Tell whether the answer shows the document to who did not file it; depositors see theirs without a notice."""
    is_own = versions.is_depositor(work.caller, done)
    return not is_own and smart_scopes.lets_read(work.caller, "DocumentReference", done.facts.access)


def answer(work: UnitOfWork, document: SeenDocument, done: Stored, status: str = WITHDRAWN) -> Written:
    """Return the answer; a withdrawn document has in it the status that withdrew it, which is not stored.

    A withdrawn document claims no profile: those of MHD and PDSm allow other statuses only.
    """
    told = done
    if done.deleted:
        resource = load_json(document.stored.body) | {"status": status}
        resource["meta"].pop("profile", None)
        told = replace(done, deleted=False, body=bodies.stamped(resource, done.id, done.version, work.stamp))
    return Written(work.shown(told, document.filters))


def _kind(before: Stored, after: Stored, done_by: list[DocumentCommand], at: datetime) -> EventKind | None:
    """Return the kind of what commands did together, None when none of them changed anything.

    A change of marks tells before a change of state, because it is the patient's choice.
    """
    if after.deleted:
        return EventKind.DOCUMENT_WITHDRAWN
    others = {causes_of(type(one))[0] for one in done_by if not isinstance(one, (Hide, Show))}
    marked = _marking(before.facts.access, after.facts.access.marks, at)
    if marked:
        return EventKind.DOCUMENT_VISIBILITY_CHANGED if others else marked
    if not others:
        return None
    said_again = others <= _ARCHIVING and _is_archived(before) is _is_archived(after)
    return others.pop() if len(others) == 1 and not said_again else EventKind.DOCUMENT_CHANGED


def _is_archived(document: Stored) -> bool:
    flags = [one for one in load_json(document.body).get("extension", ()) if one.get("url") == ARCHIVED]
    return any(flag.get("valueBoolean") for flag in flags)


def _marking(before: AccessFacts, after: Mark, at: datetime) -> EventKind | None:
    """Return the kind of a change of marks; it does not say from whom a document is hidden, whoever hides it (B6).

    Removing the mark of a document that waits no more opens nothing: the patient sees the document already (E11).
    """
    if before.marks == after:
        return None
    added, lifted = after & ~before.marks, before.marks & ~after
    if not is_sealed(before, at):
        lifted &= ~Mark.INVISIBLE_PATIENT
    if added and not lifted:
        return EventKind.DOCUMENT_HIDDEN
    if lifted == Mark.INVISIBLE_PATIENT and not added:
        return EventKind.DOCUMENT_RELEASED
    is_mixed = bool(added or not lifted or lifted & Mark.INVISIBLE_PATIENT)
    return EventKind.DOCUMENT_VISIBILITY_CHANGED if is_mixed else EventKind.DOCUMENT_SHOWN


def _trace(work: UnitOfWork, done: Stored, kind: EventKind | None) -> None:
    """Audit what was done; when nothing changed, audit a read of the document."""
    code = Interaction.DELETE if done.deleted else Interaction.PATCH if kind else Interaction.READ
    audited = AuditedInteraction(code, "DocumentReference", kind=kind)
    work.trace(audited, (f"DocumentReference/{done.id}",), reason="" if kind else "nothing-changed")


def _mark(work: UnitOfWork, document: Stored, marks: Mark) -> None:
    """Plan the marks of a document and of its whole replacement chain."""
    latest = work.latest(document)
    access = latest.facts.access
    if marks == access.marks:
        return
    versions.demand_marks(work, access, marks, LABELS)
    sealed = None
    if marks & Mark.INVISIBLE_PATIENT:
        sealed = access.sealed_until or sealed_until(_filed_at(work, document), work.runtime.profile)
        if sealed > work.at:
            terms.begin_of_seal(work, access.compartment, document.id, sealed)
    like = replace(access, marks=marks, sealed_until=sealed)
    replacement_chain.align(work, replacement_chain.members(work, document), like)
    if marks & HIDDEN_FROM_GUARDIANS & ~access.marks:
        replacement_chain.keep_confidential(work, document.id)


def _filed_at(work: UnitOfWork, stored: Stored) -> datetime:
    filed = work.snapshot.history(
        stored.type, stored.id, whole_space(ReadingReason.REPLACEMENTS, stored.facts.access.compartment)
    )
    return filed[-1].last_updated


def _flag(work: UnitOfWork, document: Stored, flags: list[Json]) -> None:
    is_on_side = work.caller.requester.kind in PATIENTS_SIDE
    if not (is_on_side or versions.is_depositor(work.caller, document)):
        text = "only the depositor, the patient or whoever acts for the patient may set or clear the archive flag"
        raise Problem.of(Category.FORBIDDEN, text, EXTENSIONS, "not-depositor")
    others = other_extensions(load_json(work.latest(document).body))
    _rewrite(work, document, {"extension": [*others, *flags]})


def other_extensions(resource: Json) -> list[Json]:
    """Return the extensions of a document without the archive flag."""
    return [extension for extension in resource.get("extension", []) if extension.get("url") != ARCHIVED]


def _rewrite(work: UnitOfWork, document: Stored, changed: Json) -> None:
    merged = load_json(work.latest(document).body) | changed
    versions.rewrite(work, document, {name: value for name, value in merged.items() if value != []})
