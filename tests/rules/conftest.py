"""Every run of these tests reads the tables anew."""

import pytest

from consent_rules import explanation, matrix, profiles

_TABLES = (explanation.statements, matrix.professions, matrix.kinds, matrix.published, profiles.profile)


@pytest.fixture(scope="session", autouse=True)
def _tables_read_anew():
    """Forget what was read: `make mutation` copies one process many times, and a kept table would hide a fault."""
    for table in _TABLES:
        table.cache_clear()
