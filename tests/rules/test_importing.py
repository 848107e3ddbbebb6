"""A matrix from elsewhere: the working file's columns and the official service's JSON:API."""

import json

import pytest

from consent_rules.matrix.importing import normalised, read, table
from consent_rules.matrix.table import MatrixError
from tests.rules.builders import MATRIX

WORKING = (
    "profession_code,specialty,document_type_code,access,basis,rule,reasoning,source,confidence,write\n"
    "70,,34112-3,yes,seed,-,seed fact,SEED,sourced,yes\n"
)
OURS = "profession,kind,access,confidence,basis,rule,source,reasoning,deposit\n70,34112-3,no,inferred,b,r,,,no\n"


def test_the_source_of_a_deposit_is_kept_where_a_table_names_one():
    first, cell = OURS.splitlines()
    sourced = f"{first},deposit_source\n{cell},ORDER\n"
    found = read(sourced, "2030-01-01")
    assert found.cells["70", "34112-3"].deposit_source == "ORDER"
    assert table(found) == sourced


def official(**changed):
    attributes = {"field_code_profession": "70", "field_code_loinc": "34112-3", "field_consultation_document": True}
    return {"type": "node--matrice_professionnel_document", "attributes": attributes | changed}


def document(*items):
    return json.dumps({"data": list(items)})


def test_the_working_file_is_read_by_its_own_columns():
    cell = read(WORKING, "2030-01-01").cell("70", "34112-3")
    assert (cell.access, cell.deposit, cell.source, cell.reasoning) == (True, True, "SEED", "seed fact")


def test_our_own_columns_are_read_as_they_are():
    cell = read(OURS, "2030-01-01").cell("70", "34112-3")
    assert (cell.access, cell.deposit, cell.confidence) == (False, False, "inferred")
    assert normalised(OURS) == OURS


def test_a_version_is_written_as_it_is_read():
    assert read(table(MATRIX), MATRIX.version) == MATRIX
    assert table(read(OURS, "2030-01-01")) == OURS


def test_a_missing_column_is_named():
    with pytest.raises(MatrixError, match="column access is missing"):
        normalised("profession,kind,confidence,basis,rule,source,reasoning,deposit\n")


def test_the_official_form_is_read_as_sourced():
    read_in = read(
        document(official(), official(field_code_loinc="11502-2", field_consultation_document=False)), "2030-01-01"
    )
    assert read_in.kinds_for("70") == {"34112-3"}
    cell = read_in.cell("70", "11502-2")
    assert (cell.access, cell.confidence, cell.basis, cell.deposit) == (False, "sourced", "official", False)
    assert (cell.rule, cell.reasoning) == ("", "")
    assert cell.source == "official service, resource node/matrice_professionnel_document"
    assert not read_in.has_inferred_grants


def test_space_before_the_document_is_no_matter():
    assert normalised(f"\n {document(official())}\n") == normalised(document(official()))


@pytest.mark.parametrize("text", ["{", "{}", '{"data": 3}'])
def test_what_is_no_such_document_is_refused(text):
    with pytest.raises(MatrixError, match=r"^the text is no JSON:API document with a `data` array$"):
        read(text, "2030-01-01")


@pytest.mark.parametrize("item", [3, {"type": "node--page", "attributes": {}}, {"type": official()["type"]}])
def test_another_resource_is_refused_by_its_place(item):
    with pytest.raises(MatrixError, match=r"data\[1\] is no `node--matrice_professionnel_document`"):
        read(document(official(), item), "2030-01-01")


@pytest.mark.parametrize(
    "changed",
    [
        {"field_code_profession": None},
        {"field_code_loinc": ""},
        {"field_consultation_document": "yes"},
        {"field_consultation_document": None},
    ],
    ids=str,
)
def test_an_incomplete_cell_is_refused_by_its_place(changed):
    with pytest.raises(MatrixError, match=r"data\[0\]: profession, type code and a true or false"):
        read(document(official(**changed)), "2030-01-01")


def test_an_unknown_code_is_refused():
    with pytest.raises(MatrixError, match="row 2, column profession: `99` is unknown"):
        read(document(official(field_code_profession="99")), "2030-01-01")
