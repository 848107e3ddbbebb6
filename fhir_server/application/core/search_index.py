"""The facts that answer searches; the server computes them once, when it writes a resource.

Paths come from the registry. They are plain element names; a step into a reference to a contained resource goes on in
that resource. An extension is indexed only where a path names its URL.

Source: https://hl7.org/fhir/R4/search.html; the elements of each search parameter are the registry's.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from consent_rules.visibility import AccessFacts, Interval
from consent_rules.vocabulary import PatientId
from fhir_server.domain.directory import identity_keys
from fhir_server.domain.documents.security_labels import split_marks
from fhir_server.domain.search import dates, tokens
from fhir_server.domain.stored import Facts
from fhir_server.domain.values import Json
from fhir_server.ports.store import Filters, Snapshot
from fhir_server.registry import DOCUMENTS, PATIENT, AccessRule, ResourceType, SearchParam, types_under

_STEP = re.compile(r"([A-Za-z_]\w*)(?:\[(\w+)=([^\]]+)\])?(?:\.|$)")
_OF_A_REFERENCE = frozenset({"extension", "reference", "type", "display", "id"})
"""Steps that stay in the reference itself, even when the reference names a contained resource."""
_CONTACT_SYSTEMS = frozenset({"phone", "fax", "email", "pager", "url", "sms", "other"})
_NAME_PARTS = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS = ("text", "line", "city", "district", "state", "postalCode", "country")
PROSE = frozenset({"description", "notes", "title"})
"""String parameters that match the beginning of the whole text, not the beginning of each word."""
_LITERAL = re.compile(r"(?:^|.*/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/.*)?")
_NAMES_DOCUMENT = re.compile(rf"(?:{'|'.join(sorted(DOCUMENTS))})/")
_DOCUMENT = re.compile(rf"{_NAMES_DOCUMENT.pattern}([A-Za-z0-9\-.]{{1,64}})(?:/_history/.*)?")
_GATHERINGS = types_under(AccessRule.GATHERING)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a path: an element's name, and a member and value that the element must have ("" for any)."""

    name: str
    member: str = ""
    value: str = ""


@dataclass(slots=True)
class _Branch:
    """One step of the paths of a type. params: whose path ends here. further: the steps that may follow."""

    step: _Step
    params: list[str] = field(default_factory=list)
    further: "list[_Branch]" = field(default_factory=list)


_TREES: dict[tuple[str, frozenset[str] | None], tuple[ResourceType, list[_Branch]]] = {}


def facts_of(resource: Json, access: AccessFacts, row: ResourceType) -> Facts:
    """Return all facts about a resource that a query uses.

    Values that cannot be read are left out: the body was checked before.
    access: the access facts from the command. Visibility marks are not indexed among the labels: `access` has them.
    """
    plain = split_marks(resource)[0]
    contained = {f"#{one.get('id')}": one for one in plain.get("contained", ())}
    found: set[str] = set()
    lookup: set[str] = set()
    intervals: dict[str, Interval] = {}
    values_of: dict[str, list[Any]] = {}
    _gather(values_of, [plain], _tree(row), contained)
    for param in row.search:
        values = values_of.get(param.name)
        if not values or param.examined:
            continue
        if param.type == "date":
            _index_dates(param, values, intervals, found)
            continue
        indexed = _INDEXERS[param.type]
        found.update(*[indexed(param, value) for value in values])
        if param.type != "reference" or any(_is_value(param, value, contained) for value in values):
            found.add(tokens.present(param.name))
        if param.lookup:
            lookup.update(token for value in values for token in _keys(param.name, value))
    if row.access is AccessRule.IDENTITY:
        lookup.update(identity_keys.keys_of(plain))
    return Facts(access, frozenset(found), frozenset(lookup), intervals, _documents(plain, row.name))


def values_at(resource: Json, row: ResourceType, names: frozenset[str]) -> Mapping[str, list[Any]]:
    """Return the values that a resource has for some search parameters of its type, as the index takes them."""
    found: dict[str, list[Any]] = {}
    _gather(found, [resource], _tree(row, names), {f"#{one.get('id')}": one for one in resource.get("contained", ())})
    return found


