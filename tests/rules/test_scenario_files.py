"""How scenario files are read: every key, TOML and JSON alike, and every fault by its name."""

import json
from datetime import UTC, date, datetime

import pytest

from consent_rules.matrix.table import MatrixError
from consent_rules.model import Team
from consent_rules.tools.scenario import ScenarioError, marks_of, parse
from consent_rules.visibility import micros
from consent_rules.vocabulary import (
    Action,
    Capacity,
    DirectiveKind,
    Label,
    Mark,
    Proof,
    Purpose,
    RequesterKind,
    SpaceStatus,
)

WHOLE = {
    "profile": "ehds",
    "matrix": "2023-10-26",
    "at": "2026-03-02T09:00:00Z",
    "people": {"Practitioner/paul": "70"},
    "space": {
        "patient": "camille",
        "status": "closed",
        "since": "2026-03-01T09:00:00+00:00",
        "erasure_asked_at": "2026-03-01T10:00:00Z",
        "birth_date": "1980-01-01",
    },
    "directives": [
        {
            "id": "a",
            "kind": "agreement",
            "actors": ["Practitioner/paul"],
            "excluded": ["Practitioner/zoe"],
            "purposes": ["TREAT"],
            "start": "2026-03-01T09:00:00Z",
            "end": "2026-03-03T09:00:00Z",
            "recorded_at": "2026-03-01T09:00:00Z",
            "proof": "card",
            "by_patient": True,
            "kinds": ["34112-3"],
            "categories": ["10"],
            "documents": ["D1"],
            "professions": ["70"],
        },
        {"kind": "ask-first"},
    ],
    "teams": [
        {"reference": "CareTeam/t", "members": [{"member": "Practitioner/paul", "start": "2026-03-01T09:00:00Z"}]}
    ],
    "documents": {
        "D1": {
            "kind": "34112-3",
            "marks": ["MASQUE_PS", "INVISIBLE_PATIENT"],
            "sealed_until": "2026-04-01T09:00:00Z",
            "owner_person": "Practitioner/paul",
        }
    },
    "request": {
        "kind": "professional",
        "person": "Practitioner/paul",
        "profession": "70",
        "capacity": "occupational-physician",
        "action": "deposit",
        "purpose": "BTG",
    },
    "expect": {"reason": "closed"},
}
TOML = """
at = 2026-03-02T09:00:00Z
[space]
patient = "camille"
birth_date = 1980-01-01
"""


def written(**changed):
    return json.dumps({name: value for name, value in (WHOLE | changed).items() if value is not None})


def test_every_key_is_read():
    told = parse(written())
    stage, record = told.stage, told.stage.record
    assert (stage.profile.name, stage.matrix.version, stage.people) == (
        "ehds",
        "2023-10-26",
        {"Practitioner/paul": "70"},
    )
    assert stage.at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (record.patient, record.status, record.birth_date) == ("camille", SpaceStatus.CLOSED, date(1980, 1, 1))
    assert record.since == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert record.erasure_asked_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    first, second = record.directives
    assert (first.id, first.kind, first.actors, first.excluded) == (
        "a",
        DirectiveKind.AGREEMENT,
        {"Practitioner/paul"},
        {"Practitioner/zoe"},
    )
    assert (first.purposes, first.proof, first.by_patient) == ({Purpose.TREATMENT}, Proof.CARD, True)
    assert (first.kinds, first.categories) == ({"34112-3"}, {"10"})
    assert (first.documents, first.professions) == ({"D1"}, {"70"})
    assert (first.start, first.end, first.recorded_at) == (
        record.since,
        datetime(2026, 3, 3, 9, tzinfo=UTC),
        record.since,
    )
    assert (second.id, second.kind) == ("directive-1", DirectiveKind.ASK_FIRST)
    assert record.teams[0].reference == "CareTeam/t"
    assert record.teams[0].members[0].start == record.since
    document = told.documents["D1"]
    assert (document.compartment, document.marks) == ("camille", Mark.MASQUE_PS | Mark.INVISIBLE_PATIENT)
    assert document.sealed_until == datetime(2026, 4, 1, 9, tzinfo=UTC)
    request = told.request
    assert (request.action, request.purpose, request.at) == (Action.DEPOSIT, Purpose.BREAK_GLASS, stage.at)
    assert (request.requester.kind, request.requester.capacity) == (
        RequesterKind.PROFESSIONAL,
        Capacity.OCCUPATIONAL_PHYSICIAN,
    )
    assert told.expect == {"reason": "closed"}


def test_what_is_not_said_has_its_default():
    told = parse(TOML)
    assert (told.stage.profile.name, told.stage.matrix.version) == ("fr", "2023-10-26")
    assert (told.stage.record.status, told.stage.record.directives) == (SpaceStatus.ACTIVE, ())
    assert (told.documents, told.request, told.expect) == ({}, None, {})
    asked = parse(TOML + '[request]\nkind = "patient"').request
    assert (asked.action, asked.purpose, asked.in_lockdown) == (Action.CONSULT, Purpose.TREATMENT, False)


