"""Publishing: a submission set with its documents and contents, whole or not at all; replacing, and deleting.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105
(https://profiles.ihe.net/ITI/MHD/ITI-105.html); PDSm 3.1.1, flux 01, 02 and 09; ANS PDSM4DMP, TD2, TD2.1 and TD3.3c.
"""

from dataclasses import dataclass
from typing import Any

from consent_rules.vocabulary import Action, View
from fhir_server.application import directory, filing, resolving, revising, scoping, writing
from fhir_server.application.directory import Placing
from fhir_server.application.filing import Filing
from fhir_server.application.finding import identify
from fhir_server.application.runtime import Runtime
from fhir_server.application.writing import Work, Written, carry_out
from fhir_server.domain import pointers
from fhir_server.domain.audit import Deed
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.submission import Item, Submission, replaced_by, unique_id
from fhir_server.domain.submission_reading import read, read_simplified
from fhir_server.r4.parsing import load_json
from fhir_server.registry import REGISTRY

Json = dict[str, Any]

SUBMISSION = Deed("transaction", "DocumentReference", "ITI-65")
_DOCUMENT = ("DocumentReference",)


@dataclass(frozen=True, slots=True)
class Published:
    """What became of each entry of a submission, in the order of the request; None for one that only asks."""

    entries: tuple[Written | None, ...]


def publish(runtime: Runtime, caller: Caller, bundle: Json) -> Published:
    """File a submission set with its documents (ITI-65).

    Raises: Problem(INVALID) or BUSINESS_RULE with the faults by element, DUPLICATE when it was filed before,
    CONSENT_REQUIRED or FORBIDDEN from the decision. Nothing is stored then.
    """
    return carry_out(runtime, caller, SUBMISSION, lambda work: plan_publication(work, bundle))


def plan_publication(work: Work, bundle: Json) -> Published:
    """Plan a submission; whoever loads many of them commits the plans together."""
    scoping.demand(work.caller, _DOCUMENT, "c")
    submission = read(bundle, refuse_wrong_size=work.runtime.refuse_wrong_size)
    return Published(_plan_submission(work, submission, len(bundle.get("entry", []))))


def publish_document(runtime: Runtime, caller: Caller, resource: Json) -> Written:
    """File one document whose content travels inside (ITI-105); its submission set is derived.

    Raises: as `publish`.
    """
    deed = Deed("create", "DocumentReference", "ITI-105")

    def plan(work: Work) -> Written:
        scoping.demand(caller, _DOCUMENT, "c")
        submission = read_simplified(resource, refuse_wrong_size=runtime.refuse_wrong_size)
        return _plan_simplified(work, submission)

    return carry_out(runtime, caller, deed, plan)


def delete(runtime: Runtime, caller: Caller, id_: str, if_match: str = "") -> Stored | None:
    """Delete a document, as its author; None when there is none that the caller sees.

    Raises: Problem(FORBIDDEN) for anybody who sees the document but did not deposit it; VERSION_CONFLICT.
    """
    deed = Deed("delete", "DocumentReference", target=f"DocumentReference/{id_}")
    return carry_out(runtime, caller, deed, lambda work: plan_delete(work, id_, if_match))


def plan_delete(work: Work, id_: str, if_match: str) -> Stored | None:
    """Plan the deletion of a document; None when there is none that the caller sees."""
    scoping.demand(work.caller, _DOCUMENT, "d")
    location = work.snapshot.locate("DocumentReference", id_)
    if location is None:
        return None
    try:
        limits = scoping.demand(work.caller, _DOCUMENT, "d", location.compartment)
    except Problem:
        return None
    opened = work.enter_unnamed(location.compartment, Action.RELABEL)
    if opened is None:
        return None
    view = scoping.narrow(opened.sees(View.DOCUMENTS), limits)
    before = work.read("DocumentReference", id_, view)
    if before is None:
        return None
    writing.demand_match(if_match, before, knows_marks=view.knows_marks(before.facts.access))
    after = revising.withdraw(work, before)
    work.trace(Deed("delete", "DocumentReference"), opened, location.compartment, (f"DocumentReference/{id_}",))
    return after


def _plan_simplified(work: Work, submission: Submission) -> Written:
    document = submission.documents[0]
    prepared = _enter(work, submission, {0: _new_id(work), -1: _new_id(work)})
    _relate(prepared)
    drafts = filing.draft_documents(prepared)
    _refuse_known(prepared)
    filing.file_documents(prepared, drafts)
    filing.derived_set(prepared, prepared.ids[0], document.item.resource)
    touched = (f"DocumentReference/{prepared.ids[0]}",)
    work.trace(work.deed, prepared.opened, prepared.patient, touched)
    notes = tuple(issue for _, issue in submission.notes)
    return _written(prepared, "DocumentReference", prepared.ids[0], notes)


