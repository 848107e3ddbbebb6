"""The rules of a submission that the request alone can break; every fault names its element.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html); PDSm 3.1.1; error codes of IHE ITI TF-3,
4.2.4.1.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from fhir_server.domain.documents import security_labels
from fhir_server.domain.documents.submission import (
    FHIR_TYPES,
    SOURCE_ID,
    Document,
    Item,
    Submission,
    attachment_of,
    identifier_kind,
    replaced_by,
    unique_id,
)
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json


def document_faults(document: Document) -> Iterator[Issue]:
    """Yield what is wrong with one document and its content."""
    resource, root = document.item.resource, document.item.root
    master = resource.get("masterIdentifier", {})
    if not master.get("value"):
        yield Issue("the masterIdentifier is required", f"{root}.masterIdentifier", "required")
    if resource.get("status") != "current":
        yield Issue("a new document has the status `current`", f"{root}.status", "value")
    if not resource.get("subject"):
        yield Issue("the patient is required", f"{root}.subject", "required")
    for name in ("docStatus", "modifierExtension"):
        if name in resource:
            yield Issue("this element is not allowed in a submission", f"{root}.{name}", "forbidden")
    if len(resource.get("category", [])) > 1:
        yield Issue("a document must have exactly one class", f"{root}.category", "max")
    yield from _identifier_faults(resource, root)
    yield from _label_faults(resource, root)
    if len(replaced_by(resource)) > 1:
        yield Issue("a document can replace only one document", f"{root}.relatesTo", "max")
    yield from _content_faults(document)


def _identifier_faults(resource: Json, root: str) -> Iterator[Issue]:
    master = resource.get("masterIdentifier", {}).get("value")
    for index, identifier in enumerate(resource.get("identifier", [])):
        where = f"{root}.identifier[{index}].value"
        kind, value = identifier_kind(identifier), str(identifier.get("value", ""))
        if kind == "uniqueId" and value != master:
            yield Issue("the uniqueId differs from the masterIdentifier", where, "XDSMetadataIdentifierError")
        if kind == "entryUUID" and not value.startswith("urn:uuid:"):
            yield Issue("an entryUUID starts with `urn:uuid:`", where, "value")


def _label_faults(resource: Json, root: str) -> Iterator[Issue]:
    for index, concept in enumerate(resource.get("securityLabel", [])):
        for place, coding in enumerate(concept.get("coding", [])):
            if security_labels.is_unknown_mark(coding):
                where = f"{root}.securityLabel[{index}].coding[{place}].code"
                yield Issue("this visibility status is not known", where, "code-invalid")


def _content_faults(document: Document) -> Iterator[Issue]:
    resource, root = document.item.resource, document.item.root
    if len(resource.get("content", [])) != 1:
        yield Issue("a document must have exactly one content", f"{root}.content", "max")
        return
    attachment, where = attachment_of(resource), f"{root}.content[0].attachment"
    if not attachment.get("contentType"):
        yield Issue("the content type is required", f"{where}.contentType", "required")
    if document.item.root != "DocumentReference":
        yield from _url_faults(document, attachment, where)
    if document.content is not None:
        yield from _native_faults(document, attachment, where)
        if "hash" in attachment and not document.is_fhir and attachment["hash"] != document.hash:
            yield Issue("the hash is not that of the content", f"{where}.hash", "XDSNonIdenticalHash")
        yield from _binary_faults(document, attachment, where)


def _url_faults(document: Document, attachment: Json, where: str) -> Iterator[Issue]:
    if "data" in attachment:
        yield Issue("the content travels in a Binary of its own", f"{where}.data", "forbidden")
    url = str(attachment.get("url", ""))
    if not url:
        yield Issue("the attachment must name its content in `url`", f"{where}.url", "required")
    elif document.binary is None and not _is_elsewhere(url):
        yield Issue("the Bundle holds no content of this name", f"{where}.url", "dangling")
    elif document.binary is not None and document.content is None:
        yield Issue("the content is missing or no base64", f"{document.binary.root}.data", "required")


def _is_elsewhere(url: str) -> bool:
    """Tell whether a URL is an absolute http or https URL; the caller checks that it is not a URL of this server."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _binary_faults(document: Document, attachment: Json, where: str) -> Iterator[Issue]:
    binary = document.binary
    if binary and not document.is_fhir and attachment.get("contentType") != binary.resource.get("contentType"):
        yield Issue("the content type is not that of the Binary", f"{where}.contentType", "value")


