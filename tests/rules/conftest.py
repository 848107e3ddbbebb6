"""Every run of these tests reads the tables anew."""

import pytest

from consent_rules import rule_profile
from consent_rules.matrix import table
from consent_rules.tools import explanation

_TABLES = (explanation.statements, table.professions, table.kinds, table.published, rule_profile.profile)


@pytest.fixture(scope="session", autouse=True)
def _tables_read_anew():
    """Forget what was read: `make mutation` copies one process many times, and a kept table would hide a fault."""
    for read in _TABLES:
        read.cache_clear()