def _plan_submission(work: Work, submission: Submission, count: int) -> tuple[Written | None, ...]:
    ids = {item.index: _new_id(work) for item in _created(submission)}
    answers: dict[int, Written] = {}
    if submission.patient:
        answers[submission.patient.index] = _place_patient(work, submission.patient, ids)
    prepared = _enter(work, submission, ids)
    superseded = _relate(prepared)
    drafts = filing.draft_documents(prepared)
    filing.file_lists(prepared)
    _refuse_known(prepared)
    for item in submission.folder_updates:
        answers[item.index] = _update_folder(prepared, item)
    filing.file_documents(prepared, drafts)
    for item in submission.supersedes:
        answers[item.index] = _written(prepared, "DocumentReference", superseded[item.index], (), created=False)
    for item in _created(submission):
        if item.index not in answers:
            notes = tuple(issue for index, issue in submission.notes if index == item.index)
            answers[item.index] = _written(prepared, item.resource["resourceType"], ids[item.index], notes)
    _trace_submission(prepared)
    return tuple(answers.get(index) for index in range(count))


def _created(submission: Submission) -> tuple[Item, ...]:
    documents = tuple(document.item for document in submission.documents)
    contents = tuple(document.binary for document in submission.documents if document.binary)
    patient = (submission.patient,) if submission.patient else ()
    return (submission.set, *documents, *contents, *submission.folders, *patient)


def _new_id(work: Work) -> str:
    return work.runtime.ports.ids.new()


def _place_patient(work: Work, item: Item, ids: dict[int, str]) -> Written:
    """Create the Patient that travels with the submission, or find it by the entry's own condition."""
    place = Placing(REGISTRY["Patient"], item.resource, ids[item.index], item.root)
    written = directory.plan_create(work, place, item.condition)
    ids[item.index] = written.shown.stored.id
    return written


def _enter(work: Work, submission: Submission, ids: dict[int, str]) -> Filing:
    """Find the one patient of a submission, enter the space, and resolve every name in it."""
    items = [*(document.item for document in submission.documents), *submission.folders, *submission.folder_updates]
    if submission.set.resource:
        items.append(submission.set)
    named = (item for item in _created(submission) if item.full_url)
    names = {item.full_url: f"{item.resource['resourceType']}/{ids[item.index]}" for item in named}
    patient = _one_patient(work, items, names)
    scoping.demand(work.caller, _DOCUMENT, "c", patient)
    opened = work.enter(patient, Action.DEPOSIT)
    seen = opened.sees(View.DOCUMENTS)
    for item in items:
        names |= resolving.conditional_names(work, item.resource, item.root, patient)
    return Filing(work, submission, patient, opened, seen, ids, names)


def _one_patient(work: Work, items: list[Item], names: dict[str, str]) -> str:
    """Return the id of the patient whom all entries name.

    Raises: Problem(BUSINESS_RULE) when an entry names nobody who is known, or another than the first.
    """
    found: list[tuple[str, Item]] = [(_patient_of(work, item, names), item) for item in items]
    faults = [resolving.unknown(f"{item.root}.subject") for patient, item in found if not patient]
    first = found[-1][0]
    faults += [
        Issue("a submission is about one patient", f"{item.root}.subject", "XDSPatientIdDoesNotMatch")
        for patient, item in found
        if patient and first and patient != first
    ]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)
    return first


def _patient_of(work: Work, item: Item, names: dict[str, str]) -> str:
    subject = item.resource.get("subject", {})
    literal = names.get(str(subject.get("reference", "")), str(subject.get("reference", "")))
    if literal.startswith("#"):
        contained = {f"#{inner.get('id')}": inner for inner in item.resource.get("contained", [])}
        return _identified(work, contained.get(literal, {}).get("identifier", []))
    if resolving.is_conditional(literal) and literal.startswith("Patient?"):
        literal = resolving.resolve(work, literal, f"{item.root}.subject.reference")
    if not literal:
        return _identified(work, [subject["identifier"]] if "identifier" in subject else [])
    target = pointers.split(literal, work.runtime.fhir_base)
    return target[1] if target and target[0] == "Patient" and work.is_known(*target) else ""


def _identified(work: Work, identifiers: list[Json]) -> str:
    """Return the id of the one patient whom these identifiers name, "" when it is none or more."""
    pairs = [(str(item.get("system", "")), str(item.get("value", ""))) for item in identifiers]
    found = {identify(work.snapshot, *pair) for pair in pairs if all(pair)} - {""}
    return found.pop() if len(found) == 1 else ""


def _relate(prepared: Filing) -> dict[int, str]:
    """Supersede what is replaced, by relatesTo or by PATCH; return the document of each PATCH entry."""
    work, submission = prepared.work, prepared.submission
    patched: dict[int, str] = {}
    for item in submission.supersedes:
        target = _superseded_by_entry(prepared, item)
        _supersede(prepared, target, f"Bundle.entry[{item.index}].request.url")
        patched[item.index] = target.id
    for document in submission.documents:
        for index, literal in replaced_by(document.item.resource):
            where = f"{document.item.root}.relatesTo[{index}].target"
            target = _target(prepared, prepared.names.get(literal, literal), where)
            if any(other.id == target.id for other in prepared.replaced.values()):
                raise Problem.of(Category.BUSINESS_RULE, "two documents replace the same one", where, "duplicate")
            if target.id not in patched.values():
                _supersede(prepared, target, where)
            prepared.replaced[document.item.index] = work.latest(target)
    return patched