def _native_faults(document: Document, attachment: Json, where: str) -> Iterator[Issue]:
    """Yield what is wrong with the attachment of a FHIR document, which must state no hash and no size (MHD 4.2.4)."""
    if not document.is_fhir:
        return
    if str(attachment.get("contentType")).partition(";")[0].strip() not in FHIR_TYPES:
        text = f"a FHIR document has the content type {' or '.join(sorted(FHIR_TYPES))}"
        yield Issue(text, f"{where}.contentType", "value")
    for name in ("hash", "size"):
        if name in attachment:
            text = "a document that is sent as a Bundle has no bytes of its own; leave this out, or send a Binary"
            yield Issue(text, f"{where}.{name}", "forbidden")


def size_faults(document: Document) -> Iterator[Issue]:
    """Yield a fault when the stated size is not the size of the content."""
    attachment = attachment_of(document.item.resource)
    is_stated = "size" in attachment and not document.is_fhir
    if document.content is not None and is_stated and attachment["size"] != len(document.content):
        where = f"{document.item.root}.content[0].attachment.size"
        yield Issue("the size is not the number of bytes of the content", where, "XDSNonIdenticalSize")


def faults_between(documents: Sequence[Document], binaries: list[Item]) -> list[Issue]:
    """Return what is wrong between the documents and contents of one submission."""
    faults: list[Issue] = []
    names = Counter(str(d.item.resource.get("masterIdentifier", {}).get("value")) for d in documents)
    used = Counter(d.binary.index for d in documents if d.binary)
    for document in documents:
        root = document.item.root
        if names[str(document.item.resource.get("masterIdentifier", {}).get("value"))] > 1:
            where = f"{root}.masterIdentifier"
            faults.append(Issue("two documents have this identifier", where, "XDSDuplicateUniqueIdInRegistry"))
        if document.binary and used[document.binary.index] > 1:
            faults.append(Issue("two documents share this content", f"{root}.content[0].attachment.url", "duplicate"))
    orphans = (binary for binary in binaries if not used[binary.index])
    faults.extend(Issue("no document names this content", binary.root, "orphan") for binary in orphans)
    return faults


def set_faults(submission: Submission) -> list[Issue]:
    """Return what is wrong with the submission set and the folders."""
    item = submission.set
    faults = [fault for lot in (item, *submission.folders, *submission.folder_updates) for fault in _list_faults(lot)]
    if not any(extension.get("url") == SOURCE_ID for extension in item.resource.get("extension", [])):
        faults.append(Issue("the sourceId of the submission set is required", f"{item.root}.extension", "required"))
    if not item.resource.get("date"):
        faults.append(Issue("the date of the submission is required", f"{item.root}.date", "required"))
    named = unique_id(item.resource)
    if named and not named.startswith("urn:oid:"):
        faults.append(
            Issue("the uniqueId of a submission set starts with `urn:oid:`", f"{item.root}.identifier", "value")
        )
    members = {entry.get("item", {}).get("reference") for entry in item.resource.get("entry", [])}
    missing = [d for d in submission.documents if d.item.full_url not in members]
    if missing:
        faults.append(Issue("the submission set lists every new document", f"{item.root}.entry", "required"))
    return faults


def _list_faults(item: Item) -> Iterator[Issue]:
    if item.resource.get("status") != "current":
        yield Issue("a new List has the status `current`", f"{item.root}.status", "value")
    if item.resource.get("mode") != "working":
        yield Issue("the mode of the List is `working`", f"{item.root}.mode", "value")
    if not item.resource.get("subject"):
        yield Issue("the patient is required", f"{item.root}.subject", "required")
