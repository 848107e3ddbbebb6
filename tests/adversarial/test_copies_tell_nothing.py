"""Copies of a space in two worlds that differ in one secret are equal, file by file after ids, for who must not know.

The contents of an archive are compared: its compressed size depends on random ids.
"""

import re
from io import BytesIO
from zipfile import ZipFile

import pytest

from consent_rules.visibility import Visibility
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.space_copies import copying
from tests.adversarial.test_portal_of_two_worlds import OF_GUARDIANS, OF_PATIENTS, Way, reader, worlds
from tests.adversarial.two_worlds import Side, alike

_OF_MANIFEST = ("size", "sha256")


def copied(side: Side, who: str) -> dict[str, list[str]]:
    """Return the lines of each file of a copy, without ids and instants; names of contents are ids too."""
    side.here()
    answer = side.get(who, f"/Patient/{side.ids[side.space]}/$export-space")
    return _files(side, answer.get_data())


def by_page(side: Side, who: str) -> dict[str, list[str]]:
    web = reader(side, who)
    answer = web.send("/copy/file", csrf=web.csrf(web.at("/copy")))  # the list of documents has an order of random ids
    assert answer.status_code == 200, answer.text
    return _files(side, answer.get_data())


def _files(side: Side, archive: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with ZipFile(BytesIO(archive)) as opened:
        for name in opened.namelist():
            lines = [line for line in opened.read(name).decode().splitlines() if not _varies(name, line)]
            found.setdefault(name.partition("/")[0] if "files/" in name else name, []).extend(
                _in_order(alike(side, line)) for line in lines
            )
    return {name: sorted(lines) for name, lines in found.items()}


def _in_order(line: str) -> str:
    """Order what an event names: the page with the list of documents names those of one date by their random ids."""
    return "".join(sorted(re.split(r'(?<=[,\[])(?=\{"what":)', line)))


def _varies(name: str, line: str) -> bool:
    return name == "manifest.json" and any(f'"{one}"' in line for one in _OF_MANIFEST)


def differing(pair: tuple[Side, Side], who: str) -> list[str]:
    found = []
    for ask in (copied, by_page, copied):  # the last one has the events of the others in its journal
        first, second = (ask(side, who) for side in pair)
        found += [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)]
    return found


@pytest.mark.parametrize("way", [*OF_PATIENTS, *OF_GUARDIANS[::2]], ids=lambda way: way.kind.name)
def test_no_copy_depends_on_a_secret(tmp_path, way: Way):
    with worlds(tmp_path, way) as pair:
        for side in pair:  # somebody who may know has taken a copy before
            side.get(way.kind.knowing[0], f"/Patient/{side.ids[side.space]}/$export-space")
        assert differing(pair, way.reader) == []


def test_the_leak_of_a_copy_that_is_made_without_the_filter_is_found(tmp_path, monkeypatch):
    """The fault is planted: the copy reads as the server itself does."""

    class Everything(copying.CopyFilters):
        def of(self, type_: str) -> Visibility:
            return whole_space(ReadingReason.REGISTERED, self.access.entered.patient).of(type_)

    monkeypatch.setattr(copying, "CopyFilters", Everything)
    way = OF_GUARDIANS[0]
    with worlds(tmp_path, way) as pair:
        assert "resources/DocumentReference.ndjson" in differing(pair, way.reader)
