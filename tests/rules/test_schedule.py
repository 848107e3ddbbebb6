"""Which version of the matrix is in force when, and what lets one from elsewhere come into force (D1, D2, D3)."""

from datetime import date

import pytest

from consent_rules.matrix.importing import table
from consent_rules.matrix.schedule import Schedule, extended, packaged
from consent_rules.matrix.table import MatrixError
from tests.rules.builders import MATRIX
from tests.rules.test_comparison import NARROWER, WIDER

APPROVED = 'approvers = ["Dana Petit", "Oscar Blanc"]\napproved_on = 2026-05-04\nnoticed_on = 2026-05-11\n'


@pytest.fixture
def folder(tmp_path):
    """An empty folder; `put` places a version in it, with what was said of its approval."""
    return tmp_path


def put(folder, version, said=None, day="2026-06-01"):
    (folder / f"habilitation_matrix_{day}.csv").write_text(table(version), "utf-8")
    if said is not None:
        (folder / f"habilitation_matrix_{day}.toml").write_text(said, "utf-8")


def versions(folder):
    return [version.version for version in extended(packaged(), folder).versions]


class TestInForce:
    """D1, D2: a version is in force from its day until the day of the next one."""

    later = Schedule((MATRIX, NARROWER))

    @pytest.mark.parametrize(
        ("day", "version"),
        [
            (date(2023, 10, 26), "2023-10-26"),
            (date(2026, 5, 31), "2023-10-26"),
            (date(2026, 6, 1), "2026-06-01"),
            (date(2030, 1, 1), "2026-06-01"),
        ],
    )
    def test_is_the_last_that_has_begun(self, day, version):
        assert self.later.on(day).version == version

    def test_is_none_before_the_first(self):
        with pytest.raises(MatrixError, match="no matrix is in force on 2023-10-25"):
            self.later.on(date(2023, 10, 25))

    def test_what_is_over_is_left_out(self):
        assert self.later.since(date(2026, 5, 31)) == (MATRIX, NARROWER)
        assert self.later.since(date(2026, 6, 1)) == (NARROWER,)


class TestVersionsOfAFolder:
    """D2, P9.4: a widening needs two persons and an earlier notice; a narrowing needs nobody."""

    def test_join_those_of_the_package(self, folder):
        assert versions(folder) == ["2023-10-26"]
        put(folder, NARROWER)
        assert versions(folder) == ["2023-10-26", "2026-06-01"]

    def test_are_each_compared_with_the_one_before(self, folder):
        put(folder, NARROWER)
        put(folder, MATRIX, day="2026-07-01")
        with pytest.raises(
            MatrixError, match=r"habilitation_matrix_2026-07-01\.csv: a widening needs a second approver"
        ):
            versions(folder)
        put(folder, MATRIX, APPROVED, day="2026-07-01")
        assert versions(folder) == ["2023-10-26", "2026-06-01", "2026-07-01"]

    def test_may_open_more_once_approved_and_announced(self, folder):
        put(folder, WIDER, APPROVED)
        assert extended(packaged(), folder).on(date(2026, 6, 1)).cell("70", "11502-2").access

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            (None, "a widening needs a second approver"),
            (APPROVED.replace('"Oscar Blanc"', '" dana  PETIT"'), "a widening needs a second approver"),
            (APPROVED.replace("2026-05-11", "2026-06-01"), "a widening is announced before it comes into force"),
            (APPROVED.replace("2026-05-04", "2026-06-02"), "a version must be approved before it comes into force"),
            (APPROVED.replace("2026-05-04", '"2026-05-04"'), "`approved_on` must be a day such as 2026-05-04"),
            (APPROVED.replace("2026-05-11", "2026-05-11T08:00:00Z"), "`noticed_on` must be a day such as 2026-05-04"),
            (
                APPROVED.replace('["Dana Petit", "Oscar Blanc"]', '"Dana Petit"'),
                ": `approvers` must be a list of names$",
            ),
            (APPROVED.replace('"Oscar Blanc"', '" "'), ": `approvers` must be a list of names$"),
            (APPROVED.replace('"Oscar Blanc"', "7"), ": `approvers` must be a list of names$"),
            (APPROVED.replace("noticed_on", "notice"), r"2026-06-01\.toml: key `notice` is unknown"),
            (APPROVED.partition("noticed_on")[0], r"2026-06-01\.toml: key `noticed_on` is missing"),
            ("approvers", r"2026-06-01\.toml is no TOML"),
        ],
    )
    def test_are_refused_with_the_reason(self, folder, said, message):
        put(folder, WIDER, said)
        with pytest.raises(MatrixError, match=message):
            versions(folder)

    def test_of_a_known_day_are_refused(self, folder):
        put(folder, NARROWER, day="2023-10-26")
        with pytest.raises(MatrixError, match=r"2023-10-26\.csv: version 2023-10-26 is not older"):
            versions(folder)

    def test_with_a_fault_name_file_and_row(self, folder):
        put(folder, NARROWER)
        path = folder / "habilitation_matrix_2026-06-01.csv"
        path.write_text(path.read_text("utf-8").replace("70,", "99,", 1), "utf-8")
        with pytest.raises(MatrixError, match=r"2026-06-01\.csv: row \d+, column profession: `99` is unknown"):
            versions(folder)
        path.write_bytes(b"\xff")
        with pytest.raises(MatrixError, match=r"2026-06-01\.csv: .*can't decode"):
            versions(folder)

    def test_are_read_from_a_folder_that_exists(self, folder):
        with pytest.raises(MatrixError, match="missing is no folder"):
            extended(packaged(), folder / "missing")
