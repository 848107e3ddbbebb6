"""Two versions of the matrix side by side, and the check before a version that opens more comes into force.

Source: rule D1 and the acceptance scenario of the data-protection officer: a widening needs two persons and a notice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from consent_rules.matrix.table import Matrix
from consent_rules.model import Deny, RuleApplied
from consent_rules.vocabulary import Reason

APPROVERS = 2


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell whose answer differs in the newer version; a missing cell denies."""

    profession: str
    kind: str
    before: bool
    after: bool

    @property
    def widens(self) -> bool:
        """Tell whether the newer version opens what the older one denied."""
        return self.after


@dataclass(frozen=True, slots=True)
class Activation:
    """The approval and announcement of a new version.

    approvers: who approved it. noticed_on: when it was announced, None if not. approved_on: the day of the approval.
    """

    approvers: frozenset[str]
    noticed_on: date | None
    approved_on: date


def differences(older: Matrix, newer: Matrix) -> tuple[CellChange, ...]:
    """Return the cells whose answer differs, by profession and kind."""
    keys = sorted(older.cells.keys() | newer.cells.keys())
    changes = (CellChange(*key, _grants(older, key), _grants(newer, key)) for key in keys)
    return tuple(change for change in changes if change.before is not change.after)


def may_activate(older: Matrix, newer: Matrix, asked: Activation) -> RuleApplied | Deny:
    """Tell whether a newer version may come into force: a widening needs a second approver and an earlier notice."""
    widens = any(change.widens for change in differences(older, newer))
    unmet = (
        (newer.effective <= older.effective, Reason.TOO_EARLY, f"version {older.version} is not older"),
        (
            newer.effective < asked.approved_on,
            Reason.TOO_EARLY,
            "a version must be approved before it comes into force",
        ),
        (
            widens and len(asked.approvers) < APPROVERS,
            Reason.SECOND_APPROVER_MISSING,
            "a widening needs a second approver",
        ),
        (
            widens and (asked.noticed_on is None or asked.noticed_on >= newer.effective),
            Reason.NOTICE_MISSING,
            "a widening is announced before it comes into force",
        ),
    )
    for is_unmet, reason, text in unmet:
        if is_unmet:
            return Deny(reason, (RuleApplied("D3", text),))
    return RuleApplied("D3", "permit")


def faults(matrix: Matrix, *, accept_inferred: bool) -> tuple[str, ...]:
    """Return every reason against using a version in production, one line each."""
    found = [] if accept_inferred else _inferred(matrix)
    missing = [code for code in matrix.professions if code not in matrix.rows]
    return (*found, *(f"profession {code} has no row: everything is denied" for code in missing))


def _inferred(matrix: Matrix) -> list[str]:
    count = sum(cell.access and cell.confidence == "inferred" for cell in matrix.cells.values())
    return [f"{count} cells grant access without a source"] if count else []


def by_profession(changes: Iterable[CellChange]) -> dict[str, tuple[int, int]]:
    """Count for each profession the kinds that it gains and those that it loses."""
    found: dict[str, tuple[int, int]] = {}
    for change in changes:
        opened, closed = found.get(change.profession, (0, 0))
        found[change.profession] = (opened + change.widens, closed + (not change.widens))
    return found


def touched(changes: Iterable[CellChange], documents: Iterable[tuple[str, str]]) -> int:
    """Count the patients who have documents of a changed kind. documents: (patient, kind) of each document."""
    kinds = {change.kind for change in changes}
    return len({patient for patient, kind in documents if kind in kinds})


def _grants(matrix: Matrix, key: tuple[str, str]) -> bool:
    cell = matrix.cells.get(key)
    return cell is not None and cell.access
