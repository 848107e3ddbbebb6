"""The versions of the habilitation matrix for the officer: which is in force when, and what each changes for whom.

The server loads a version that opens more only with two approvers and an earlier notice (`consent_rules.matrix`).
Source: rules D1 to D3 of docs/rules.md; scenario P9.4; docs/adr/0147-the-officers-pages.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from flask import Response, make_response, render_template

from consent_rules.matrix.comparison import differences
from consent_rules.matrix.table import Matrix
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.public.matrix import named
from fhir_server.http.request_context import runtime

_ASKS = AuditedInteraction(Interaction.READ, "AuditEvent")
"""What a lockdown keeps of a refused look: the matrix itself is public and is not audited."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a version changes for one profession. gains, loses: names of document types, sorted."""

    profession: str
    code: str
    gains: Sequence[str]
    loses: Sequence[str]


@dataclass(frozen=True, slots=True)
class Version:
    """One version. begins: noon of its first day (UTC), the same day in the time zone of pages.

    state: "past", "now" or "to come". changes: against the version before, None for the oldest.
    """

    name: str
    begins: datetime
    state: str
    grants: int
    changes: Sequence[Changed] | None


@page(Role.OFFICER, "/matrix", "", _ASKS)
def matrix_versions(visit: StaffVisit) -> Response:
    """Show the versions, the newest first."""
    known, current = runtime().matrices.versions, runtime().matrix
    listed = [_version(before, one, current) for before, one in zip((None, *known), known, strict=False)]
    return make_response(render_template("portal/officer/matrix.html", visit=visit, versions=listed[::-1]))


def _version(before: Matrix | None, one: Matrix, current: Matrix) -> Version:
    state = "now" if one is current else "past" if one.effective < current.effective else "to come"
    grants = sum(cell.access for cell in one.cells.values())
    begins = datetime.combine(one.effective, time(12), UTC)
    return Version(one.version, begins, state, grants, None if before is None else _changes(before, one))


def _changes(older: Matrix, newer: Matrix) -> list[Changed]:
    """Return what changes, one line for each profession, by its name in the language of the page."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for change in differences(older, newer):
        gains, loses = found.setdefault(change.profession, ([], []))
        kind = newer.kinds.get(change.kind) or older.kinds.get(change.kind)
        (gains if change.widens else loses).append(named(kind) if kind else change.kind)
    lines = []
    for code, (gains, loses) in found.items():
        profession = newer.professions.get(code) or older.professions.get(code)
        lines.append(Changed(named(profession) if profession else code, code, sorted(gains), sorted(loses)))
    return sorted(lines, key=lambda line: line.profession.casefold())
