"""The officer's page about versions of the matrix: which is in force, and what changes for whom."""

from dataclasses import replace

import pytest

from consent_rules.matrix.schedule import Schedule
from consent_rules.matrix.table import of_cells
from tests.pages.staff import dana_at_work


@pytest.fixture
def office(world):
    """A server that knows a version to come, in which opticians may not read hospital reports, and pedicurists may."""
    matrix = world.runtime.matrix
    opens, closes = changing(matrix)
    cells = matrix.cells | {
        opens: matrix.cells[opens]._replace(access=True),
        closes: matrix.cells[closes]._replace(access=False),
    }
    newer = of_cells(cells.values(), "2026-06-01")
    world.runtime = replace(world.runtime, matrices=Schedule((matrix, newer)))
    world.web.application.extensions["habilis.runtime"] = world.runtime
    return world


def changing(matrix):
    """Return the keys of a cell that denies and of one that grants, for two professions."""
    opens = next(key for key, cell in sorted(matrix.cells.items()) if not cell.access)
    return opens, next(key for key, cell in sorted(matrix.cells.items()) if cell.access and key[0] != opens[0])


def test_each_version_says_since_when_and_what_it_changes_for_whom(office):
    page = dana_at_work(office).get("/matrix").text
    matrix = office.runtime.matrix
    opens, closes = changing(matrix)
    new, old = page.index("2026-06-01"), page.rindex(f"<h2>{matrix.version}")
    assert new < old
    said = page[new:old]
    assert "to come" in said
    for (profession, kind), words in ((opens, "may read in addition:"), (closes, "may read no longer:")):
        line = said[said.index(f'profession={profession}"') :].partition("</li>")[0]
        assert f"{words} {matrix.kinds[kind].label_en}" in line.replace("&#39;", "'").replace("&amp;", "&")
    assert said.count('<p class="title">') == 2
    assert "in force" in page[old:]
    assert "The first version" in page[old:]
