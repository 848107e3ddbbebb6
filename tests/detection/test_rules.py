"""Each named rule alone: what makes it ring, and what is next to it and does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consent_rules.rule_profile import profile
from consent_rules.vocabulary import Grade
from fhir_server.domain.detection import rules
from fhir_server.domain.detection.conduct import DAY, Conduct, hour_of
from fhir_server.domain.detection.explaining import doubt_of, explain
from fhir_server.domain.detection.facts import Accessed, Around, Doubt, Explanation, Oddity, Rule, Tie, Traits
from fhir_server.domain.detection.judging import Holder, at_once, oddities, settled, surprise, unexpected
from fhir_server.domain.detection.peers import Histogram, Peers, usual
from fhir_server.domain.detection.reasons import REASONS
from fhir_server.domain.detection.strangers import Strangers
from fhir_server.domain.detection.ties import ties, weighed
from tests.holds import holds

NUMBERS = profile("fr").detection
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
ACCESS = Accessed("Practitioner/1", "Organization/1", "Organization/ward", "60", "p1", AT, Grade.DECLARED)
NOBODY = Around()


def moved(space="p1", **amount):
    return replace(ACCESS, space=space, at=AT + timedelta(**amount))


def entering(count, **more):
    """Yield what the rules of conduct say while one actor enters many spaces that nobody explains."""
    conduct, peers = Conduct(), Peers()
    for number in range(count):
        access = replace(moved(f"p{number}", seconds=number), **more)
        yield from at_once(access, NOBODY, Holder(), (conduct, peers), NUMBERS)


@holds("V19")
@pytest.mark.parametrize(
    ("grade", "around", "explanation", "doubt"),
    [
        (Grade.PATIENT, NOBODY, Explanation.PATIENT, Doubt.NONE),
        (Grade.DECLARED, Around(named=True), Explanation.NAMED, Doubt.NONE),
        (Grade.DECLARED, Around(teammate=True), Explanation.TEAM, Doubt.NONE),
        (Grade.THIRD_PARTY, NOBODY, Explanation.THIRD_PARTY, Doubt.SOME),
        (Grade.DECLARED, Around(care=True), Explanation.THIRD_PARTY, Doubt.SOME),
        (Grade.DECLARED, Around(deposit=True), Explanation.DEPOSIT, Doubt.SOME),
        (Grade.DECLARED, Around(elsewhere=True), None, Doubt.FULL),
        (None, NOBODY, None, Doubt.FULL),
    ],
)
def test_evidence_of_others_explains_an_access(grade, around, explanation, doubt):
    found = explain(replace(ACCESS, grade=grade), around)
    assert (found, doubt_of(found)) == (explanation, doubt)


def test_every_tie_and_every_oddity_has_points_and_nothing_else_has():
    assert set(NUMBERS.points) == {*Tie, *Oddity}
    assert profile("ehds").detection == NUMBERS


@holds("V20")
@pytest.mark.parametrize(
    ("shared", "tie", "rule"),
    [
        ({"addresses": "a"}, Tie.ADDRESS, Rule.SAME_ADDRESS),
        ({"phones": "0"}, Tie.PHONE, Rule.SAME_ADDRESS),
        ({"streets": "s"}, Tie.STREET, Rule.SAME_ADDRESS),
        ({"names": "n"}, Tie.NAME, Rule.SAME_NAME),
        ({"names": "n", "rare_names": "n"}, Tie.RARE_NAME, Rule.SAME_NAME),
        ({"employers": "o"}, Tie.EMPLOYER, Rule.SAME_EMPLOYER),
        ({"teams": "t"}, Tie.TEAM, Rule.SAME_EMPLOYER),
    ],
)
def test_what_two_people_share_is_a_tie_that_names_its_rule(shared, tie, rule):
    traits = Traits(**{name: frozenset({value}) for name, value in shared.items()})
    assert ties(traits, traits) == (tie,)
    assert ties(traits, Traits()) == ()
    hit = weighed(ACCESS, Doubt.FULL, (tie,), tuple(Oddity), NUMBERS)
    assert hit is not None
    assert (hit.rule, hit.space, hit.due) == (rule, "p1", AT + NUMBERS.usual.exact)
    assert weighed(ACCESS, Doubt.NONE, (tie,), tuple(Oddity), NUMBERS) is None


def test_an_address_is_enough_where_nobody_explains_and_a_common_name_is_not():
    assert weighed(ACCESS, Doubt.FULL, (Tie.ADDRESS,), (), NUMBERS)
    assert weighed(ACCESS, Doubt.FULL, (Tie.NAME,), (Oddity.ALONE,), NUMBERS) is None


ODD = (Oddity.OFF_DUTY, Oddity.ALONE, Oddity.ASTRAY, Oddity.UNUSUAL)


def test_much_that_is_unusual_rings_without_a_tie_where_nothing_explains():
    hit = weighed(ACCESS, Doubt.FULL, (), ODD, NUMBERS)
    assert hit is not None
    assert (hit.rule, hit.person, hit.space) == (Rule.OUT_OF_PLACE, "Practitioner/1", "p1")


def test_less_that_is_unusual_or_an_admission_does_not_ring_without_a_tie():
    for one in ODD:
        assert weighed(ACCESS, Doubt.FULL, (), set(ODD) - {one}, NUMBERS) is None
    assert weighed(ACCESS, Doubt.FULL, (), set(Oddity) - {Oddity.UNUSUAL}, NUMBERS) is None
    assert weighed(ACCESS, Doubt.SOME, (), set(Oddity) - {Oddity.UNUSUAL}, NUMBERS) is None


def test_an_earlier_deposit_takes_more_that_is_unusual():
    assert weighed(ACCESS, Doubt.SOME, (), ODD, NUMBERS) is None
    assert weighed(ACCESS, Doubt.SOME, (), (*ODD, Oddity.OWN_WORD), NUMBERS)


def test_the_own_word_is_odd_where_only_an_earlier_deposit_speaks_for_the_establishment():
    declared = oddities(ACCESS, Around(deposit=True), Conduct(), NUMBERS)
    admitted = oddities(ACCESS, Around(deposit=True, care=True), Conduct(), NUMBERS)
    assert Oddity.OWN_WORD in declared
    assert Oddity.OWN_WORD not in admitted
    assert Oddity.OWN_WORD not in oddities(ACCESS, NOBODY, Conduct(), NUMBERS)


def test_a_colleague_of_the_unit_looked_up_off_duty_rings_after_a_deposit_and_on_duty_does_not():
    shared = (Tie.TEAM, Tie.EMPLOYER)
    assert weighed(ACCESS, Doubt.SOME, shared, (Oddity.OFF_DUTY, Oddity.ALONE, Oddity.OWN_WORD), NUMBERS)
    assert weighed(ACCESS, Doubt.SOME, shared, (Oddity.ALONE, Oddity.OWN_WORD), NUMBERS) is None


def test_volume_rings_above_what_is_usual_for_the_own_profession():
    (first, *_) = (hit for hit in entering(30) if hit.rule is Rule.VOLUME)
    assert first.evidence["spaces-in-hour"] == NUMBERS.hour_floor
    assert first.due == first.at + NUMBERS.urgent.exact
    assert [hit for hit in entering(NUMBERS.hour_floor - 1) if hit.rule is Rule.VOLUME] == []


def test_what_happens_to_all_peers_today_accuses_nobody():
    peers, hour = Peers(), hour_of(AT)
    for number in range(10):
        peers.note(f"Practitioner/{number}", hour, 30, 30)
    assert peers.limit_of_hour(NUMBERS.hour_floor, NUMBERS.deviations) > 30
    assert peers.limit_of_day(NUMBERS.day_floor, NUMBERS.deviations) > 30


def test_yesterday_is_remembered_and_an_earlier_hour_changes_nothing():
    peers, hour = Peers(), hour_of(AT)
    for number in range(10):
        peers.note(f"Practitioner/{number}", hour, 20, 20)
    peers.note("Practitioner/1", hour + 24, 0, 0)
    assert peers.limit_of_hour(1, 6) == 26
    peers.note("Practitioner/2", hour, 60, 60)
    assert peers.this_hour == {"Practitioner/1": 0}


def test_median_and_deviation_of_a_histogram_are_those_of_its_counts():
    counts = (0, 0, 1, 1, 2, 7, 30)
    histogram = Histogram()
    for count in counts:
        histogram.add(count)
    assert histogram.usual() == usual(counts) == (1, 1)
    assert usual(()) == Histogram().usual() == (0.0, 0.0)


def test_a_sequence_of_national_numbers_rings():
    conduct, peers = Conduct(), Peers()
    hits = [
        hit.rule
        for number in range(NUMBERS.neighbours)
        for hit in at_once(moved(f"p{number}"), NOBODY, Holder("2840399999"), (conduct, peers), NUMBERS)
    ]
    assert hits == [Rule.SEQUENCE]


HOUR = hour_of(AT)


def readers(units, bits):
    return [(f"Organization/{number}", bits) for number in range(units)]


@holds("V20")
def test_many_unexpected_readers_of_one_space_ring():
    bits = NUMBERS.celebrity_bits / NUMBERS.celebrity_units
    hit = rules.celebrity(ACCESS, readers(NUMBERS.celebrity_units, bits), NUMBERS)
    assert hit is not None
    assert (hit.rule, hit.person, hit.space) == (Rule.CELEBRITY, None, "p1")
    assert hit.evidence == {"units": NUMBERS.celebrity_units, "bits": NUMBERS.celebrity_bits}


def test_readers_who_are_expected_of_one_unit_or_too_few_are_no_celebritys():
    total = float(NUMBERS.celebrity_bits)
    assert (
        rules.celebrity(ACCESS, readers(NUMBERS.celebrity_units, total / NUMBERS.celebrity_units - 0.5), NUMBERS)
        is None
    )
    assert rules.celebrity(ACCESS, readers(50, 0.0), NUMBERS) is None
    assert rules.celebrity(ACCESS, readers(NUMBERS.celebrity_units - 1, total), NUMBERS) is None
    assert rules.celebrity(ACCESS, [("Organization/ward", 4.0)] * 50, NUMBERS) is None


def surprised(conduct):
    return surprise(ACCESS, Doubt.SOME, conduct, NUMBERS, is_settled=False)


def habit(alone, count=98):
    conduct = Conduct()
    conduct.counted, conduct.alone = count, alone
    return conduct


def test_who_seldom_enters_without_the_own_team_surprises_more_than_who_often_does():
    pharmacist, nurse, unknown = (surprised(conduct) for conduct in (habit(80), habit(0), Conduct()))
    assert pharmacist < 0.5 < unknown
    assert unknown + 2 < nurse
    assert surprise(ACCESS, Doubt.NONE, habit(0), NUMBERS, is_settled=True) == 0
    assert surprise(replace(ACCESS, refused=True), Doubt.FULL, habit(0), NUMBERS, is_settled=True) == 0


def test_a_day_of_help_for_another_unit_surprises_less_with_each_space():
    helping = habit(2)
    alone = surprised(helping)
    for number in range(16):
        helping.note(moved(f"p{number}"), Doubt.SOME)
    assert surprised(helping) == pytest.approx(alone - 4)


def test_a_reader_who_is_off_duty_surprises_more_once_the_hours_after_are_known():
    working = habit(2)
    working.duty.add(HOUR + 2)
    later = surprise(ACCESS, Doubt.SOME, habit(2), NUMBERS, is_settled=True)
    assert later == surprised(habit(2)) + NUMBERS.off_duty_bits
    assert surprise(ACCESS, Doubt.SOME, working, NUMBERS, is_settled=True) == surprised(working)


def test_strangers_are_counted_once_for_a_day_and_bounded():
    strangers, hour = Strangers(), hour_of(AT)
    for bits in (4.0, 3.0, 4.0):
        strangers.note("Practitioner/1", hour, "Organization/1", bits)
    assert list(strangers.readers()) == [("Organization/1", 4.0)]
    strangers.note("Practitioner/2", hour + DAY, "Organization/2", 2.0)
    assert list(strangers.readers()) == [("Organization/2", 2.0)]
    for number in range(1000):
        strangers.note(f"Practitioner/{number}", hour + DAY, None, 1.0)
    assert len(strangers.entered) == 100


@pytest.mark.parametrize(("each_day", "rings"), [(5, False), (6, True)])
def test_a_few_spaces_each_day_ring_before_a_week_is_over(each_day, rings):
    conduct, peers = Conduct(), Peers()
    hits = [
        hit
        for day in range(7)
        for number in range(each_day)
        for hit in at_once(
            moved(f"p{day}-{number}", days=day, hours=number), NOBODY, Holder(), (conduct, peers), NUMBERS
        )
        if hit.rule is Rule.VOLUME
    ]
    assert bool(hits) is rings
    assert not hits or hits[0].evidence["spaces-in-week"] == NUMBERS.week_floor


def test_every_rule_says_its_reason_in_one_sentence():
    assert set(REASONS) == set(Rule)
    assert all(reason.endswith(".") and reason.count(".") == 1 for reason in REASONS.values())


def test_a_great_share_of_emergencies_rings_and_a_small_one_does_not():
    hits = [hit for hit in entering(NUMBERS.emergencies_floor, emergency=True) if hit.rule is Rule.EMERGENCIES]
    assert hits[0].evidence == {"emergencies": 4, "entered": 4}
    conduct = Conduct()
    for number in range(100):
        conduct.note(replace(moved(f"p{number}"), emergency=number < 4), Doubt.NONE)
    assert rules.emergencies(ACCESS, conduct, NUMBERS) is None


def test_many_refused_spaces_ring():
    hits = list(entering(NUMBERS.refusals_floor, refused=True))
    assert [hit.rule for hit in hits] == [Rule.REFUSALS]


@pytest.mark.parametrize(("days", "rings"), [(59, False), (61, True)])
def test_an_account_that_was_not_used_for_long_rings(days, rings):
    conduct = Conduct()
    conduct.note(ACCESS, Doubt.NONE)
    later = moved("p2", days=days)
    hits = [hit.rule for hit in at_once(later, NOBODY, Holder(), (conduct, Peers()), NUMBERS)]
    assert hits == ([Rule.DORMANT] if rings else [])


@pytest.mark.parametrize(("days", "rings"), [(6, False), (8, True)])
def test_an_access_long_after_a_death_rings(days, rings):
    holder = Holder(ended_at=AT - timedelta(days=days))
    hits = [hit.rule for hit in at_once(ACCESS, NOBODY, holder, (Conduct(), Peers()), NUMBERS)]
    assert hits == ([Rule.ENDED] if rings else [])


def test_evidence_that_arrives_ends_the_doubt():
    conduct, home = Conduct(), Traits(addresses=frozenset({"a"}))
    conduct.note(ACCESS, Doubt.FULL)
    assert settled(ACCESS, Around(teammate=True), (home, home), conduct, NUMBERS) is None
    assert conduct.doubtful == {}
    assert conduct.is_on_duty(hour_of(AT), 3)


def test_noting_an_access_twice_changes_nothing_that_is_counted():
    once, twice = Conduct(), Conduct()
    once.note(ACCESS, Doubt.FULL, "stem")
    for _ in range(2):
        twice.note(ACCESS, Doubt.FULL, "stem")
    assert once == twice


def test_what_is_remembered_of_an_actor_is_bounded():
    conduct = Conduct()
    for number in range(3000):
        conduct.note(moved(f"p{number}", seconds=number), Doubt.FULL, "stem")
    conduct.forget(hour_of(AT) + 1)
    assert len(conduct.doubtful) == len(conduct.stems) == 1000
    conduct.forget(hour_of(AT) + 24 * 40)
    assert replace(conduct, last=None) == Conduct()


def alone(conduct, space, **amount):
    settled(moved(space, **amount), NOBODY, (Traits(), Traits()), conduct, NUMBERS)


def odd(conduct, space="p1", around=NOBODY, **amount):
    return oddities(moved(space, **amount), around, conduct, NUMBERS)


def test_who_is_hardly_ever_alone_with_a_patient_is_unusual_there_and_who_often_is_is_not():
    nurse, adviser = Conduct(judged=200), Conduct(judged=200, solitary=20)
    for conduct in (nurse, adviser):
        alone(conduct, "p1")
    assert Oddity.UNUSUAL in odd(nurse)
    assert Oddity.UNUSUAL in odd(nurse, around=Around(deposit=True))
    assert Oddity.UNUSUAL not in odd(adviser)


@pytest.mark.parametrize("around", [Around(elsewhere=True), Around(care=True), Around(deposit=True, elsewhere=True)])
def test_nobody_is_alone_where_others_entered_lately_or_care_is_recorded(around):
    found = odd(Conduct(judged=200), around=around)
    assert {Oddity.ALONE, Oddity.UNUSUAL}.isdisjoint(found)


def test_who_comes_back_alone_after_hours_returns_and_a_space_counts_once():
    conduct = Conduct(judged=200)
    for _ in range(3):
        alone(conduct, "p1")
    assert conduct.solitary == 1
    assert Oddity.RETURNS not in odd(conduct, minutes=59)
    assert Oddity.RETURNS in odd(conduct, hours=2)
    assert Oddity.RETURNS not in odd(conduct, "p2", hours=2)


def test_what_is_habit_fades_and_is_bounded():
    conduct = Conduct()
    for number in range(1200):
        alone(conduct, f"p{number}", seconds=number)
    assert conduct.judged <= 400
    assert conduct.solitary <= conduct.judged
    conduct.forget(hour_of(AT) + 1)
    assert len(conduct.alone_in) == 1000


def entered(strangers, number, doubt=Doubt.SOME, *, is_settled=False):
    """Let a nurse of another unit than anybody before enter the space; return what the rule says."""
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


def test_a_space_that_has_ended_rings_for_the_establishments_own_staff_only_when_they_are_astray():
    holder = Holder(ended_at=AT - timedelta(days=10))

    def rings(conduct):
        around = Around(deposit=True)
        return [hit.rule for hit in at_once(ACCESS, around, holder, (conduct, Peers()), NUMBERS)] == [Rule.ENDED]

    assert rings(habit(2))
    assert not rings(habit(80))
