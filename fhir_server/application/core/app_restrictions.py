"""A person's own restrictions on an app: the documents that the app does not get, whatever its scopes allow.

The rules decide first, for the person. Then these documents are removed from reads, versions, contents, lists,
searches, counts and references alike. The grant stores the restrictions, and nobody else is told of them.
"""

from consent_rules.visibility import Extent
from fhir_server.application.core.access import Access
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.domain.search.criteria import AnyOf, Search

_MOST = 1000


def extents_of(access: Access, patient: str) -> tuple[Extent, ...]:
    """Return the documents of one space that the app does not get, and the documents that later replaced them.

    System-level: this reads replacement chains whoever may see them, and gives away only ids to leave out.
    """
    app_exclusions = access.caller.granted.withheld
    extents: tuple[Extent, ...] = ()
    if app_exclusions.kinds:
        extents = (Extent(kinds=frozenset(app_exclusions.kinds)),)
    if app_exclusions.documents:
        family = Search("DocumentReference", (AnyOf(frozenset(app_exclusions.families)),), limit=_MOST)
        members = access.snapshot.find(family, whole_space(ReadingReason.APP_RESTRICTIONS, patient)).rows
        extents = (*extents, Extent(documents=frozenset({*app_exclusions.documents, *(row.id for row in members)})))
    return extents
