"""Reads what a request for an export asks for: by GET from the URL, by POST from Parameters.

Source: https://hl7.org/fhir/uv/bulkdata/export.html, query parameters of versions 2.0 and 3.0. What this server does
not do is refused by name, unless the client says `Prefer: handling=lenient`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from flask import request

from consent_rules.vocabulary import PatientId
from fhir_server.application.exports.jobs import Asked, Part
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.search.join_reading import INCLUDES
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.search_query import demand_measure, parse
from fhir_server.http.request_context import header
from fhir_server.r4.parsing import parse as parse_resource
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, Interaction, ResourceType
from fhir_server.settings import limits

EXPORTED = {
    name: row
    for name, row in REGISTRY.items()
    if Interaction.SEARCH in row.interactions and row.access is not AccessRule.DIRECTORY
}
"""The types that an export may hold: those that a search of a space finds."""
NDJSON = "application/fhir+ndjson"
_FORMATS = frozenset({NDJSON, "application/ndjson", "ndjson"})
_OF_THE_ANSWER = frozenset({"_count", "_sort", "_total", "_summary", "_page", "_elements"}) | INCLUDES
_NAMING = frozenset({"patient", "subject"})
_UNUSED = frozenset({"_format", "_pretty"})
_LONGEST = 64
Pairs = Iterable[tuple[str, str]]


def demand_async() -> None:
    """Refuse a request without `Prefer: respond-async`.

    Raises: Problem(MALFORMED).
    """
    sent = header("Prefer").replace(";", ",").split(",")
    if "respond-async" not in {item.strip().lower() for item in sent}:
        text = "an export is answered later: send the header `Prefer: respond-async`"
        raise Problem.of(Category.MALFORMED, text, code="respond-async")


@dataclass(slots=True)
class _Reader:
    """What has been read so far, and what is wrong with it."""

    is_lenient: bool
    fhir_base: str
    types: list[str] = field(default_factory=list)
    filters: dict[str, list[tuple[tuple[str, str], ...]]] = field(default_factory=dict)
    updated: list[tuple[str, str]] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    patients: list[PatientId] | None = None
    issues: list[Issue] = field(default_factory=list)

    def take(self, name: str, value: str) -> None:
        """Read one parameter."""
        readers: dict[str, Callable[[str], None]] = {
            "_outputFormat": self._format,
            "_since": lambda said: self._instant("_since", "gt", said),
            "_until": lambda said: self._instant("_until", "le", said),
            "_type": self._types,
            "_typeFilter": self._filter,
            "_elements": lambda said: self.elements.extend(part.strip() for part in said.split(",") if part.strip()),
            "patient": self._patient,
        }
        reader = readers.get(name)
        if reader is not None:
            reader(value)
        elif name not in _UNUSED and not self.is_lenient:
            self._fault(f"`{name[:_LONGEST]}` is not supported by this server", name[:_LONGEST])

    def _fault(self, text: str, name: str) -> None:
        self.issues.append(Issue(text, code=name))

    def _format(self, value: str) -> None:
        if value.replace(" ", "+") not in _FORMATS:
            self._fault(f"`_outputFormat` takes {NDJSON}", "_outputFormat")

    def _instant(self, name: str, prefix: str, value: str) -> None:
        written = value.replace(" ", "+")
        try:
            is_instant = "T" in written and datetime.fromisoformat(written).tzinfo is not None
        except ValueError:
            is_instant = False
        if is_instant:
            self.updated.append(("_lastUpdated", prefix + written))
        else:
            self._fault(f"`{name}` takes an instant with its time zone", name)

    def _types(self, value: str) -> None:
        for name in (part.strip() for part in value.split(",")):
            if name in EXPORTED:
                self.types.append(name)
            elif not self.is_lenient:
                self._fault(f"`_type` takes some of {', '.join(sorted(EXPORTED))}", "_type")

    def _filter(self, value: str) -> None:
        type_, _, query = value.partition("?")
        row, pairs = EXPORTED.get(type_), tuple(parse_qsl(query, keep_blank_values=True))
        if row is None:
            self._fault(
                "`_typeFilter` takes a search of a type that is exported, such as `List?code=folder`", "_typeFilter"
            )
            return
        wrong = [
            name
            for name, _ in pairs
            if name.partition(":")[0] in _OF_THE_ANSWER or name.partition(":")[0].partition(".")[0] in _NAMING
        ]
        if wrong:
            self._fault(f"`_typeFilter` takes no `{wrong[0][:_LONGEST]}`: it only narrows a type", "_typeFilter")
            return
        parse(row, pairs, self.fhir_base, strict=True)
        self.filters.setdefault(type_, []).append(pairs)

    def _patient(self, value: str) -> None:
        id_ = value.removeprefix(f"{self.fhir_base}/").removeprefix(f"{PATIENT}/")
        if not id_ or "/" in id_ or "," in id_:
            self._fault("`patient` takes a reference to one patient of this server", "patient")
        self.patients = [*(self.patients or ()), PatientId(id_)]


def read(fhir_base: str, request_url: str, may_read: Callable[[ResourceType], bool]) -> Asked:
    """Read the export that this request asks for. may_read: whether the token has a scope for a type.

    Raises: Problem(MALFORMED) naming each parameter that is wrong or not supported; TOO_COSTLY; MALFORMED and
    UNSUPPORTED for a search of `_typeFilter`; INVALID for a body that is no Parameters.
    """
    pairs = [*_pairs()]
    demand_measure(pairs)
    reader = _Reader(negotiation.preference("handling") == "lenient", fhir_base)
    for name, value in pairs:
        reader.take(name, value)
    if reader.issues:
        raise Problem(Category.MALFORMED, *reader.issues)
    named = dict.fromkeys(reader.types) or dict.fromkeys(n for n, row in EXPORTED.items() if may_read(row))
    for name in named:
        parse(EXPORTED[name], reader.updated, fhir_base, strict=True)  # refuses an instant that no search takes
    parts = tuple(
        Part(name, tuple((*narrowed, *reader.updated) for narrowed in reader.filters.get(name, [()]))) for name in named
    )
    only = None if reader.patients is None else tuple(dict.fromkeys(reader.patients))
    return Asked(request_url, parts, only, elements=tuple(reader.elements))


def _pairs() -> Pairs:
    yield from request.args.items(multi=True)
    if request.method == "POST":
        yield from _posted()


def _posted() -> Pairs:
    """Yield the parameters of the body.

    Raises: Problem(INVALID).
    """
    body = request.get_data(cache=False)
    if not body:
        return
    resource = parse_resource(body, request.content_type or "", "")
    if resource["resourceType"] != "Parameters":
        raise Problem.of(Category.INVALID, "the body must be Parameters", "Parameters.resourceType", "structure")
    for number, part in enumerate(resource.get("parameter", ())[: limits.in_force().values + 1]):
        yield str(part.get("name", "")), _value_of(part, f"Parameters.parameter[{number}]")


def _value_of(part: Json, where: str) -> str:
    """Return the value of a parameter as text: a text, a code, an instant, or what a reference says."""
    found = next((value for name, value in part.items() if name.startswith("value")), None)
    value = found.get("reference") if isinstance(found, dict) else found
    if isinstance(value, bool) or not isinstance(value, str):
        if isinstance(value, bool):
            return str(value).lower()
        raise Problem.of(Category.INVALID, "takes a text, a code, an instant or a reference", where, "value")
    return value
