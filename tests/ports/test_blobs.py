"""Promises of Blobs: durable, sealed, and never half."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from fhir_server.ports.store import StoreUnavailable
from tests.factories import an_id

MEBIBYTE = 1024 * 1024
SIZES = (0, 1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE)


@pytest.fixture
def blobs(ports):
    return ports.blobs


def file_of(engine, reference):
    (path,) = (engine.folder / "data").rglob(reference)
    return path


@pytest.mark.parametrize("size", SIZES)
def test_a_content_of_any_size_comes_back(blobs, patient, size):
    content = b"\x07" * size
    assert blobs.get(patient, blobs.put(patient, content)) == content


def test_the_same_content_has_the_same_reference_in_its_compartment_only(blobs, patient):
    content = an_id().encode()
    reference = blobs.put(patient, content)
    assert blobs.put(patient, content) == reference
    assert blobs.put(an_id(), content) != reference
    assert blobs.put(patient, content + b".") != reference


def test_a_content_is_not_given_to_another_compartment(blobs, patient):
    reference = blobs.put(patient, b"content")
    with pytest.raises(StoreUnavailable):
        blobs.get(an_id(), reference)


@pytest.mark.parametrize("reference", ["", "..", "../../keys.json", "0" * 64, "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_a_reference_that_is_none_is_unavailable(blobs, patient, reference):
    with pytest.raises(StoreUnavailable):
        blobs.get(patient, reference)


@pytest.mark.parametrize(
    "harm", [lambda b: b[:-1], lambda b: b[:0], lambda b: b[:5], lambda b: b[:-1] + bytes([b[-1] ^ 1])]
)
def test_a_damaged_content_is_unavailable_until_it_is_put_again(engine, blobs, patient, harm):
    content = an_id().encode()
    reference = blobs.put(patient, content)
    path = file_of(engine, reference)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(StoreUnavailable):
        blobs.get(patient, reference)
    assert blobs.put(patient, content) == reference
    assert blobs.get(patient, reference) == content


def test_pieces_can_neither_be_cut_off_nor_swapped(engine, blobs, patient):
    reference = blobs.put(patient, an_id().encode() * 100_000)
    path = file_of(engine, reference)
    head, piece = 16, MEBIBYTE + 16
    sealed = path.read_bytes()
    pieces = [sealed[start : start + piece] for start in range(head, len(sealed), piece)]
    assert len(pieces) == 4
    for wrong in (pieces[:-1], [pieces[1], pieces[0], *pieces[2:]], [*pieces, pieces[-1]]):
        path.write_bytes(sealed[:head] + b"".join(wrong))
        with pytest.raises(StoreUnavailable):
            blobs.get(patient, reference)


def test_a_content_moved_to_another_name_is_unavailable(engine, blobs, patient):
    one, two = blobs.put(patient, b"one"), blobs.put(patient, b"two")
    file_of(engine, two).write_bytes(file_of(engine, one).read_bytes())
    with pytest.raises(StoreUnavailable):
        blobs.get(patient, two)


def test_many_may_put_the_same_content_at_once(engine, blobs, patient):
    content = b"x" * 100_000
    with ThreadPoolExecutor(16) as pool:
        references = set(pool.map(lambda _: blobs.put(patient, content), range(16)))
    (reference,) = references
    assert blobs.get(patient, reference) == content
    assert [path.name for path in file_of(engine, reference).parent.iterdir()] == [reference]


def test_a_content_that_cannot_be_written_is_unavailable(fresh, patient):
    contents = fresh.folder / "data" / "contents"
    shutil.rmtree(contents)
    contents.write_bytes(b"a file where a folder should be")
    with pytest.raises(StoreUnavailable):
        fresh.ports.blobs.put(patient, b"content")
