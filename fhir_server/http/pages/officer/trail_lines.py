"""Audit events in words for an officer: the sentences of the journal, without a word of any document.

Source: rule H3 of docs/rules.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fhir_server.domain.values import Json
from fhir_server.http.pages.patient.journal_lines import documents_of, line_of


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One audit event. where: the establishment. why: the ground, or why it was refused. documents: how many it names.

    patient: id of the patient whose space it is about, "" for none.
    """

    id: str
    at: datetime
    who: str
    where: str
    act: str
    why: str
    refused: bool
    documents: int
    patient: str


def told(events: Iterable[Json]) -> tuple[TrailLine, ...]:
    """Put events into words, in the order given."""
    return tuple(_line(event) for event in events)


def _line(event: Json) -> TrailLine:
    line = line_of(event, {})
    return TrailLine(
        line.id,
        line.at,
        line.who,
        line.where,
        line.act,
        line.why,
        line.refused,
        len(documents_of(event)),
        _patient(event),
    )


def _patient(event: Json) -> str:
    named = (str(entity.get("what", {}).get("reference", "")) for entity in event.get("entity", ()))
    return next((reference.partition("/")[2] for reference in named if reference.startswith("Patient/")), "")
