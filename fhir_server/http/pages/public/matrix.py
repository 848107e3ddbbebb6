"""The habilitation matrix for people: what a profession may read, from which source, and what each version changes."""

from dataclasses import dataclass

from flask import Response, make_response, render_template, request

from consent_rules.matrix.comparison import differences
from consent_rules.matrix.table import Cell, DocumentKind, Matrix, Profession
from fhir_server.http.pages.base import lock_down
from fhir_server.http.pages.language import current_language
from fhir_server.http.request_context import runtime


@dataclass(frozen=True, slots=True)
class MatrixLine:
    """One document type for one profession. changed: the change since the version before, None when there is none."""

    name: str
    code: str
    cell: Cell | None
    changed: bool | None

    @property
    def is_open(self) -> bool:
        """Whether the profession may read this document type."""
        return self.cell is not None and self.cell.access


def page() -> Response:
    """Show all professions of a version, or the row of one profession; unknown parameters are ignored."""
    known = runtime().matrices.versions
    current = runtime().matrix
    shown = next((version for version in known if version.version == request.args.get("version")), current)
    profession = shown.professions.get(request.args.get("profession", ""))
    response = render_template(
        "pages/matrix.html",
        versions=known,
        current=current,
        shown=shown,
        profession=profession,
        professions=[(named(one), one.code, len(shown.rows.get(one.code, ()))) for one in shown.professions.values()],
        lines=_lines(shown, profession.code, known) if profession else (),
        name=named(profession) if profession else "",
    )
    return lock_down(make_response(response))


def named(coded: Profession | DocumentKind) -> str:
    """Return the name of a code in the language of the page."""
    return coded.label_fr if current_language() == "fr" else coded.label_en


def _lines(shown: Matrix, profession: str, known: tuple[Matrix, ...]) -> list[MatrixLine]:
    """Return a line for each document type: first those that the profession may read, each group sorted by name."""
    older = next((version for version in reversed(known) if version.effective < shown.effective), shown)
    changed = {change.kind: change.after for change in differences(older, shown) if change.profession == profession}
    lines = [
        MatrixLine(named(kind), kind.code, shown.cell(profession, kind.code), changed.get(kind.code))
        for kind in shown.kinds.values()
    ]
    return sorted(lines, key=lambda line: (not line.is_open, line.name.casefold()))
