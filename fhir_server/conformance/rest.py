"""The RESTful API of FHIR R4: what every server owes, whatever it holds.

Source: https://hl7.org/fhir/R4/http.html.
"""

from itertools import pairwise

from fhir_server.conformance.exchange import JSON, XML, Answer
from fhir_server.conformance.requirement import (
    Guide,
    Need,
    NotApplicable,
    Probe,
    entries_of,
    expect,
    object_of,
    resources_of,
)

GUIDE = Guide("rest", "https://hl7.org/fhir/R4/")
_NOBODY = "00000000-0000-4000-8000-0000000000ff"
"""An id that no server has given."""
_READER, _PATIENT = Need.READER, Need.PATIENT


def is_outcome(answer: Answer) -> bool:
    """Tell whether an answer is an OperationOutcome whose issues say how grave and of what kind they are."""
    issues = entries_of(answer.resource, "issue")
    return (
        answer.type == "OperationOutcome"
        and bool(issues)
        and all("severity" in issue and "code" in issue for issue in issues)
    )


def one_document(probe: Probe) -> str:
    """Return `DocumentReference/id` of a document of the test patient.

    Raises: NotApplicable when the reader sees none.
    """
    answer = probe.get("DocumentReference", {"patient": probe.target.patient, "_count": "1"})
    found = resources_of(answer.resource)
    if answer.status != 200 or not found:
        raise NotApplicable("the reader finds no document of the patient")
    return f"DocumentReference/{found[0].get('id')}"


def types_of(probe: Probe) -> dict[str, dict[str, object]]:
    """Return what the CapabilityStatement says of each type."""
    rest = entries_of(probe.statement(), "rest")
    described = entries_of(rest[0], "resource") if rest else []
    return {str(one.get("type")): one for one in described}


def interactions_of(described: dict[str, object]) -> set[str]:
    """Return the interactions that the CapabilityStatement names for a type."""
    return {str(one.get("code")) for one in entries_of(described, "interaction")}


@GUIDE.requires("R4-capabilities", "http.html#capabilities")
def _(probe: Probe) -> None:
    """GET /metadata answers a CapabilityStatement of FHIR 4.0.1 with status, date, kind and formats."""
    statement = probe.statement()
    expect(statement.get("fhirVersion") == "4.0.1", "fhirVersion 4.0.1")
    missing = [name for name in ("status", "date", "kind", "format", "rest") if not statement.get(name)]
    expect(not missing, f"the elements {', '.join(missing)}")


@GUIDE.requires("R4-capabilities-unique", "capabilitystatement.html#invs")
def _(probe: Probe) -> None:
    """The CapabilityStatement names each type once, and each search parameter of a type once (cpb-9, cpb-12)."""
    types = [str(one.get("type")) for one in entries_of(entries_of(probe.statement(), "rest")[0], "resource")]
    expect(len(types) == len(set(types)), "each resource type once")
    for type_, described in types_of(probe).items():
        names = [str(param.get("name")) for param in entries_of(described, "searchParam")]
        expect(len(names) == len(set(names)), f"each search parameter of {type_} once")


@GUIDE.requires("R4-json", "http.html#mime-type")
def _(probe: Probe) -> None:
    """Accept: application/fhir+json is answered in that format."""
    answer = probe.get("metadata", headers={"Accept": JSON}, need=None)
    expect(answer.status == 200 and answer.media_type == JSON, f"200 with Content-Type {JSON}")


@GUIDE.requires("R4-xml", "http.html#mime-type")
def _(probe: Probe) -> None:
    """A server that names XML among its formats answers `_format=xml` with application/fhir+xml."""
    formats = probe.statement().get("format")
    if not isinstance(formats, list) or not {"xml", XML} & {str(one) for one in formats}:
        raise NotApplicable("the CapabilityStatement does not name XML")
    answer = probe.get("metadata", {"_format": "xml"}, need=None)
    expect(answer.status == 200 and answer.media_type == XML, f"200 with Content-Type {XML}")


@GUIDE.requires("R4-not-acceptable", "http.html#mime-type", level="SHOULD")
def _(probe: Probe) -> None:
    """A format that the server does not have is answered with 406."""
    answer = probe.get("metadata", headers={"Accept": "image/png"}, need=None)
    expect(answer.status == 406, "406")


@GUIDE.requires("R4-unknown-type", "http.html#Status-Codes", _READER)
def _(probe: Probe) -> None:
    """A resource type that does not exist is answered with 404."""
    expect(probe.get("NoSuchType/1").status == 404, "404")


@GUIDE.requires("R4-outcome", "http.html#Status-Codes", _READER, level="SHOULD")
def _(probe: Probe) -> None:
    """A refusal carries an OperationOutcome whose issues have a severity and a code."""
    answer = probe.get(f"DocumentReference/{_NOBODY}")
    expect(is_outcome(answer), "an OperationOutcome")


@GUIDE.requires("R4-unknown-id", "http.html#read", _READER)
def _(probe: Probe) -> None:
    """The read of an id that was never given is answered with 404, for every type that offers read."""
    for type_, described in types_of(probe).items():
        if "read" in interactions_of(described):
            answer = probe.get(f"{type_}/{_NOBODY}")
            expect(answer.status in (404, 403), f"404 for {type_} (403 where the token reads no {type_})")


@GUIDE.requires("R4-read", "http.html#read", _READER, _PATIENT)
def _(probe: Probe) -> None:
    """A read answers the resource with its id, an ETag with its version, and Last-Modified."""
    place = one_document(probe)
    answer = probe.get(place)
    expect(answer.status == 200 and f"{answer.type}/{answer.resource.get('id')}" == place, f"200 with {place}")
    version = object_of(answer.resource, "meta").get("versionId")
    expect(answer.headers.get("etag") == f'W/"{version}"', f'ETag: W/"{version}"')
    expect(answer.headers.get("last-modified"), "Last-Modified")


