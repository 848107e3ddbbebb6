"""Who reads what, in a sentence: a profession and a type of document, and what changes on which day for whom.

It answers from the matrix alone, which is public law; what a patient hides or blocks is never part of it.
Source: rule D1; docs/portal.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from flask import Response, make_response, render_template, request
from flask_babel import format_date

from consent_rules.matrix.comparison import CellChange, differences
from consent_rules.matrix.table import Cell, DocumentKind, Matrix, Profession
from fhir_server.http.pages.base import site
from fhir_server.http.pages.public.matrix import named
from fhir_server.http.request_context import runtime

MOST_CHANGES = 60
"""Changes of one day that the page lists; it says how many there are."""


@dataclass(frozen=True, slots=True)
class ChangesInWords:
    """What changes on one day. lines: profession, type of document, and whether it may be read from then on."""

    day: str
    count: int
    lines: tuple[tuple[str, str, bool], ...]


@site.get("/who-reads")
def who_reads() -> Response:
    """Answer who may read what; an unknown code counts as none."""
    matrix = runtime().matrix
    profession = matrix.professions.get(request.args.get("profession", ""))
    kind = matrix.kinds.get(request.args.get("document", ""))
    return make_response(
        render_template(
            "pages/who_reads.html",
            professions=_choices(matrix.professions.values()),
            kinds=_choices(matrix.kinds.values()),
            profession=profession,
            kind=kind,
            who=named(profession) if profession else "",
            what=named(kind) if kind else "",
            cell=_cell(matrix, profession, kind),
            readers=_readers(matrix, kind) if kind and not profession else (),
            changes=tuple(_changes(runtime().matrices.versions, profession, kind)),
        )
    )


def _choices(coded: Iterable[Profession | DocumentKind]) -> list[tuple[str, str]]:
    """Return codes and names, sorted by name."""
    return sorted(((one.code, named(one)) for one in coded), key=lambda choice: choice[1].casefold())


def _cell(matrix: Matrix, profession: Profession | None, kind: DocumentKind | None) -> Cell | None:
    return matrix.cell(profession.code, kind.code) if profession and kind else None


def _readers(matrix: Matrix, kind: DocumentKind) -> list[str]:
    cells = ((one, matrix.cell(one.code, kind.code)) for one in matrix.professions.values())
    return sorted((named(one) for one, cell in cells if cell and cell.access), key=str.casefold)


def _changes(
    versions: Iterable[Matrix], profession: Profession | None, kind: DocumentKind | None
) -> Iterator[ChangesInWords]:
    """Yield what each version changes for the chosen profession and type, or for everybody; the latest day first."""
    ordered = sorted(versions, key=lambda version: version.effective)
    for older, newer in reversed([*pairwise(ordered)]):
        found = [
            one
            for one in differences(older, newer)
            if (not profession or one.profession == profession.code) and (not kind or one.kind == kind.code)
        ]
        lines = tuple(_line(newer, older, one) for one in found[:MOST_CHANGES])
        yield ChangesInWords(format_date(newer.effective, "long"), len(found), lines)


def _line(newer: Matrix, older: Matrix, change: CellChange) -> tuple[str, str, bool]:
    who = newer.professions.get(change.profession) or older.professions.get(change.profession)
    what = newer.kinds.get(change.kind) or older.kinds.get(change.kind)
    return (named(who) if who else change.profession, named(what) if what else change.kind, change.after)
