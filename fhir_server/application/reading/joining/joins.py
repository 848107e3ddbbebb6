"""Chains, `_has` and `_list`: what a search joins becomes a criterion over references, or a set of ids.

Each step is one query with the filter of the type that it reads, and each filter is that of a search of this type by
the same caller, in the same space. So a join counts only what its caller finds. The last query has its own filter.

Source: https://hl7.org/fhir/R4/search.html#chaining and #has; docs/adr/0107.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

import orjson

from consent_rules.model import Deny
from consent_rules.visibility import DIRECTORY, NOTHING, Visibility
from consent_rules.vocabulary import NO_SPACE, Action, RequesterKind
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, Access, Opened, action_of
from fhir_server.application.core.enforcement_point import judge_again
from fhir_server.application.core.search_index import values_at
from fhir_server.application.reading.event_redaction import ReaderFilters
from fhir_server.application.reading.joining.chained_search import Chains
from fhir_server.application.reading.read import present
from fhir_server.application.reading.seen_criteria import judged
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.references import split
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.search.joins import Described, Join, ReferredToBy, Refers, parameter
from fhir_server.domain.values import Json
from fhir_server.registry import REGISTRY, ResourceType, SearchParam
from fhir_server.settings import limits


@dataclass(slots=True)
class JoinFilters:
    """What a search of a joined type would show to the caller in the space that was entered, and of the directory.

    row: the type that is searched. letters: the interactions that the scopes must allow.
    A professional who searches their journal or their notices joins nothing for which they would need a ground of care:
    such a read is counted and told to the patient, and a search of the journal is not.
    """

    access: Access
    row: ResourceType
    letters: tuple[str, ...] = ("s",)
    _made: dict[str, Visibility] = field(default_factory=dict)
    _opened: dict[Action, Opened | None] = field(default_factory=dict)

    def of(self, type_: str) -> Visibility:
        """Return the filter of a type; nothing is visible of a type for which the token has no scope."""
        found = self._made.get(type_)
        if found is None:
            found = self._made[type_] = self._within_scopes(type_)
        return found

    def _within_scopes(self, type_: str) -> Visibility:
        in_directory = type_ in IN_DIRECTORY.by_type
        opened = None if in_directory else self._open(action_of(REGISTRY[type_]))
        seen = DIRECTORY if in_directory else opened.of(type_) if opened else NOTHING
        try:
            for letter in self.letters:
                place = NO_SPACE if in_directory else seen.compartment
                seen = smart_scopes.narrow(seen, smart_scopes.demand(self.access.caller, (type_,), letter, place))
        except Problem:
            return NOTHING
        return seen

    def _open(self, action: Action) -> Opened | None:
        if action not in self._opened:
            self._opened[action] = self._judged(action)
        return self._opened[action]

    def _judged(self, action: Action) -> Opened | None:
        opened, asks = self.access.opened, self.access.caller.requester.kind
        is_further = action is Action.CONSULT and action is not action_of(self.row)
        if opened is None or (is_further and asks is RequesterKind.PROFESSIONAL):
            return None
        answer = judge_again(self.access, opened, action)
        return None if isinstance(answer, Deny) else answer


@dataclass(slots=True)
class Joins:
    """The joins of one search. left: how many more resources they may look at."""

    access: Access
    filters: JoinFilters
    left: int = field(default_factory=lambda: limits.in_force().joined)

    def resolved(self, search: Search, joins: Iterable[Join]) -> Search:
        """Return the search with criteria and ids in place of the joins.

        Raises: Problem(TOO_COSTLY) when the joins would look at too many resources; the audit log has it.
        """
        for join in joins:
            if isinstance(join, Refers):
                search = replace(search, criteria=(*search.criteria, self._refers(search.type, join)))
            else:
                ids = self._referred(search.type, join)
                search = replace(search, ids=ids if search.ids is None else search.ids & ids)
        return search

    def _refers(self, type_: str, join: Refers) -> AnyOf:
        """Return the criterion that a resource refers to, or contains, a resource that the chain describes."""
        sought = self._search(join.to)
        ids = self.access.snapshot.matching_ids(sought, self.filters, self.left)
        self._count(self.left + 1 if ids is None else len(ids))
        named = spelt(join.param, (f"{join.to.type}/{id_}" for id_ in ids or ()), self.access.runtime.fhir_base)
        return AnyOf(frozenset(named) | _contained(REGISTRY[type_], join.param, sought))

    def _referred(self, type_: str, join: ReferredToBy) -> frozenset[str]:
        """Return the ids of the resources to which the described ones refer, as these are shown to the caller."""
        search = replace(self._search(join.by), limit=self.left + 1)
        rows = self.access.snapshot.find(search, self.filters).rows
        self._count(len(rows))
        source, base = REGISTRY[join.by.type], self.access.runtime.fhir_base
        params = [param for param in (parameter(source, join.param),) if param]
        bodies = (orjson.loads(shown.stored.body) for shown in present(self.access, rows, self.filters))
        named = (name for body in bodies for _, *name in referred(source, body, params, base))
        return frozenset(id_ for name, id_ in named if name == type_)

    def _search(self, described: Described) -> Search:
        """Return the search of the described resources, with their own joins resolved."""
        search = Search(described.type, described.criteria, described.chained, described.ids)
        if search.chained:
            search = Chains(self.access, self.filters).resolved(search)
        if self.access.opened:
            search = judged(self.access.snapshot, search, ReaderFilters(self.access))
        return self.resolved(search, described.joins)

    def _count(self, found: int) -> None:
        """Count the resources that a step looks at.

        Raises: Problem(TOO_COSTLY).
        """
        if found > self.left:
            most = limits.in_force().joined
            text = f"the joins of this search look at more than {most} resources; describe fewer of them"
            raise refused(self.access, text)
        self.left -= found


def refused(access: Access, text: str) -> Problem:
    """Return the refusal of a search that costs too much, which the audit log has then."""
    problem = Problem.of(Category.TOO_COSTLY, text, code="joins")
    audit_log.record_refusal(access.runtime, access.caller, access.audited, problem)
    return problem


def spelt(param: str, references: Iterable[str], fhir_base: str) -> Iterator[str]:
    """Yield the index tokens of references to resources of this server, relative and absolute."""
    for one in references:
        yield f"{param}|ref|{one}"
        yield f"{param}|ref|{fhir_base}/{one}"


def referred(
    row: ResourceType, resource: Json, params: Collection[SearchParam], fhir_base: str
) -> Iterator[tuple[str, str, str]]:
    """Yield (parameter, type, id) of the resources of this server to which a resource refers by some parameters."""
    values = values_at(resource, row, frozenset(param.name for param in params))
    for param in params:
        for value in values.get(param.name, ()):
            literal = value.get("reference") if isinstance(value, dict) else None
            named = split(literal, fhir_base) if isinstance(literal, str) else None
            if named and (not param.targets or named[0] in param.targets):
                yield (param.name, *named)


def _contained(row: ResourceType, param: str, sought: Search) -> frozenset[str]:
    """Return the tokens by which a contained resource is found that meets the one criterion of a chain.

    The index tells neither the type of a contained resource nor its id.
    """
    criterion = sought.criteria[0] if len(sought.criteria) == 1 and sought.ids is None else None
    if not isinstance(criterion, AnyOf):
        return frozenset()
    tokens = ((one.partition("|")[0], one) for one in criterion.tokens)
    return frozenset(f"{param}.{token}" for name, token in tokens if parameter(row, f"{param}.{name}"))
