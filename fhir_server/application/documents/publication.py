"""Publishing: files a submission set with its documents and contents, all or nothing.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105
(https://profiles.ihe.net/ITI/MHD/ITI-105.html); PDSm 3.1.1, flux 01, 02 and 09; ANS PDSM4DMP, TD2, TD2.1 and TD3.3c.
"""

from dataclasses import dataclass, replace
from functools import partial

from consent_rules.consents.visibility_marks import HIDDEN_FROM_GUARDIANS
from consent_rules.vocabulary import Action
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.documents import filing, provenance, submission_sets, versions
from fhir_server.application.documents.filing import Filing
from fhir_server.application.documents.submission_sets import one_patient
from fhir_server.application.reading import conditional
from fhir_server.domain import conditional_requests, references
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command, translator
from fhir_server.domain.documents.security_labels import split_marks
from fhir_server.domain.documents.submission import Item, Submission, attachment_of, unique_id
from fhir_server.domain.documents.submission_reading import read, read_simplified
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Interaction, Json
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, types_under

SUBMISSION = AuditedInteraction(Interaction.TRANSACTION, "DocumentReference", "ITI-65")
_DOCUMENT = ("DocumentReference",)
_NAMED = types_under(AccessRule.DOCUMENT, AccessRule.GATHERING, AccessRule.CONTENT)


@dataclass(frozen=True, slots=True)
class Published:
    """The result of each entry of a submission, in the order of the request; None for an entry that only reads."""

    entries: tuple[Written | None, ...]


@translator
def publish(runtime: Runtime, caller: Caller, bundle: Json) -> Published:
    """File a submission set with its documents (ITI-65).

    Raises: Problem(INVALID) or BUSINESS_RULE with the faults by element, DUPLICATE when it was filed before,
    CONSENT_REQUIRED or FORBIDDEN from the decision. Nothing is stored then.
    """
    return carry_out(runtime, caller, SUBMISSION, partial(plan_publication, bundle=bundle))


@translator
def plan_publication(work: UnitOfWork, bundle: Json) -> Published:
    """Plan a submission; a caller that loads many submissions commits their plans together."""
    smart_scopes.demand(work.caller, _DOCUMENT, "c")
    submission = read(bundle, refuse_wrong_size=work.runtime.refuse_wrong_size)
    return Published(file_submission(work, submission, len(bundle.get("entry", []))))


