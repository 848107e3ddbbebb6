"""Reads the joins of a search: chains, `_has`, `_list`, `_include` and `_revinclude`.

Source: https://hl7.org/fhir/R4/search.html#chaining, #has, #list and #include.
"""

from dataclasses import dataclass

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import AnyOf, Chained
from fhir_server.domain.search.joins import (
    DEPTH,
    EVERY,
    HAS,
    Described,
    Included,
    Join,
    ReferredToBy,
    Refers,
    chained_types,
    is_joined,
    may_refer,
    parameter,
    references_of,
    targets_of,
)
from fhir_server.domain.search.values import criterion
from fhir_server.registry import REGISTRY, AccessRule, Interaction, ResourceType, SearchParam, types_under

INCLUDES = frozenset({"_include", "_revinclude"})
LIST = "_list"
ITERATE = "iterate"
MAX_IDS = 200
LAST_UPDATED = SearchParam("_lastUpdated", "date", (), "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated")
_ITERATES = frozenset({ITERATE, "recurse"})
"""Modifiers that repeat an include; in R3 the modifier is called `:recurse`."""
_TRACES = types_under(AccessRule.TRACE)
_LISTED = ("item", "List")


@dataclass(frozen=True, slots=True)
class JoinReader:
    """Reads the joins of one search. fhir_base: the server's own base URL."""

    fhir_base: str

    def join(self, row: ResourceType, name: str, value: str, before: int = 0) -> Join:
        """Read a chain or a `_has`. before: how many joins led here.

        Raises: Problem(TOO_COSTLY) for more than `DEPTH` joins in a row; UNSUPPORTED for what cannot be joined;
        MALFORMED for a name that cannot be read, or whose type is not clear.
        """
        if before == DEPTH:
            raise Problem.of(Category.TOO_COSTLY, f"a search follows at most {DEPTH} references in a row", code="joins")
        if name.startswith(f"{HAS}:"):
            return self._has(row, name, value, before)
        step, _, rest = name.partition(".")
        base, _, type_ = step.partition(":")
        param = self._reference(row, base, name)
        return Refers(base, self._described(self._target(row, param, type_, rest), rest, value, before + 1))

    def listed(self, row: ResourceType, value: str) -> Join:
        """Read `_list`: the matches stand in one of these lists.

        Raises: Problem(UNSUPPORTED) for a type that stands in no list; MALFORMED for too many ids.
        """
        name, type_ = _LISTED
        _demand_referring(row, type_, name, LIST)
        return ReferredToBy(name, Described(type_, ids=_ids(LIST, value)))

    def _has(self, row: ResourceType, name: str, value: str, before: int) -> Join:
        parts = name.split(":", 3)
        if len(parts) < len(("_has", "type", "reference", "parameter")) or not all(parts):
            raise _malformed(name, "is not of the form `_has:Type:reference:parameter`")
        _, type_, base, rest = parts
        source = _demand_referring(row, type_, base, name)
        return ReferredToBy(base, self._described(source, rest, value, before + 1))

    def _reference(self, row: ResourceType, base: str, name: str) -> SearchParam:
        param = parameter(row, base)
        if param is None or param.type != "reference":
            raise _unsupported(name, f"`{base}` is no reference parameter of {row.name}")
        return param

    def _target(self, row: ResourceType, param: SearchParam, type_: str, rest: str) -> ResourceType:
        """Return the type to which one step of a chain leads."""
        if type_:
            if type_ not in targets_of(row, param):
                raise _unsupported(param.name, f"a chain from {row.name} does not lead to `{type_}`")
            return REGISTRY[type_]
        types = chained_types(row, param, rest)
        if len(types) > 1:
            spelt = ", ".join(f"`{param.name}:{name}.{rest}`" for name in types)
            raise _malformed(f"{param.name}.{rest}", f"may mean several types; write one of {spelt}")
        if not types:
            raise _unsupported(f"{param.name}.{rest}", f"nothing that `{param.name}` leads to is searched by it")
        return REGISTRY[types[0]]

    def _described(self, row: ResourceType, name: str, value: str, before: int) -> Described:
        """Read one parameter of a joined type."""
        base, _, modifier = name.partition(":")
        if is_joined(row, name):
            return Described(row.name, joins=(self.join(row, name, value, before),))
        if name == "_id":
            return Described(row.name, ids=_ids(name, value))
        param = LAST_UPDATED if name == LAST_UPDATED.name else parameter(row, base)
        if param is None:
            raise _unsupported(name, f"it is not a search parameter of {row.name}")
        if param.chain[0]:
            return Described(row.name, chained=(self.chained(row, param, modifier, value),))
        return Described(row.name, (criterion(param, modifier, value, self.fhir_base),))

    def chained(self, row: ResourceType, param: SearchParam, modifier: str, value: str) -> Chained:
        """Read a chained parameter of the registry, which describes somebody whom the resource refers to."""
        base, target = param.chain
        leading = parameter(row, base)
        types = leading.targets if leading else ()
        found = [(type_, parameter(one, target)) for type_, one in REGISTRY.items() if type_ in types]
        asked = [(type_, self._any_of(one, modifier, value)) for type_, one in found if one is not None]
        return Chained(base, self._any_of(param, modifier, value), tuple(asked))

    def _any_of(self, param: SearchParam, modifier: str, value: str) -> AnyOf:
        asked = criterion(param, modifier, value, self.fhir_base)
        if modifier == "missing" or not isinstance(asked, AnyOf):
            raise _unsupported(param.name, f"the modifier `:{modifier}` is not supported here")
        return asked


