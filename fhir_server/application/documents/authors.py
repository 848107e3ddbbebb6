"""Whom a deposited document may name: its author, authenticator and custodian, and the source of a submission set.

They are the depositor, a person whom the directory places in the depositor's establishment now, or this establishment.
What a document shows of them (display and name) comes from the directory. A client that the operator has registered as
an intermediary may name others; the document then shows its depositor.
Source: docs/adr/0088; IHE MHD 4.2, DocumentReference.author, authenticator and custodian, List.source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from consent_rules.model import Requester
from consent_rules.vocabulary import PatientId, RequesterKind
from fhir_server.application.core.access import IN_DIRECTORY, PATIENTS_SIDE
from fhir_server.application.core.search_index import identify
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.directory import professionals
from fhir_server.application.identity import clients
from fhir_server.domain import references
from fhir_server.domain.documents.submission import MHD
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.references import Number
from fhir_server.domain.search import tokens
from fhir_server.domain.stored import Stored
from fhir_server.domain.values import Json
from fhir_server.registry import PATIENT

DEPOSITOR = "urn:habilis:depositor"
"""Extension of a document that an intermediary has filed for somebody else: who filed it."""
NOT_OF_DEPOSITOR = Issue(
    "this must be the depositor, somebody whom the directory places in the depositor's establishment now, or this "
    "establishment; name it by a reference or an identifier of the directory",
    code="not-of-the-depositor",
)
AUTHOR_PLACE = f"{MHD}/StructureDefinition/ihe-authorOrg"
"""Extension of a submission set, or of its source: the establishment of the author."""
_NAMING = ("author", "authenticator", "custodian", "source")
_SHOWN = {"Practitioner": "name", "Organization": "name"}
_SIDE = frozenset({PATIENT, "RelatedPerson", "Device"})


@dataclass(slots=True)
class Depositor:
    """For whom a caller may speak in one space. professions: of the persons who were named, by the directory.

    known: what has been read of the directory, by reference; None for what is not there. numbered: ids by type and
        identifier. members: by person. Nothing is looked up twice for one request.
    """

    work: UnitOfWork
    patient: PatientId
    professions: set[str] = field(default_factory=set)
    known: dict[str, Stored | None] = field(default_factory=dict)
    numbered: dict[tuple[str, Number], tuple[str, ...]] = field(default_factory=dict)
    members: dict[str, bool] = field(default_factory=dict)

    @property
    def requester(self) -> Requester:
        """Who files."""
        return self.work.caller.requester

    @property
    def filing_professions(self) -> frozenset[str]:
        """The professions in which the documents are filed: the person's, or those of whom the software names."""
        own = self.requester.profession
        return frozenset({own}) if own else frozenset(self.professions)

    def read(self, reference: str) -> Json | None:
        """Return a resource of the directory, None when it does not exist."""
        stored = self._stored(reference)
        return orjson.loads(stored.body) if stored and not stored.deleted else None

    def with_number(self, type_: str, number: Number) -> tuple[str, ...]:
        """Return the ids of resources of the directory that have an identifier: two when it names several."""
        if (type_, number) not in self.numbered:
            found = self.work.snapshot.compartments_with(type_, tokens.identifier_key("identifier", *number), 2)
            self.numbered[type_, number] = tuple(id_ for _, id_ in found)
        return self.numbered[type_, number]

    def is_member(self, person: str) -> bool:
        """Tell whether a person ("Practitioner/…") files, or practises in the establishment that files."""
        if person == self.requester.person:
            return True
        if person not in self.members:
            found = self._professions_of(person)
            self.members[person] = bool(found)
            self.professions.update(found)
        return self.members[person]

    def _professions_of(self, person: str) -> frozenset[str]:
        organization = self.requester.organization
        if not organization or professionals.has_left(self._stored(person)):
            return frozenset()
        return professionals.professions_of(self.work.snapshot, person, organization, self.work.at)

    def _stored(self, reference: str) -> Stored | None:
        if reference not in self.known:
            type_, _, id_ = reference.partition("/")
            self.known[reference] = self.work.snapshot.read(type_, id_, IN_DIRECTORY)
        return self.known[reference]


