"""What a search of the audit log found, as a file: the lines of the page, as a table (CSV) or as JSON.

The file holds at most MOST_PAGES pages of the search, each with its own audit event, and says whether that was all.
Source: scenario P9.1; OWASP, CSV injection (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

import orjson
from flask import Response, abort, make_response, request
from flask_babel import gettext

from fhir_server.domain.values import Json
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.officer import trail
from fhir_server.http.pages.officer.trail_lines import TrailLine, told

MOST_PAGES, PAGE_LINES = 10, 200
"""How much one file holds: 2,000 lines."""
_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_COLUMNS = tuple(one.name for one in fields(TrailLine))
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_MARK = "\ufeff"
"""By this, spreadsheets read the file as UTF-8."""


@page(Role.OFFICER, "/trail/file/<form>", trail.SCOPES, trail.ASKS)
def trail_file(visit: StaffVisit, form: str) -> Response:
    """Send what the search of the same address finds; a search with a fault leads to its page, which names it."""
    if form not in _TYPES:
        abort(404)
    sent = trail.sent_of(request.args)
    if trail.problems_of(sent):
        return back_to(visit.address("trail", **{name: value for name, value in sent.items() if value}))
    lines, is_all = _lines(visit, trail.pairs_of(sent, PAGE_LINES))
    content = _table(lines, is_all=is_all) if form == "csv" else orjson.dumps(_document(lines, is_all=is_all))
    response = make_response(content)
    response.headers["Content-Type"] = _TYPES[form]
    response.headers["Content-Disposition"] = f'attachment; filename="audit-log.{form}"'
    return response


def _lines(visit: StaffVisit, pairs: list[tuple[str, str]]) -> tuple[list[TrailLine], bool]:
    """Return the lines of the search, and whether these are all."""
    lines: list[TrailLine] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        found = find(visit.caller, "AuditEvent", pairs, cursor)
        lines += told(found.resources)
        cursor = found.later
        if not cursor:
            break
    return lines, not cursor


def _table(lines: Sequence[TrailLine], *, is_all: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(value) for value in asdict(line).values()] for line in lines)
    if not is_all:
        writer.writerow([gettext("There are more entries: search a shorter time.")])
    return _MARK + out.getvalue()


def _cell(value: object) -> str:
    """Return a value as text that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_BEGIN_FORMULAS) else text


def _document(lines: Sequence[TrailLine], *, is_all: bool) -> Json:
    return {"complete": is_all, "lines": [asdict(line) for line in lines]}
