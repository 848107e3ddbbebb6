"""Joins of a search: what a match refers to, or is referred to by, and what comes with a page.

A chain such as `item:DocumentReference.type` describes what a match refers to, and `_has:List:item:code` what refers to
it. Descriptions may hold joins themselves, `DEPTH` in a row.

Source: https://hl7.org/fhir/R4/search.html#chaining, #has and #include.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fhir_server.domain.search.criteria import Chained, Criterion
from fhir_server.registry import PATIENT, REGISTRY, AccessRule, Interaction, ResourceType, SearchParam, types_under

DEPTH = 3
"""Most joins in a row."""
HAS = "_has"
EVERY = "*"
"""Any type, or any parameter, of an `_include` or `_revinclude`."""
_OF_THE_PATIENT = frozenset({"patient", "subject"})
_DIRECTORY = types_under(AccessRule.DIRECTORY)
_TRACES = types_under(AccessRule.TRACE)
_DIRECTIVES = types_under(AccessRule.DIRECTIVE)


@dataclass(frozen=True, slots=True)
class Described:
    """Resources of one type as a join describes them. ids: among these, None for no restriction."""

    type: str
    criteria: tuple[Criterion, ...] = ()
    chained: tuple[Chained, ...] = ()
    ids: frozenset[str] | None = None
    joins: tuple["Join", ...] = ()


@dataclass(frozen=True, slots=True)
class Refers:
    """A match refers, by a parameter of its type, to one of the described resources."""

    param: str
    to: Described


@dataclass(frozen=True, slots=True)
class ReferredToBy:
    """One of the described resources refers to a match by a parameter of the described type."""

    param: str
    by: Described


Join = Refers | ReferredToBy


@dataclass(frozen=True, slots=True)
class Included:
    """One `_include` or `_revinclude`: by which references more resources come with a page.

    source: the type that holds the reference, or EVERY. param: its parameter, or EVERY. target: the type that the
    reference names, "" for any. iterates: whether it also starts from what comes with the page. is_reverse: whether
    what comes is the source.
    """

    source: str
    param: str
    target: str = ""
    iterates: bool = False
    is_reverse: bool = False


def types_joined(joins: Iterable[Join]) -> Iterator[str]:
    """Yield the types that joins read, in their order."""
    for join in joins:
        described = join.to if isinstance(join, Refers) else join.by
        yield described.type
        yield from types_joined(described.joins)


def parameter(row: ResourceType, name: str) -> SearchParam | None:
    """Return a search parameter of a type."""
    return next((param for param in row.search if param.name == name), None)


def references_of(row: ResourceType) -> Iterator[SearchParam]:
    """Yield the parameters of a type that hold references and belong to the type itself, not to what it refers to."""
    return (param for param in row.search if param.type == "reference" and not param.chain[0])


def targets_of(row: ResourceType, param: SearchParam) -> tuple[str, ...]:
    """Return the types that can be searched to which a parameter may lead, sorted.

    The parameter that names the patient of a resource leads to Patient alone. A parameter of a directory type leads to
    the directory alone. A parameter of audit events that may name any type leads neither to Consents nor to audit
    events: an event shows nobody else the Consent that let somebody in (H4).
    """
    if param.name in _OF_THE_PATIENT and row.names_patient:
        return (PATIENT,)
    found = {name for name in param.targets or REGISTRY if _is_searched(name)}
    if row.access is AccessRule.DIRECTORY:
        found &= _DIRECTORY
    if row.name in _TRACES and not param.targets:
        found -= _DIRECTIVES | _TRACES
    return tuple(sorted(found))


def may_refer(source: ResourceType, param: SearchParam, target: str) -> bool:
    """Tell whether a search of a type may ask for what refers to it by a parameter of another type.

    Traces are left out: each search leaves one, and a join over them would have no bound (docs/adr/0107). Nothing of a
    space comes into a search of the directory, which enters no space.
    """
    if source.name in _TRACES or not _is_searched(source.name):
        return False
    if target in _DIRECTORY and source.name not in _DIRECTORY:
        return False
    return target in targets_of(source, param)


def including(row: ResourceType) -> tuple[str, ...]:
    """Return the values of `_include` that a search of a type takes."""
    named = [f"{row.name}:{param.name}" for param in references_of(row) if targets_of(row, param)]
    return (EVERY, f"{row.name}:{EVERY}", *named) if named else ()


def including_back(row: ResourceType) -> tuple[str, ...]:
    """Return the values of `_revinclude` that a search of a type takes."""
    named: list[str] = []
    for source in REGISTRY.values():
        found = [f"{source.name}:{p.name}" for p in references_of(source) if may_refer(source, p, row.name)]
        named += [f"{source.name}:{EVERY}", *found] if found else []
    return (EVERY, *named) if named else ()


def last_step(row: ResourceType | None, name: str) -> tuple[ResourceType | None, str]:
    """Return the type and the parameter, with its modifier, at the end of a joined parameter; no type when unknown.

    A parameter without a join is its own end.
    """
    while row is not None and (name.startswith(f"{HAS}:") or _is_chain(row, name)):
        if name.startswith(f"{HAS}:"):
            type_, _, rest = name.removeprefix(f"{HAS}:").partition(":")
            row, name = REGISTRY.get(type_), rest.partition(":")[2]
        else:
            step, _, name = name.partition(".")
            row = _next_row(row, step, name)
    return row, name


def chained_types(row: ResourceType, param: SearchParam, rest: str) -> tuple[str, ...]:
    """Return the types to which a parameter may lead and that have the next parameter of a chain."""
    return tuple(name for name in targets_of(row, param) if _knows(REGISTRY[name], rest))


def is_joined(row: ResourceType, name: str) -> bool:
    """Tell whether a parameter joins other resources: `_has`, or a chain."""
    return name.startswith(f"{HAS}:") or _is_chain(row, name)


def _is_chain(row: ResourceType, name: str) -> bool:
    """Tell whether a name is a chain; the registry has parameters with a dot in their name, such as `author.family`."""
    base = name.partition(":")[0]
    return "." in name and ("." not in base or parameter(row, base) is None)


def _next_row(row: ResourceType, step: str, rest: str) -> ResourceType | None:
    base, _, type_ = step.partition(":")
    param = parameter(row, base)
    if param is None:
        return None
    types = (type_,) if type_ else chained_types(row, param, rest)
    return REGISTRY.get(types[0]) if len(types) == 1 else None


def _knows(row: ResourceType, rest: str) -> bool:
    base = rest.partition(".")[0].partition(":")[0]
    return base in {"_id", HAS} or parameter(row, base) is not None


def _is_searched(name: str) -> bool:
    row = REGISTRY.get(name)
    return row is not None and Interaction.SEARCH in row.interactions
