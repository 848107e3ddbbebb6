"""The state of a space as bytes: everything comes back, equal states are equal bytes, damage lets nobody in."""

from dataclasses import fields
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_rules.model import Directive, Membership, Merge, RecordState, Team
from consent_rules.vocabulary import DirectiveKind, Grade, Label, Proof, Purpose, SpaceStatus
from fhir_server.domain import record_codec
from fhir_server.domain.record_codec import dump, load

TEXTS = st.text(max_size=8)
INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TIMES = st.none() | INSTANTS
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
    grade=st.sampled_from(Grade),
    given_by=TEXTS,
)
MEMBERSHIPS = st.builds(Membership, member=TEXTS, start=TIMES, end=TIMES, grade=st.sampled_from(Grade))
TEAMS = st.builds(
    Team,
    reference=TEXTS,
    members=st.lists(MEMBERSHIPS, max_size=2).map(tuple),
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
    unread=SETS,
    merged=st.none()
    | st.builds(
        Merge, id=TEXTS, other=TEXTS, replaced=st.booleans(), at=INSTANTS, was_active=st.none() | st.booleans()
    ),
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
    ("kind", "more", "grade"),
    [
        ("agreement", b',"by_patient":true', Grade.PATIENT),
        ("agreement", b',"proof":"written","recorder":"Practitioner/p"', Grade.DECLARED),
        ("emergency-opening", b',"recorder":"Practitioner/p"', Grade.DECLARED),
        ("declared-physician", b',"by_patient":true', Grade.PATIENT),
        ("declared-physician", b"", Grade.THIRD_PARTY),
        ("guardian", b"", Grade.THIRD_PARTY),
        ("agreement", b',"grade":"third_party"', Grade.THIRD_PARTY),
    ],
)
def test_what_an_earlier_version_stored_has_the_grade_of_who_recorded_it(kind, more, grade):
    older = b'{"directives":[{"id":"c","kind":"%b"%b}],"patient":"p","status":"active"}' % (kind.encode(), more)
    (directive,) = load(older).directives
    assert directive.grade is grade


@pytest.mark.parametrize(
    "state", [b"", b"[]", b'{"patient":"p","status":"open"}', b'{"patient":"p","status":"active","x":1}']
)
def test_a_damaged_state_is_no_state(state):
    with pytest.raises((ValueError, KeyError, AttributeError)):
        load(state)


STORED = {
    Directive: record_codec.StoredDirective,
    Membership: record_codec.StoredMembership,
    Merge: record_codec.StoredMerge,
    Team: record_codec.StoredTeam,
    RecordState: record_codec.StoredState,
}


@pytest.mark.parametrize("kept", STORED)
def test_the_stored_form_has_every_field(kept):
    assert STORED[kept].__struct_fields__ == tuple(field.name for field in fields(kept))


def test_a_state_of_0e11f7f_is_read_and_written_as_it_was():
    state = b"""{"birth_date":"1984-03-17","deceased":true,"directives":[{"actors":["Organization/1","Practitioner/2"],\
"by_patient":true,"categories":["10"],"data_end":1775034000000000,"data_start":1772442000000000,\
"documents":["d1","d2"],"end":1775034000000000,"excluded":["Practitioner/9"],"id":"c1","kind":"agreement",\
"kinds":["11488-4"],"labels":256,"professions":["10"],"proof":"written","purposes":["TREAT"],"reason":"why",\
"recorded_at":1772442000000000,"start":1772442000000000},{"id":"c2","kind":"block"}],\
"erasure_asked_at":1775034000000000,"patient":"2","since":1772442000000000,"status":"opposed",\
"teams":[{"members":[{"member":"Practitioner/1","start":1772442000000000}],"reference":"CareTeam/1"}],\
"told":["Practitioner/1 Organization/1"]}"""
    at, until = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)
    agreement = Directive(
        "c1",
        DirectiveKind.AGREEMENT,
        frozenset({"Organization/1", "Practitioner/2"}),
        frozenset({"Practitioner/9"}),
        frozenset({Purpose.TREATMENT}),
        at,
        until,
        at,
        Proof.WRITTEN,
        by_patient=True,
        kinds=frozenset({"11488-4"}),
        categories=frozenset({"10"}),
        reason="why",
        documents=frozenset({"d1", "d2"}),
        data_start=at,
        data_end=until,
        professions=frozenset({"10"}),
        labels=Label.HIV,
        grade=Grade.PATIENT,
    )
    block, team = Directive("c2", DirectiveKind.BLOCK), Team("CareTeam/1", (Membership("Practitioner/1", at),))
    assert load(state) == RecordState(
        "2",
        SpaceStatus.OPPOSED,
        at,
        until,
        date(1984, 3, 17),
        (agreement, block),
        (team,),
        deceased=True,
        told=frozenset({"Practitioner/1 Organization/1"}),
    )
    assert dump(load(state)) == state
