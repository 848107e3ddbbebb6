"""What a person withholds from an app of their own is taken from every view of documents, whatever the scopes allow.

The rules decide first, for the person; then this cuts reads, versions, contents, lists, searches, counts and
references alike. The grant holds what is withheld, and nobody else is told.
"""

from consent_rules.visibility import Extent
from fhir_server.application.system_views import ReadingReason, whole_space
from fhir_server.domain.caller import Withheld
from fhir_server.domain.search import AnyOf, Search
from fhir_server.ports import Snapshot

_MOST = 1000


def extents_of(snapshot: Snapshot, withheld: Withheld, patient: str) -> tuple[Extent, ...]:
    """Return what is withheld in one space, later replacements of withheld documents included.

    System-level: it looks for the families of documents whoever may see them, and gives away no more than ids to
    leave out.
    """
    extents: tuple[Extent, ...] = ()
    if withheld.kinds:
        extents = (Extent(kinds=frozenset(withheld.kinds)),)
    if withheld.documents:
        family = Search("DocumentReference", (AnyOf(frozenset(withheld.families)),), limit=_MOST)
        members = snapshot.find(family, whole_space(ReadingReason.APP_RESTRICTIONS, patient)).rows
        extents = (*extents, Extent(documents=frozenset({*withheld.documents, *(row.id for row in members)})))
    return extents