def _tree(row: ResourceType, names: frozenset[str] | None = None) -> list[_Branch]:
    """Return the paths of a type's search parameters, parsed once for each row; paths that begin alike share steps.

    names: of which parameters of the type, None for all.
    """
    known = _TREES.get((row.name, names))
    if known is None or known[0] is not row:  # hashing a row would cost more than parsing all its paths
        tree: list[_Branch] = []
        for param in row.search if names is None else (one for one in row.search if one.name in names):
            for path in param.paths:
                _branch_at(tree, _steps(path)).params.append(param.name)
        known = _TREES[row.name, names] = row, tree
    return known[1]


def _branch_at(tree: list[_Branch], steps: tuple[_Step, ...]) -> _Branch:
    """Return the branch at the end of a path; it is made when it is not there."""
    found = next((branch for branch in tree if branch.step == steps[0]), None)
    if found is None:
        found = _Branch(steps[0])
        tree.append(found)
    return _branch_at(found.further, steps[1:]) if steps[1:] else found


def _gather(found: dict[str, list[Any]], values: list[Any], tree: list[_Branch], contained: Mapping[str, Json]) -> None:
    """Add the values at all paths to those of their search parameters; contained: the contained resources by `#id`."""
    for branch in tree:
        there: list[Any] = []
        for value in values:
            if isinstance(value, dict):
                _take(there, value, branch.step, contained)
        if there:
            for name in branch.params:
                found.setdefault(name, []).extend(there)
            _gather(found, there, branch.further, contained)


def _take(found: list[Any], value: Json, step: _Step, contained: Mapping[str, Json]) -> None:
    """Add what a step finds in an element, and in the contained resource that the element refers to."""
    item = value.get(step.name)
    if isinstance(item, list):
        found += [one for one in item if one is not None and (not step.member or _is_chosen(one, step))]
    elif item is not None and (not step.member or _is_chosen(item, step)):
        found.append(item)
    if contained and "reference" in value and step.name not in _OF_A_REFERENCE:
        inner = contained.get(str(value["reference"]))
        if inner is not None:
            _take(found, inner, step, {})


def _is_value(param: SearchParam, value: object, contained: Mapping[str, Json]) -> bool:
    """Tell whether a reference counts for `:missing`; a reference to another type than the parameter's does not."""
    if not param.targets or not isinstance(value, dict):
        return True
    literal = str(value.get("reference", ""))
    match = _LITERAL.fullmatch(literal)
    named = match[1] if match else contained.get(literal, value).get("resourceType") or value.get("type")
    return not named or named in param.targets


def _is_chosen(one: object, step: _Step) -> bool:
    return isinstance(one, dict) and one.get(step.member) == step.value


@cache
def _steps(path: str) -> tuple[_Step, ...]:
    """Parse a path of the registry.

    Raises: ValueError when the text is no path; the registry's own test finds such a path first.
    """
    matches = list(_STEP.finditer(path))
    if not matches or "".join(match[0] for match in matches) != path:
        raise ValueError(f"not a search path: {path}")
    return tuple(_Step(match[1], match[2] or "", match[3] or "") for match in matches)


def _index_dates(param: SearchParam, values: list[Any], intervals: dict[str, Interval], found: set[str]) -> None:
    """Keep the smallest interval that covers all values of a date parameter."""
    for value in values:
        try:
            interval = dates.period_of(value) if isinstance(value, dict) else dates.interval_of(str(value))
        except ValueError:
            continue
        known = intervals.get(param.name)
        intervals[param.name] = dates.hull(known, interval) if known else interval
        found.add(tokens.present(param.name))


def _token(param: SearchParam, value: object) -> frozenset[str]:
    if isinstance(value, bool):
        return tokens.token(param.name, "", "true" if value else "false")
    if isinstance(value, str):
        code = "true" if param.absent else value  # the date of a boolean's other choice, as in `deceasedDateTime`
        return tokens.token(param.name, param.system, code)
    if not isinstance(value, dict):
        return frozenset()
    return frozenset().union(*(tokens.token(param.name, *pair) for pair in _pairs(value)))


def _pairs(value: Json) -> Iterator[tuple[str, str]]:
    """Yield (system, code) of a Coding, a CodeableConcept, an Identifier or a ContactPoint."""
    for coding in value.get("coding", (value,)):
        system = str(coding.get("system", ""))
        code = coding.get("code", coding.get("value"))
        if code is not None:
            yield "" if system in _CONTACT_SYSTEMS else system, str(code)


