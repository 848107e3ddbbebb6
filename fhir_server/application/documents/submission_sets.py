"""The submission set around the documents: its patient, its folders, and the documents that it replaces.

All entries are about one patient, by reference or by identifier. A `relatesTo` or a PATCH entry makes an older document
superseded. The server may derive the submission set itself.
Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105; PDSm 3.1.1, flux 01 and 02;
ANS PDSM4DMP, TD2.1 (rule J3).
"""

from uuid import UUID

import orjson

from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, PatientId
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.search_index import facts_of
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.documents import recipients, versions
from fhir_server.application.documents.authors import verified
from fhir_server.application.documents.filing import Filing, claim, refuse_dangling
from fhir_server.application.documents.hiding_and_withdrawal import Supersede
from fhir_server.application.reading import conditional
from fhir_server.domain import bodies, references
from fhir_server.domain.documents.submission import (
    IDENTIFIER_TYPES,
    LIST_TYPES,
    SOURCE_ID,
    Item,
    replaced_by,
    unique_id,
)
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.r4.parsing import load_json
from fhir_server.registry import PATIENT, REGISTRY


def file_lists(filing: Filing) -> None:
    """Plan the submission set and the new folders."""
    submission = filing.submission
    for item in (*submission.folders, *((submission.set,) if submission.set.resource else ())):
        refuse_dangling(filing, (item,))
        resource = verified(filing.speaks_for, filing.located(item.resource), item.root)
        if item is submission.set:
            resource = _with_unique_id(filing, resource)
            claim(filing, "submission", unique_id(resource), f"{item.root}.identifier")
        filing.work.put(_stored_list(filing, resource, filing.ids[item.index], filing.own))
        if item is submission.set:
            recipients.note(filing, resource, filing.ids[item.index])


def derived_set(filing: Filing, document_id: str, document: Json) -> None:
    """Plan the submission set of a simplified publication, which sends none."""
    client = filing.work.caller.requester.client
    resource: Json = {
        "resourceType": "List",
        "extension": [{"url": SOURCE_ID, "valueIdentifier": {"value": client or filing.depositor}}],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": LIST_TYPES, "code": "submissionset"}]},
        "subject": {"reference": f"Patient/{filing.patient}"},
        "date": bodies.instant(filing.work.at),
        "entry": [{"item": {"reference": f"DocumentReference/{document_id}"}}],
    }
    authors = [author for author in document.get("author", []) if not str(author.get("reference", "#")).startswith("#")]
    if authors:
        resource["source"] = authors[0]
    resource = _with_unique_id(filing, resource)
    filing.work.put(_stored_list(filing, resource, filing.ids[-1], filing.own))


def update_folder(filing: Filing, item: Item) -> Written:
    """Plan a new version of a folder: it may add entries, and removes none.

    Only the depositor of a folder may update it. Entries that the caller does not see stay in the folder.
    Raises: Problem(BUSINESS_RULE) for a folder that the caller does not see; INVALID for another `id`; FORBIDDEN.
    """
    work = filing.work
    where = f"Bundle.entry[{item.index}].request.url"
    target = references.split(item.url, work.runtime.fhir_base)
    before = work.read("List", target[1], filing.work.entered) if target else None
    if before is None:
        raise Problem(Category.BUSINESS_RULE, conditional.unknown_reference(where))
    if item.resource.get("id") != before.id:
        raise Problem.of(Category.INVALID, "`id` is not the one of the URL", f"{item.root}.id", "value")
    versions.demand_depositor(work, before, where)
    refuse_dangling(filing, (item,))
    resource = verified(filing.speaks_for, filing.located(item.resource), item.root)
    old: list[Json] = load_json(before.body).get("entry", [])
    kept = {entry["item"].get("reference") for entry in old}
    added = [entry for entry in resource.get("entry", []) if entry["item"].get("reference") not in kept]
    resource |= {"entry": [*old, *added]}
    after = _stored_list(filing, resource, before.id, before.facts.access, before.version + 1)
    work.change(before, after)
    return filing.written("List", before.id, created=False)


def _stored_list(filing: Filing, resource: Json, id_: str, access: AccessFacts, version: int = 1) -> Stored:
    body = bodies.stamped(resource, id_, version, filing.work.stamp)
    facts = facts_of(orjson.loads(body), access, REGISTRY["List"])
    return filing.work.version("List", id_, version, body, facts)


def _with_unique_id(filing: Filing, resource: Json) -> Json:
    """Return a submission set with a unique id: the server assigns one when the source sent none."""
    if unique_id(resource):
        return resource
    number = UUID(filing.work.runtime.ports.ids.new()).int
    assigned = {
        "type": {"coding": [{"system": IDENTIFIER_TYPES, "code": "uniqueId"}]},
        "system": "urn:ietf:rfc:3986",
        "value": f"urn:oid:2.25.{number}",
    }
    return resource | {"identifier": [*resource.get("identifier", []), assigned]}


