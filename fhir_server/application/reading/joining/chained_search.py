"""Chained searches such as `author.family`: the search first looks up the persons who match the description.

The look-up uses today's directory. So a person who changes names is found by the new name in old documents too, and no
index of a space contains names of the directory.

Source: https://hl7.org/fhir/R4/search.html#chaining; IHE MHD 4.2, ITI-66 and ITI-67; docs/adr/0047.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fhir_server.application.core.access import Access
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Chained, Search
from fhir_server.ports.store import Filters

MOST = 500
"""How many people and establishments one description may match: the stores compare so many alternatives at once."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Where one search looks people up: in the directory, and in the space that was entered, within the scopes."""

    access: Access
    filters: Filters

    def resolved(self, search: Search) -> Search:
        """Return the search with references in place of the descriptions.

        Raises: Problem(UNSUPPORTED) when a description matches too many people.
        """
        criteria = tuple(self._criterion(chained) for chained in search.chained)
        return replace(search, criteria=(*search.criteria, *criteria), chained=())

    def _criterion(self, chained: Chained) -> AnyOf:
        found = frozenset(self._meant(chained))
        if len(found) > MOST:
            text = f"`{chained.base}.` describes more than {MOST} people or establishments; describe fewer of them"
            raise Problem.of(Category.UNSUPPORTED, text, code="too-costly")
        return AnyOf(chained.own.tokens.union(*(self._index_tokens(chained.base, one) for one in found)))

    def _meant(self, chained: Chained) -> Iterator[str]:
        """Yield the references of all people who match a description, and of their practice situations."""
        for type_, described in chained.sought:
            found = self._found(type_, described)
            yield from found
            if type_ == "Practitioner" and found:
                of_them = AnyOf(frozenset().union(*(tokens.reference("practitioner", one) for one in found)))
                yield from self._found("PractitionerRole", of_them)

    def _found(self, type_: str, described: AnyOf) -> list[str]:
        search = Search(type_, (described,), limit=MOST + 1)
        return [f"{type_}/{stored.id}" for stored in self.access.snapshot.find(search, self.filters).rows]

    def _index_tokens(self, base: str, reference: str) -> frozenset[str]:
        """Return the index tokens of a resource that refers to this person or establishment.

        A resource may also refer to a person through a contained PractitionerRole.
        """
        names = (base, f"{base}.practitioner") if reference.startswith("Practitioner/") else (base,)
        spelt = (reference, f"{self.access.runtime.fhir_base}/{reference}")
        return frozenset(f"{name}|ref|{one}" for name in names for one in spelt)
