"""What is around an access by the trail of its space: which entries of the own team explain it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consent_rules.rule_profile import profile
from consent_rules.vocabulary import Grade
from fhir_server.application.detection.space_trail import Entered, SpaceTrail
from fhir_server.domain.detection.facts import Accessed
from tests.rules.builders import space

NUMBERS = profile("fr").detection
AT = datetime(2026, 3, 20, 10, tzinfo=UTC)
ACCESS = Accessed("Practitioner/1", "Organization/1", "Organization/1", "60", "p1", AT, Grade.DECLARED)
SOON = NUMBERS.team.exact - timedelta(hours=1)
LONG = NUMBERS.team.exact + timedelta(hours=1)


def around(**colleague):
    """Return what is around an access when a colleague has entered, too."""
    mate = replace(ACCESS, person="Practitioner/2", **colleague)
    entries = tuple(Entered(one, "", f"AuditEvent/{number}") for number, one in enumerate((ACCESS, mate)))
    return SpaceTrail(space(), entries, ()).around(entries[0], NUMBERS)


@pytest.mark.parametrize("gap", [SOON, -SOON])
def test_a_colleague_of_the_team_explains_an_access_for_some_days(gap):
    assert around(at=AT - gap, grade=Grade.THIRD_PARTY).teammate


@pytest.mark.parametrize("gap", [LONG, -LONG])
def test_what_the_team_did_long_before_or_after_explains_nothing(gap):
    found = around(at=AT - gap, grade=Grade.THIRD_PARTY)
    assert not found.elsewhere
    assert not found.teammate


def test_the_declared_word_of_a_colleague_explains_nothing():
    found = around(at=AT - SOON, grade=Grade.DECLARED)
    assert found.elsewhere
    assert not found.teammate


def test_professionals_without_an_establishment_are_no_team():
    alone = {"where": None, "team": None}
    mate = replace(ACCESS, person="Practitioner/2", grade=Grade.THIRD_PARTY, **alone)
    entries = (Entered(replace(ACCESS, **alone), "", "AuditEvent/0"), Entered(mate, "", "AuditEvent/1"))
    assert not SpaceTrail(space(), entries, ()).around(entries[0], NUMBERS).teammate


@pytest.mark.parametrize(
    ("entered", "others"),
    [(AT - timedelta(days=29), 1), (AT + timedelta(hours=5), 1), (AT - timedelta(days=31), 0), (AT + LONG, 0)],
)
def test_others_of_the_establishment_are_counted_for_some_weeks(entered, others):
    assert around(at=entered).others == others
    assert around(at=entered, refused=True).others == 0
    assert around(at=entered, where="Organization/2").others == 0


@pytest.mark.parametrize(
    ("where", "hours", "filed"),
    [
        ("Organization/1", 1, True),
        ("Organization/1", 6, True),
        ("Organization/1", 7, False),
        ("Organization/1", -1, False),
        ("Organization/2", 1, False),
    ],
)
def test_what_the_establishment_files_soon_after_an_access_is_known(where, hours, filed):
    trail = SpaceTrail(space(), (Entered(ACCESS, "", "AuditEvent/0"),), ((where, AT + timedelta(hours=hours)),))
    assert trail.around(trail.entries[0], NUMBERS).filed is filed
