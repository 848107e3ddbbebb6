"""Readers of one space whom nobody expects there: what makes a celebrity, at either look."""

from dataclasses import replace
from datetime import UTC, datetime

from consent_rules.rule_profile import profile
from consent_rules.vocabulary import Grade
from fhir_server.domain.detection.conduct import Conduct, hour_of
from fhir_server.domain.detection.facts import Accessed, Doubt, Rule
from fhir_server.domain.detection.judging import unexpected
from fhir_server.domain.detection.strangers import Strangers

NUMBERS = profile("fr").detection
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
ACCESS = Accessed("Practitioner/1", "Organization/1", "Organization/ward", "60", "p1", AT, Grade.DECLARED)


def habit(alone, count=98):
    return Conduct(counted=count, alone=alone, duty={hour_of(AT)})


def entered(strangers, number, doubt=Doubt.SOME, *, is_settled=False):
    """Let a nurse on duty of another unit than anybody before enter the space; return what the rule says."""
    access = replace(ACCESS, person=f"Practitioner/{number}", team=f"Organization/ward{number}")
    return unexpected(access, doubt, (habit(2), strangers), NUMBERS, is_settled=is_settled)


def test_readers_of_many_units_ring_at_the_first_look():
    strangers = Strangers()
    (*before, last) = (entered(strangers, number) for number in range(4))
    assert before == [None] * 3
    assert last is not None
    assert last.rule is Rule.CELEBRITY


def test_whom_somebody_explains_by_the_second_look_no_longer_counts():
    strangers = Strangers()
    for number in range(3):
        entered(strangers, number)
    for number in range(3):
        assert entered(strangers, number, Doubt.NONE, is_settled=True) is None
    assert strangers.entered == {}


def test_a_unit_that_is_known_to_care_for_the_patient_is_no_stranger():
    strangers = Strangers()
    entered(strangers, 1)
    mate = replace(ACCESS, person="Practitioner/2", team="Organization/ward1", grade=Grade.THIRD_PARTY)
    unexpected(mate, Doubt.NONE, (habit(2), strangers), NUMBERS, is_settled=False)
    assert strangers.entered == {}
