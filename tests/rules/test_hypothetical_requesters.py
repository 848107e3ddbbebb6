"""What somebody would see, and who would see a document: always the answer of the one decision."""

import pytest

from consent_rules.matrix.table import of_cells
from consent_rules.model import Directive, Permit
from consent_rules.tools.hypothetical_requesters import (
    MODES,
    Stage,
    Viewer,
    as_profession,
    audience,
    audience_change,
    for_some_only,
    visible,
)
from consent_rules.vocabulary import DirectiveKind, Mark, Purpose
from tests.rules.builders import (
    DAY,
    EHDS,
    FR,
    HOSPITAL_REPORT,
    LABORATORY,
    MATRIX,
    NOW,
    RESIDENCE,
    agreement,
    block,
    directive,
    document,
    reason,
    space,
)


def stage(*directives, rules=FR, people=None, **more):
    return Stage(space(*directives, **more), MATRIX, rules, NOW, people or {})


SPACE = stage(
    directive(DirectiveKind.DECLARED_PHYSICIAN, "Practitioner/martin"),
    directive(DirectiveKind.CARER, "RelatedPerson/nora", end=NOW + DAY),
    agreement("Practitioner/paul"),
    block("Practitioner/zoe"),
    people={"Practitioner/paul": "70", "Practitioner/nour": "10", "Practitioner/zoe": "28"},
)
HIDDEN = document(marks=Mark.MASQUE_PS)


@pytest.mark.parametrize(
    ("mode", "basis"),
    [
        ("care-team", "care-team"),
        ("consent", "consent"),
        ("declared-physician", "declared-physician"),
        ("administrator", "administrator"),
        ("break-glass", "break-glass"),
        ("regulation", "emergency-regulation"),
    ],
)
def test_a_mode_is_entered_on_its_ground(mode, basis):
    answer = as_profession(stage(), "10", mode)
    assert isinstance(answer, Permit)
    assert answer.basis == basis


def test_what_is_pretended_is_named_so():
    assert as_profession(stage(), "10", "consent").rules[0].consents == ("pretended",)


def test_without_a_mode_nobody_enters():
    assert reason(as_profession(stage(), "10", "none")) == "no-consent"
    assert set(MODES) >= {"none", "care-team"}


def test_an_unknown_mode_is_no_mode():
    with pytest.raises(KeyError):
        as_profession(stage(), "10", "magic")


def test_a_mode_obeys_the_space():
    off = block(purposes=frozenset({Purpose.BREAK_GLASS}))
    assert reason(as_profession(stage(off), "10", "break-glass")) == "emergency-off"
    assert as_profession(stage(directive(DirectiveKind.ASK_FIRST)), "10", "consent").basis == "consent"


def test_the_row_of_the_profession_is_seen():
    answer = as_profession(stage(), "70", "care-team")
    assert visible(answer, [document(HOSPITAL_REPORT), document(LABORATORY)]) == [True, False]
    assert visible(as_profession(stage(), "70", "none"), [document()]) == [False]


def test_a_specialty_has_its_own_row_where_there_is_one():
    cells = [c for c in MATRIX.cells.values() if c.profession == "10"]
    own = of_cells([*cells, cells[0]._replace(profession="10/SM25", kind=RESIDENCE, access=True)], "2030-01-01")
    special = Stage(space(), own, FR, NOW)
    assert visible(as_profession(special, "10", "consent", "SM25"), [document(RESIDENCE), document()]) == [True, False]
    assert visible(as_profession(special, "10", "consent"), [document(RESIDENCE), document()]) == [False, True]


def test_whom_alone_a_document_is_for_is_withheld_from_all_others():
    assert for_some_only(document(id="d1"), ["Practitioner/paul", "10"]) == Directive(
        "proposed",
        DirectiveKind.WITHHELD,
        excluded=frozenset({"Practitioner/paul"}),
        professions=frozenset({"10"}),
        documents=frozenset({"d1"}),
    )


