"""The entries of a batch or transaction, as sent, and the faults that one entry has by itself.

Source: https://hl7.org/fhir/R4/http.html#transaction and #trules.
"""

from dataclasses import dataclass

from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json
from fhir_server.r4 import claimed_profiles
from fhir_server.r4.checking import check
from fhir_server.settings import limits

ELSEWHERE = "`request.url` names another server; write it relative to the base of this one"
METHODS = ("DELETE", "POST", "PUT", "PATCH", "GET", "HEAD")
"""The methods, in the order in which a transaction does them."""
_ASKING = ("GET", "HEAD")
_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a batch or transaction, as sent."""

    index: int
    method: str
    url: str
    resource: Json
    full_url: str = ""
    if_match: str = ""
    if_none_exist: str = ""
    if_none_match: str = ""
    if_modified_since: str = ""

    @property
    def root(self) -> str:
        """The expression of the entry's resource."""
        return f"Bundle.entry[{self.index}].resource"

    @property
    def at_url(self) -> str:
        """The expression of the entry's URL."""
        return f"Bundle.entry[{self.index}].request.url"

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether the URL names another server; own URLs have been made relative."""
        return "://" in self.url.partition("?")[0]

    @property
    def is_operation(self) -> bool:
        """Tell whether the URL names an operation."""
        return self.url.partition("?")[0].rpartition("/")[2].startswith("$")

    @property
    def asks(self) -> bool:
        """Tell whether the entry writes nothing itself: it reads, or calls an operation."""
        return self.method in _ASKING or (self.method == "POST" and self.is_operation)

    @property
    def type(self) -> str:
        """The resource type that the URL names."""
        return self.url.partition("?")[0].partition("/")[0]

    @property
    def id(self) -> str:
        """The id that the URL names, "" when none."""
        return self.url.partition("?")[0].partition("/")[2]

    @property
    def query(self) -> str:
        """The criteria of a conditional URL, "" when none."""
        return self.url.partition("?")[2]


def with_own_urls(bundle: Json, fhir_base: str) -> Json:
    """Return a batch or transaction in which the absolute `request.url`s of this server are relative."""
    entries = [_relative(entry, f"{fhir_base}/") for entry in bundle.get("entry", [])]
    return bundle | {"entry": entries} if entries else bundle


def _relative(entry: Json, start: str) -> Json:
    request = entry.get("request", {})
    url = str(request.get("url", ""))
    return entry | {"request": request | {"url": url.removeprefix(start)}} if url.startswith(start) else entry


def entries_of(bundle: Json) -> tuple[Entry, ...]:
    """Return the entries of a batch or transaction that has been parsed.

    Raises: Problem(TOO_LARGE).
    """
    found = bundle.get("entry", [])
    most = limits.in_force().entries
    if len(found) > most:
        raise Problem.of(Category.TOO_LARGE, f"a Bundle holds at most {most} entries", "Bundle.entry")
    return tuple(_entry(index, entry) for index, entry in enumerate(found))


def entry_faults(entry: Entry) -> list[Issue]:
    """Return what is wrong with one entry by itself: its shape, its resource, the profiles it claims."""
    if entry.method not in METHODS:
        return [Issue("this method is not offered", f"Bundle.entry[{entry.index}].request.method", "not-supported")]
    fault = Issue(ELSEWHERE, entry.at_url, "value") if entry.is_elsewhere else _url_fault(entry)
    if fault:
        return [fault]
    if entry.asks:
        return []  # whoever answers it reads what it carries
    if not entry.resource:
        needed = entry.method in _WITH_BODY
        return [Issue("this entry needs a resource", entry.root, "required")] if needed else []
    faults = check(entry.resource, entry.root)
    return faults or claimed_profiles.check(entry.resource, entry.root)


def _url_fault(entry: Entry) -> Issue | None:
    if entry.method in ("PUT", "PATCH", "DELETE") and bool(entry.id) == bool(entry.query):
        return Issue("a write names its resource by its id or by criteria, never by both", entry.at_url, "value")
    if entry.asks:
        return None
    if "/" in entry.id or (entry.id and entry.method == "POST"):
        return Issue("a creation names a type, any other write one resource by its id", entry.at_url, "not-supported")
    kind = entry.resource.get("resourceType", entry.type)
    if entry.method in ("POST", "PUT") and kind != entry.type:
        return Issue("`request.url` names another type than the resource", entry.at_url, "value")
    return None


def refuse_twice(entries: tuple[Entry, ...]) -> None:
    """Refuse a transaction that writes a resource twice.

    Raises: Problem(INVALID).
    """
    seen: set[str] = set()
    for entry in entries:
        if entry.method in ("PUT", "PATCH", "DELETE"):
            if entry.url in seen:
                raise Problem.of(Category.INVALID, "this resource is written twice", entry.at_url, "duplicate")
            seen.add(entry.url)


def _entry(index: int, entry: Json) -> Entry:
    request = entry.get("request", {})
    return Entry(
        index,
        str(request.get("method", "")),
        str(request.get("url", "")),
        entry.get("resource", {}),
        str(entry.get("fullUrl", "")),
        str(request.get("ifMatch", "")),
        str(request.get("ifNoneExist", "")),
        str(request.get("ifNoneMatch", "")),
        str(request.get("ifModifiedSince", "")),
    )
