"""Filing documents: turns a submission that was read into stored documents and contents.

Types, formats and sizes are checked against the rules before anything is stored.
Source: IHE MHD 4.2, ITI-65 and ITI-105; consent_rules.consents.uploads (rules B12, J6 and J7); docs/labels.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import orjson

from consent_rules.consents.uploads import Standing, Unfit, Upload, standing, unfit
from consent_rules.consents.visibility_marks import is_sealed, marks_at_filing, sealed_until
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, Mark, PatientId
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.documents import authors, replacement_chain, versions
from fhir_server.application.spaces import terms
from fhir_server.domain import bodies, references
from fhir_server.domain.documents.security_labels import split_marks
from fhir_server.domain.documents.submission import (
    FHIR_DOCUMENT,
    FHIR_TYPES,
    Document,
    Item,
    Submission,
    attachment_of,
)
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.stored import Facts, Stored
from fhir_server.domain.values import Json
from fhir_server.r4 import claimed_profiles
from fhir_server.r4.parsing import parse
from fhir_server.registry import DOCUMENTS, NATIVE, REGISTRY, AccessRule, ResourceType, types_under

_ATTACHMENT = "content[0].attachment"
_JSON = "application/fhir+json"
"""The form in which the server keeps a FHIR document that was sent as a Bundle, whatever its attachment says."""
_TOLD: Mapping[Unfit, tuple[str, str]] = {
    # reason: (text of the fault, element of the document)
    Unfit.TYPE: ("a patient files documents of the types DOCPAT01 to DOCPAT09 and EXPPAT_1 to EXPPAT_3 only", "type"),
    Unfit.MINOR: ("a minor cannot have advance directives", "type"),
    Unfit.FORMAT: ("the server does not accept this format from a patient", f"{_ATTACHMENT}.contentType"),
    Unfit.SIZE: ("the content is larger than the server accepts from a patient", _ATTACHMENT),
    Unfit.PROFESSION: ("the matrix does not let this profession file documents of this type", "type"),
    Unfit.ELSEWHERE: ("a patient must send the content itself, not only its address", f"{_ATTACHMENT}.url"),
}


_MHD, _PDSM = f"{claimed_profiles.MHD}IHE.MHD.", claimed_profiles.PDSM
_ON_THE_WAY = frozenset({f"{_PDSM}pdsm-simplified-publish", f"{_MHD}SimplifiedPublish.DocumentReference"})
"""Profiles of a document with its content inside. Such a document has no URL, but every filed document has one."""
_FILED_AS = (
    f"{_PDSM}pdsm-comprehensive-document-reference",
    f"{_MHD}Comprehensive.DocumentReference",
    f"{_MHD}UnContained.Comprehensive.DocumentReference",
    f"{_MHD}Minimal.DocumentReference",
)
"""Profiles of filed documents, the strictest first."""
_FILED = types_under(AccessRule.DOCUMENT, AccessRule.GATHERING, AccessRule.CONTENT)


_UNSTATED = "no source of the matrix states that this profession files documents of this type"


def demand_fit(filing: "Filing", documents: Iterable[tuple[Document, str]]) -> None:
    """Refuse documents, each given with its kind, that the rules do not allow; warn where the matrix leaves it open.

    Raises: Problem(BUSINESS_RULE) with every fault of every document, each naming its element.
    """
    faults = [fault for document, kind in documents for fault in _faults(filing, document, kind)]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _faults(filing: "Filing", document: Document, kind: str) -> Iterator[Issue]:
    work = filing.work
    request, matrix = work.asks(Action.DEPOSIT), work.runtime.matrix
    size = None if document.content is None else len(document.content)
    media_type, is_brought = (
        str(attachment_of(document.item.resource).get("contentType", "")),
        bool(filing.submission.brought_from),
    )
    upload = Upload(kind, media_type, size, is_brought)
    for why in unfit(request, work.record(), upload, matrix, work.runtime.profile):
        yield _fault(document, why)
    said = standing(filing.speaks_for.filing_professions, kind, matrix)
    if said is Standing.REFUSED:
        yield _fault(document, Unfit.PROFESSION)
    elif said is Standing.UNSTATED:
        filing.notes.append((document.item.index, Issue(_UNSTATED, f"{document.item.root}.type", said.value)))


def _fault(document: Document, why: Unfit) -> Issue:
    text, element = _TOLD[why]
    return Issue(text, f"{document.item.root}.{element}", why.value)


@dataclass(slots=True)
class Filing:
    """One submission being filed into one space.

    ids: id given to each entry, by its index. names: the reference to write for each fullUrl and conditional reference.
    limits: what the scopes allow to file. replaced: the document that each new one replaces, by index of its entry.
    notes: warnings for the answer, by index of the entry, beside those of the submission.
    """

    work: UnitOfWork
    submission: Submission
    patient: PatientId
    ids: Mapping[int, str]
    names: Mapping[str, str]
    limits: smart_scopes.Limits
    replaced: dict[int, Stored] = field(default_factory=dict)
    speaks_for: authors.Depositor = field(init=False)
    notes: list[tuple[int, Issue]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note for whom the caller may speak."""
        self.speaks_for = authors.Depositor(self.work, self.patient)

    @property
    def depositor(self) -> str:
        """The reference in whose name identifiers are unique."""
        requester = self.work.caller.requester
        return requester.organization or requester.person or requester.client

    @property
    def own(self) -> AccessFacts:
        """The access facts of what the caller files: this space, and the caller as depositor."""
        requester = self.work.caller.requester
        return AccessFacts(
            compartment=self.patient,
            owner_person=requester.person,
            owner_organization=requester.organization,
            owner_client="" if requester.person else requester.client,
        )

    @property
    def reason(self) -> str:
        """The code by which the audit log marks a filing about which the matrix states nothing; "" for none."""
        return next((note.code for _, note in self.notes), "")

    def notes_of(self, index: int) -> tuple[Issue, ...]:
        """Return the warnings about one entry."""
        return tuple(note for at, note in (*self.submission.notes, *self.notes) if at == index)

    def claim_of(self, kind: str, identifier: str) -> str:
        """Return the claim that makes the identifier of a "document" or "submission" of this depositor unique."""
        return f"{kind}|{self.patient}|{self.depositor}|{identifier}"

    def located(self, resource: Json) -> Json:
        """Return a resource with its references resolved, and its patient as a literal reference."""
        found: Json = references.rewritten(resource, self.names)
        return found | {"subject": found.get("subject", {}) | {"reference": f"Patient/{self.patient}"}}

    def written(self, type_: str, id_: str, notes: tuple[Issue, ...] = (), *, created: bool = True) -> Written:
        """Return one planned resource as its depositor sees it; the depositor may know its marks."""
        kept = NATIVE[type_].stored_as if type_ in NATIVE else type_
        planned = self.work.writes[kept, id_].after
        return Written(self.work.shown(planned, self.work.entered), created, notes)


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that may be filed but is not stored yet. older: the document that it replaces."""

    document: Document
    resource: Json
    access: AccessFacts
    older: Stored | None


def draft_documents(filing: Filing) -> tuple[Draft, ...]:
    """Return the documents as they are to be stored.

    Raises: Problem(BUSINESS_RULE) with every reference that names nothing; FORBIDDEN for a mark that the caller may not
    set; INSUFFICIENT_SCOPE.
    """
    documents = filing.submission.documents
    refuse_dangling(filing, [document.item for document in documents])
    for document in documents:
        identifier = str(document.item.resource["masterIdentifier"]["value"])
        claim(filing, "document", identifier, f"{document.item.root}.masterIdentifier")
    drafts = tuple(_draft(filing, document) for document in documents)
    demand_fit(filing, ((draft.document, draft.access.kind) for draft in drafts))
    return drafts


def file_documents(filing: Filing, drafts: tuple[Draft, ...]) -> None:
    """Plan the documents, and store their contents; every check that can refuse the submission comes before."""
    for draft in drafts:
        _file_document(filing, draft)
    at = filing.work.at
    waiting = [draft for draft in drafts if is_sealed(draft.access, at)]
    if waiting:
        confidential = all(Mark.INVISIBLE_REPRESENTANTS_LEGAUX in draft.access.marks for draft in waiting)
        ids = tuple(filing.ids[draft.document.item.index] for draft in waiting)
        notices_owed.of_waiting(filing.work, filing.work.record(), ids, confidential=confidential)
    filed = [filing.work.writes["DocumentReference", filing.ids[draft.document.item.index]].after for draft in drafts]
    notices_owed.of_documents(filing.work, EventKind.DOCUMENTS_PUBLISHED, filed)


def refuse_dangling(filing: Filing, items: Iterable[Item]) -> None:
    """Refuse entries with references to things that the caller does not see.

    Raises: Problem(BUSINESS_RULE) with all these references.
    """
    faults = [fault for item in items for fault in _dangling(filing, item)]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def claim(filing: Filing, kind: str, identifier: str, where: str) -> None:
    """Demand that this depositor has not filed a "document" or "submission" with this identifier before (rule J8)."""
    text = f"you have filed a {kind} with this identifier already"
    taken = Problem.of(Category.DUPLICATE, text, where, "XDSDuplicateUniqueIdInRegistry")
    filing.work.claim(filing.claim_of(kind, identifier), taken)


def _draft(filing: Filing, document: Document) -> Draft:
    located = authors.verified(filing.speaks_for, filing.located(document.item.resource), document.item.root)
    resource, asked = split_marks(located)
    older = filing.replaced.get(document.item.index)
    access = _access(filing, resource, asked, older, document.item.root)
    if not smart_scopes.covers(filing.limits, access):
        text = "the token holds no scope to file a document of this type and category"
        raise Problem.of(Category.INSUFFICIENT_SCOPE, text, document.item.root)
    return Draft(document, resource, access, older)


def _file_document(filing: Filing, draft: Draft) -> None:
    work, older = filing.work, draft.older
    id_ = filing.ids[draft.document.item.index]
    resource = draft.resource
    if draft.document.content is not None:
        resource = _with_content(filing, draft.document, resource, id_)
    root = replacement_chain.root_of(work, older) if older else id_
    body = bodies.stamped(resource, id_, 1, work.stamp)
    facts = versions.document_facts(orjson.loads(body), draft.access, root)
    if older:
        replacement_chain.align(work, replacement_chain.members(work, older), draft.access)
        replacement_chain.inherited(work, older.id, id_)
    work.put(work.version("DocumentReference", id_, 1, body, facts))
    # a document that replaces one whose time has ended keeps the mark, but the patient sees it at once
    if is_sealed(draft.access, work.at) and draft.access.sealed_until:
        terms.begin_of_seal(work, draft.access.compartment, id_, draft.access.sealed_until)


def _access(filing: Filing, resource: Json, asked: Mark, older: Stored | None, root: str) -> AccessFacts:
    """Return the access facts of a new document: marks as asked for, as inherited, by the patient's default (E12)."""
    replaced = older.facts.access if older else None
    where = f"{root}.securityLabel"
    base = _coded(filing.work, resource, filing.own)
    if replaced:
        base = replace(base, sealed_until=replaced.sealed_until)
    versions.demand_filing_marks(filing.work, asked, replaced, where)
    marks = marks_at_filing(filing.work.rules_on(filing.work.record()), asked, filing.work.at, replaced)
    sealed = base.sealed_until
    if marks & Mark.INVISIBLE_PATIENT and sealed is None:
        sealed = sealed_until(filing.work.at, filing.work.runtime.profile)
    return replace(base, marks=marks, sealed_until=sealed)


