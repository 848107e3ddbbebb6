"""Reading a submission from a transaction Bundle, or from the one document of a simplified publication.

Everything that the request alone can show is checked here; all faults of one stage are reported together.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105
(https://profiles.ihe.net/ITI/MHD/ITI-105.html); PDSm 3.1.1, flux 01 and 09.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import orjson

from fhir_server.domain.documents.submission import (
    FHIR_DOCUMENT,
    MHD,
    Document,
    Item,
    Submission,
    attachment_of,
    identifier_kind,
    is_supersede,
    list_kind,
)
from fhir_server.domain.documents.submission_rules import document_faults, faults_between, set_faults, size_faults
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
BUNDLE_PROFILES = frozenset(
    {
        f"{MHD}/StructureDefinition/IHE.MHD.Minimal.ProvideBundle",
        f"{MHD}/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle",
        f"{MHD}/StructureDefinition/IHE.MHD.UnContained.Comprehensive.ProvideBundle",
        f"{PDSM}/pdsm-comprehensive-provide-document-bundle",
    }
)
_PARTS = {
    # (resource type, method): role of the entry
    ("List", "POST"): "list",
    ("List", "PUT"): "folder-update",
    ("DocumentReference", "POST"): "document",
    ("Parameters", "PATCH"): "supersede",
    ("Binary", "POST"): "content",
    ("Bundle", "POST"): "content",
    ("Patient", "POST"): "patient",
}
_URLS = {"folder-update": ("List/",), "supersede": ("DocumentReference/", "DocumentReference?")}
"""The beginning of the URL of an entry that changes something; the URL of a new resource is its type."""


def is_submission(bundle: Json) -> bool:
    """Tell whether a transaction files documents; such a transaction must be a valid submission.

    The resource of a PATCH is the patch, and no content of a document.
    """
    claims = bundle.get("meta", {}).get("profile", [])
    filed = (entry for entry in bundle.get("entry", []) if entry.get("request", {}).get("method") != "PATCH")
    kinds = {str(entry.get("resource", {}).get("resourceType")) for entry in filed}
    return bool(BUNDLE_PROFILES & set(claims)) or bool(kinds & {"DocumentReference", "Binary", "Bundle", "List"})


def read(bundle: Json, *, refuse_wrong_size: bool) -> Submission:
    """Read a transaction Bundle as a submission.

    Raises: Problem(INVALID) when it does not have the shape of a submission, else BUSINESS_RULE with every other fault.
    """
    parts, faults = _parts(bundle)
    faults += _shape_faults(bundle, parts)
    if faults:
        raise Problem(Category.INVALID, *faults)
    sets = [item for item in parts["list"] if list_kind(item.resource) == "submissionset"]
    folders = [item for item in parts["list"] if list_kind(item.resource) == "folder"]
    binaries = {item.full_url: item for item in parts["content"]}
    documents = [_document(item, binaries) for item in parts["document"]]
    submission = Submission(
        sets[0],
        tuple(documents),
        tuple(folders),
        tuple(parts["folder-update"]),
        tuple(parts["supersede"]),
        parts["patient"][0] if parts["patient"] else None,
    )
    return _checked(submission, list(binaries.values()), refuse_wrong_size=refuse_wrong_size)


def read_simplified(resource: Json, *, refuse_wrong_size: bool) -> Submission:
    """Read the one DocumentReference of a simplified publication (ITI-105); the set is derived by the server.

    Raises: Problem(BUSINESS_RULE) with every fault.
    """
    root = "DocumentReference"
    attachment = attachment_of(resource)
    faults: list[Issue] = []
    where = f"{root}.content[0].attachment"
    if "url" in attachment:
        faults.append(Issue("a simplified publication carries its content in `data`, not in `url`", f"{where}.url"))
    for index, identifier in enumerate(resource.get("identifier", [])):
        if identifier_kind(identifier) == "entryUUID":
            faults.append(Issue("the server assigns the entryUUID", f"{root}.identifier[{index}]", "forbidden"))
    content = _decoded(attachment.get("data"))
    if content is None:
        faults.append(Issue("the content is missing or no base64", f"{where}.data", "required"))
    if not resource.get("masterIdentifier", {}).get("value"):
        faults.append(Issue("the masterIdentifier is required", f"{root}.masterIdentifier", "required"))
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)
    item = Item(0, root, resource)
    submission = Submission(Item(-1, "List", {}), (Document(item, content),))
    return _checked(submission, [], refuse_wrong_size=refuse_wrong_size)


def _parts(bundle: Json) -> tuple[dict[str, list[Item]], list[Issue]]:
    parts: dict[str, list[Item]] = {name: [] for name in _PARTS.values()}
    faults: list[Issue] = []
    for index, entry in enumerate(bundle.get("entry", [])):
        request = entry.get("request", {})
        resource = entry.get("resource", {})
        kind = str(resource.get("resourceType", ""))
        if request.get("method") == "GET" and not resource:
            continue
        part = _PARTS.get((kind, str(request.get("method", ""))))
        item = _item(index, entry)
        fault = _entry_fault(item, kind, part)
        if fault:
            faults.append(fault)
        elif part:
            parts[part].append(item)
    return parts, faults


def _item(index: int, entry: Json) -> Item:
    request = entry.get("request", {})
    return Item(
        index,
        f"Bundle.entry[{index}].resource",
        entry.get("resource", {}),
        str(entry.get("fullUrl", "")),
        str(request.get("url", "")),
        str(request.get("ifNoneExist", "")),
    )


def _entry_fault(item: Item, kind: str, part: str | None) -> Issue | None:
    where = f"Bundle.entry[{item.index}]"
    if kind == FHIR_DOCUMENT and item.resource.get("type") != "document":
        return Issue("a Bundle in a submission must be a FHIR document", f"{item.root}.type", "value")
    if part is None:
        return Issue("an entry of this type and method does not belong to a submission", where, "not-supported")
    fits = item.url.startswith(_URLS[part]) if part in _URLS else item.url == kind
    return (
        None
        if fits
        else Issue("`request.url` must name the resource that the entry writes", f"{where}.request.url", "value")
    )


def _shape_faults(bundle: Json, parts: Mapping[str, Sequence[Item]]) -> list[Issue]:
    faults: list[Issue] = []
    if not BUNDLE_PROFILES & set(bundle.get("meta", {}).get("profile", [])):
        faults.append(Issue("state which submission profile the Bundle follows", "Bundle.meta.profile", "required"))
    kinds = [list_kind(item.resource) for item in parts["list"]]
    for item, kind in zip(parts["list"], kinds, strict=True):
        if not kind:
            faults.append(Issue("a List must be a submission set or a folder", f"{item.root}.code", "code-invalid"))
    if kinds.count("submissionset") != 1 and "" not in kinds:
        text = "a submission must have exactly one submission set"
        extra = [item.root for item, kind in zip(parts["list"], kinds, strict=True) if kind == "submissionset"]
        faults.append(Issue(text, extra[1] if len(extra) > 1 else "Bundle.entry", "required"))
    if len(parts["patient"]) > 1:
        faults.append(
            Issue("a submission must be about one patient", parts["patient"][1].root, "XDSPatientIdDoesNotMatch")
        )
    faults.extend(_full_url_faults(parts))
    return faults


def _full_url_faults(parts: Mapping[str, Sequence[Item]]) -> Iterator[Issue]:
    items = [item for name in ("list", "document", "content", "patient") for item in parts[name]]
    counted = Counter(item.full_url for item in items)
    for item in items:
        where = f"Bundle.entry[{item.index}].fullUrl"
        if not item.full_url:
            yield Issue("a new resource needs a `fullUrl`", where, "required")
        elif counted[item.full_url] > 1:
            yield Issue("`fullUrl` is used twice", where, "duplicate")


def _document(item: Item, binaries: Mapping[str, Item]) -> Document:
    binary = binaries.get(str(attachment_of(item.resource).get("url", "")))
    return Document(item, _content_of(binary.resource) if binary else None, binary)


def _content_of(sent: Json) -> bytes | None:
    """Return the bytes of a content that was sent as a Binary or as a FHIR document; None when there are none."""
    return orjson.dumps(sent) if sent.get("resourceType") == FHIR_DOCUMENT else _decoded(sent.get("data", ""))


def _decoded(data: object) -> bytes | None:
    if not isinstance(data, str) or not data:
        return None
    found = _decoded_bare(data)  # contents are large and have hardly ever blanks
    return _decoded_bare("".join(data.split())) if found is None else found


def _decoded_bare(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except NotBase64:
        return None


def _checked(submission: Submission, binaries: list[Item], *, refuse_wrong_size: bool) -> Submission:
    faults = [fault for document in submission.documents for fault in document_faults(document)]
    faults += faults_between(submission.documents, binaries)
    if submission.set.resource:
        faults += set_faults(submission)
    for item in submission.supersedes:
        if not is_supersede(item.resource):
            faults.append(Issue("a submission only patches a status to `superseded`", item.root, "not-supported"))
    sizes = [(d.item.index, issue) for d in submission.documents for issue in size_faults(d)]
    if refuse_wrong_size:
        faults += [issue for _, issue in sizes]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)
    return replace(submission, notes=tuple(sizes))