@translator
def plan_document(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the filing of one document with its content inside (ITI-105); the server derives its submission set.

    Raises: as `publish`.
    """
    smart_scopes.demand(work.caller, _DOCUMENT, "c")
    submission = read_simplified(request.resource, refuse_wrong_size=work.runtime.refuse_wrong_size)
    return file_document(work, submission)


@command(EventKind.DOCUMENT_PUBLISHED)
def file_document(work: UnitOfWork, submission: Submission) -> Written:
    """File one document with its content; the server derives its submission set. Raises: as `publish`."""
    _note_secrets(work, submission)
    prepared = _enter(work, submission, {0: _new_id(work), -1: _new_id(work)})
    submission_sets.relate(prepared)
    drafts = filing.draft_documents(prepared)
    _refuse_known(prepared)
    filing.file_documents(prepared, drafts)
    submission_sets.derived_set(prepared, prepared.ids[0], drafts[0].resource)
    provenance.record_deposit(prepared, [prepared.ids[0]], prepared.ids[-1])
    touched = (f"DocumentReference/{prepared.ids[0]}",)
    work.trace(replace(work.audited, kind=_kind(drafts)), touched, prepared.reason)
    notes = prepared.notes_of(submission.documents[0].item.index)
    return prepared.written("DocumentReference", prepared.ids[0], notes)


@command(EventKind.DOCUMENTS_PUBLISHED, EventKind.DOCUMENT_REPLACED)
def file_submission(work: UnitOfWork, submission: Submission, count: int) -> tuple[Written | None, ...]:
    """File a submission set with its documents, and supersede what they replace; return the result of each entry.

    count: how many entries the Bundle has. Raises: as `publish`.
    """
    _note_secrets(work, submission)
    ids = {item.index: _new_id(work) for item in _created(submission)}
    answers: dict[int, Written] = {}
    if submission.patient:
        answers[submission.patient.index] = _place_patient(work, submission.patient, ids)
    prepared = _enter(work, submission, ids)
    superseded = submission_sets.relate(prepared)
    drafts = filing.draft_documents(prepared)
    submission_sets.file_lists(prepared)
    _refuse_known(prepared)
    for item in submission.folder_updates:
        answers[item.index] = submission_sets.update_folder(prepared, item)
    filing.file_documents(prepared, drafts)
    filed = [ids[document.item.index] for document in submission.documents]
    provenance.record_deposit(prepared, filed, ids[submission.set.index])
    for item in submission.supersedes:
        answers[item.index] = prepared.written("DocumentReference", superseded[item.index], created=False)
    for item in _created(submission):
        if item.index not in answers:
            notes = prepared.notes_of(item.index)
            answers[item.index] = prepared.written(item.resource["resourceType"], ids[item.index], notes)
    _trace_submission(prepared, _kind(drafts))
    return tuple(answers.get(index) for index in range(count))


def _created(submission: Submission) -> tuple[Item, ...]:
    documents = tuple(document.item for document in submission.documents)
    contents = tuple(document.binary for document in submission.documents if document.binary)
    patient = (submission.patient,) if submission.patient else ()
    return (submission.set, *documents, *contents, *submission.folders, *patient)


def _new_id(work: UnitOfWork) -> str:
    return work.runtime.ports.ids.new()


def _place_patient(work: UnitOfWork, item: Item, ids: dict[int, str]) -> Written:
    """Create the Patient that is part of the submission, or find the Patient by the entry's own condition."""
    where = f"Bundle.entry[{item.index}].request.ifNoneExist"
    condition = conditional_requests.query_of(item.condition, PATIENT, work.runtime.fhir_base, where)
    row, id_ = REGISTRY[PATIENT], ids[item.index]
    request = WriteRequest(Interaction.CREATE, row, id_, item.resource, root=item.root, condition=condition)
    written = resources.record_identity(work, request)
    ids[item.index] = written.shown.stored.id
    return written


def _enter(work: UnitOfWork, submission: Submission, ids: dict[int, str]) -> Filing:
    """Find the one patient of a submission, enter the space, and resolve every reference of the submission."""
    items = _about_patient(submission)
    named = (item for item in _created(submission) if item.full_url)
    names = {item.full_url: f"{item.resource['resourceType']}/{ids[item.index]}" for item in named}
    patient = one_patient(work, items, names)
    limits = smart_scopes.demand(work.caller, _DOCUMENT, "c", patient)
    open_record(work, patient, Action.DEPOSIT)
    for item in items:
        names |= conditional.conditional_names(work, item.references, patient)
    return Filing(work, submission, patient, ids, names, limits)


def _about_patient(submission: Submission) -> list[Item]:
    """Return the entries that name the patient, the submission set last."""
    items = [*(document.item for document in submission.documents), *submission.folders, *submission.folder_updates]
    return [*items, submission.set] if submission.set.resource else items


def _note_secrets(work: UnitOfWork, submission: Submission) -> None:
    """Note what a submission names, and what it hides from guardians; its failure is as confidential (B10).

    This comes before any look-up: the look-up of a patient is audited too.
    """
    items = _about_patient(submission)
    if any(HIDDEN_FROM_GUARDIANS in split_marks(document.item.resource)[1] for document in submission.documents):
        work.carries_confidential()
    work.carries(*(item.resource for item in items))
    base = work.runtime.fhir_base
    literals = [reference["reference"] for item in items for _, reference in item.references]
    literals += [item.url for item in (*submission.supersedes, *submission.folder_updates)]
    literals += [str(attachment_of(document.item.resource).get("url", "")) for document in submission.documents]
    targets = (references.split(literal, base) for literal in literals)
    work.names(*("/".join(target) for target in targets if target and target[0] in _NAMED))


def _refuse_known(prepared: Filing) -> None:
    """Refuse a document or submission that this depositor has filed before; this comes before any content is stored."""
    for document in prepared.submission.documents:
        master = document.item.resource["masterIdentifier"]
        value = (str(master.get("system", "")), str(master["value"]))
        if _is_filed(prepared, "DocumentReference", value):
            raise prepared.work.claims[prepared.claim_of("document", value[1])]
    lot = prepared.submission.set
    named = unique_id(lot.resource)
    if named and _is_filed(prepared, "List", ("urn:ietf:rfc:3986", named)):
        raise prepared.work.claims[prepared.claim_of("submission", named)]


def _is_filed(prepared: Filing, type_: str, identifier: tuple[str, str]) -> bool:
    work = prepared.work
    found = conditional.with_identifier(work, type_, identifier, prepared.patient)
    own = [f"{type_}/{stored.id}" for stored in found if versions.is_depositor(work.caller, stored)]
    work.names(*own)  # a refusal because of them is as confidential as they are (B10)
    return bool(own)


def _kind(drafts: tuple[filing.Draft, ...]) -> EventKind | None:
    """Return the kind of a submission whose every document replaces another, None for any other submission."""
    return EventKind.DOCUMENT_REPLACED if drafts and all(draft.older for draft in drafts) else None


def _trace_submission(prepared: Filing, kind: EventKind | None) -> None:
    submission, ids = prepared.submission, prepared.ids
    documents = tuple(f"DocumentReference/{ids[document.item.index]}" for document in submission.documents)
    superseded = tuple(f"DocumentReference/{stored.id}" for stored in prepared.replaced.values())
    touched = (f"List/{ids[submission.set.index]}", *documents, *superseded)
    prepared.work.trace(replace(prepared.work.audited, kind=kind), touched, prepared.reason)