def verified(depositor: Depositor, resource: Json, root: str) -> Json:
    """Return a document or list that names only those for whom its depositor may speak, as the directory names them.

    root: FHIRPath of the resource. Raises: Problem(BUSINESS_RULE) with each element that names somebody else.
    """
    contained = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    shown: dict[str, Json] = {}
    found, faults = {}, list(_false_places(depositor, resource, contained, root))
    for name in _NAMING:
        value = resource.get(name)
        items = value if isinstance(value, list) else [value] if value else []
        checked = [_named(depositor, one, contained, shown) for one in items]
        faults += [_place(root, name, index, value) for index, one in enumerate(checked) if one is None]
        if items:
            found[name] = checked if isinstance(value, list) else checked[0]
    if faults:
        return _as_intermediary(depositor, resource, faults)
    if shown:
        found["contained"] = [shown.get(f"#{one.get('id')}", one) for one in resource["contained"]]
    return resource | found if found else resource


def _false_places(depositor: Depositor, resource: Json, contained: Mapping[str, Json], root: str) -> Iterator[str]:
    """Yield each extension that names another establishment as the author's, or says who filed: only the server may."""
    for place, holder in ((root, resource), (f"{root}.source", resource.get("source", {}))):
        for index, one in enumerate(holder.get("extension", ())):
            is_place, named = one.get("url") == AUTHOR_PLACE, one.get("valueReference", {})
            is_false = is_place and _named(depositor, named, contained, {}) is None
            if is_false or one.get("url") == DEPOSITOR:
                yield f"{place}.extension[{index}]"


def _place(root: str, name: str, index: int, value: object) -> str:
    return f"{root}.{name}[{index}]" if isinstance(value, list) else f"{root}.{name}"


def _as_intermediary(depositor: Depositor, resource: Json, faults: list[str]) -> Json:
    """Return a document with its depositor named, if an intermediary files it; refuse it from anybody else.

    The registration is read now, so that its end holds from the next request on.
    """
    work, requester = depositor.work, depositor.requester
    client = clients.find(work.runtime, work.caller.granted.client_id)
    if client is None or not client.intermediary:
        raise Problem(
            Category.BUSINESS_RULE,
            *(Issue(NOT_OF_DEPOSITOR.text, expression, NOT_OF_DEPOSITOR.code) for expression in faults),
        )
    who: Json = {"identifier": {"value": client.id}, "display": client.name}
    if requester.organization:
        place = depositor.read(requester.organization) or {}
        display = str(place.get("name") or work.caller.granted.organization_display)
        who = {"reference": requester.organization} | ({"display": display} if display else {})
    others = [one for one in resource.get("extension", ()) if one.get("url") != DEPOSITOR]
    return resource | {"extension": [*others, {"url": DEPOSITOR, "valueReference": who}]}


def _named(depositor: Depositor, value: Json, contained: Mapping[str, Json], shown: dict[str, Json]) -> Json | None:
    """Return a reference as the document shows it, None when the depositor may not speak for what it names.

    shown: the contained resources as the document shows them; what this reference leads to is added.
    """
    literal = str(value.get("reference", ""))
    if literal.startswith("#"):
        inner = contained.get(literal)
        kept = _contained(depositor, inner, contained, shown) if inner else None
        if kept is None:
            return None
        shown[literal] = kept
        return _without_display(value) if "display" in value else value
    target = references.split(literal, depositor.work.runtime.fhir_base) if literal else _identified(depositor, value)
    if target is None or not _speaks_for(depositor, *target) or not _is_consistent(depositor, value, target):
        return None
    return _displayed(depositor, value, target) if "display" in value else value


def _speaks_for(depositor: Depositor, type_: str, id_: str) -> bool:
    requester, reference = depositor.requester, f"{type_}/{id_}"
    if type_ == "Practitioner":
        return depositor.is_member(reference)
    if type_ == "PractitionerRole":
        return _holds(depositor, reference)
    if type_ == PATIENT:
        return requester.kind in PATIENTS_SIDE and id_ == depositor.patient
    own = {"Organization": requester.organization, "RelatedPerson": requester.person, "Device": requester.client}
    return reference == own.get(type_)


