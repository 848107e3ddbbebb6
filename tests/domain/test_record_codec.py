"""The state of a space as bytes: everything comes back, equal states are equal bytes, damage lets nobody in."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_rules.model import Directive, Membership, RecordState, Team
from consent_rules.vocabulary import DirectiveKind, Label, Proof, Purpose, SpaceStatus
from fhir_server.domain.record_codec import dump, load

TEXTS = st.text(max_size=8)
TIMES = st.none() | st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SETS = st.frozensets(TEXTS, max_size=3)
DIRECTIVES = st.builds(
    Directive,
    id=TEXTS,
    kind=st.sampled_from(DirectiveKind),
    actors=SETS,
    excluded=SETS,
    purposes=st.frozensets(st.sampled_from(Purpose)),
    start=TIMES,
    end=TIMES,
    recorded_at=TIMES,
    proof=st.sampled_from(Proof),
    by_patient=st.booleans(),
    recorder=TEXTS,
    kinds=st.none() | SETS,
    categories=st.none() | SETS,
    reason=TEXTS,
    documents=st.none() | SETS,
    data_start=TIMES,
    data_end=TIMES,
    professions=SETS,
    labels=st.integers(0, 511).map(Label),
)
TEAMS = st.builds(
    Team,
    reference=TEXTS,
    members=st.lists(st.builds(Membership, member=TEXTS, start=TIMES, end=TIMES), max_size=2).map(tuple),
)
RECORDS = st.builds(
    RecordState,
    patient=TEXTS,
    status=st.sampled_from(SpaceStatus),
    since=TIMES,
    erasure_asked_at=TIMES,
    birth_date=st.none() | st.dates(),
    directives=st.lists(DIRECTIVES, max_size=3).map(tuple),
    teams=st.lists(TEAMS, max_size=2).map(tuple),
    deceased=st.booleans(),
    told=SETS,
)


@given(RECORDS)
def test_what_is_written_is_read_back(record):
    assert load(dump(record)) == record
    assert dump(load(dump(record))) == dump(record)


def test_times_before_1970_are_kept():
    record = RecordState("p", SpaceStatus.ACTIVE, since=datetime(1950, 1, 1, 0, 0, 0, 1, tzinfo=UTC))
    assert load(dump(record)) == record


def test_only_what_differs_from_the_default_is_written():
    record = RecordState("p", SpaceStatus.ACTIVE, birth_date=date(1980, 1, 2))
    assert dump(record) == b'{"birth_date":"1980-01-02","patient":"p","status":"active"}'


def test_what_was_written_before_a_choice_could_name_documents_is_still_read():
    older = (
        b'{"directives":[{"actors":["Practitioner/p"],"id":"c","kind":"agreement"}],"patient":"p","status":"active"}'
    )
    assert load(older).directives == (Directive("c", DirectiveKind.AGREEMENT, actors=frozenset({"Practitioner/p"})),)


@pytest.mark.parametrize(
    "state", [b"", b"[]", b'{"patient":"p","status":"open"}', b'{"patient":"p","status":"active","x":1}']
)
def test_a_damaged_state_is_no_state(state):
    with pytest.raises((ValueError, KeyError, AttributeError)):
        load(state)
