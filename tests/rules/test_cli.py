"""`python -m consent_rules` for people without a server."""

import io
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from consent_rules.tools.cli import main
from tests.rules.test_importing import OURS, document, official

SCENARIOS = Path(__file__).parent / "scenarios"
ORAL = str(SCENARIOS / "p4_2_oral_consent.toml")
NOBODY = str(SCENARIOS / "p4_1_no_consent.toml")
DECLARED = str(SCENARIOS / "p5_1_declared_physician.toml")
ONLY = str(SCENARIOS / "p1_2_one_document_for_one.toml")


def run(*arguments):
    out = io.StringIO()
    code = main(arguments, out)
    return code, out.getvalue().splitlines()


def test_explains_safely_by_default():
    code, lines = run("explain", ORAL)
    assert code == 0
    assert lines[0] == "Accès accordé : consent."
    assert "D3: Aucun document de ce nom n’est visible." in lines
    assert not any("MASQUE_PS" in line for line in lines)


def test_explains_in_full_and_in_english():
    _, lines = run("explain", ORAL, "--full", "--language", "en")
    assert "(rule C4, by oral)" in lines[1]
    assert any(line.startswith("D3: ") and line.endswith("This document has the mark MASQUE_PS.") for line in lines)


def test_explains_one_document_and_one_that_does_not_exist():
    _, lines = run("explain", ORAL, "--document", "D1")
    assert [line for line in lines if line.startswith("D")] == [
        "D1: Ce document est visible. La matrice du 2023-10-26 ouvre le type 34112-3 à la profession 70 (SEED)."
    ]
    _, unknown = run("explain", ORAL, "--document", "D9")
    assert unknown[-1] == "D9: Aucun document de ce nom n’est visible."


def test_explains_a_refusal_without_documents():
    assert run("explain", NOBODY) == (
        0,
        ["Aucun accès n’est possible sans une preuve de la prise en charge et l’accord de la personne."],
    )


def test_simulates_a_profession_in_a_mode():
    code, lines = run("simulate", NOBODY, "--profession", "70")
    assert (code, lines[0]) == (0, "access granted: care-team, matrix 2023-10-26")
    assert lines[1].split() == ["document", "kind", "seen"]
    assert lines[2] == "D1        34112-3   yes   CR hospitalier (séjour)"
    assert lines[3].startswith("D2        11502-2   no    ")
    assert "Hospital" in run("simulate", NOBODY, "--profession", "70", "--language", "en")[1][2]
    assert run("simulate", NOBODY, "--profession", "41", "--mode", "break-glass") == (0, ["refused: not-entitled"])


def test_tells_the_audience_of_a_document():
    code, lines = run("audience", DECLARED, "--document", "D3")
    assert code == 0
    assert lines[0].split() == ["who", "name", "sees"]
    assert "declared-physician  Practitioner/martin  yes" in lines
    assert "care-team           70                   no    Masseur-kinésithérapeute" in lines


def test_tells_the_audience_before_and_after():
    _, lines = run("audience", DECLARED, "--document", "D1", "--marks", "MASQUE_PS")
    assert lines[0].split() == ["who", "name", "before", "after"]
    assert "care-team    70    yes     no     Masseur-kinésithérapeute" in lines
    assert not any("martin" in line for line in lines)
    _, shown = run("audience", DECLARED, "--document", "D3", "--marks", "", "--language", "en")
    assert "care-team    10    no      yes    Physician" in shown


def test_tells_the_audience_before_and_after_a_document_is_for_some_only():
    """E1: whom alone a document would be for, by reference or by the code of a profession."""
    _, lines = run("audience", DECLARED, "--document", "D1", "--only", "70")
    assert "care-team    10    yes     no     Médecin" in lines
    assert not any("70" in line or "martin" in line for line in lines)
    _, nobody = run("audience", DECLARED, "--document", "D1", "--only", "", "--marks", "")
    assert "care-team    70    yes     no     Masseur-kinésithérapeute" in nobody


def test_tells_whom_a_document_is_for_and_whom_not():
    _, lines = run("audience", ONLY, "--document", "D1")
    assert "document-for  Practitioner/martin  no" in lines, "to be named grants nothing"
    _, lines = run("audience", ONLY, "--document", "D3")
    assert "withheld      Practitioner/iris    no" in lines


def test_explains_in_full_what_keeps_a_document_and_safely_nothing():
    code, lines = run("explain", ONLY, "--language", "en", "--full", "--document", "D1")
    assert code == 0
    assert lines[-1].endswith("The patient does not share this document with the requester (by only-martin).")
    _, safe = run("explain", ONLY, "--language", "en", "--document", "D1")
    _, none = run("explain", ONLY, "--language", "en", "--document", "D9")
    assert safe[-1].partition(": ")[2] == none[-1].partition(": ")[2] == "No document of that name is visible."


