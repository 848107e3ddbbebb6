"""Which version of the matrix is in force on which day, and which version from elsewhere may come into force.

A version from elsewhere is a file habilitation_matrix_<effective date>.csv in a folder. A version that opens more than
the version before needs a file habilitation_matrix_<effective date>.toml beside it:

    approvers = ["Dana Petit", "Oscar Blanc"]   # at least two persons
    approved_on = 2026-05-04                    # no later than the day on which it comes into force
    noticed_on = 2026-05-11                     # when the patients were told, before that day

Source: rules D1 to D3; the acceptance scenario of the data-protection officer on widened matrices.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from consent_rules.matrix.comparison import Activation, may_activate
from consent_rules.matrix.importing import read
from consent_rules.matrix.table import PREFIX, Matrix, MatrixError, published, versions
from consent_rules.model import Deny

_KEYS = frozenset({"approvers", "approved_on", "noticed_on"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """Dated versions of the matrix, oldest first; each is in force until the day of the next version."""

    versions: tuple[Matrix, ...]

    def on(self, day: date) -> Matrix:
        """Return the version in force on a day.

        Raises: MatrixError when the oldest begins later.
        """
        for version in reversed(self.versions):
            if version.effective <= day:
                return version
        raise MatrixError(f"no matrix is in force on {day}")

    def since(self, day: date) -> tuple[Matrix, ...]:
        """Return the version in force on a day and those to come, oldest first.

        Raises: MatrixError when the oldest begins later.
        """
        return self.versions[self.versions.index(self.on(day)) :]


def packaged() -> Schedule:
    """Return the versions that come with the package."""
    return Schedule(tuple(published(version) for version in versions()))


def extended(schedule: Schedule, folder: Path) -> Schedule:
    """Return a schedule with the versions of a folder.

    Raises: MatrixError naming the file that cannot be read or may not come into force.
    """
    if not folder.is_dir():
        raise MatrixError(f"{folder} is no folder")
    known = list(schedule.versions)
    for path in sorted(folder.glob(f"{PREFIX}*.csv")):
        known.append(activated(known[-1], path))
    return Schedule(tuple(known))


def activated(older: Matrix, path: Path) -> Matrix:
    """Return the version in a file, once it is known that it may come into force after an older version.

    Raises: MatrixError naming the file, and what is missing.
    """
    try:
        newer = read(path.read_text("utf-8"), version_of(path))
        answer = may_activate(older, newer, _activation(path.with_suffix(".toml"), newer))
    except (MatrixError, UnicodeDecodeError) as problem:
        raise MatrixError(f"{path.name}: {problem}") from problem
    if isinstance(answer, Deny):
        raise MatrixError(f"{path.name}: {answer.rules[0].outcome}")
    return newer


def version_of(path: Path) -> str:
    """Return the effective date that the name of a file ends with."""
    return path.stem[-len("YYYY-MM-DD") :]


def _activation(path: Path, newer: Matrix) -> Activation:
    """Read who approved a version and when it was announced; a version without the file has no approval and no notice.

    Raises: MatrixError naming the key that is unknown or of the wrong kind.
    """
    if not path.exists():
        return Activation(frozenset(), None, newer.effective)
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise MatrixError(f"{path.name} is no TOML: {problem}") from problem
    for key in sorted(said.keys() ^ _KEYS):
        raise MatrixError(f"{path.name}: key `{key}` is {'missing' if key in _KEYS else 'unknown'}")
    return Activation(_names(said["approvers"]), _day(said, "noticed_on"), _day(said, "approved_on"))


def _names(value: Any) -> frozenset[str]:  # noqa: ANN401 - any TOML value
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise MatrixError("`approvers` must be a list of names")
    return frozenset(" ".join(name.split()).casefold() for name in value)


def _day(said: dict[str, Any], key: str) -> date:
    if type(said[key]) is not date:
        raise MatrixError(f"`{key}` must be a day such as 2026-05-04, without quotation marks")
    day: date = said[key]
    return day
