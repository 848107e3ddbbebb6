"""What is counted, and the numbers that are in force for a caller.

Source: docs/adr/0084-what-is-counted-and-what-follows.md.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from consent_rules.rule_profile import Ceilings
from consent_rules.vocabulary import Code
from fhir_server.application.core.access import Access

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Tally(Code):
    """What is counted: spaces newly entered, cards, identities, deposits outside care, emergencies, admissions."""

    SPACES = "spaces"
    CARDS = "cards"
    IDENTITIES = "identities"
    DEPOSITS = "deposits"
    EMERGENCIES = "emergencies"
    ADMISSIONS = "admissions"


Tallies = Mapping[Tally, int]
NO_TALLIES: Tallies = MappingProxyType({})


def ceilings_of(access: Access) -> Ceilings:
    """Return the ceilings of the caller: those of the rule profile, or registered ones (V12)."""
    return access.caller.supervision.ceilings_of(access.caller.requester, access.runtime.profile.ceilings)