def test_compares_two_versions(tmp_path):
    newer = tmp_path / "matrix_2030-01-01.csv"
    newer.write_text(OURS, "utf-8")
    code, lines = run("diff", str(newer), str(newer))
    assert (code, lines) == (0, ["profession  kind  before  after", "0 cells change, 0 of them open more"])
    _, lines = run("diff", str(newer), "2023-10-26")
    assert lines[-1] == "1342 cells change, 1342 of them open more"
    _, lines = run("diff", "2023-10-26", str(newer), "--language", "en")
    assert lines[-1] == "1342 cells change, 0 of them open more"
    assert "10 Physician: 0 opened, 111 closed" in lines


def test_counts_the_patients_whom_a_newer_version_touches(tmp_path):
    newer, documents = tmp_path / "matrix_2030-01-01.csv", tmp_path / "documents.csv"
    newer.write_text(OURS, "utf-8")
    documents.write_text("kind,patient\n11502-2,camille\n11506-3,camille\n11502-2,leo\n,ines\n", "utf-8")
    _, lines = run("diff", "2023-10-26", str(newer), "--documents", str(documents))
    assert lines[-1] == "2 patients have documents of these kinds"
    documents.write_text("kind\n11502-2\n", "utf-8")
    assert run("diff", "2023-10-26", "2023-10-26", "--documents", str(documents)) == (
        2,
        ["error: column patient is missing"],
    )


def test_checks_whether_a_version_may_come_into_force(tmp_path):
    newer = tmp_path / "habilitation_matrix_2030-01-01.csv"
    newer.write_text(OURS, "utf-8")
    assert run("check", str(newer), "--after", "2023-10-26")[1][0].startswith("matrix 2030-01-01: 1 cells")
    older = tmp_path / "habilitation_matrix_2030-01-01.csv"
    code, lines = run("check", str(newer), "--after", str(older))
    assert (code, lines) == (2, [f"error: {newer.name}: version 2030-01-01 is not older"])


def test_imports_the_official_form(tmp_path):
    source, target = tmp_path / "official.json", tmp_path / "habilitation_matrix_2030-01-01.csv"
    source.write_text(document(official()), "utf-8")
    assert run("import", str(source), str(target), "--version", "2030-01-01") == (0, [f"1 cells written to {target}"])
    code, lines = run("check", str(target))
    assert (code, lines[0]) == (1, "matrix 2030-01-01: 1 cells, 1 sourced, 0 inferred")


def test_imports_nothing_that_is_unsound(tmp_path):
    source, target = tmp_path / "official.json", tmp_path / "out.csv"
    source.write_text(document(official(field_code_profession="99")), "utf-8")
    code, lines = run("import", str(source), str(target), "--version", "2030-01-01")
    assert (code, lines) == (2, ["error: row 2, column profession: `99` is unknown"])
    assert not target.exists()


def test_checks_a_version_for_production():
    assert run("check") == (
        1,
        ["matrix 2023-10-26: 4104 cells, 281 sourced, 3823 inferred", "1137 cells grant access without a source"],
    )
    assert run("check", "2023-10-26", "--accept-inferred")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "no-such-file.toml"), "error: [Errno 2] No such file or directory: 'no-such-file.toml'"),
        (("audience", ORAL, "--document", "D9"), "error: there is no document `D9`; there are D1, D2, D3, D4, D5, D6"),
        (("audience", ORAL, "--document", "D1", "--marks", "X"), "error: marks: `X` is no mark"),
        (("check", "no-such-file.csv"), "error: [Errno 2] No such file"),
    ],
)
def test_what_cannot_be_understood_is_named(arguments, message):
    code, lines = run(*arguments)
    assert code == 2
    assert lines[-1].startswith(message)


def test_a_scenario_without_a_request_explains_nothing(tmp_path):
    quiet = tmp_path / "quiet.json"
    quiet.write_text(json.dumps({"at": "2026-03-02T09:00:00Z", "space": {"patient": "p"}}), "utf-8")
    assert run("explain", str(quiet)) == (2, ["error: the scenario lacks a `request`"])


def test_an_unknown_profile_is_named(tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"at": "2026-03-02T09:00:00Z", "space": {"patient": "p"}, "profile": "uk"}), "utf-8")
    assert run("explain", str(other))[1] == ["error: there is no rule profile `uk`; there are ehds, fr"]


def test_starts_as_a_module_without_the_server():
    code = (
        "import sys, runpy; sys.argv = ['consent_rules', 'explain', sys.argv[1]]\n"
        "try: runpy.run_module('consent_rules', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "found = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not found & {'flask', 'fhir', 'fhir_server', 'pymongo', 'orjson', 'authlib'}, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code, ORAL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Accès accordé : consent.")


def test_the_module_ends_with_the_code_of_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["consent_rules", "check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("consent_rules", run_name="__main__")
    assert ended.value.code == 1
    assert capsys.readouterr().out.startswith("matrix 2023-10-26")
    assert runpy.run_module("consent_rules.__main__")["main"] is main


def test_without_an_output_it_writes_to_the_standard_one(capsys):
    assert main(["check", "--accept-inferred"]) == 0
    assert capsys.readouterr().out.startswith("matrix 2023-10-26")