def _coded(work: UnitOfWork, resource: Json, access: AccessFacts) -> AccessFacts:
    """Return access facts with the kind and class that a document states."""
    codings = resource.get("type", {}).get("coding", [])
    kind = work.runtime.matrix.kind_of((str(c.get("system", "")), str(c.get("code", ""))) for c in codings)
    classes = [c for concept in resource.get("category", []) for c in concept.get("coding", [])]
    return replace(access, kind=kind, category=str(classes[0].get("code", "")) if classes else "")


def _with_content(filing: Filing, document: Document, resource: Json, document_id: str) -> Json:
    """Plan the Binary of a document, and return the document with a URL to that Binary."""
    work, content = filing.work, document.content or b""
    binary_id = filing.ids[document.binary.index] if document.binary else work.runtime.ports.ids.new()
    attachment: Json = dict(resource["content"][0]["attachment"])
    sent = document.binary.resource if document.binary and not document.is_fhir else {}
    form = FHIR_DOCUMENT if document.is_fhir or _is_fhir_document(document, attachment) else ""
    binary: Json = {
        **{name: value for name, value in sent.items() if name not in ("data", "resourceType", "id")},
        "resourceType": "Binary",
        "contentType": _JSON if document.is_fhir else attachment["contentType"],
        "securityContext": {"reference": f"DocumentReference/{document_id}"},
        "_blob": work.runtime.ports.blobs.put(filing.patient, content),
        "_size": len(content),
        "_hash": document.hash,
    } | ({bodies.FORM: form} if form else {})
    body = bodies.stamped(binary, binary_id, 1, work.stamp)
    facts = Facts(filing.own, documents=(document_id,))
    work.put(work.version("Binary", binary_id, 1, body, facts))
    if attachment.pop("data", None) is not None:
        attachment.setdefault("size", len(content))
        attachment.setdefault("hash", document.hash)
    attachment["url"] = f"{work.runtime.fhir_base}/{form or 'Binary'}/{binary_id}"
    return _claiming_what_it_is(resource | {"content": [resource["content"][0] | {"attachment": attachment}]})


