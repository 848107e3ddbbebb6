"""Every cell of the matrix against its file, the sourced ones against the evidence, every fault named (D1–D12, J9)."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from consent_rules.matrix import schedule
from consent_rules.matrix import table as matrix_table
from consent_rules.matrix.table import COLUMNS, DocumentKind, MatrixError, Profession, of_cells, parse, published
from tests.holds import holds
from tests.rules.builders import MATRIX, PAUL, agreement, ask, document, sees, space

DATA = Path(matrix_table.__file__).parents[1] / "data" / "habilitation_matrix_2023-10-26.csv"
CELLS = list(csv.DictReader(DATA.read_text("utf-8").splitlines()))
EVIDENCE = list(csv.DictReader((Path(__file__).parent / "evidence.csv").read_text("utf-8").splitlines()))
HEADER = ",".join(COLUMNS)
LOINC = "http://loinc.org"
TRE_A05 = MATRIX.kinds["REMB"].system


def row(**changed):
    good = {
        "profession": "70",
        "kind": "34112-3",
        "access": "yes",
        "confidence": "sourced",
        "basis": "seed",
        "rule": "-",
        "source": "SEED",
        "reasoning": "",
        "deposit": "yes",
    }
    return ",".join((good | changed).get(column, "") for column in COLUMNS)


def table(*rows):
    return "\n".join([HEADER, *rows])


@holds("D1")
def test_the_file_has_every_profession_by_every_kind():
    assert len(CELLS) == 4104 == len(MATRIX.professions) * len(MATRIX.kinds)


@holds("D1")
@pytest.mark.parametrize("profession", sorted(MATRIX.professions))
def test_every_cell_decides_as_the_file_says(profession):
    cells = [cell for cell in CELLS if cell["profession"] == profession]
    assert len(cells) == 114
    for cell in cells:
        granted = cell["access"] == "yes"
        assert (cell["kind"] in MATRIX.kinds_for(profession)) is granted
        read = MATRIX.cell(profession, cell["kind"])
        assert (read.access, read.source, read.confidence) == (granted, cell["source"], cell["confidence"])


@holds("C12", "D2")
@pytest.mark.parametrize("profession", sorted(code for code in MATRIX.professions if MATRIX.is_health_profession(code)))
def test_a_member_of_the_team_sees_exactly_the_row(profession):
    answer = ask(replace(PAUL, profession=profession), space(agreement("Organization/cabinet")))
    for cell in (cell for cell in CELLS if cell["profession"] == profession):
        assert sees(answer, document(cell["kind"])) is (cell["access"] == "yes")


@pytest.mark.parametrize("fact", [pytest.param(e, id=f"{e['profession']}-{e['kind']}") for e in EVIDENCE])
def test_sourced_facts_are_in_the_matrix_by_name(fact):
    kinds = MATRIX.kinds if fact["kind"] == "*" else [fact["kind"]]
    excluded = {e["kind"] for e in EVIDENCE if e["profession"] == fact["profession"] and e["access"] == "no"}
    for kind in kinds:
        if fact["kind"] == "*" and kind in excluded | {"FEUILLE-DE-STYLE", "E1762"}:
            continue
        assert MATRIX.cell(fact["profession"], kind).access is (fact["access"] == "yes")


def test_the_declared_physicians_row_is_whole():
    assert MATRIX.kinds_for("PCP") == MATRIX.kinds.keys()


def test_physicians_lack_the_residence_certificate_and_two_technical_types():
    assert MATRIX.kinds.keys() - MATRIX.kinds_for("10") == {"ATTEST-RESID", "FEUILLE-DE-STYLE", "E1762"}


def test_opticians_see_no_laboratory_result():
    assert not {"11502-2", "DOCPAT05", "96173-0"} & MATRIX.kinds_for("28")


def test_physiotherapists_read_hospital_reports():
    assert "34112-3" in MATRIX.kinds_for("70")


def test_podiatrists_read_no_delivery_report():
    assert "15508-5" not in MATRIX.kinds_for("80")


@holds("D3")
def test_what_has_no_cell_is_denied():
    assert MATRIX.kinds_for("99") == frozenset()
    assert MATRIX.cell("99", "34112-3") is None
    assert parse(table(row()), "2030-01-01").kinds_for("70") == {"34112-3"}


def test_a_specialty_may_have_a_row_of_its_own():
    own = parse(table(row(), row(profession="70/SP", kind="11502-2")), "2030-01-01")
    assert own.kinds_for("70", "SP") == {"11502-2"}
    assert own.kinds_for("70", "other") == {"34112-3"}


def test_a_row_of_an_unnamed_specialty_is_nobodys():
    unnamed = parse(table(row(), row(profession="70/", kind="11502-2")), "2030-01-01")
    assert unnamed.kinds_for("70") == unnamed.kinds_for("70", "SP") == {"34112-3"}


def test_a_row_that_grants_nothing_is_an_empty_row():
    assert parse(table(row(access="no")), "2030-01-01").rows == {"70": frozenset()}


def test_professions_and_kinds_have_their_system_and_their_names():
    assert matrix_table.professions()["70"] == Profession(
        "70",
        "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante",
        "Masseur-kinésithérapeute",
        "Physiotherapist",
        matrix_table.HEALTH,
    )
    assert matrix_table.kinds()["34112-3"] == DocumentKind(
        "34112-3", LOINC, "CR hospitalier (séjour)", "Hospital stay report", "10", "professional"
    )


@holds("J9")
@pytest.mark.parametrize(
    ("codings", "kind"),
    [
        ([(LOINC, "34112-3")], "34112-3"),
        ([(TRE_A05, "REMB")], "REMB"),
        ([(LOINC, "REMB")], ""),
        ([("", "34112-3")], ""),
        ([(LOINC, "0-0")], ""),
        ([], ""),
        ([(LOINC, "34112-3"), (LOINC, "34112-3"), ("urn:other", "x")], "34112-3"),
        ([(LOINC, "34112-3"), (LOINC, "11502-2")], ""),
    ],
)
def test_a_kind_is_named_by_one_known_coding(codings, kind):
    assert MATRIX.kind_of(codings) == kind
    assert of_cells((), "2030-01-01").kind_of(codings) == kind


def test_professions_are_told_apart():
    kinds = {code: (MATRIX.is_health_profession(code), MATRIX.is_care_role(code)) for code in MATRIX.professions}
    assert sum(health for health, _ in kinds.values()) == 28
    assert sum(role for _, role in kinds.values()) == 7
    assert kinds["PCP"] == (False, False)
    assert not MATRIX.is_care_role("99")
    assert not MATRIX.is_health_profession("99")
    assert MATRIX.is_social_profession("41")
    assert not MATRIX.is_social_profession("93")
    assert not MATRIX.is_social_profession("99")


def test_inferred_grants_are_known():
    assert published().has_inferred_grants
    sourced = of_cells([cell for cell in MATRIX.cells.values() if cell.confidence == "sourced"], "2023-10-26")
    assert not sourced.has_inferred_grants
    denied = of_cells([cell for cell in MATRIX.cells.values() if not cell.access], "2023-10-26")
    assert not denied.has_inferred_grants


def test_versions_are_found_by_name():
    assert published("2023-10-26") is not None
    assert published().version == matrix_table.versions()[-1]
    with pytest.raises(MatrixError, match="there is no matrix `2019-01-01`; there are 2023-10-26"):
        published("2019-01-01")


def test_packaged_versions_come_oldest_first(tmp_path, monkeypatch):
    for table_file in ("professions.csv", "document_types.csv"):
        (tmp_path / table_file).write_text((DATA.parent / table_file).read_text("utf-8"), "utf-8")
    for version in ("2025-01-01", "2024-01-01", "2026-01-01"):
        (tmp_path / f"habilitation_matrix_{version}.csv").write_text(table(row()), "utf-8")
    monkeypatch.setattr(matrix_table, "_DATA", tmp_path)
    assert matrix_table.versions() == ("2024-01-01", "2025-01-01", "2026-01-01")
    assert [version.version for version in schedule.packaged().versions] == list(matrix_table.versions())
    assert published("2024-01-01").effective == date(2024, 1, 1)
    published.cache_clear()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profession,kind\n70,34112-3", "column access is missing"),
        ("", "column profession is missing"),
        (table(row(profession="99")), "row 2, column profession: `99` is unknown"),
        (table(row(), row(kind="0-0")), "row 3, column kind: `0-0` is unknown"),
        (table(row(access="maybe")), "row 2, column access: `maybe` is none of no, yes"),
        (table(row(confidence="sure")), "row 2, column confidence: `sure` is none of inferred, sourced"),
        (table(row(deposit="")), "row 2, column deposit: `` is none of no, yes"),
        (table(row(source="")), "row 2, column source: a sourced cell names its source"),
        (table(row(), row()), "row 3: this is a second cell for profession `70` and kind `34112-3`"),
        (table(row() + ",more"), "row 2: not as many values as columns"),
        (table("70,34112-3"), "row 2: not as many values as columns"),
    ],
)
def test_a_fault_names_its_row_and_column(text, message):
    with pytest.raises(MatrixError) as caught:
        parse(text, "2030-01-01")
    assert str(caught.value) == message


def test_a_version_is_a_date():
    with pytest.raises(MatrixError, match="version `v2` is no date such as 2023-10-26"):
        parse(table(row()), "v2")