def test_how_the_server_stands_is_said_with_the_request():
    """K2."""
    assert parse(written(request={"kind": "patient", "emergencies_only": True})).request.in_lockdown
    with pytest.raises(ScenarioError, match=r"^request\.emergencies_only: true or false is needed$"):
        parse(written(request={"kind": "patient", "emergencies_only": "yes"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at = ", "neither TOML nor JSON: "),
        ("{", "neither TOML nor JSON: "),
        (written(wish=1), "`wish` is unknown; there are at, directives, documents"),
        (written(at=None), "at: an instant with a zone is needed, such as 2026-03-02T09:00:00Z"),
        (written(at="2026-03-02T09:00:00"), "at: an instant with a zone is needed"),
        (written(at="soon"), "at: Invalid isoformat string: 'soon'"),
        ("at = 2026-03-02", "at: an instant with a zone is needed"),
        (written(space={}), "space: `patient` is missing"),
        (written(space={"patient": "p", "status": "open"}), "space.status: 'open' is not a valid SpaceStatus"),
        (written(space={"patient": "p", "birth_date": 3}), "space.birth_date: a day is needed, such as 1980-01-01"),
        (TOML + 'status = "active"\nname = "x"', "space: `name` is unknown; there are birth_date, deceased"),
        (
            "at = 2026-03-02T09:00:00Z\n[space]\npatient = 'p'\nbirth_date = 2026-03-02T09:00:00Z",
            "space.birth_date: a day",
        ),
        (written(directives=[{}]), "directives[0].kind: None is not a valid DirectiveKind"),
        (written(directives=[{"kind": "block", "actors": "x"}]), "directives[0].actors: a list is needed"),
        (
            written(directives=[{"kind": "block", "purposes": ["FUN"]}]),
            "directives[0].purposes: 'FUN' is not a valid Purpose",
        ),
        (written(directives=[{"kind": "block", "purposes": "x"}]), "directives[0].purposes: a list is needed"),
        (written(documents={"D1": {"marks": "x"}}), "documents.D1.marks: a list is needed"),
        (written(space={"patient": "p", "birth_date": "soon"}), "space.birth_date: Invalid isoformat string: 'soon'"),
        (written(request={"kind": "patient", "purpose": "FUN"}), "request.purpose: 'FUN' is not a valid Purpose"),
        (written(directives=[{"kind": "block", "who": "x"}]), "directives[0]: `who` is unknown"),
        (
            written(documents={"D1": {"marks": ["SECRET"]}}),
            "documents.D1.marks: `SECRET` is no mark; there are NONE, MASQUE_PS",
        ),
        (written(documents={"D1": {"authored": "2026"}}), "documents.D1.authored: "),
        (written(documents={"D1": {"labels": "R"}}), "documents.D1.labels: a list is needed"),
        (written(documents={"D1": {"labels": ["X"]}}), "documents.D1.labels: `X` is no label; there are NONE, N, R, V"),
        (written(request={"kind": "king"}), "request.kind: 'king' is not a valid RequesterKind"),
        (written(request={"kind": "patient", "action": "steal"}), "request.action: 'steal' is not a valid Action"),
        (written(space=None), "space: `patient` is missing"),
        (written(teams=[{"reference": "CareTeam/t", "members": [{}]}]), "teams[0].members: `member` is missing"),
        (written(teams=[{}]), "teams[0]: `reference` is missing"),
        (written(teams=[{"reference": "CareTeam/t", "lead": "x"}]), "teams[0]: `lead` is unknown; there are members"),
    ],
)
def test_a_fault_is_named(text, message):
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


def test_space_before_the_text_is_no_matter():
    assert parse(f"\n {written()}") == parse(written())


def test_labels_are_read_by_name():
    told = parse(written(documents={"D1": {"labels": ["R", "PSY"]}, "D2": {"labels": []}, "D3": {}}))
    assert [told.documents[name].labels for name in ("D1", "D2", "D3")] == [Label.R | Label.PSY, Label.NONE, None]


def test_a_document_is_written_at_an_instant():
    facts = parse(written(documents={"D1": {"authored": "2026-03-01T09:00:00Z"}})).documents["D1"]
    start = micros(datetime(2026, 3, 1, 9, tzinfo=UTC))
    assert facts.authored == (start, start + 1)


def test_a_team_may_be_empty():
    assert parse(written(teams=[{"reference": "CareTeam/t"}])).stage.record.teams == (Team("CareTeam/t", ()),)


def test_another_version_of_the_matrix_is_asked_for_by_name():
    with pytest.raises(MatrixError, match="there is no matrix `1999-01-01`"):
        parse(written(matrix="1999-01-01"))


def test_marks_are_read_from_a_command_line():
    assert marks_of("") is Mark.NONE
    assert marks_of("MASQUE_PS,MASQUE_PT") == Mark.MASQUE_PS | Mark.MASQUE_PT
    with pytest.raises(ScenarioError, match="marks: `X` is no mark"):
        marks_of("X")
