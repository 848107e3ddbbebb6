"""Lines of an insurer's file: what is read from them, and what is said of those with a fault."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.domain.directory import identity_keys
from fhir_server.domain.directory.insured_lines import LONGEST_LINE, Columns, LineFault
from fhir_server.r4.parsing import parse
from seed.many_patients import person

HEAD = b"number;family;given;birth_date;sex;system;birth_place"
GOOD = "284039999900148;Laurent;Camille, Anne;1984-03-17;F;1.2.250.1.213.1.4.10;69381"


def read(line: str, head: bytes = HEAD):
    return Columns.of(head).line(2, line.encode())


def changed(**values: str) -> str:
    names = HEAD.decode().split(";")
    return ";".join(values.get(name, value) for name, value in zip(names, GOOD.split(";"), strict=True))


def test_a_line_is_a_valid_patient_with_the_five_traits():
    patient = read(GOOD).patient
    parse(orjson.dumps(patient), "application/fhir+json", "Patient")
    assert identity_keys.is_whole(patient)
    assert patient["identifier"][0] == {
        "use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "284039999900148"
    }  # fmt: skip
    assert patient["name"][0]["given"] == ["Camille", "Anne"]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1984-03-17")


def test_columns_come_in_any_order_and_the_two_last_may_be_missing():
    patient = read(
        'F,1984-03-17,Camille,"Laurent",284039999900148', b"\xef\xbb\xbfsex,birth_date,given,family,number\r\n"
    ).patient
    assert patient["identifier"][0]["system"] == "urn:oid:1.2.250.1.213.1.4.8"
    assert "extension" not in patient


@pytest.mark.parametrize("date", ["1984", "1984-03", "1984-03-17"])
def test_a_birth_date_may_lack_what_no_register_knows(date):
    assert read(changed(birth_date=date)).patient["birthDate"] == date


@pytest.mark.parametrize("number", ["2A", "2B"])
def test_the_key_of_a_number_from_corsica(number):
    """The two letters count as 19 and 18 (R.115-1)."""
    body = int(f"28403{19 if number == '2A' else 18}999001")
    assert read(changed(number=f"28403{number}999001{97 - body % 97:02d}")).patient


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"number": "284039999900149"}, "number"),
        ({"number": "2 84 03 99 999 001 48"}, "number"),
        ({"number": ""}, "number"),
        ({"family": ""}, "family"),
        ({"family": "42"}, "family"),
        ({"given": ","}, "given"),
        ({"birth_date": "1984-02-30"}, "birth_date"),
        ({"birth_date": "17/03/1984"}, "birth_date"),
        ({"birth_date": "1984-13"}, "birth_date"),
        ({"sex": "X"}, "sex"),
        ({"system": "1.2.3"}, "system"),
        ({"birth_place": "Lyon"}, "birth_place"),
        ({"family": "L" * 101}, "family"),
        ({"family": "Lau\x00rent"}, "family"),
        ({"family": 'Lau"rent'}, "family"),
        ({"family": '"Laurent'}, "quotation mark"),
        ({"family": "Laurent;Laurent"}, "8 values for 7 columns"),
    ],
)
def test_a_fault_names_the_column(values, column):
    line = read(changed(**values))
    assert line.patient is None
    assert column in line.fault


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"x" * (LONGEST_LINE + 1)])
def test_bytes_that_are_no_line(raw):
    assert Columns.of(HEAD).line(7, raw).patient is None


@pytest.mark.parametrize("head", [b"", b"number;family", HEAD + b";phone", HEAD + b";sex", b"\xff"])
def test_a_first_line_with_other_columns_is_refused(head):
    with pytest.raises(LineFault):
        Columns.of(head)


@given(
    st.binary(max_size=200) | st.lists(st.text(max_size=20), min_size=7, max_size=7).map(lambda v: ";".join(v).encode())
)
def test_no_line_is_too_strange_and_a_fault_repeats_nothing_of_it(raw):
    line = Columns.of(HEAD).line(3, raw)
    if line.patient is None:
        said = line.fault
        assert said
        assert not any(len(word) > 9 and word in said for word in raw.decode("utf-8", "replace").split(";"))


@given(st.integers(0, 2_000_000), st.integers(0, 14), st.integers(1, 9))
def test_one_mistyped_digit_is_found(number, place, more):
    value = person(number).ins_value
    wrong = value[:place] + str((int(value[place]) + more) % 10) + value[place + 1 :]
    assert read(changed(number=value)).patient
    assert read(changed(number=wrong)).patient is None
