"""Reading a resource of any type: read, version read, history and content; and what a search shares with them.

Each query reads in one snapshot, decides once, checks every hit again, and is audited before it returns.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson

from consent_rules.visibility import DIRECTORY, Visibility
from consent_rules.vocabulary import NO_SPACE, Action, PatientId, RequesterKind
from fhir_server.application.core import access_notices, audit_log, smart_scopes
from fhir_server.application.core.access import NOTHING_SEEN, Access, KnownFilters, Opened, action_of
from fhir_server.application.core.enforcement_point import judge, open_unnamed
from fhir_server.application.core.minor_confidentiality import (
    HIDDEN_FROM_GUARDIANS,
    documents_behind,
    is_confidential_failure,
)
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown, visible_bodies
from fhir_server.application.core.system_views import ReadingReason, left_open
from fhir_server.application.reading import decoys, event_redaction
from fhir_server.application.reading.event_redaction import ReaderFilters
from fhir_server.domain import bodies
from fhir_server.domain.audit.audit_event import without_ground
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import query
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.stored import UNGATHERING, Stored
from fhir_server.domain.values import Interaction
from fhir_server.ports.store import Filters, Snapshot
from fhir_server.registry import TRACE, AccessRule, ResourceType

NOBODY = PatientId("00000000-0000-4000-8000-000000000000")
"""A patient id that is never issued: for an identifier that names nobody, and for scopes that name no patient."""
Fetch = Callable[[Snapshot, Filters], Stored | None]


def not_found() -> Problem:
    """Build the one answer for unknown, hidden, foreign and deleted-and-hidden ids."""
    return Problem(Category.NOT_FOUND)


@query
def read(runtime: Runtime, caller: Caller, row: ResourceType, id_: str) -> Shown:
    """Return the current version of a resource.

    Raises: Problem(NOT_FOUND), the same for an unknown and a hidden id; DELETED if the caller may see the last version.
    """
    audited = AuditedInteraction(Interaction.READ, row.name, target=f"{row.name}/{id_}")
    return _show_one(runtime, caller, row, audited, lambda snapshot, filters: snapshot.read(row.name, id_, filters))


@query
def retrieve(runtime: Runtime, caller: Caller, row: ResourceType, id_: str, form: str = "") -> tuple[Shown, bytes]:
    """Return a content and its Binary; the caller must see the document to which the content belongs (ITI-68).

    form: the type of resource that the content must be, "" for any content; another content is not found.
    Raises: as `read`; StoreUnavailable when the content is missing or damaged.
    """
    transaction = row.transactions[Interaction.READ]
    audited = AuditedInteraction(Interaction.READ, row.name, transaction, target=f"{row.name}/{id_}")

    def fetch(snapshot: Snapshot, filters: Filters) -> Stored | None:
        found = snapshot.read(row.name, id_, filters)
        return found if not found or form in ("", bodies.form_of(found.body)) else None

    shown = _show_one(runtime, caller, row, audited, fetch)
    reference: str = orjson.loads(shown.stored.body)["_blob"]
    return shown, runtime.ports.blobs.get(shown.stored.facts.access.compartment, reference)


@query
def read_version(runtime: Runtime, caller: Caller, row: ResourceType, id_: str, version: int) -> Shown:
    """Return one version if the caller sees the resource today; a document hidden today is hidden in all versions."""
    audited = AuditedInteraction(Interaction.VREAD, row.name, target=f"{row.name}/{id_}/_history/{version}")
    return _show_one(
        runtime, caller, row, audited, lambda snapshot, filters: snapshot.read_version(row.name, id_, version, filters)
    )


@query
def history(runtime: Runtime, caller: Caller, row: ResourceType, id_: str) -> tuple[Shown, ...]:
    """Return all versions, newest first, if the caller sees the resource today."""
    audited = AuditedInteraction(Interaction.HISTORY, row.name, target=f"{row.name}/{id_}")
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        filters = enter_by_id(access, row)
        versions = snapshot.history(row.name, id_, filters)
        shown = present(access, versions[: versions_shown(access, row)], filters)
        outcome = outcome_by_id(access, shown)
    record_unless_refused(access, outcome)
    if not shown:
        raise not_found()
    return shown


def versions_shown(access: Access, row: ResourceType) -> int | None:
    """Return how many versions the caller may see, newest first; None for all.

    Only the patient and representatives see earlier versions of a Consent: a person who has access by it today may have
    been excluded before.
    """
    of_side = access.opened is not None and access.opened.is_for_patient
    return 1 if row.access is AccessRule.DIRECTIVE and not of_side else None


def _of_today(access: Access, row: ResourceType, found: Stored | None, filters: Filters) -> Stored | None:
    """Return a version, None for an earlier version of a Consent that the caller may not see."""
    if found is None or versions_shown(access, row) is None:
        return found
    current = access.snapshot.read(found.type, found.id, filters)
    return found if current and current.version == found.version else None


def reader_of(caller: Caller) -> str:
    """Return the professional who reads, "" for a caller who may know on which ground others had access."""
    return caller.requester.person if caller.requester.kind is RequesterKind.PROFESSIONAL else ""


def present(access: Access, rows: Sequence[Stored], filters: Filters) -> tuple[Shown, ...]:
    """Check rows of one type again, remove references to what the caller does not see; say whether marks may be shown.

    A professional sees another person's access without the Consent that gave the access (H4).
    """
    if not rows:
        return ()
    visibility = filters.of(rows[0].type)
    for row in rows:
        recheck(row, visibility)
    bodies = _bodies(access, rows)
    reader = reader_of(access.caller)
    return tuple(_present_one(row, body, visibility, reader) for row, body in zip(rows, bodies, strict=True))


def _bodies(access: Access, rows: Sequence[Stored]) -> Sequence[bytes]:
    """Return the bodies of rows of one type without references to what the caller does not see."""
    if access.opened and access.opened.permit.everywhere:
        return event_redaction.without_unknown(access.snapshot, rows)
    if rows[0].type in event_redaction.TOLD:
        return event_redaction.without_unseen(access.snapshot, rows, ReaderFilters(access))
    return visible_bodies(access.snapshot, rows, access.opened or NOTHING_SEEN)


def _present_one(row: Stored, body: bytes, visibility: Visibility, reader: str) -> Shown:
    if reader and row.type == TRACE and row.facts.access.owner_person != reader:
        body = without_ground(body)
    return Shown(row if body is row.body else replace(row, body=body), visibility.knows_marks(row.facts.access))


def recheck(row: Stored, visibility: Visibility) -> None:
    """Check that the store's filter agrees with the rule; a difference is a defect, and then nothing is answered.

    # INVARIANT: tests/ports holds the two equal on generated documents.
    """
    if (not row.facts.documents or row.type in UNGATHERING) and not visibility.admits(row.facts.access):
        message = "the store's filter and the visibility rule disagree"
        raise AssertionError(message)


def _show_one(runtime: Runtime, caller: Caller, row: ResourceType, audited: AuditedInteraction, fetch: Fetch) -> Shown:
    with runtime.ports.store.snapshot() as snapshot:
        access = Access(runtime, caller, audited, snapshot)
        filters = enter_by_id(access, row)
        found = _of_today(access, row, fetch(snapshot, filters), filters)
        shown = present(access, (found,), filters) if found else ()
        if row.access is AccessRule.CONTENT:
            shown = tuple(_content(access, item) for item in shown)
        outcome = outcome_by_id(access, shown)
    record_unless_refused(access, outcome)
    if not shown:
        raise not_found()
    if shown[0].stored.deleted:
        raise Problem(Category.DELETED)
    return shown[0]


def _content(access: Access, shown: Shown) -> Shown:
    """Return the content with `of_confidential` set if all documents to which it belongs are hidden from guardians."""
    seen = access.opened or NOTHING_SEEN
    carriers = [access.snapshot.read("DocumentReference", id_, seen) for id_ in shown.stored.facts.documents]
    marks = [carrier.facts.access.marks for carrier in carriers if carrier]
    return replace(shown, of_confidential=bool(marks) and all(HIDDEN_FROM_GUARDIANS in mark for mark in marks))


def enter_by_id(access: Access, row: ResourceType) -> Filters:
    """Find the space of the resource, enter it, and return what is visible: nothing if the caller may not enter."""
    audited = access.audited
    if not _is_of_oneself(access):
        audit_log.demand_scope(access, (row.name,), "r")
    location = access.snapshot.locate(row.name, audited.target.split("/")[1])
    if row.access is AccessRule.DIRECTORY:
        directory = smart_scopes.narrow(DIRECTORY, _demand(access, row, NO_SPACE))
        return KnownFilters({row.name: directory}) if location and not location.compartment else NOTHING_SEEN
    patient = location.compartment if location else None
    limits = _limits_there(access, row, patient)
    if limits is None or not patient:
        return _enter_outside(access, row, is_there=location is not None and not patient)
    opened = open_unnamed(access, patient, action_of(row))
    decoys.remember(access.runtime, patient, audited)
    if opened is None:
        return NOTHING_SEEN
    if _is_of_oneself(access):  # callers with a permit see their own `fhirUser` resource
        return left_open(ReadingReason.ONESELF, opened.patient)
    return opened.within(access.caller, "r", {row.name: limits})


def _enter_outside(access: Access, row: ResourceType, *, is_there: bool) -> Filters:
    """Return what is visible outside all spaces: for an auditor, an event that belongs to no space; otherwise nothing.

    is_there: whether the id is one of a resource outside all spaces.
    """
    limits = _limits_there(access, row, NOBODY) if is_there and row.access is AccessRule.TRACE else None
    answer = judge(access, NO_SPACE, Action.READ_ALL_TRACES) if limits else None
    if limits is None or not isinstance(answer, Opened):
        decoys.look_elsewhere(access, action_of(row))
        return NOTHING_SEEN
    access.note_opened(answer)
    return answer.within(access.caller, "r", {row.name: limits})


def _limits_there(access: Access, row: ResourceType, patient: PatientId | None) -> smart_scopes.Limits | None:
    """Return the limits that the scopes set in one space, None when the scopes do not allow the read there."""
    try:
        return _demand(access, row, patient)
    except Problem:
        return None


def _is_of_oneself(access: Access) -> bool:
    return access.audited.interaction == Interaction.READ and smart_scopes.names_oneself(
        access.caller, access.audited.target
    )


def _demand(access: Access, row: ResourceType, patient: PatientId | None) -> smart_scopes.Limits:
    """Return the limits that the scopes set on a read; the scope `fhirUser` is enough for the caller's own resource."""
    if _is_of_oneself(access):
        return smart_scopes.UNLIMITED
    limits = smart_scopes.demand(access.caller, (row.name,), "r", patient)
    return _as_its_document(access.caller, patient) if row.access is AccessRule.CONTENT else limits