class TestAudience:
    def test_asks_for_depositors_as_what_they_are(self):
        both = document("x", owner_person="Practitioner/paul", owner_organization="Organization/chu")
        seen = audience(SPACE, both)
        assert seen[Viewer("depositor", "Practitioner/paul")]
        assert seen[Viewer("depositor", "Organization/chu")]
        shut = stage(block("Organization/chu"))
        assert not audience(shut, both)[Viewer("depositor", "Organization/chu")]

    def test_names_everybody_whom_the_space_names(self):
        seen = audience(SPACE, document(owner_person="Practitioner/nour", owner_organization="Organization/chu"))
        assert seen[Viewer("patient", "Patient/camille")]
        assert seen[Viewer("declared-physician", "Practitioner/martin")]
        assert seen[Viewer("carer", "RelatedPerson/nora")]
        assert seen[Viewer("agreement", "Practitioner/paul")]
        assert seen[Viewer("depositor", "Organization/chu")]
        assert not seen[Viewer("depositor", "Practitioner/nour")]
        assert Viewer("block", "Practitioner/zoe") not in seen

    def test_names_every_health_profession_in_both_modes(self):
        seen = audience(SPACE, document())
        professions = [code for code in MATRIX.professions if MATRIX.is_health_profession(code)]
        assert {(p.role, p.name) for p in seen if p.role in {"care-team", "break-glass"}} == {
            (mode, code) for mode in ("care-team", "break-glass") for code in professions
        }
        assert seen[Viewer("care-team", "70")]
        assert not audience(SPACE, document(RESIDENCE))[Viewer("care-team", "10")]

    def test_leaves_out_persons_of_unknown_profession(self):
        seen = audience(stage(agreement("Practitioner/luc")), document(owner_person="Practitioner/nour"))
        assert not {p for p in seen if p.name in {"Practitioner/luc", "Practitioner/nour"}}

    def test_names_software_that_deposited(self):
        seen = audience(stage(), document(owner_client="Device/chu"))
        assert seen[Viewer("depositor", "Device/chu")]

    def test_tells_what_hiding_changes(self):
        changed = audience_change(SPACE, document(owner_organization="Organization/chu"), Mark.MASQUE_PS)
        assert changed[Viewer("agreement", "Practitioner/paul")] == (True, False)
        assert changed[Viewer("break-glass", "10")] == (True, False)
        assert Viewer("declared-physician", "Practitioner/martin") not in changed
        assert Viewer("patient", "Patient/camille") not in changed
        assert Viewer("depositor", "Organization/chu") not in changed

    def test_tells_that_the_declared_physician_loses_it_in_europe(self):
        europe = Stage(SPACE.record, MATRIX, EHDS, NOW)
        assert audience_change(europe, document(), Mark.MASQUE_PS)[
            Viewer("declared-physician", "Practitioner/martin")
        ] == (
            True,
            False,
        )

    def test_tells_what_showing_again_changes(self):
        assert audience_change(SPACE, HIDDEN, Mark.NONE)[Viewer("care-team", "10")] == (False, True)

    def test_tells_who_loses_a_document_that_is_for_some_only_and_not_who_keeps_it(self):
        changed = audience_change(SPACE, document(id="d1"), only=["Practitioner/paul"])
        assert changed[Viewer("care-team", "10")] == (True, False)
        assert "Practitioner/paul" not in {party.name for party in changed}

    def test_tells_that_a_document_for_somebody_else_is_lost(self):
        changed = audience_change(SPACE, document(id="d1"), only=["Practitioner/zoe"])
        assert changed[Viewer("agreement", "Practitioner/paul")] == (True, False)
        assert Viewer("document-for", "Practitioner/zoe") not in changed

    def test_nothing_changes_when_the_marks_stay(self):
        assert audience_change(SPACE, HIDDEN, Mark.MASQUE_PS) == {}
