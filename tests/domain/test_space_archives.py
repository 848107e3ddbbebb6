"""Reading the archive of a space: what was changed is named, and what is made to mislead or to cost is refused."""

import struct
from collections.abc import Callable
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.space_archive.reading import Bounds, opened
from fhir_server.domain.space_archive.writing import File, written
from tests.conftest import START

BOUNDS = Bounds(files=10, file_bytes=1_000_000, whole_bytes=4_000_000)


def of_files(*made: tuple[str, bytes]) -> bytes:
    """Return an archive whose manifest is right."""
    return b"".join(written((File(name, "text/plain", (data,)) for name, data in made), {}, START))


ARCHIVE = of_files(("resources/Patient.ndjson", b'{"resourceType":"Patient"}\n'), ("files/a.txt", b"content"))


def repacked(archive: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return an archive with changed files, and with the manifest as it was."""
    with ZipFile(BytesIO(archive)) as before:
        content = {name: before.read(name) for name in before.namelist()}
    change(content)
    made = BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as after:
        for name, data in content.items():
            after.writestr(name, data)
    return made.getvalue()


def _changed(content: dict[str, bytes]) -> None:
    content["files/a.txt"] += b"!"


def _removed(content: dict[str, bytes]) -> None:
    del content["files/a.txt"]


def _added(content: dict[str, bytes]) -> None:
    content["files/extra.txt"] = b"one more"


def _outside(content: dict[str, bytes]) -> None:
    content["../../etc/passwd"] = b"root"


def _backslash(content: dict[str, bytes]) -> None:
    content["files\\..\\evil.txt"] = b"x"


def _unlisted(content: dict[str, bytes]) -> None:
    del content["manifest.json"]


def _no_manifest(content: dict[str, bytes]) -> None:
    content["manifest.json"] = b"[]"


def _twice(content: dict[str, bytes]) -> None:
    content["FILES/a.txt"] = b"content"


SPOILT = {
    _changed: "`files/a.txt` was changed", _removed: "`files/a.txt` is in the manifest", _added: "`files/extra.txt`",
    _outside: "a name that no archive", _backslash: "a name that no archive", _twice: "a name that no archive",
    _unlisted: "no `manifest.json`", _no_manifest: "not of the format",
}  # fmt: skip


def refusal(data: bytes, bounds: Bounds = BOUNDS) -> Problem:
    with pytest.raises(Problem) as refused:
        opened(data, bounds)
    return refused.value


def test_an_archive_is_read_as_it_was_written():
    archive = opened(ARCHIVE, BOUNDS)
    assert [*archive.resources("Patient")] == [{"resourceType": "Patient"}]
    assert archive.content_of("a") == b"content"
    assert archive.content_of("b") is None
    assert [*archive.resources("Consent")] == []


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_was_changed_is_named(spoil):
    found = refusal(repacked(ARCHIVE, spoil))
    assert found.category is Category.INVALID
    assert SPOILT[spoil] in found.issues[0].text
    assert "etc" not in found.issues[0].text


def test_no_part_of_an_archive_is_an_archive():
    for end in range(len(ARCHIVE)):
        assert refusal(ARCHIVE[:end]).category is Category.INVALID


def test_no_changed_byte_goes_unseen_or_breaks_the_reader():
    """Some bytes say nothing that is read, such as times; whatever is opened is what was written."""
    for at in range(len(ARCHIVE)):
        spoilt = ARCHIVE[:at] + bytes([ARCHIVE[at] ^ 0xFF]) + ARCHIVE[at + 1 :]
        try:
            archive = opened(spoilt, BOUNDS)
        except Problem:
            continue
        assert archive.content_of("a") == b"content"


@pytest.mark.parametrize("size", [1_000_001, 5_000_000])
def test_a_bomb_is_refused_before_it_is_unpacked(size):
    bomb = of_files(("files/a.txt", bytes(size)))
    assert len(bomb) < size // 100
    assert refusal(bomb).category is Category.TOO_COSTLY


def test_many_files_are_refused_together():
    assert refusal(of_files(*((f"files/{n}.txt", bytes(900_000)) for n in range(5)))).category is Category.TOO_COSTLY
    assert refusal(of_files(*((f"files/{n}.txt", b"") for n in range(100)))).category is Category.TOO_COSTLY


def test_an_archive_that_states_another_size_than_it_unpacks_to_is_refused():
    """The stated size bounds the work, so more than that is never unpacked."""
    archive = bytearray(of_files(("files/a.txt", bytes(100_000))))
    at = archive.index(struct.pack("<L", 100_000), archive.index(b"PK\x01\x02"))
    archive[at : at + 4] = struct.pack("<L", 10)
    assert "`files/a.txt`" in refusal(bytes(archive)).issues[0].text


def test_a_line_that_is_no_resource_is_named():
    archive = opened(of_files(("resources/Patient.ndjson", b"[]\n")), BOUNDS)
    with pytest.raises(Problem, match="invalid"):
        [*archive.resources("Patient")]
