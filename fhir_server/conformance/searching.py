"""Search of FHIR R4, asked about the documents of the test patient.

Source: https://hl7.org/fhir/R4/search.html.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from urllib.parse import urlencode

from fhir_server.conformance.exchange import Answer, Resource
from fhir_server.conformance.requirement import (
    Guide,
    Need,
    NotApplicable,
    Probe,
    entries_of,
    expect,
    link_of,
    object_of,
    resources_of,
)
from fhir_server.conformance.rest import interactions_of, is_outcome, one_document, types_of

GUIDE = Guide("search", "https://hl7.org/fhir/R4/search.html")
_OF_PATIENT = (Need.READER, Need.PATIENT)
_STRICT = {"Prefer": "handling=strict"}
_VALUES = {"token": "none", "date": "ge2000-01-01", "string": "nobody", "uri": "urn:none", "number": "1"}
_VALUES |= {"quantity": "1", "reference": "Practitioner/none"}
"""For each kind of search parameter, a value that every server can read."""
_MOST_PAGES = 200
_SUBSETTED = "SUBSETTED"


def documents(probe: Probe, headers: Mapping[str, str] | None = None, **parameters: str) -> Answer:
    """Search the documents of the test patient. A `_` at the end of a name is left out."""
    return probe.get("DocumentReference", {"patient": probe.target.patient, **parameters}, headers)


def found(answer: Answer) -> list[Resource]:
    """Return the matches of a search.

    Raises: Broken when it failed.
    """
    expect(answer.status == 200 and answer.type == "Bundle", "200 with a Bundle")
    return resources_of(answer.resource)


def pages(probe: Probe, first: Answer) -> Iterator[list[Resource]]:
    """Yield the matches of a page and of those that its links `next` lead to."""
    answer = first
    for _ in range(_MOST_PAGES):
        yield found(answer)
        following = link_of(answer.resource, "next")
        if not following:
            return
        answer = probe.get(following)


@GUIDE.requires("R4-searchset", "#Introduction", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A search answers a Bundle of type searchset with a link `self`, and a fullUrl for each match."""
    answer = documents(probe)
    found(answer)
    expect(answer.resource.get("type") == "searchset", "a Bundle of type searchset")
    expect(link_of(answer.resource, "self"), "a link `self`")
    matches = [one for one in entries_of(answer.resource) if object_of(one, "search").get("mode") == "match"]
    expect(all(one.get("fullUrl") for one in matches), "a fullUrl for each match")


