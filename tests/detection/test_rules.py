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
from fhir_server.domain.detection.judging import Holder, at_once, oddities, settled, surprise
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
    assert set(NUMBERS.points) == {*Tie, *Oddity} - {Oddity.ALONE, Oddity.ASTRAY, Oddity.OTHERS}  # these are measured
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
    hit = weighed(ACCESS, Doubt.FULL, (tie,), {Oddity.ALONE: 7.4}, NUMBERS)
    assert hit is not None
    assert (hit.rule, hit.space, hit.due) == (rule, "p1", AT + NUMBERS.usual.exact)
    assert hit.evidence == {tie: NUMBERS.points[tie], "alone": 7}
    assert weighed(ACCESS, Doubt.NONE, (tie,), {Oddity.ALONE: 7.4}, NUMBERS) is None


def test_an_address_is_enough_where_nobody_explains_and_a_common_name_is_not():
    assert weighed(ACCESS, Doubt.FULL, (Tie.ADDRESS,), {}, NUMBERS)
    assert weighed(ACCESS, Doubt.FULL, (Tie.NAME,), {Oddity.OFF_DUTY: 3}, NUMBERS) is None


def test_only_the_strongest_tie_counts_and_it_names_the_rule():
    shared = (Tie.EMPLOYER, Tie.STREET, Tie.NAME)
    assert weighed(ACCESS, Doubt.FULL, shared, {}, NUMBERS) is None
    hit = weighed(ACCESS, Doubt.FULL, shared, {Oddity.ALONE: 1.0}, NUMBERS)
    assert hit is not None
    assert hit.rule is Rule.SAME_ADDRESS
    assert hit.evidence == {"employer": 5, "street": 10, "name": 4, "alone": 1}


def test_much_that_is_unusual_rings_without_a_tie():
    odd = {Oddity.ALONE: 8.2, Oddity.OFF_DUTY: 3}
    hit = weighed(ACCESS, Doubt.FULL, (), odd, NUMBERS)
    assert hit is not None
    assert (hit.rule, hit.person, hit.space) == (Rule.OUT_OF_PLACE, "Practitioner/1", "p1")
    assert weighed(ACCESS, Doubt.SOME, (), odd, NUMBERS)
    assert weighed(ACCESS, Doubt.FULL, (), odd | {Oddity.OTHERS: -1}, NUMBERS) is None


def odd(conduct, space="p1", around=NOBODY, **amount):
    return oddities(moved(space, **amount), around, conduct, NUMBERS)


def test_who_is_hardly_ever_alone_with_a_patient_surprises_more_than_who_often_is():
    nurse, adviser = Conduct(judged=200, solitary=1), Conduct(judged=200, solitary=60)
    assert odd(nurse)[Oddity.ALONE] > odd(Conduct())[Oddity.ALONE] > odd(adviser)[Oddity.ALONE] > 1
    assert odd(nurse, around=Around(deposit=True)) == odd(nurse)


def test_several_strays_around_an_hour_surprise_less():
    conduct = Conduct(judged=200, solitary=1)
    before = odd(conduct)[Oddity.ALONE]
    for number in range(16):
        conduct.note(moved(f"p{number}"), Doubt.SOME)
    assert odd(conduct)[Oddity.ALONE] == pytest.approx(before - 2)


@pytest.mark.parametrize("around", [Around(elsewhere=True), Around(care=True), Around(deposit=True, elsewhere=True)])
def test_where_others_entered_lately_or_care_is_recorded_half_the_surprise_of_a_stray_counts(around):
    found = odd(habit(0), around=around)
    assert Oddity.ALONE not in found
    assert found[Oddity.ASTRAY] == habit(0).surprise(HOUR) / 2


def test_what_the_establishment_files_afterwards_and_others_who_entered_make_an_access_less_odd():
    found = odd(Conduct(), around=Around(filed=True, others=3))
    assert (found[Oddity.FILED], found[Oddity.OTHERS]) == (NUMBERS.points[Oddity.FILED], -2)
    assert odd(Conduct(), around=Around(others=500))[Oddity.OTHERS] == -4


@pytest.mark.parametrize(
    ("hours", "returns", "off"), [(0, False, True), (2, True, True), (23, True, True), (24, False, False)]
)
def test_who_comes_back_alone_within_a_day_returns_and_later_may_be_off_duty(hours, returns, off):
    conduct = Conduct()
    alone(conduct, "p1")
    found = odd(conduct, hours=hours)
    assert ((Oddity.RETURNS in found), (Oddity.OFF_DUTY in found)) == (returns, off)
    assert Oddity.RETURNS not in odd(conduct, "p2", hours=hours)


def test_a_space_counts_once_among_those_where_the_actor_was_alone():
    conduct = Conduct()
    for hours in range(3):
        alone(conduct, "p1", hours=hours)
    assert (conduct.solitary, conduct.judged) == (1, 3)


def test_a_declared_emergency_is_odd():
    found = oddities(replace(ACCESS, emergency=True), NOBODY, Conduct(), NUMBERS)
    assert found[Oddity.EMERGENCY] == NUMBERS.points[Oddity.EMERGENCY]


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
    total, units = NUMBERS.celebrity_bits, NUMBERS.celebrity_units
    for unexpected_ones in (
        readers(units, total / units - 0.5),
        readers(50, 0.0),
        readers(units - 1, float(total)),
        [("Organization/ward", 4.0)] * 50,
    ):
        assert rules.celebrity(ACCESS, unexpected_ones, NUMBERS) is None


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


def test_what_is_habit_fades_and_is_bounded():
    conduct = Conduct()
    for number in range(1200):
        alone(conduct, f"p{number}", seconds=number)
    assert conduct.judged <= 400
    assert conduct.solitary <= conduct.judged
    conduct.forget(hour_of(AT) + 1)
    assert len(conduct.alone_in) == 1000


def test_a_space_that_has_ended_rings_for_the_establishments_own_staff_only_when_they_are_astray():
    holder = Holder(ended_at=AT - timedelta(days=10))

    def rings(conduct):
        around = Around(deposit=True)
        return [hit.rule for hit in at_once(ACCESS, around, holder, (conduct, Peers()), NUMBERS)] == [Rule.ENDED]

    assert rings(habit(2))
    assert not rings(habit(80))
