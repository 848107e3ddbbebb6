"""The value sets of this server: which codes the rules know for an element. Each is a list of codes of our systems.

Source: https://hl7.org/fhir/R4/valueset.html.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from consent_rules.matrix.table import DocumentKind, Profession, kinds, professions
from fhir_server.domain.terminology.code_systems import (
    LOINC,
    LOINC_NOTICE,
    OWN,
    CodeSystem,
    Concept,
    code_systems,
    is_published,
)

Coded = tuple[str, str]
"""(system, code)."""
_PREFIX = f"{OWN}value-set:"


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One value set. id: the last part of its URL. codes: (system, code) pairs, in order."""

    id: str
    title: str
    codes: tuple[Coded, ...]

    @property
    def url(self) -> str:
        """Its canonical URL, which does not depend on the address of the server."""
        return f"{_PREFIX}{self.id}"

    @property
    def copyright(self) -> str:
        """The notice that its codes need, "" for none."""
        return LOINC_NOTICE if any(system == LOINC for system, _ in self.codes) else ""

    def concepts(self) -> Iterator[tuple[str, Concept]]:
        """Yield its codes with their systems and displays."""
        known = code_systems()
        yield from ((system, known[system].concepts[code]) for system, code in self.codes)


@cache
def value_sets() -> Mapping[str, ValueSet]:
    """Return the value sets by URL: those of the matrix, and one for each other code system."""
    titles = "Kinds of documents that the matrix knows", "Professions, titles and functions that the matrix knows"
    of_matrix = (
        ValueSet("document-kinds", titles[0], _coded(kinds().values())),
        ValueSet("professions", titles[1], _coded(professions().values())),
    )
    taken = {system for one in of_matrix for system, _ in one.codes}
    others = (_whole(system) for url, system in code_systems().items() if url not in taken)
    return MappingProxyType({one.url: one for one in (*of_matrix, *others)})


def codes_in(url: str) -> frozenset[Coded] | None:
    """Return the (system, code) pairs of a value set, None for an unknown URL.

    url: canonical; a version after `|` is ignored, because the server holds one version of each.
    """
    found = value_sets().get(url.partition("|")[0])
    return frozenset(found.codes) if found else None


def _coded(rows: Iterable[DocumentKind | Profession]) -> tuple[Coded, ...]:
    return tuple((row.system, row.code) for row in rows if is_published(row.system))


def _whole(system: CodeSystem) -> ValueSet:
    return ValueSet(system.id, system.title, tuple((system.url, code) for code in system.concepts))