@GUIDE.requires("R4-search-by-form", "#Introduction", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """POST to _search finds what GET finds."""
    by_get = [resource.get("id") for resource in found(documents(probe))]
    answer = probe.post_form("DocumentReference/_search", urlencode({"patient": probe.target.patient}).encode())
    expect([resource.get("id") for resource in found(answer)] == by_get, "the same resources in the same order")


@GUIDE.requires("R4-strict", "#errors", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """With `Prefer: handling=strict` an unknown search parameter is refused with an OperationOutcome."""
    answer = documents(probe, _STRICT, nosuchparameter="1")
    expect(400 <= answer.status < 500 and is_outcome(answer), "400 with an OperationOutcome")


@GUIDE.requires("R4-lenient", "#errors", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """An unknown search parameter that is ignored is left out of the link `self`."""
    answer = documents(probe, {"Prefer": "handling=lenient"}, nosuchparameter="1")
    if answer.status != 200:
        raise NotApplicable("the server refuses an unknown parameter")
    expect("nosuchparameter" not in link_of(answer.resource, "self"), "a link `self` without the parameter")


@GUIDE.requires("R4-declared-parameters", "#Summary", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """Each search parameter that the CapabilityStatement names is understood, under strict handling."""
    for type_, described in types_of(probe).items():
        named = {str(one.get("name")): str(one.get("type")) for one in entries_of(described, "searchParam")}
        if "patient" not in named or "search-type" not in interactions_of(described):
            continue
        for name, kind in named.items():
            if name.partition(".")[0] in ("patient", "subject") or kind not in _VALUES:
                continue
            asked = {"patient": probe.target.patient, name: _VALUES[kind], "_count": "1"}
            answer = probe.get(type_, asked, _STRICT)
            expect(answer.status in (200, 403), f"200 for {type_}?{name}={_VALUES[kind]} (403 where the token may not)")


@GUIDE.requires("R4-pages", "#count", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """With `_count=1` each page has at most one match, and all pages together have each match once."""
    whole = {str(one.get("id")) for page in pages(probe, documents(probe)) for one in page}
    one_by_one = list(pages(probe, documents(probe, _count="1")))
    expect(all(len(page) <= 1 for page in one_by_one), "at most one match a page")
    ids = [str(one.get("id")) for page in one_by_one for one in page]
    expect(len(ids) == len(set(ids)) and set(ids) == whole, f"the {len(whole)} matches of the search, each once")


@GUIDE.requires("R4-total", "#total", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`total` is the number of matches on all pages, and not of one page."""
    answer = documents(probe, _total="accurate", _count="1")
    total = answer.resource.get("total")
    number = sum(len(page) for page in pages(probe, answer))
    expect(total == number, f"a total of {number}")


@GUIDE.requires("R4-count-alone", "#summary", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`_summary=count` answers the total and no match."""
    answer = documents(probe, _summary="count")
    expect(answer.status == 200 and isinstance(answer.resource.get("total"), int), "200 with a total")
    expect(not resources_of(answer.resource), "no match")


@GUIDE.requires("R4-by-id", "#id", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`_id` finds the one resource."""
    id_ = one_document(probe).partition("/")[2]
    expect([one.get("id") for one in found(documents(probe, _id=id_))] == [id_], f"the DocumentReference {id_} alone")


@GUIDE.requires("R4-last-updated", "#lastUpdated", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`_lastUpdated` with a prefix compares the time of the last change."""
    future, past = documents(probe, _lastUpdated="gt2190-01-01"), documents(probe, _lastUpdated="lt2190-01-01")
    expect(not found(future), "no match after 2190")
    expect(len(found(past)) == len(found(documents(probe))), "every match before 2190")


@GUIDE.requires("R4-sort", "#sort", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """`_sort=-_lastUpdated` gives the latest change first."""
    matches = found(documents(probe, _sort="-_lastUpdated"))
    times = [str(object_of(one, "meta").get("lastUpdated")) for one in matches]
    expect(all(later >= earlier for later, earlier in pairwise(times)), "the latest change first")


@GUIDE.requires("R4-elements", "#elements", *_OF_PATIENT, level="SHOULD")
def _(probe: Probe) -> None:
    """`_elements=status` shows no `description`, and tags what it shows as SUBSETTED."""
    matches = found(documents(probe, _elements="status"))
    if not matches:
        raise NotApplicable("the reader finds no document of the patient")
    tags = [tag.get("code") for one in matches for tag in entries_of(object_of(one, "meta"), "tag")]
    expect(not any("description" in one for one in matches), "no element but those asked for and mandatory ones")
    expect(tags.count(_SUBSETTED) == len(matches), "the tag SUBSETTED on each match")


@GUIDE.requires("R4-bad-value", "#errors", *_OF_PATIENT, level="SHOULD")
def _(probe: Probe) -> None:
    """A value that cannot be read is refused with 400 and an OperationOutcome."""
    answer = documents(probe, date="yesterday")
    expect(answer.status == 400 and is_outcome(answer), "400 with an OperationOutcome")


@GUIDE.requires("R4-no-match", "#errors", *_OF_PATIENT)
def _(probe: Probe) -> None:
    """A search without a match answers 200 with a Bundle without matches."""
    expect(not found(documents(probe, identifier="urn:none|none")), "no match")