def _as_its_document(caller: Caller, patient: PatientId | None) -> smart_scopes.Limits:
    """Return the limits on a content that the scopes allow: the limits that the token sets on reading documents."""
    try:
        return smart_scopes.demand(caller, ("DocumentReference",), "r", patient)
    except Problem:
        return smart_scopes.UNLIMITED


def record_unless_refused(access: Access, outcome: Outcome) -> None:
    """Store the audit event of a read; both the event and the notice that it owes are durable when this returns."""
    if not access.refused:  # a denial has been audited already
        access_notices.record_access(access, outcome)


def outcome_by_id(access: Access, shown: Sequence[Shown]) -> Outcome:
    """Return the outcome of reading one resource, with the documents that the read was about."""
    if shown:
        outcome = outcome_of(access.opened, shown)
        confidential = access.opened is not None and all(item.is_confidential for item in shown)
        return replace(outcome, confidential=confidential, about=shown[0].about)
    outcome = outcome_of(access.opened, shown, found=False)
    confidential = access.opened is not None and is_confidential_failure(access)
    about = documents_behind(access.snapshot, access.patient, (access.audited.target,))
    return replace(outcome, confidential=confidential, about=about)


def outcome_of(opened: Opened | None, shown: Sequence[Shown], *, found: bool = True) -> Outcome:
    """Return the outcome of an interaction: the references that it touched, and its ground."""
    code, reason = (OutcomeCode.DONE, "") if found else (OutcomeCode.REFUSED, "not-visible")
    touched = tuple(reference for item in shown for reference in item.touched)
    if opened is None:
        return Outcome(code, reason, touched=touched)
    outcome = opened.outcome(*touched, reason=reason)
    return outcome if found else replace(outcome, code=code)
