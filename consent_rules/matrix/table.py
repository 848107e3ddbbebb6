"""The habilitation matrix: which profession may consult which document type, each cell with its source.

Data: data/habilitation_matrix_<effective date>.csv, one row per cell; a missing cell denies (D3).
Source: order of 26 October 2023 on access rights (JORF 0252 of 29 October 2023), as far as public sources quote it;
a cell without a source is marked `inferred` and names the rule that filled it.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

_DATA = Path(__file__).parents[1] / "data"
PREFIX = "habilitation_matrix_"
COLUMNS = (
    "profession", "kind", "access", "confidence", "basis", "rule", "source", "reasoning", "deposit", "deposit_source"
)  # fmt: skip
OPTIONAL = frozenset({"deposit_source"})
"""Columns that a table may leave out; their values are empty then."""
_YES_NO = ("no", "yes")
_CONFIDENCE = ("inferred", "sourced")
HEALTH = "health professional"
SOCIAL = "social / medico-social"
FUNCTION = "function"


class MatrixError(ValueError):
    """A table that cannot be used; the text names row and column."""


@dataclass(frozen=True, slots=True)
class Profession:
    """One row of the matrix: a profession, a title or a function."""

    code: str
    system: str
    label_fr: str
    label_en: str
    category: str


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """One column of the matrix: a document type. category: its usual class code. author: who writes such documents."""

    code: str
    system: str
    label_fr: str
    label_en: str
    category: str
    author: str


class Cell(NamedTuple):
    """Whether a profession may read (and file) a kind of document, which source says so, and how sure the answer is.

    deposit_source: which source says whether the profession may file it, "" when none does.
    """

    profession: str
    kind: str
    access: bool
    confidence: str
    basis: str
    rule: str
    source: str
    reasoning: str
    deposit: bool
    deposit_source: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """One dated version of the matrix, with the professions and kinds that it may name (D1)."""

    version: str
    effective: date
    cells: Mapping[tuple[str, str], Cell]
    professions: Mapping[str, Profession]
    kinds: Mapping[str, DocumentKind]
    rows: Mapping[str, frozenset[str]]

    def kinds_for(self, profession: str, specialty: str = "") -> frozenset[str]:
        """Return the kinds that a profession may consult; none for an unknown one.

        specialty: a row "<profession>/<specialty>" replaces the row of the profession; the present order has none.
        """
        special = self.rows.get(f"{profession}/{specialty}") if specialty else None
        return self.rows.get(profession, frozenset()) if special is None else special

    def cell(self, profession: str, kind: str) -> Cell | None:
        """Return one cell, None when the matrix has no such cell."""
        return self.cells.get((profession, kind))

    def kind_of(self, codings: Iterable[tuple[str, str]]) -> str:
        """Return the kind that (system, code) pairs name; "" when they name no kind or different kinds (J9)."""
        found = {code for system, code in codings if code in self.kinds and self.kinds[code].system == system}
        return found.pop() if len(found) == 1 else ""

    def is_health_profession(self, profession: str) -> bool:
        """Tell whether a code is a health profession, not another title, a social role or a function."""
        known = self.professions.get(profession)
        return known is not None and known.category == HEALTH

    def is_social_profession(self, profession: str) -> bool:
        """Tell whether a code is a role of the social or medico-social sector."""
        known = self.professions.get(profession)
        return known is not None and known.category == SOCIAL

    def is_care_role(self, profession: str) -> bool:
        """Tell whether a code is a title or social role that may take part in care (C15), not a health profession."""
        known = self.professions.get(profession)
        return known is not None and known.category not in (HEALTH, FUNCTION)

    @property
    def has_inferred_grants(self) -> bool:
        """Tell whether a cell grants access without a source."""
        return any(cell.access and cell.confidence == "inferred" for cell in self.cells.values())


@cache
def professions() -> Mapping[str, Profession]:
    """Return the professions, titles and functions that a matrix may name, by code."""
    rows = _rows((_DATA / "professions.csv").read_text("utf-8"))
    found = (Profession(r["code"], r["system"], r["label_fr"], r["label_en"], r["category"]) for r in rows)
    return MappingProxyType({profession.code: profession for profession in found})


@cache
def kinds() -> Mapping[str, DocumentKind]:
    """Return the document types that a matrix may name, by code."""
    rows = _rows((_DATA / "document_types.csv").read_text("utf-8"))
    found = (
        DocumentKind(r["code"], r["system"], r["label_fr"], r["label_en"], r["category"], r["author"]) for r in rows
    )
    return MappingProxyType({kind.code: kind for kind in found})


@cache
def published(version: str = "") -> Matrix:
    """Return the packaged version of the matrix with this effective date; without a date, the newest.

    Raises: MatrixError when there is no such version.
    """
    wanted = version or versions()[-1]
    if wanted not in versions():
        raise MatrixError(f"there is no matrix `{wanted}`; there are {', '.join(versions())}")
    return parse((_DATA / f"{PREFIX}{wanted}.csv").read_text("utf-8"), wanted)


def versions() -> tuple[str, ...]:
    """Return the effective dates of the packaged versions, oldest first."""
    return tuple(sorted(path.stem.removeprefix(PREFIX) for path in _DATA.glob(f"{PREFIX}*.csv")))


def parse(text: str, version: str) -> Matrix:
    """Read one version of the matrix; version is its effective date, as YYYY-MM-DD.

    Raises: MatrixError naming row and column of the first fault.
    """
    cells: dict[tuple[str, str], Cell] = {}
    for number, values in enumerate(_values(text, COLUMNS), start=2):
        cell = _cell(values, number)
        if (cell.profession, cell.kind) in cells:
            raise MatrixError(
                f"row {number}: this is a second cell for profession `{cell.profession}` and kind `{cell.kind}`"
            )
        cells[cell.profession, cell.kind] = cell
    return of_cells(cells.values(), version)


def of_cells(cells: Iterable[Cell], version: str) -> Matrix:
    """Build a version from its cells.

    Raises: MatrixError when the version is no date.
    """
    try:
        effective = date.fromisoformat(version)
    except ValueError as problem:
        raise MatrixError(f"version `{version}` is no date such as 2023-10-26") from problem
    table = {(cell.profession, cell.kind): cell for cell in cells}
    rows: dict[str, set[str]] = {}
    for cell in table.values():
        rows.setdefault(cell.profession, set()).update({cell.kind} if cell.access else ())
    frozen = {profession: frozenset(allowed) for profession, allowed in rows.items()}
    return Matrix(version, effective, MappingProxyType(table), professions(), kinds(), MappingProxyType(frozen))


def _cell(values: Sequence[str], number: int) -> Cell:
    profession, kind, access, confidence, basis, rule, source, reasoning, deposit, deposit_source = values
    if profession.partition("/")[0] not in professions():
        raise MatrixError(f"row {number}, column profession: `{profession}` is unknown")
    if kind not in kinds():
        raise MatrixError(f"row {number}, column kind: `{kind}` is unknown")
    for column, value, allowed in (
        ("access", access, _YES_NO),
        ("confidence", confidence, _CONFIDENCE),
        ("deposit", deposit, _YES_NO),
    ):
        if value not in allowed:
            raise MatrixError(f"row {number}, column {column}: `{value}` is none of {', '.join(allowed)}")
    if confidence == "sourced" and not source:
        raise MatrixError(f"row {number}, column source: a sourced cell names its source")
    reads, files = access == "yes", deposit == "yes"
    return Cell(profession, kind, reads, confidence, basis, rule, source, reasoning, files, deposit_source)


def _rows(text: str) -> Iterable[dict[str, str]]:
    """Read a table as rows by column."""
    columns = tuple(next(csv.reader(text.splitlines())))
    return (dict(zip(columns, values, strict=True)) for values in _values(text, columns))


def _values(text: str, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Read a table with a header; yield each row's values of these columns, in their order.

    Raises: MatrixError naming the row or column.
    """
    reader = csv.reader(text.splitlines())
    header = next(reader, [])
    missing = [column for column in columns if column not in header and column not in OPTIONAL]
    if missing:
        raise MatrixError(f"column {missing[0]} is missing")
    places = [header.index(column) if column in header else None for column in columns]
    for number, row in enumerate(reader, start=2):
        if len(row) != len(header):
            raise MatrixError(f"row {number}: not as many values as columns")
        yield tuple("" if place is None else row[place] for place in places)
