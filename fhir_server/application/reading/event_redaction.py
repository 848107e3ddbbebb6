"""Removes from audit events and notices the references to what their reader does not see.

The query decides which events and notices a reader sees at all (`Clause.of_seen`). This module removes references in
them: to what a search found, to a content or a list, to a Consent that gave somebody access, and in the criteria of a
search. A reference stays if the reader could read the resource, or would be told that it is deleted.
"""

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from consent_rules.visibility import NOTHING, Visibility
from consent_rules.vocabulary import Basis, PatientId
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.access import OF_THE_SPACE, action_of
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import recorded_queries
from fhir_server.application.reading.filters_by_type import FiltersByType
from fhir_server.domain import case_files, notices
from fhir_server.domain.audit import received_events
from fhir_server.domain.audit.audit_event_parts import ENTITY_TYPE
from fhir_server.domain.problem import Problem
from fhir_server.domain.references import without_references
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.ports.store import Filters, Snapshot
from fhir_server.registry import DOCUMENTS, REGISTRY, TRACE, AccessRule, types_under

_NOTICES = types_under(AccessRule.NOTICE)
TOLD = _NOTICES | {TRACE}
_CASE = f"{case_files.TYPE}/"


class ReaderFilters(FiltersByType):
    """What the caller would see of each type of the space; nothing of a type that the caller may not read.

    An auditor may learn what every access was about (H8).
    """

    def _filter(self, type_: str) -> Visibility:
        """Return what is seen of a type within the limits of its scope; without a scope there are no limits."""
        caller, opened = self.access.caller, self.access.opened
        if opened is None or type_ not in OF_THE_SPACE:
            return NOTHING
        if opened.permit.basis is Basis.AUDIT:
            return whole_space(ReadingReason.AUDITED_NAMES, opened.patient)
        allowed = self._allowed(opened, action_of(REGISTRY[type_]))
        if allowed is None:
            return NOTHING
        try:
            limits = smart_scopes.demand(caller, (type_,), "r", opened.patient)
        except Problem:
            return allowed.of(type_)
        return smart_scopes.narrow(allowed.of(type_), limits)


def without_unseen(snapshot: Snapshot, rows: Sequence[Stored], filters: Filters) -> tuple[bytes, ...]:
    """Return the bodies of audit events and notices without references to what the reader does not see.

    This costs one query for each type that they refer to, however many they are.
    """
    told = _told(rows)
    seen = _seen(snapshot, _names_in(told), filters)
    return tuple(told[row.id].shown(seen) if row.id in told else row.body for row in rows)


def without_unknown(snapshot: Snapshot, rows: Sequence[Stored]) -> tuple[bytes, ...]:
    """Return the bodies of audit events of several spaces for an auditor, who may learn what each was about (H8).

    A name stays if the resource is or was in the space of the event, as in a search of this space alone. No case is
    named, because the reader may be the person whom the case is about. This costs one query for each type that the
    events refer to.
    """
    told = _told(rows)
    places = _places(snapshot, _names_in(told))

    def shown(row: Stored) -> bytes:
        if row.id not in told:
            return row.body
        one, space = told[row.id], row.facts.access.compartment
        return _without_case(one.shown(frozenset(name for name in one.names if space in places[name])))

    return tuple(shown(row) for row in rows)


def _told(rows: Iterable[Stored]) -> Mapping[str, "_Told"]:
    """Return the rows of this server by id; an event of another system is left out, and shown as it was written."""
    ours = (row for row in rows if row.type != TRACE or row.facts.access.kind != received_events.PART)
    return {row.id: _Told.of(row.body) for row in ours}


def _names_in(told: Mapping[str, "_Told"]) -> frozenset[str]:
    return frozenset[str]().union(*(one.names for one in told.values()))


def _places(snapshot: Snapshot, named: frozenset[str]) -> Mapping[str, frozenset[PatientId]]:
    """Return in which spaces there is something of each name."""
    found: dict[str, set[PatientId]] = {name: set() for name in named}
    for type_, ids in _by_type(named).items():
        for id_, place in snapshot.locate_all(type_, ids).items():
            for name in (f"{type_}/{id_}", f"*/{id_}"):
                if name in found and (name[0] != "*" or type_ in DOCUMENTS):
                    found[name].add(place)
    return {name: frozenset(places) for name, places in found.items()}