def included(row: ResourceType, name: str, value: str) -> Included | None:
    """Read an `_include` or `_revinclude`; None for one that the server does not know."""
    base, _, modifier = name.partition(":")
    if modifier and modifier not in _ITERATES:
        return None
    source, _, rest = value.partition(":")
    param, _, target = rest.partition(":")
    is_reverse = base == "_revinclude"
    asked = Included(source, param or EVERY, target, bool(modifier), is_reverse)
    if value == EVERY:
        return asked
    named = REGISTRY.get(source)
    if named is None or not param or Interaction.SEARCH not in named.interactions:
        return None
    if target and target not in REGISTRY:
        return None
    return asked if _leads(named, asked, row) else None


def _leads(source: ResourceType, asked: Included, row: ResourceType) -> bool:
    """Tell whether an include can bring anything: its parameter is a reference that can be followed."""
    if asked.is_reverse and source.name in _TRACES:
        return False
    if not asked.is_reverse and not asked.iterates and source is not row:
        return False
    for param in references_of(source):
        if asked.param not in {EVERY, param.name}:
            continue
        if asked.is_reverse and not asked.iterates:
            return asked.param == EVERY or may_refer(source, param, row.name)
        return not asked.target or asked.target in targets_of(source, param) or asked.param == EVERY
    return False


def _demand_referring(row: ResourceType, type_: str, base: str, name: str) -> ResourceType:
    """Return the type of what refers to a match.

    Raises: Problem(UNSUPPORTED) when nothing of the type refers to it by this parameter, or no search may ask.
    """
    source = REGISTRY.get(type_)
    param = parameter(source, base) if source else None
    if source is None or param is None or param.type != "reference" or not may_refer(source, param, row.name):
        raise _unsupported(name, f"a search of {row.name} cannot ask which {type_} refers to it by `{base}`")
    return source


def _ids(name: str, value: str) -> frozenset[str]:
    ids = frozenset(value.split(",")) - {""}
    if len(ids) > MAX_IDS:
        raise _malformed(name, f"takes at most {MAX_IDS} ids")
    return ids


def _malformed(name: str, text: str) -> Problem:
    return Problem.of(Category.MALFORMED, f"search parameter `{name}` {text}", code="value")


def _unsupported(name: str, text: str) -> Problem:
    return Problem.of(Category.UNSUPPORTED, f"search parameter `{name}`: {text}", code="not-supported")