@GUIDE.requires("R4-conditional-read", "http.html#cread", _READER, _PATIENT, level="SHOULD")
def _(probe: Probe) -> None:
    """A read with the current ETag in If-None-Match is answered with 304 and no body."""
    place = one_document(probe)
    tag = probe.get(place).headers.get("etag", "")
    answer = probe.get(place, headers={"If-None-Match": tag})
    expect(answer.status == 304 and not answer.body, "304 without a body")


@GUIDE.requires("R4-vread", "http.html#vread", _READER, _PATIENT)
def _(probe: Probe) -> None:
    """The current version is read by its version id; a version that was never there is answered with 404."""
    if "vread" not in interactions_of(types_of(probe).get("DocumentReference", {})):
        raise NotApplicable("the CapabilityStatement does not offer vread")
    place = one_document(probe)
    current = probe.get(place).resource
    version = object_of(current, "meta").get("versionId")
    expect(probe.get(f"{place}/_history/{version}").resource == current, "the same resource as the read")
    expect(probe.get(f"{place}/_history/999999").status == 404, "404 for an unknown version")


@GUIDE.requires("R4-history", "http.html#history", _READER, _PATIENT)
def _(probe: Probe) -> None:
    """A history is a Bundle of that type, newest first, with `request` and `response` in each entry (bdl-3, bdl-4)."""
    if "history-instance" not in interactions_of(types_of(probe).get("DocumentReference", {})):
        raise NotApplicable("the CapabilityStatement does not offer history")
    answer = probe.get(f"{one_document(probe)}/_history")
    entries = entries_of(answer.resource)
    expect(answer.status == 200 and answer.resource.get("type") == "history" and entries, "a Bundle of type history")
    expect(all("request" in entry and "response" in entry for entry in entries), "request and response in each entry")
    times = [str(object_of(resource, "meta").get("lastUpdated")) for resource in resources_of(answer.resource)]
    expect(all(later >= earlier for later, earlier in pairwise(times)), "the newest version first")


@GUIDE.requires("R4-head", "http.html#head", _READER, _PATIENT, level="SHOULD")
def _(probe: Probe) -> None:
    """HEAD answers as GET does, without a body."""
    place = one_document(probe)
    got, head = probe.get(place), probe.send("HEAD", place, headers={"Accept": JSON})
    expect(head.status == got.status and not head.body, "the status of GET and no body")
    expect(head.headers.get("etag") == got.headers.get("etag"), "the ETag of GET")


@GUIDE.requires("R4-malformed", "http.html#create", _READER)
def _(probe: Probe) -> None:
    """A body that is no JSON is refused with a status from 400 to 499, and an OperationOutcome."""
    answer = probe.send("POST", "", headers={"Accept": JSON, "Content-Type": JSON}, body=b'{"resourceType": "Bundle",')
    expect(400 <= answer.status < 500 and is_outcome(answer), "400 with an OperationOutcome")


@GUIDE.requires("R4-media-type", "http.html#mime-type", _READER, level="SHOULD")
def _(probe: Probe) -> None:
    """A body of an unknown media type is refused with 415."""
    answer = probe.send("POST", "", headers={"Accept": JSON, "Content-Type": "image/png"}, body=b"no resource")
    expect(answer.status == 415, "415")


@GUIDE.requires("R4-batch", "http.html#transaction", _READER, _PATIENT)
def _(probe: Probe) -> None:
    """Each entry of a batch is answered alone and in order: a read succeeds beside one that finds nothing."""
    place = one_document(probe)
    asked = [{"request": {"method": "GET", "url": url}} for url in (place, f"DocumentReference/{_NOBODY}")]
    answer = probe.post("", {"resourceType": "Bundle", "type": "batch", "entry": asked})
    statuses = [str(object_of(entry, "response").get("status", ""))[:3] for entry in entries_of(answer.resource)]
    expect(answer.status == 200 and answer.resource.get("type") == "batch-response", "200 with a batch-response")
    expect(statuses == ["200", "404"], "the statuses 200 and 404, in the order of the entries")


@GUIDE.requires("R4-bundle-type", "http.html#transaction", _READER)
def _(probe: Probe) -> None:
    """A Bundle at the base that is neither a batch nor a transaction is refused."""
    answer = probe.post("", {"resourceType": "Bundle", "type": "collection"})
    expect(400 <= answer.status < 500, "400")


@GUIDE.requires("R4-unknown-operation", "operations.html#executing", _READER, level="SHOULD")
def _(probe: Probe) -> None:
    """An operation that does not exist is answered with 404, and an OperationOutcome."""
    answer = probe.send(
        "POST", "Patient/$no-such-operation", headers={"Accept": JSON, "Content-Type": JSON}, body=b"{}"
    )
    expect(answer.status in (404, 405) and is_outcome(answer), "404 with an OperationOutcome")


@GUIDE.requires("R4-definitions", "operations.html#defined", level="SHOULD")
def _(probe: Probe) -> None:
    """Each OperationDefinition below the base that the CapabilityStatement names can be read."""
    named = [operation for described in types_of(probe).values() for operation in entries_of(described, "operation")]
    base = probe.target.base.rstrip("/")
    own = sorted({str(one.get("definition")) for one in named if str(one.get("definition")).startswith(f"{base}/")})
    for url in own:
        answer = probe.get(url)
        expect(
            answer.status == 200 and answer.type == "OperationDefinition", f"200 with an OperationDefinition at {url}"
        )


__all__ = ["GUIDE", "interactions_of", "is_outcome", "one_document", "types_of"]
