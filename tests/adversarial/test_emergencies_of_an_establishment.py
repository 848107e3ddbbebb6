"""Fear: that an establishment opens space after space as emergencies, each professional only a few (V10).

Source: docs/adr/0104-what-is-usual-for-an-establishment.md.
"""

import pytest

from consent_rules.vocabulary import Purpose
from fhir_server import worker
from fhir_server.application.cases import emergencies
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.core.ceilings.breakers import EMERGENCIES_LANE
from fhir_server.domain.supervision import RegisteredException
from tests.http.cases import look, queued
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_reviews import break_glass, of_people

TEAM = ("one", "two", "three")


@pytest.fixture
def ward(world):
    of_people(world)
    for name in TEAM:
        world.professional(name, "10", "chu")
        world.in_mode(name, name, ("10", "chu", ""), Purpose.BREAK_GLASS)
    return world


def open_spaces(ward, number):
    """Open spaces in an emergency, each member of the team in turn, and let the worker count them."""
    for one in range(number):
        break_glass(ward, TEAM[one % len(TEAM)])
    worker.build(ward.runtime).work_once()


def cases(ward):
    rule = "emergencies-of-the-establishment"
    return [(one["about"]["reference"], one["times"]) for one in queued(ward) if one["rule"] == rule]


@BOTH
def test_the_officer_is_called_once_a_day_at_three_times_the_usual_day(ward, clock):
    chu = f"Organization/{ward.ids['chu']}"
    for _ in range(3):
        open_spaces(ward, 4)
        clock.advance(days=1)
    open_spaces(ward, 11)
    assert cases(ward) == []
    open_spaces(ward, 1)
    assert cases(ward) == [(chu, 1)]
    open_spaces(ward, 3)
    assert cases(ward) == [(chu, 4)]
    (case,) = [one["id"] for one in queued(ward) if one["kind"] == "ceiling"]
    told = look(ward, case).text
    assert "Patient/" not in told
    assert '"valueInteger":15' in told.replace(" ", "")


def test_a_new_establishment_has_as_many_as_one_person(ward):
    open_spaces(ward, 7)
    assert cases(ward) == []
    open_spaces(ward, 1)
    assert [times for _, times in cases(ward)] == [1]


def test_an_opening_that_is_handled_again_counts_once(ward):
    for name in (*TEAM, *TEAM, TEAM[0]):
        break_glass(ward, name)
    *_, last = ward.runtime.ports.outbox.ready(EMERGENCIES_LANE, ward.runtime.now(), 20)
    worker.build(ward.runtime).work_once()
    for _ in range(3):
        assert not emergencies.count(ward.runtime, last).writes


def test_an_establishment_may_have_other_numbers_but_a_persons_exception_is_not_that_of_the_establishment(ward):
    numbers = {"emergency_officer": 12}
    for subject in (f"Organization/{ward.ids['chu']}", f"Practitioner/{ward.ids['one']}"):
        wanted = RegisteredException(subject, "regulation", numbers, ward.runtime.now(), "operator@machine", "asked")
        supervising.register(ward.runtime, wanted)
        numbers = {"emergency_officer": 100}
    open_spaces(ward, 11)
    assert cases(ward) == []
    open_spaces(ward, 1)
    assert len(cases(ward)) == 1


def test_nobody_but_auditors_learns_of_it(ward):
    open_spaces(ward, 8)
    assert len(cases(ward)) == 1
    read = [ward.get(who, f"/AuditEvent?patient={ward.ids['camille']}&_count=100").text for who in ("camille", "one")]
    assert not any("reach-ceiling" in text for text in read)
