"""`_include` and `_revinclude`: what comes with a page of a search, as the same caller would read it.

What a resource of the page refers to is taken from what is shown of it, and each query has the filter of the type that
it reads: a hidden resource neither comes along nor brings anything along. Everything comes once, and no match comes
again.

Source: https://hl7.org/fhir/R4/search.html#include; docs/adr/0108.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from fhir_server.application.core.access import Access
from fhir_server.application.core.shown import Shown
from fhir_server.application.reading.joining.joins import JoinFilters, referred, refused, spelt
from fhir_server.application.reading.read import present
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.domain.search.joins import EVERY, Included, may_refer, references_of, targets_of
from fhir_server.registry import REGISTRY, Interaction, ResourceType, SearchParam
from fhir_server.settings import limits

ROUNDS = 3
"""How often `:iterate` starts again from what came last."""


@dataclass(slots=True)
class Includes:
    """What comes with one page. filters: those of a search and a read of each type by the same caller."""

    access: Access
    filters: JoinFilters
    found: dict[str, Shown] = field(default_factory=dict)

    def beside(self, shown: Iterable[Shown], asked: Iterable[Included]) -> tuple[Shown, ...]:
        """Return what comes with the resources of a page, which it does not repeat.

        Raises: Problem(TOO_COSTLY) when too much would come; the audit log has it.
        """
        fresh, wanted = list(shown), list(asked)
        self.found = {item.reference: item for item in fresh}
        matches = len(fresh)
        for _ in range(ROUNDS):
            if not (fresh and wanted):
                break
            fresh = self._round(fresh, wanted)
            if len(self.found) - matches > limits.in_force().included:
                raise refused(self.access, _TOO_MANY.format(limits.in_force().included))
            wanted = [one for one in wanted if one.iterates]
        return tuple(self.found.values())[matches:]

    def _round(self, fresh: list[Shown], asked: list[Included]) -> list[Shown]:
        """Add what the newest resources bring; return what was not there."""
        named: dict[str, set[str]] = {}
        for one in asked:
            if not one.is_reverse:
                for type_, id_ in self._forward(fresh, one):
                    named.setdefault(type_, set()).add(id_)
        searches = [Search(type_, ids=frozenset(ids)) for type_, ids in sorted(named.items())]
        searches += [search for one in asked if one.is_reverse for search in self._reverse(fresh, one)]
        come = [item for search in searches for item in self._shown(search) if item.reference not in self.found]
        new = {item.reference: item for item in come}
        self.found |= new
        return list(new.values())

    def _shown(self, search: Search) -> tuple[Shown, ...]:
        most = limits.in_force().included + len(self.found) + 1
        page = Search(search.type, search.criteria, ids=search.ids, limit=most)
        return present(self.access, self.access.snapshot.find(page, self.filters).rows, self.filters)

    def _forward(self, fresh: list[Shown], asked: Included) -> Iterator[tuple[str, str]]:
        """Yield (type, id) of what the resources refer to and what is not there yet."""
        base = self.access.runtime.fhir_base
        for source in sorted({item.stored.type for item in fresh}):
            row = REGISTRY[source]
            if asked.source not in {EVERY, source}:
                continue
            params = [param for param in references_of(row) if asked.param in {EVERY, param.name}]
            wanted = {param.name: _wanted(row, param, asked) for param in params}
            for item in fresh:
                if item.stored.type == source:
                    for name, type_, id_ in referred(row, orjson.loads(item.stored.body), params, base):
                        if type_ in wanted[name] and f"{type_}/{id_}" not in self.found:
                            yield type_, id_

    def _reverse(self, fresh: list[Shown], asked: Included) -> Iterator[Search]:
        """Yield the searches for what refers to the resources: one for each type that may refer to them."""
        for source in REGISTRY.values():
            if asked.source not in {EVERY, source.name} or Interaction.SEARCH not in source.interactions:
                continue
            tokens = frozenset(self._pointing(source, fresh, asked))
            if tokens and self.filters.of(source.name).clauses:
                yield Search(source.name, (AnyOf(tokens),))

    def _pointing(self, source: ResourceType, fresh: list[Shown], asked: Included) -> Iterator[str]:
        by_type: dict[str, list[str]] = {}
        for item in fresh:
            if asked.target in {"", item.stored.type}:
                by_type.setdefault(item.stored.type, []).append(item.reference)
        for param in references_of(source):
            if asked.param in {EVERY, param.name}:
                for type_, references in by_type.items():
                    if may_refer(source, param, type_):
                        yield from spelt(param.name, references, self.access.runtime.fhir_base)


def _wanted(row: ResourceType, param: SearchParam, asked: Included) -> frozenset[str]:
    """Return the types of what may come by a parameter."""
    return frozenset(type_ for type_ in targets_of(row, param) if asked.target in {"", type_})


_TOO_MANY = "more than {} resources would come with this page; ask for a smaller page or fewer includes"
