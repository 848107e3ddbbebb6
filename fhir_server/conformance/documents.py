"""IHE MHD: finding, retrieving and publishing documents.

Source: https://profiles.ihe.net/ITI/MHD/4.2.4/.
"""

import json
from base64 import b64decode, b64encode
from copy import deepcopy
from hashlib import sha1
from uuid import uuid4

from fhir_server.conformance.exchange import Answer, Resource
from fhir_server.conformance.requirement import (
    Guide,
    Need,
    NotApplicable,
    Probe,
    entries_of,
    expect,
    object_of,
)
from fhir_server.conformance.searching import documents, found

GUIDE = Guide("mhd", "https://profiles.ihe.net/ITI/MHD/4.2.4/")
_OF_PATIENT = (Need.READER, Need.PATIENT)
_PUBLISHING = (*_OF_PATIENT, Need.PUBLISHER, Need.SUBMISSION)
_STRICT = {"Prefer": "handling=strict"}
_DOCUMENTS = {
    "author.family": "nobody", "author.given": "nobody", "category": "none", "creation": "ge2000", "date": "ge2000",
    "event": "none", "facility": "none", "format": "none", "identifier": "urn:none|none", "period": "ge2000",
    "related": "DocumentReference/none", "security-label": "none", "setting": "none", "status": "current",
    "type": "none",
}  # fmt: skip
"""The parameters of ITI-67, each with a value."""
_LISTS = {
    "code": "submissionset", "date": "ge2000", "designationType": "none", "identifier": "urn:none|none",
    "source.family": "nobody", "source.given": "nobody", "sourceId": "urn:none|none", "status": "current",
}  # fmt: skip
"""The parameters of ITI-66, each with a value."""