def _is_fhir_document(document: Document, attachment: Json) -> bool:
    """Tell whether the content of a simplified publication is a valid FHIR document; any other content stays bytes."""
    kind = str(attachment["contentType"])
    if document.binary or kind.partition(";")[0].strip() not in FHIR_TYPES:
        return False
    try:
        return bool(parse(document.content or b"", kind, FHIR_DOCUMENT).get("type") == "document")
    except Problem:
        return False


def _claiming_what_it_is(resource: Json) -> Json:
    """Return a document without the profiles that only a document with its content inside conforms to.

    If no profile is left, the document claims the first profile of `_FILED_AS` to which it conforms, if any.
    """
    claims = resource.get("meta", {}).get("profile", [])
    kept = [claim for claim in claims if str(claim).partition("|")[0] not in _ON_THE_WAY]
    if len(kept) == len(claims):
        return resource
    filed = (one for one in _FILED_AS if not claimed_profiles.check(resource | {"meta": {"profile": [one]}}))
    found = kept or [*islice(filed, 1)]
    meta = {name: value for name, value in resource["meta"].items() if name != "profile"}
    return resource | {"meta": meta | ({"profile": found} if found else {})}


def _dangling(filing: Filing, item: Item) -> Iterator[Issue]:
    """Yield a fault for each reference of an entry to something that the caller does not see."""
    base = filing.work.runtime.fhir_base
    url = str(attachment_of(item.resource).get("url", ""))
    if url not in filing.names and url.startswith(f"{base}/"):  # a content belongs to the document sent with it
        yield Issue("the Bundle holds no content of this name", f"{item.root}.content[0].attachment.url", "dangling")
    for expression, reference in item.references:
        literal = filing.names.get(reference["reference"], reference["reference"])
        target = references.split(literal, base)
        is_copy = ".contained[" in expression  # a contained copy of a person or place needs no look-up
        if literal.startswith("urn:") or (target and not _is_seen(filing, *target, is_copy=is_copy)):
            yield Issue(
                "the reference names nothing that is known here", f"{expression}.reference", "unknown-reference"
            )


def _is_seen(filing: Filing, type_: str, id_: str, *, is_copy: bool) -> bool:
    """Tell whether a reference names something that the caller may refer to; types that are not stored here pass."""
    work = filing.work
    if (type_, id_) in work.writes or (type_ in _FILED and id_ in filing.ids.values()):
        return True
    if type_ in DOCUMENTS:
        return work.read(type_, id_, work.entered) is not None
    row = REGISTRY.get(type_)
    if row and row.access is AccessRule.GATHERING:
        return bool(work.snapshot.visible_ids(type_, {id_}, work.entered))
    # documents name stays of the sender's own system, whether or not its admissions are recorded here
    return is_copy or row is None or row.unconditional or _is_known(filing, row, id_)


def _is_known(filing: Filing, row: ResourceType, id_: str) -> bool:
    """Tell whether a person or place exists, or the caller sees a resource of the space; never a content."""
    work = filing.work
    if row.access is AccessRule.IDENTITY:
        return id_ == filing.patient
    if row.access is AccessRule.DIRECTORY:
        return work.is_known(row.name, id_)
    return row.access is not AccessRule.CONTENT and bool(work.snapshot.visible_ids(row.name, {id_}, work.entered))
