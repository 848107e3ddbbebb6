"""docs/storage.md against the program: shard keys, indexes, and the role of the account."""

import re
from pathlib import Path

import pytest

from fhir_server.adapters.mongo.schema import INDEXES
from tests.engines import SHARD_KEYS, advised_role

pytestmark = pytest.mark.mongo

PAGE = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()


def rows_below(heading):
    table = PAGE.partition(heading)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_page_advises_the_shard_keys_that_the_suite_demands():
    told = {
        name.strip("`"): tuple(re.findall(r"`(\w+)`", key))
        for name, key in rows_below("\n\n| collection | shard key |")
    }
    assert told == dict(SHARD_KEYS)


def test_the_page_names_every_index():
    told = {
        name: re.findall(r"\(([^)]+)\)", indexes)
        for names, _, indexes in rows_below("\n\n| collection | key | index |")
        for name in re.findall(r"`(\w+)`", names)
    }
    kept = {name: [", ".join(index.fields) for index in indexes] for name, indexes in INDEXES.items()}
    assert told == {name: indexes for name, indexes in kept.items() if name not in {"probes", "meta"}}


def test_the_role_names_every_collection_and_never_lets_the_trail_be_updated():
    role = advised_role()
    assert set(role) == {*INDEXES, "keys"}
    assert "update" not in role["trail"]