@GUIDE.requires("MHD-67-parameters", "ITI-67.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A search of documents understands every parameter of ITI-67."""
    for name, value in _DOCUMENTS.items():
        expect(documents(probe, _STRICT, **{name: value}).status == 200, f"200 for DocumentReference?{name}={value}")


@GUIDE.requires("MHD-67-by-identifier", "ITI-67.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`patient.identifier` finds what `patient` finds."""
    numbers = entries_of(probe.get(f"Patient/{probe.target.patient}").resource, "identifier")
    named = [f"{one.get('system')}|{one.get('value')}" for one in numbers if one.get("system") and one.get("value")]
    if not named:
        raise NotApplicable("the reader sees no identifier of the patient")
    by_id = [one.get("id") for one in found(documents(probe))]
    by_number = probe.get("DocumentReference", {"patient.identifier": named[0]})
    expect([one.get("id") for one in found(by_number)] == by_id, "the same documents")


@GUIDE.requires("MHD-67-status", "ITI-67.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`status=current` finds current documents alone."""
    statuses = {str(one.get("status")) for one in found(documents(probe, status="current"))}
    expect(statuses <= {"current"}, "the status `current` alone")


@GUIDE.requires("MHD-67-metadata", "StructureDefinition-IHE.MHD.Minimal.DocumentReference.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A document that is found has a status and one content with its media type and its address."""
    for one in found(documents(probe)):
        attachments = [object_of(content, "attachment") for content in entries_of(one, "content")]
        expect(one.get("status") and len(attachments) == 1, f"status and one content of {one.get('id')}")
        expect(attachments[0].get("contentType") and attachments[0].get("url"), "contentType and url of the content")


@GUIDE.requires("MHD-66-parameters", "ITI-66.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A search of submission sets and folders understands every parameter of ITI-66."""
    for name, value in _LISTS.items():
        answer = probe.get("List", {"patient": probe.target.patient, name: value}, _STRICT)
        expect(answer.status == 200, f"200 for List?{name}={value}")


@GUIDE.requires("MHD-66-sets", "StructureDefinition-IHE.MHD.Minimal.SubmissionSet.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A submission set that is found has status, mode, code, subject, date and an identifier."""
    wanted = ("status", "mode", "code", "subject", "date", "identifier")
    for one in found(probe.get("List", {"patient": probe.target.patient, "code": "submissionset"})):
        missing = [name for name in wanted if not one.get(name)]
        expect(not missing, f"{', '.join(missing)} of List/{one.get('id')}")


@GUIDE.requires("MHD-68-content", "ITI-68.html", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """The content of a document has the media type, the size and the SHA-1 hash that its metadata say."""
    matches = found(documents(probe, _count="5"))
    if not matches:
        raise NotApplicable("the reader finds no document of the patient")
    for one in matches:
        attachment = object_of(entries_of(one, "content")[0], "attachment")
        type_ = str(attachment.get("contentType", ""))
        answer = probe.get(str(attachment.get("url")), headers={"Accept": type_})
        expect(answer.status == 200 and answer.media_type == type_.partition(";")[0], f"200 with {type_}")
        _is_described(attachment, answer)


def _is_described(attachment: Resource, answer: Answer) -> None:
    """Raise Broken unless size and hash, where an attachment has them, are those of the content."""
    size, hash_ = attachment.get("size"), attachment.get("hash")
    expect(size is None or size == len(answer.body), f"{size} bytes")
    own = b64encode(sha1(answer.body).digest()).decode()  # noqa: S324 - FHIR's attachments have SHA-1
    expect(hash_ is None or hash_ == own, f"content with the hash {hash_}")


@GUIDE.requires("MHD-65-publish", "ITI-65.html", *_PUBLISHING)
def _(probe: Probe) -> None:
    """A submission is stored whole: each entry is answered, and the reader finds each document by its identifier."""
    bundle = _fresh(probe)
    answer = probe.post("", bundle, Need.PUBLISHER)
    statuses = [str(object_of(entry, "response").get("status", ""))[:1] for entry in entries_of(answer.resource)]
    expect(answer.status == 200 and answer.resource.get("type") == "transaction-response", "a transaction-response")
    expect(len(statuses) == len(entries_of(bundle)) and set(statuses) == {"2"}, "a success for each entry, in order")
    for number in _numbers(bundle):
        expect(len(found(documents(probe, identifier=number))) == 1, f"one document with the identifier {number}")


@GUIDE.requires("MHD-65-whole-or-nothing", "ITI-65.html", *_PUBLISHING)
def _(probe: Probe) -> None:
    """A submission of which one document has another size than its content is refused, and nothing of it is stored."""
    bundle = _fresh(probe)
    attachment = object_of(entries_of(_documents_of(bundle)[0], "content")[0], "attachment")
    attachment["size"] = len(_content(bundle)) + 1
    answer = probe.post("", bundle, Need.PUBLISHER)
    expect(400 <= answer.status < 500, "a refusal")
    for number in _numbers(bundle):
        expect(not found(documents(probe, identifier=number)), "no document of a refused submission")


@GUIDE.requires("MHD-65-unique", "ITI-65.html", *_PUBLISHING)
def _(probe: Probe) -> None:
    """A second submission with the identifiers of the first makes no second document."""
    bundle = _fresh(probe)
    expect(probe.post("", bundle, Need.PUBLISHER).status == 200, "200 for the first submission")
    probe.post("", bundle, Need.PUBLISHER)
    for number in _numbers(bundle):
        expect(len(found(documents(probe, identifier=number))) == 1, f"one document with the identifier {number}")


def _fresh(probe: Probe) -> Resource:
    """Return the tester's submission with identifiers that nobody has used."""
    bundle = deepcopy(probe.target.submission or {})
    if not _documents_of(bundle):
        raise NotApplicable("the submission has no DocumentReference")
    for one in _entry_resources(bundle):
        named = [object_of(one, "masterIdentifier")] if one.get("resourceType") == "DocumentReference" else []
        named += entries_of(one, "identifier") if one.get("resourceType") in ("DocumentReference", "List") else []
        for identifier in filter(None, named):
            identifier["value"] = f"urn:oid:2.25.{uuid4().int}"
    return bundle


def _entry_resources(bundle: Resource) -> list[Resource]:
    return [object_of(entry, "resource") for entry in entries_of(bundle)]


def _documents_of(bundle: Resource) -> list[Resource]:
    return [one for one in _entry_resources(bundle) if one.get("resourceType") == "DocumentReference"]


def _content(bundle: Resource) -> bytes:
    """Return the content of the first document of a submission."""
    contents = (one for one in _entry_resources(bundle) if one.get("resourceType") == "Binary")
    return b64decode(str(next(contents, {}).get("data", "")))


def _numbers(bundle: Resource) -> list[str]:
    """Return `system|value` of the documents of a submission."""
    named = (object_of(one, "masterIdentifier") for one in _documents_of(bundle))
    return [f"{one.get('system')}|{one.get('value')}" for one in named]


def read_submission(text: str) -> Resource:
    """Return the submission that a file holds.

    Raises: ValueError when it is no transaction Bundle in JSON.
    """
    read = json.loads(text)
    if not isinstance(read, dict) or read.get("resourceType") != "Bundle" or read.get("type") != "transaction":
        raise ValueError("no transaction Bundle in JSON")
    return read


__all__ = ["GUIDE", "read_submission"]