def _keys(name: str, value: object) -> Iterator[str]:
    """Yield the exact tokens that find a value without naming a patient."""
    if isinstance(value, dict):
        for system, code in _pairs(value):
            yield from tokens.identifier_key(name, system, code)


def _reference(param: SearchParam, value: object) -> frozenset[str]:
    if not isinstance(value, dict):
        return frozenset()
    literal = str(value.get("reference", ""))
    match = _LITERAL.fullmatch(literal)
    type_ = match[1] if match else value.get("type")
    if param.targets and type_ and type_ not in param.targets:
        return frozenset()
    found: frozenset[str] = frozenset()
    if literal and not literal.startswith("#"):
        found = tokens.reference(param.name, literal)
    identifier = value.get("identifier")
    if isinstance(identifier, dict) and not _NAMES_DOCUMENT.search(literal):  # nobody finds a hidden document by it
        pairs = _pairs(identifier)
        found = found.union(*(tokens.reference_identifier(param.name, *pair) for pair in pairs))
    return found


def _string(param: SearchParam, value: object) -> frozenset[str]:
    words = param.name not in PROSE
    return frozenset().union(*(tokens.string(param.name, text, words=words) for text in texts_of(value)))


def texts_of(value: object) -> Iterator[str]:
    """Yield a text, or the searched parts of a HumanName or an Address."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in (*_NAME_PARTS, *_ADDRESS_PARTS[1:]):
            part = value.get(name)
            yield from (one for one in (part if isinstance(part, list) else [part]) if isinstance(one, str))


def _uri(param: SearchParam, value: object) -> frozenset[str]:
    return tokens.uri(param.name, value) if isinstance(value, str) else frozenset()


_INDEXERS: Mapping[str, Callable[[SearchParam, object], frozenset[str]]] = {
    "token": _token,
    "reference": _reference,
    "string": _string,
    "uri": _uri,
}


def shown_values(resource: Json, params: Sequence[SearchParam]) -> dict[str, list[Any]]:
    """Return the values of some parameters in a resource, or in an element from which their paths start."""
    contained = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    tree: list[_Branch] = []
    for param in params:
        for path in param.paths:
            _branch_at(tree, _steps(path)).params.append(param.name)
    found: dict[str, list[Any]] = {}
    _gather(found, [resource], tree, contained)
    return found


def shown_facts(resource: Json, param: SearchParam, access: AccessFacts) -> Facts:
    """Return the facts that the index would have about one parameter, taken from a body as its reader is shown it."""
    values = shown_values(resource, (param,)).get(param.name, [])
    found: set[str] = set()
    intervals: dict[str, Interval] = {}
    if param.type == "date":
        _index_dates(param, values, intervals, found)
    elif values:
        found = {tokens.present(param.name)}.union(*(_INDEXERS[param.type](param, value) for value in values))
    return Facts(access, frozenset(found), dates=intervals)


def _documents(resource: Json, type_: str) -> tuple[str, ...]:
    """Return the ids of this server's documents that a List contains or a Provenance is about, in order."""
    if type_ not in _GATHERINGS:
        return ()
    named = (*(entry.get("item", {}) for entry in resource.get("entry", ())), *resource.get("target", ()))
    literals = (str(one.get("reference", "")) for one in named)
    return tuple(match[1] for match in map(_DOCUMENT.fullmatch, literals) if match)


def identify(snapshot: Snapshot, system: str, value: str) -> PatientId | None:
    """Return the id of the one patient who has this identifier, None when nobody or more than one has it."""
    found = snapshot.compartments_with(PATIENT, tokens.identifier_key("identifier", system, value), 2)
    return PatientId(found[0][1]) if len(found) == 1 else None


def visible_documents(
    snapshot: Snapshot, ids: Iterable[str], filters: Filters, *, gone: bool = False
) -> frozenset[str]:
    """Return which of the ids are those of documents that are visible. gone: include deleted ones."""
    found: frozenset[str] = frozenset()
    for type_ in DOCUMENTS:
        found |= snapshot.visible_ids(type_, ids, filters, gone)
    return found