def _holds(depositor: Depositor, reference: str) -> bool:
    """Tell whether a practice situation is the caller's own, or that of a member and of no other establishment."""
    if reference == depositor.requester.role:
        return True
    role = depositor.read(reference) or {}
    place = str(role.get("organization", {}).get("reference", ""))
    person = str(role.get("practitioner", {}).get("reference", ""))
    return bool(person) and place in ("", depositor.requester.organization) and depositor.is_member(person)


def _identified(depositor: Depositor, value: Json) -> tuple[str, str] | None:
    """Return what a logical reference names: a person or an establishment of the directory, or the patient."""
    number = references.number_of(value)
    return _found(depositor, [value["identifier"]], str(value.get("type", ""))) if number else None


def _found(depositor: Depositor, identifiers: list[Json], type_: str = "") -> tuple[str, str] | None:
    """Return the one resource that identifiers name, None when they name nothing here, or several resources."""
    pairs = {(str(one.get("system", "")), str(one.get("value", ""))) for one in identifiers}
    named = {hit for pair in pairs if all(pair) for hit in _with_number(depositor, pair, type_)}
    return named.pop() if len(named) == 1 else None


def _with_number(depositor: Depositor, pair: tuple[str, str], type_: str) -> Iterator[tuple[str, str]]:
    for kind in (type_,) if type_ else ("Practitioner", "Organization"):
        if kind in _SHOWN:
            yield from ((kind, id_) for id_ in depositor.with_number(kind, pair))
    if type_ == PATIENT and depositor.requester.kind in PATIENTS_SIDE:
        patient = identify(depositor.work.snapshot, *pair)
        yield from ((PATIENT, patient),) if patient else ()


def _is_consistent(depositor: Depositor, value: Json, target: tuple[str, str]) -> bool:
    """Tell whether a reference that also has an identifier names one and the same by both."""
    if "reference" not in value or references.number_of(value) is None:
        return True
    return _found(depositor, [value["identifier"]], target[0]) == target


def _contained(depositor: Depositor, inner: Json, contained: Mapping[str, Json], shown: dict[str, Json]) -> Json | None:
    """Return a contained resource as the document shows it, None when the depositor may not speak for it."""
    type_ = str(inner.get("resourceType", ""))
    if type_ == "PractitionerRole":
        return _role(depositor, inner, contained, shown)
    if type_ in _SIDE:
        return inner if _is_own(depositor, inner, contained, shown) else None
    target = _found(depositor, inner.get("identifier", []), type_) if type_ in _SHOWN else None
    if target is None or not _speaks_for(depositor, *target):
        return None
    named = (depositor.read("/".join(target)) or {}).get(_SHOWN[type_])
    return {name: one for name, one in inner.items() if name != _SHOWN[type_]} | (
        {_SHOWN[type_]: named} if named and _SHOWN[type_] in inner else {}
    )


def _role(depositor: Depositor, role: Json, contained: Mapping[str, Json], shown: dict[str, Json]) -> Json | None:
    """Return a contained practice situation: every person and establishment in it is one of the depositor's."""
    parts = {name: role[name] for name in ("practitioner", "organization") if name in role}
    checked = {name: _named(depositor, part, contained, shown) for name, part in parts.items()}
    return role | checked if checked and all(checked.values()) else None


def _is_own(depositor: Depositor, inner: Json, contained: Mapping[str, Json], shown: dict[str, Json]) -> bool:
    """Tell whether a contained patient or relative is who files, or a contained device is the depositor's.

    A device is that of a patient who files, or one that states the establishment as its owner.
    """
    of_side = depositor.requester.kind in PATIENTS_SIDE
    if inner["resourceType"] == "Device":
        owner = inner.get("owner")
        return of_side if owner is None else _named(depositor, owner, contained, shown) is not None
    if inner["resourceType"] == "RelatedPerson":
        return depositor.requester.kind is RequesterKind.RELATED
    numbers = inner.get("identifier", [])
    return of_side and (not numbers or _found(depositor, numbers, PATIENT) == (PATIENT, depositor.patient))


def _displayed(depositor: Depositor, value: Json, target: tuple[str, str]) -> Json:
    """Return a reference whose display is the name that the directory knows."""
    named = depositor.read("/".join(target)) if target[0] in _SHOWN else None
    display = professionals.name_of(named) if named else ""
    return _without_display(value) | ({"display": display} if display else {})


def _without_display(value: Json) -> Json:
    return {name: one for name, one in value.items() if name != "display"}
