"""Reads a matrix from a table of our columns, the working file or the official service's JSON:API; writes our table.

Source: the content service of the national patient portal gives resources `node--matrice_professionnel_document` with
`field_code_profession`, `field_code_loinc` and `field_consultation_document`.
"""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from consent_rules.matrix.table import COLUMNS, OPTIONAL, Matrix, MatrixError, parse

_RENAMED = {
    # our column: column of the working file
    "profession": "profession_code",
    "kind": "document_type_code",
    "deposit": "write",
}
_TYPE = "node--matrice_professionnel_document"
_OFFICIAL = "official service, resource node/matrice_professionnel_document"


def read(text: str, version: str) -> Matrix:
    """Read a matrix in any of the known forms.

    Raises: MatrixError naming what is wrong and where.
    """
    return parse(normalised(text), version)


def normalised(text: str) -> str:
    """Return the table with our columns, from any of the known forms.

    Raises: MatrixError when the form is none of the known ones.
    """
    if text.lstrip().startswith("{"):
        return _written(_from_json(text))
    reader = csv.DictReader(text.splitlines())
    given = set(reader.fieldnames or ())
    source = {column: column if column in given else _RENAMED.get(column, column) for column in COLUMNS}
    missing = sorted(name for column, name in source.items() if name not in given and column not in OPTIONAL)
    if missing:
        raise MatrixError(f"column {missing[0]} is missing")
    rows = ({column: row.get(name) or "" for column, name in source.items()} for row in reader)
    return _written(rows)


def table(version: Matrix) -> str:
    """Return a version as a table of our columns, which `read` reads."""
    return _written(
        {
            column: ("yes" if value else "no") if isinstance(value, bool) else str(value)
            for column, value in cell._asdict().items()
        }
        for _, cell in sorted(version.cells.items())
    )


def documents(text: str) -> tuple[tuple[str, str], ...]:
    """Read a table with the columns `patient` and `kind`, one row for each document; other columns are ignored.

    Raises: MatrixError naming the column that is missing.
    """
    reader = csv.DictReader(text.splitlines())
    for column in ("patient", "kind"):
        if column not in (reader.fieldnames or ()):
            raise MatrixError(f"column {column} is missing")
    return tuple((row["patient"], row["kind"]) for row in reader)


def _from_json(text: str) -> Iterable[dict[str, str]]:
    try:
        items = json.loads(text)["data"]
    except (ValueError, KeyError, TypeError) as problem:
        raise MatrixError("the text is no JSON:API document with a `data` array") from problem
    if not isinstance(items, list):
        raise MatrixError("the text is no JSON:API document with a `data` array")
    return [_from_item(number, item) for number, item in enumerate(items)]


def _from_item(number: int, item: Any) -> dict[str, str]:  # noqa: ANN401 - any JSON value
    attributes = item.get("attributes") if isinstance(item, dict) and item.get("type") == _TYPE else None
    if not isinstance(attributes, dict):
        raise MatrixError(f"data[{number}] is no `{_TYPE}`")
    access = attributes.get("field_consultation_document")
    texts = {name: str(attributes.get(f"field_code_{name}") or "") for name in ("profession", "loinc")}
    if type(access) is not bool or not all(texts.values()):
        raise MatrixError(f"data[{number}]: profession, type code and a true or false consultation are needed")
    return {
        "profession": texts["profession"],
        "kind": texts["loinc"],
        "access": "yes" if access else "no",
        "confidence": "sourced",
        "basis": "official",
        "rule": "",
        "source": _OFFICIAL,
        "reasoning": "",
        "deposit": "no",
    }


def _written(rows: Iterable[dict[str, str]]) -> str:
    """Write a table; an optional column is written when a row has a value in it."""
    told = list(rows)
    columns = [column for column in COLUMNS if column not in OPTIONAL or any(row.get(column) for row in told)]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(told)
    return out.getvalue()
