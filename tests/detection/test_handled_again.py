"""A message of detection may be handled twice, also after later ones: an access counts once, no rule falls silent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from consent_rules.rule_profile import profile
from consent_rules.vocabulary import Grade
from fhir_server.domain.detection.conduct import Conduct, hour_of
from fhir_server.domain.detection.facts import Accessed, Around, Doubt, Rule, Traits
from fhir_server.domain.detection.judging import Holder, at_once, settled
from fhir_server.domain.detection.peers import Peers

NUMBERS = profile("fr").detection
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
ACCESS = Accessed("Practitioner/1", "Organization/1", "Organization/ward", "60", "p1", AT, Grade.DECLARED)


def settle(conduct, access, around=None):
    settled(access, around or Around(), (Traits(), Traits()), conduct, NUMBERS)


def habits(conduct):
    return conduct.counted, conduct.alone, conduct.judged, conduct.solitary


def test_an_access_that_is_settled_twice_counts_once():
    conduct = Conduct()
    for _ in range(2):
        settle(conduct, ACCESS)
    assert habits(conduct) == (1, 1, 1, 1)


def test_an_access_that_is_settled_again_after_later_ones_counts_once():
    conduct = Conduct()
    later = [replace(ACCESS, at=AT + timedelta(hours=number)) for number in range(3)]
    for access in (*later, replace(ACCESS, space="p2"), *later):
        settle(conduct, access)
    assert conduct.counted == 4


def test_evidence_that_came_between_two_handlings_still_ends_the_doubt():
    conduct = Conduct()
    conduct.note(ACCESS, Doubt.FULL)
    settle(conduct, ACCESS)
    settle(conduct, ACCESS, Around(teammate=True))
    assert conduct.doubtful == conduct.strays == {}
    assert conduct.is_on_duty(hour_of(AT), 0)
    assert conduct.counted == 1


def test_what_is_remembered_of_settled_accesses_is_bounded():
    conduct = Conduct()
    for number in range(3000):
        settle(conduct, replace(ACCESS, space=f"p{number}"))
    assert len(conduct.settled) == 500


def woken(conduct, access):
    return [hit.rule for hit in at_once(access, Around(), Holder(), (conduct, Peers()), NUMBERS)]


def test_a_dormant_account_rings_again_when_its_message_is_handled_again():
    conduct = Conduct()
    conduct.note(ACCESS, Doubt.NONE)
    later = replace(ACCESS, space="p2", at=AT + NUMBERS.dormant.exact)
    assert woken(conduct, later) == [Rule.DORMANT]
    assert woken(conduct, replace(later, space="p3")) == []
    assert woken(conduct, replace(later, at=later.at + timedelta(hours=5))) == []
    assert woken(conduct, later) == [Rule.DORMANT]


def test_an_older_message_that_is_handled_again_makes_nothing_older():
    conduct = Conduct()
    later = replace(ACCESS, at=AT + timedelta(hours=3), emergency=True)
    for access in (ACCESS, later, replace(ACCESS, emergency=True)):
        conduct.note(access, Doubt.FULL)
        conduct.note(replace(access, refused=True), Doubt.FULL)
    assert conduct.emergencies == conduct.refusals == {"p1": hour_of(later.at)}
