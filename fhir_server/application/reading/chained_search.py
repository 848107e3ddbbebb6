"""Searches by who is referred to, as `author.family`: who is described so is looked up when the search is made.

The directory says who is named so today, so that a person who changes names is found by the new one in old documents
too, and no index of a space holds names of the directory.

Source: https://hl7.org/fhir/R4/search.html#chaining; IHE MHD 4.2, ITI-66 and ITI-67; docs/adr/0047.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from consent_rules.visibility import DIRECTORY, NOTHING, Visibility
from fhir_server.application.core import smart_scopes
from fhir_server.application.core.enforcement_point import Opened
from fhir_server.application.reading.read import VIEWS
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Chained, Search
from fhir_server.ports.store import Snapshot
from fhir_server.registry import REGISTRY, AccessRule

MOST = 500
"""People and establishments that one description may mean: so many alternatives the stores compare at once."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Where people are looked up for one search: the directory, and the space that was entered."""

    snapshot: Snapshot
    caller: Caller
    opened: Opened
    fhir_base: str

    def resolved(self, search: Search) -> Search:
        """Return a search in which the descriptions have become references.

        Raises: Problem(UNSUPPORTED) when a description means too many.
        """
        if not search.chained:
            return search
        criteria = tuple(self._criterion(chained) for chained in search.chained)
        return replace(search, criteria=(*search.criteria, *criteria), chained=())

    def _criterion(self, chained: Chained) -> AnyOf:
        found = frozenset(self._meant(chained))
        if len(found) > MOST:
            text = f"`{chained.base}.` describes more than {MOST} people or establishments; say more of one"
            raise Problem.of(Category.UNSUPPORTED, text, code="too-costly")
        return AnyOf(chained.own.tokens.union(*(self._tokens(chained.base, one) for one in found)))

    def _meant(self, chained: Chained) -> Iterator[str]:
        """Yield the references of all who are described so, and of the practice situations of those persons."""
        for type_, described in chained.sought:
            found = self._found(type_, described)
            yield from found
            if type_ == "Practitioner" and found:
                of_them = AnyOf(frozenset().union(*(tokens.reference("practitioner", one) for one in found)))
                yield from self._found("PractitionerRole", of_them)

    def _found(self, type_: str, described: AnyOf) -> list[str]:
        search = Search(type_, (described,), limit=MOST + 1)
        return [f"{type_}/{stored.id}" for stored in self.snapshot.find(search, self._view(type_)).rows]

    def _view(self, type_: str) -> Visibility:
        """Return what may be seen of a type: the directory, which is open to all, or what the scopes let search."""
        access = REGISTRY[type_].access
        if access is AccessRule.DIRECTORY:
            return DIRECTORY
        try:
            limits = smart_scopes.demand(self.caller, (type_,), "s", self.opened.space.patient)
        except Problem:
            return NOTHING
        return smart_scopes.narrow(self.opened.sees(VIEWS[access]), limits)

    def _tokens(self, base: str, reference: str) -> frozenset[str]:
        """Return what a resource is indexed under that refers to somebody, itself or through a contained situation."""
        names = (base, f"{base}.practitioner") if reference.startswith("Practitioner/") else (base,)
        spelt = (reference, f"{self.fhir_base}/{reference}")
        return frozenset(f"{name}|ref|{one}" for name in names for one in spelt)