def _without_case(body: bytes) -> bytes:
    if _CASE.encode() not in body:
        return body
    event: Json = orjson.loads(body)
    kept = [one for one in event["entity"] if not str(one.get("what", {}).get("reference", "")).startswith(_CASE)]
    return orjson.dumps(event | {"entity": kept})


@dataclass(frozen=True, slots=True)
class _Told:
    """One audit event or notice. body: as stored. resource: the parsed body. names: references to what is in the space.

    holds_number: whether a recorded search names somebody by a patient's number.
    """

    body: bytes
    resource: Json
    names: frozenset[str]
    holds_number: bool

    @classmethod
    def of(cls, body: bytes) -> "_Told":
        """Parse a body."""
        resource: Json = orjson.loads(body)
        elements = list(_naming(resource))
        queries = [_decoded(element["query"]) for element in elements if "query" in element]
        names = {_reference_of(element) for element in elements}.union(*map(recorded_queries.named_to_reader, queries))
        return cls(body, resource, frozenset(names - {""}), any(map(recorded_queries.holds_number, queries)))

    def shown(self, seen: frozenset[str]) -> bytes:
        """Return the body without references that are not among `seen`; the stored bytes when nothing is removed."""
        unseen = self.names - seen
        body = without_references(self.resource, unseen) if unseen or self.holds_number else self.resource
        if self.resource["resourceType"] in _NOTICES:
            body = notices.cut(body)  # last, so that removed references do not count
        if body is self.resource:
            return self.body
        for entity in body.get("entity", ()):
            if "query" in entity:
                _shorten(entity, seen)
        if _objects(body) < _objects(self.resource):
            body["meta"].pop("profile", None)
        return orjson.dumps(body)


def _shorten(entity: Json, seen: frozenset[str]) -> None:
    """Remove unseen references from a recorded search, and then also its recorded length and hash."""
    shorter = recorded_queries.without_unseen(entity["query"], lambda name: name in seen)
    if shorter == entity["query"]:
        return
    entity["query"] = shorter
    kept = [detail for detail in entity.get("detail", ()) if not str(detail.get("type", "")).startswith("query-")]
    if kept:
        entity["detail"] = kept
    else:
        entity.pop("detail", None)


def _objects(event: Json) -> int:
    """Count the resources that an event is about; if one is removed, the event may no longer conform to its profile."""
    return sum(entity.get("type", {}).get("system") == ENTITY_TYPE for entity in event.get("entity", ()))


def _naming(resource: Json) -> Iterator[Json]:
    """Yield the elements that may hold a reference: entities of an event, `about` and payload of a notice."""
    yield from resource.get("entity", ())
    yield from resource.get("about", ())
    for payload in resource.get("payload", ()):
        yield payload.get("contentReference", {})


def _reference_of(element: Json) -> str:
    """Return "Type/id" of the resource of the space to which an element refers, "" when there is none."""
    reference = str(element.get("what", element).get("reference", ""))
    parts = reference.partition("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 and parts[-2] in OF_THE_SPACE else ""


def _decoded(encoded: str) -> str:
    return b64decode(encoded).decode("utf-8", "replace")


def _seen(snapshot: Snapshot, named: frozenset[str], filters: Filters) -> frozenset[str]:
    """Return which references the reader sees, deleted resources included."""
    found: set[str] = set()
    for type_, ids in sorted(_by_type(named).items()):
        seen = snapshot.visible_ids(type_, ids, filters, gone=True)
        found |= {f"{type_}/{id_}" for id_ in seen}
        found |= {f"*/{id_}" for id_ in seen if type_ in DOCUMENTS}
    return frozenset(found)


def _by_type(named: frozenset[str]) -> Mapping[str, set[str]]:
    """Return the ids of names by type; a name without a type is one of a document."""
    found: dict[str, set[str]] = {}
    for name in named:
        type_, _, id_ = name.partition("/")
        for named_type in DOCUMENTS if type_ == "*" else (type_,):
            found.setdefault(named_type, set()).add(id_)
    return found