def _superseded_by_entry(prepared: Filing, item: Item) -> Stored:
    where = f"Bundle.entry[{item.index}].request.url"
    literal = item.url
    if resolving.is_conditional(literal):
        literal = resolving.resolve(prepared.work, literal, where, prepared.patient)
    return _target(prepared, literal, where)


def _target(prepared: Filing, literal: str, where: str) -> Stored:
    """Return the document that a reference names, if the caller sees it; a hidden one is as unknown as any other."""
    target = pointers.split(literal, prepared.work.runtime.fhir_base)
    found = prepared.work.read(*target, prepared.seen) if target and target[0] == "DocumentReference" else None
    if found is None:
        raise Problem(Category.BUSINESS_RULE, resolving.unknown(where))
    return found


def _supersede(prepared: Filing, target: Stored, where: str) -> None:
    """Plan the new status of a replaced document.

    Raises: Problem(FORBIDDEN) when the caller did not deposit it, BUSINESS_RULE when it is superseded already.
    """
    work = prepared.work
    scoping.demand(work.caller, _DOCUMENT, "u", prepared.patient)
    revising.demand_depositor(work, target, where)
    resource = load_json(target.body)
    if resource.get("status") != "current":
        text = "this document has been superseded already"
        raise Problem.of(Category.BUSINESS_RULE, text, where, "XDSRegistryDeprecatedDocumentError")
    revising.rewrite(work, target, resource | {"status": "superseded"})


def _update_folder(prepared: Filing, item: Item) -> Written:
    """Plan a new version of a folder: entries are added, none is taken out.

    A folder is updated by whoever made it; entries that the caller does not see stay where they are.
    """
    work = prepared.work
    where = f"Bundle.entry[{item.index}].request.url"
    target = pointers.split(item.url, work.runtime.fhir_base)
    before = work.read("List", target[1], prepared.seen) if target else None
    if before is None:
        raise Problem(Category.BUSINESS_RULE, resolving.unknown(where))
    if item.resource.get("id") != before.id:
        raise Problem.of(Category.INVALID, "`id` is not the one of the URL", f"{item.root}.id", "value")
    revising.demand_depositor(work, before, where)
    resource = prepared.located(item.resource)
    old: list[Json] = load_json(before.body).get("entry", [])
    kept = {entry["item"].get("reference") for entry in old}
    added = [entry for entry in resource.get("entry", []) if entry["item"].get("reference") not in kept]
    resource |= {"entry": [*old, *added]}
    after = filing.stored_list(prepared, resource, before.id, before.version + 1, before.facts.access)
    work.change(before, after)
    return _written(prepared, "List", before.id, (), created=False)


def _refuse_known(prepared: Filing) -> None:
    """Refuse what this depositor has filed before, ahead of storing any content."""
    for document in prepared.submission.documents:
        master = document.item.resource["masterIdentifier"]
        value = (str(master.get("system", "")), str(master["value"]))
        if _is_filed(prepared, "DocumentReference", value):
            raise prepared.work.claims[f"document|{prepared.patient}|{prepared.depositor}|{value[1]}"]
    lot = prepared.submission.set
    named = unique_id(lot.resource)
    if named and _is_filed(prepared, "List", ("urn:ietf:rfc:3986", named)):
        raise prepared.work.claims[f"submission|{prepared.patient}|{prepared.depositor}|{named}"]


def _is_filed(prepared: Filing, type_: str, identifier: tuple[str, str]) -> bool:
    work = prepared.work
    found = writing.identified(work, type_, identifier, prepared.patient)
    return any(revising.is_depositor(work.caller, stored) for stored in found)


def _written(prepared: Filing, type_: str, id_: str, notes: tuple[Issue, ...], *, created: bool = True) -> Written:
    """Return one planned resource as its depositor sees it, who may know its marks."""
    work = prepared.work
    stored = work.writes[type_, id_].after
    shown = work.shown(stored, prepared.seen, prepared.seen)
    return Written(shown, created, notes)


def _trace_submission(prepared: Filing) -> None:
    submission, ids = prepared.submission, prepared.ids
    documents = tuple(f"DocumentReference/{ids[document.item.index]}" for document in submission.documents)
    superseded = tuple(f"DocumentReference/{stored.id}" for stored in prepared.replaced.values())
    touched = (f"List/{ids[submission.set.index]}", *documents, *superseded)
    prepared.work.trace(prepared.work.deed, prepared.opened, prepared.patient, touched)
