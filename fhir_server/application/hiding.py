"""The holder's default "all hidden": it reaches what is there already; single documents are shown again one by one.

Source: rules E12 and E17 (docs/rules.md), labels R.1111-49 of the French public health code.
"""

from collections.abc import Iterator
from dataclasses import replace

from consent_rules.vocabulary import Mark
from fhir_server.application.system_views import ReadingReason, whole_space
from fhir_server.application.writing import Work
from fhir_server.domain.search import Search
from fhir_server.domain.stored import Stored

_AT_ONCE = 500


def hide_present(work: Work, patient: str) -> None:
    """Plan the mark MASQUE_PS for every document of a space; the versions stay, as with every mark."""
    for stored in _documents(work, patient):
        access = stored.facts.access
        if Mark.MASQUE_PS not in access.marks:
            facts = replace(stored.facts, access=replace(access, marks=access.marks | Mark.MASQUE_PS))
            work.change(stored, replace(stored, facts=facts, mark=stored.mark + 1, marked_at=work.stamp))


def _documents(work: Work, patient: str) -> Iterator[Stored]:
    """Give the documents that are stored and those that this work has planned."""
    planned = [write.after for (type_, _), write in work.writes.items() if type_ == "DocumentReference"]
    yield from (stored for stored in planned if not stored.deleted and stored.facts.access.compartment == patient)
    seen = {stored.id for stored in planned}
    search = Search("DocumentReference", limit=_AT_ONCE)
    while True:
        page = work.snapshot.find(search, whole_space(ReadingReason.HIDING_ALL, patient))
        yield from (row for row in page.rows if row.id not in seen)
        if page.next is None:
            return
        search = replace(search, after=page.next)
