"""The invented people and documents are what they claim to be."""

from base64 import b64decode
from hashlib import sha1
from xml.etree import ElementTree as ET

import orjson
import pytest

from consent_rules.matrix.table import published
from seed import cast
from seed.documents import CLASSES, TYPES, documents, lots
from seed.filing import Filing, Place, submission

ALL = documents()


@pytest.mark.parametrize("part", cast.PATIENTS, ids=lambda part: part.key)
def test_national_health_identities_come_from_the_test_range_and_carry_their_key(part):
    number, key = int(part.ins_value[:13]), int(part.ins_value[13:])
    assert (number + key) % 97 == 0
    assert part.ins[5:10] == "99999"
    assert cast.INS_TEST.endswith("1.4.10")


@pytest.mark.parametrize("part", cast.PROFESSIONALS, ids=lambda part: part.key)
def test_professions_are_rows_of_the_matrix(part):
    assert published().kinds_for(part.profession)
    assert part.establishment in {place.key for place in cast.ESTABLISHMENTS}


def test_nobody_has_the_number_of_another():
    numbers = [part.rpps for part in cast.PROFESSIONALS] + [place.finess for place in cast.ESTABLISHMENTS]
    assert len(numbers) == len(set(numbers))


def test_there_are_some_thirty_documents_in_four_formats():
    assert 28 <= len(ALL) <= 40
    assert {part.format for part in ALL} == {"pdf", "cda", "text", "fhir"}


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.key)
def test_document_types_are_columns_of_the_matrix(part):
    system, display, category = TYPES[part.type]
    assert published().kind_of([(system, part.type)]) == part.type
    assert display
    assert category in CLASSES


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.key)
def test_contents_are_the_same_at_every_load(part):
    assert part.content() == part.content()


def test_hidden_sealed_replaced_and_secret_documents_are_among_them():
    assert {mark for part in ALL for mark in part.marks} == {"INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}
    assert any(part.hidden for part in ALL)
    assert all(part.replaces in {other.key for other in ALL} for part in ALL if part.replaces)
    assert any(part.replaces for part in ALL)


def test_a_pdf_says_where_each_of_its_objects_stands():
    content = next(part for part in ALL if part.format == "pdf").content()
    start = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    table = content[start:].split(b"\n")
    places = [int(line[:10]) for line in table if line.endswith(b" n ")]
    assert content.startswith(b"%PDF-1.4")
    assert table[0] == b"xref"
    assert [content[place:].split(b" ")[0] for place in places] == [b"%d" % n for n in range(1, len(places) + 1)]


def test_a_cda_is_well_formed_and_carries_its_type():
    part = next(part for part in ALL if part.format == "cda")
    root = ET.fromstring(part.content())  # noqa: S314 - our own bytes
    assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
    assert root.find("{urn:hl7-org:v3}code").get("code") == part.type


def test_a_fhir_document_starts_with_its_composition():
    bundle = orjson.loads(next(part for part in ALL if part.format == "fhir").content())
    assert bundle["type"] == "document"
    assert bundle["entry"][0]["resource"]["resourceType"] == "Composition"


def test_a_submission_states_the_true_hash_and_size_of_its_content():
    lot = next(iter(lots()))
    bundle = submission([_filing(part) for part in lot], "1.2.3")
    by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    for document in (r for r in by_url.values() if r["resourceType"] == "DocumentReference"):
        attachment = document["content"][0]["attachment"]
        content = b64decode(by_url[attachment["url"]]["data"])
        assert attachment["size"] == len(content)
        assert b64decode(attachment["hash"]) == sha1(content, usedforsecurity=False).digest()


def _filing(part):
    author = {"resourceType": "Practitioner", "id": "author"}
    source = {"resourceType": "Patient", "id": "source"}
    system, display, category = TYPES[part.type]
    return Filing(
        part.unique_id, part.title, part.date, part.mime, part.content(), "p1", (system, part.type, display),
        (category, CLASSES[category]), author, source, Place("o1", "SA01", "ETABLISSEMENT"),
    )  # fmt: skip
