"""https://hl7.org/fhir/R4/json.html and #mime-type: what a body may be, and that it comes back faithfully."""

import binascii
import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.parsing import load_json, parse
from fhir_server.r4.primitives import CHECKS
from tests.r4.bodies import BODIES

PATIENT = json.dumps(BODIES["Patient"]).encode()


def refusal(body, media_type="application/fhir+json", expected="Patient"):
    with pytest.raises(Problem) as refused:
        parse(body, media_type, expected)
    return refused.value


@pytest.mark.parametrize(
    "media_type",
    [
        "application/fhir+json",
        "application/json",
        "text/json",
        "application/fhir+json; charset=utf-8",
        "application/fhir+json;fhirVersion=4.0",
        "Application/FHIR+JSON; charset=UTF-8",
        'application/json; charset="utf-8"',
    ],
)
def test_json_is_read_under_its_media_types(media_type):
    assert parse(PATIENT, media_type, "Patient") == BODIES["Patient"]


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/pdf",
        "application/fhir+turtle",
        "application/fhir+json; charset=iso-8859-1",
        "application/fhir+json; fhirVersion=5.0",
        "application/json-patch+json",
    ],
)
def test_other_media_types_are_refused(media_type):
    assert refusal(PATIENT, media_type).category is Category.UNSUPPORTED_MEDIA


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"Patient"',
        b'{"resourceType":"Patient",}',
        b'{"resourceType":"Patient","multipleBirthInteger":NaN}',
        b'{"resourceType":"Patient","multipleBirthInteger":Infinity}',
        b'{"resourceType":"Patient","language":"\xe9"}',
        '{"resourceType":"Patient"}'.encode("utf-16"),
        b'{"resourceType":"Patient","language":"\\ud800"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 900 + b"]" * 900,
    ],
)
def test_what_is_no_json_object_in_utf8_is_malformed(body):
    assert refusal(body).category is Category.MALFORMED


def test_member_that_stands_twice_is_malformed_and_named():
    problem = refusal(b'{"resourceType":"Patient","name":[{"family":"A","family":"B"}]}')

    assert problem.category is Category.MALFORMED
    assert "`family`" in problem.issues[0].text


def test_byte_order_mark_is_ignored():
    assert parse(b"\xef\xbb\xbf" + PATIENT, "application/json", "Patient") == BODIES["Patient"]


def test_another_type_than_the_url_names_is_refused():
    problem = refusal(PATIENT, expected="Practitioner")

    assert problem.category is Category.INVALID
    assert problem.issues[0].expression == "Practitioner.resourceType"


@pytest.mark.parametrize(
    "body", [b"{}", b'{"resourceType":7}', b'{"resourceType":"Nothing"}', b'{"resourceType":null}']
)
def test_body_without_a_known_type_is_refused_whatever_is_expected(body):
    assert refusal(body, expected="").category is Category.INVALID


@pytest.mark.parametrize(
    "written", ["1.0", "1.00", "0.10", "100", "1e2", "1E-7", "-0.0", "0.1", "12345678901234567890.12", "3"]
)
def test_decimal_comes_back_with_the_digits_it_was_written_with(written):
    extension = f'{{"url":"http://example.org/e","valueDecimal":{written}}}'
    body = f'{{"resourceType":"Patient","extension":[{extension}]}}'.encode()

    assert orjson.dumps(parse(body, "application/json", "Patient")) == body


def test_dates_and_instants_come_back_as_they_were_written():
    body = b'{"resourceType":"List","status":"current","mode":"working","date":"2026-01-05T09:00:00.10+01:00"}'

    assert orjson.dumps(parse(body, "application/json", "List")) == body


def test_number_beyond_64_bits_is_kept_for_the_check_to_refuse():
    with pytest.raises(Problem) as refused:
        parse(
            b'{"resourceType":"Patient","multipleBirthInteger":123456789012345678901234567890}', "text/json", "Patient"
        )

    assert refused.value.issues[0].expression == "Patient.multipleBirth"


def test_load_json_asks_nothing_of_what_the_object_holds():
    assert load_json(b'{"a":[1,null]}') == {"a": [1, None]}


def is_read_by_a_strict_decoder(text):
    bare = re.sub(r"[ \t\r\n]+", "", text)
    try:
        binascii.a2b_base64(bare, strict_mode=True)
    except ValueError:
        return False
    return bool(bare) and len(bare) % 4 == 0


@given(
    st.text(st.sampled_from("Az9+/= \n_é"), max_size=9)
    | st.binary(max_size=9).map(lambda of: binascii.b2a_base64(of).decode())
)
def test_base64_is_what_a_strict_decoder_reads(text):
    assert (CHECKS["base64Binary"](text) == "") == is_read_by_a_strict_decoder(text)