def one_patient(work: UnitOfWork, items: list[Item], names: dict[str, str]) -> PatientId:
    """Return the id of the patient whom all entries name.

    Raises: Problem(BUSINESS_RULE) when an entry names an unknown patient, or another patient than the other entries.
    """
    found: list[tuple[PatientId | None, Item]] = [(_patient_of(work, item, names), item) for item in items]
    faults = [conditional.unknown_reference(f"{item.root}.subject") for patient, item in found if not patient]
    first = found[-1][0]
    faults += [
        Issue("a submission must be about one patient", f"{item.root}.subject", "XDSPatientIdDoesNotMatch")
        for patient, item in found
        if patient and first and patient != first
    ]
    if faults or first is None:
        _demand_entry(work, {patient for patient, _ in found})
        raise Problem(Category.BUSINESS_RULE, *faults)
    return first


def _demand_entry(work: UnitOfWork, named: set[PatientId | None]) -> None:
    """Refuse a caller who may not file for one of these patients, before the answer tells which are known (AC20).

    Raises: Problem(INSUFFICIENT_SCOPE), FORBIDDEN or CONSENT_REQUIRED.
    """
    for patient in sorted(filter(None, named)):
        smart_scopes.demand(work.caller, ("DocumentReference",), "c", patient)
        open_record(work, patient, Action.DEPOSIT)
    if None in named:
        conditional.refuse_as_unknown(work, "DocumentReference", Action.DEPOSIT)


def _patient_of(work: UnitOfWork, item: Item, names: dict[str, str]) -> PatientId | None:
    subject = item.resource.get("subject", {})
    literal = names.get(str(subject.get("reference", "")), str(subject.get("reference", "")))
    if literal.startswith("#"):
        contained = {f"#{inner.get('id')}": inner for inner in item.resource.get("contained", [])}
        return _identified(work, contained.get(literal, {}).get("identifier", []))
    if conditional.is_conditional(literal) and literal.startswith(f"{PATIENT}?"):
        literal = conditional.resolve(work, literal, f"{item.root}.subject.reference")
    if not literal:
        return _identified(work, [subject["identifier"]] if "identifier" in subject else [])
    target = references.split(literal, work.runtime.fhir_base)
    is_known = target is not None and target[0] == PATIENT and work.is_known(*target)
    return PatientId(target[1]) if target and is_known else None


def _identified(work: UnitOfWork, identifiers: list[Json]) -> PatientId | None:
    """Return the id of the one patient whom these identifiers name, None when they name none or several."""
    pairs = [(str(item.get("system", "")), str(item.get("value", ""))) for item in identifiers]
    named = (work.identify(*pair) for pair in pairs if all(pair))
    found = {patient for patient in named if patient}
    if len(found) > 1:  # the answer reveals that several are known, so each of them is told
        found = {patient for patient in sorted(found) if work.may_identify(patient)}
    return found.pop() if len(found) == 1 else None


def relate(filing: Filing) -> dict[int, str]:
    """Supersede documents replaced by relatesTo or by PATCH; return the id of the document of each PATCH entry.

    Raises: Problem(BUSINESS_RULE) for a document that the caller does not see, that two documents replace, or that is
    superseded already; FORBIDDEN.
    """
    work, submission = filing.work, filing.submission
    patched: dict[int, str] = {}
    for item in submission.supersedes:
        target = _superseded_by_entry(filing, item)
        _supersede(filing, target, f"Bundle.entry[{item.index}].request.url")
        patched[item.index] = target.id
    for document in submission.documents:
        for index, literal in replaced_by(document.item.resource):
            where = f"{document.item.root}.relatesTo[{index}].target"
            target = _target(filing, filing.names.get(literal, literal), where)
            if any(other.id == target.id for other in filing.replaced.values()):
                raise Problem.of(Category.BUSINESS_RULE, "two documents replace the same document", where, "duplicate")
            if target.id not in patched.values():
                _supersede(filing, target, where)
            filing.replaced[document.item.index] = work.latest(target)
    return patched


def _superseded_by_entry(filing: Filing, item: Item) -> Stored:
    where = f"Bundle.entry[{item.index}].request.url"
    literal = item.url
    if conditional.is_conditional(literal):
        literal = conditional.resolve(filing.work, literal, where, filing.patient)
    return _target(filing, literal, where)


def _target(filing: Filing, literal: str, where: str) -> Stored:
    """Return the document that a reference names; a document that the caller does not see counts as unknown."""
    target = references.split(literal, filing.work.runtime.fhir_base)
    found = filing.work.read(*target, filing.work.entered) if target and target[0] == "DocumentReference" else None
    if found is None:
        raise Problem(Category.BUSINESS_RULE, conditional.unknown_reference(where))
    return found


def _supersede(filing: Filing, target: Stored, where: str) -> None:
    """Plan the new status of a replaced document.

    Raises: Problem(FORBIDDEN) when the caller did not file the document, BUSINESS_RULE when it is superseded already.
    """
    work = filing.work
    smart_scopes.demand(work.caller, ("DocumentReference",), "u", filing.patient)
    Supersede(where).plan(work, target)
