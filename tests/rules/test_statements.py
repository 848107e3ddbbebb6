"""Which rule speaks: every refusal and permit names its statement and the consents it rests on (I39 of the plan).

The tables hold questions, asked when their test runs and not when the file is read: only so can a fault fail them.
"""

from dataclasses import replace
from datetime import date

import pytest

from consent_rules import lifecycle
from consent_rules.consents import visibility_marks
from consent_rules.consents.recording import record as say
from consent_rules.decision.decision_context import context_of
from consent_rules.matrix import comparison
from consent_rules.matrix.table import of_cells
from consent_rules.model import AccessRequest, Deny, RuleApplied
from consent_rules.rule_profile import Span
from consent_rules.vocabulary import Action, Capacity, DirectiveKind, Grade, Mark, Proof, Purpose, SpaceStatus
from tests.holds import holds
from tests.rules.builders import (
    AUDITOR,
    CHILD,
    DAY,
    FR,
    HOLDER,
    INSURER,
    MARTIN,
    MATRIX,
    NOW,
    PARENT,
    PAUL,
    PSYCHOLOGIST,
    SOFTWARE,
    SUPPORT,
    agreement,
    ask,
    block,
    directive,
    document,
    opening,
    space,
)

BTG, ETREAT = Purpose.BREAK_GLASS, Purpose.EMERGENCY
TEAM = agreement("Organization/cabinet", id_="team")
NAMED = agreement("Practitioner/paul", id_="named")
FIRST = directive(DirectiveKind.ASK_FIRST)
OCCUPATIONAL = replace(MARTIN, capacity=Capacity.OCCUPATIONAL_PHYSICIAN)
LET = replace(FR, occupational_physicians=True)
S = SpaceStatus

REFUSALS = {
    "forbidden party": (lambda: ask(INSURER, space()), "forbidden-party", "I2", ()),
    "no emergency": (lambda: ask(PAUL, space(TEAM), in_lockdown=True), "emergencies-only", "K2", ()),
    "purpose stated by software": (
        lambda: ask(SOFTWARE, space(), purpose=ETREAT, in_lockdown=True),
        "emergencies-only",
        "K2",
        (),
    ),
    "no row": (lambda: ask(HOLDER, space(), Action.OPEN_EMERGENCY), "not-entitled", "D3", ()),
    "unnamed professional": (lambda: ask(replace(PAUL, person=""), space()), "unidentified", "I8", ()),
    "unregistered software": (lambda: ask(replace(SOFTWARE, client=""), space()), "unidentified", "I8", ()),
    "unnamed auditor": (
        lambda: ask(replace(AUDITOR, person=""), space(), Action.READ_TRACES),
        "unidentified",
        "H8",
        (),
    ),
    "unnamed support": (
        lambda: ask(replace(SUPPORT, person=""), space(), Action.READ_TRACES),
        "unidentified",
        "H8",
        (),
    ),
    "other purpose": (lambda: ask(PAUL, space(), purpose=Purpose.AUDIT), "not-entitled", "I6", ()),
    "occupational": (lambda: ask(OCCUPATIONAL, space()), "not-entitled", "I4", ()),
    "title holder": (lambda: ask(replace(PAUL, profession=PSYCHOLOGIST), space()), "not-entitled", "C16", ()),
    "regulation by others": (lambda: ask(PAUL, space(), purpose=ETREAT), "not-entitled", "G2", ()),
    "no mode": (lambda: ask(PAUL, space(), Action.OPEN_EMERGENCY), "not-entitled", "G1", ()),
    "other space": (lambda: ask(replace(HOLDER, person="Patient/zoe"), space()), "not-entitled", "B1", ()),
    "too young": (lambda: ask(HOLDER, space(born=CHILD)), "too-young", "B11", ()),
    "announced": (lambda: ask(PAUL, space(TEAM, status=S.ANNOUNCED)), "announced", "A3", ()),
    "opposed": (lambda: ask(PAUL, space(TEAM, status=S.OPPOSED)), "opposed", "A1", ()),
    "suspended": (lambda: ask(PAUL, space(TEAM, status=S.SUSPENDED)), "suspended", "A11", ()),
    "closed": (lambda: ask(PAUL, space(TEAM, status=S.CLOSED)), "closed", "A13", ()),
    "erased": (lambda: ask(PAUL, space(TEAM, status=S.ERASED)), "erased", "A8", ()),
    "directing an erased space": (lambda: ask(HOLDER, space(status=S.ERASED), Action.DIRECT), "erased", "A8", ()),
    "blocked": (lambda: ask(PAUL, space(TEAM, block("Practitioner/paul"))), "blocked", "F3", ("block-1",)),
    "switched off": (
        lambda: ask(PAUL, space(block(purposes=frozenset({BTG}))), purpose=BTG),
        "emergency-off",
        "G4",
        ("block-1",),
    ),
    "not opened": (lambda: ask(PAUL, space(), purpose=BTG), "emergency-not-open", "G8", ()),
    "regulation not opened": (lambda: ask(MARTIN, space(), purpose=ETREAT), "emergency-not-open", "G8", ()),
    "no authority": (lambda: ask(PARENT, space()), "no-authority", "B2", ()),
    "no consent": (lambda: ask(PAUL, space()), "no-consent", "C1", ()),
    "consent used": (lambda: ask(PAUL, space(NAMED), at=NOW + 2 * DAY), "consent-used", "C4", ("named",)),
    "approval pending": (lambda: ask(PAUL, space(TEAM, NAMED, FIRST)), "approval-pending", "C1", ("team", "named")),
    "approval too late": (
        lambda: ask(PAUL, space(TEAM, FIRST), rules=replace(FR, approval_waits=Span.parse("1min"))),
        "no-consent",
        "C1",
        ("team",),
    ),
    "team of an occupational physician": (
        lambda: ask(OCCUPATIONAL, space(agreement("Organization/practice", id_="t")), rules=LET),
        "no-consent",
        "C1",
        ("t",),
    ),
}


@holds("C8", "I39")
@pytest.mark.parametrize(("answer", "reason", "statement", "consents"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_of_entry_names_its_rule(answer, reason, statement, consents):
    assert answer() == Deny(reason, (RuleApplied(statement, "refuse", consents),), "2023-10-26")


PERMITS = {
    "patient": (lambda: ask(HOLDER, space()), "B1", ()),
    "representative": (
        lambda: ask(PARENT, space(directive(DirectiveKind.REPRESENTATIVE, PARENT.person), born=CHILD)),
        "B2",
        ("representative-1",),
    ),
    "carer": (
        lambda: ask(PARENT, space(directive(DirectiveKind.CARER, PARENT.person, end=NOW + DAY))),
        "B13",
        ("carer-1",),
    ),
    "declared": (
        lambda: ask(MARTIN, space(directive(DirectiveKind.DECLARED_PHYSICIAN, MARTIN.person))),
        "D4",
        ("declared-physician-1",),
    ),
    "administrator": (
        lambda: ask(MARTIN, space(directive(DirectiveKind.ADMINISTRATOR, MARTIN.person))),
        "E4",
        ("administrator-1",),
    ),
    "team": (lambda: ask(PAUL, space(TEAM, NAMED)), "C2", ("team",)),
    "consent": (lambda: ask(PAUL, space(NAMED)), "C4", ("named",)),
    "break-glass": (lambda: ask(PAUL, space(opening(PAUL)), purpose=BTG), "G1", ("emergency-opening-1",)),
    "regulation": (lambda: ask(MARTIN, space(opening(MARTIN, ETREAT)), purpose=ETREAT), "G2", ("emergency-opening-1",)),
    "opening break-glass": (lambda: ask(PAUL, space(), Action.OPEN_EMERGENCY, BTG), "G1", ()),
    "opening regulation": (lambda: ask(MARTIN, space(), Action.OPEN_EMERGENCY, ETREAT), "G2", ()),
    "filing": (lambda: ask(PAUL, space(), Action.DEPOSIT), "C9", ()),
    "filing while blocked": (lambda: ask(PAUL, space(block("Practitioner/paul")), Action.DEPOSIT), "C9", ()),
    "collection": (lambda: ask(PAUL, space(), Action.DIRECT), "C6", ()),
    "identification": (lambda: ask(PAUL, space(), Action.IDENTIFY), "I8", ()),
    "own traces": (lambda: ask(PAUL, space(), Action.READ_TRACES), "H4", ()),
    "software": (lambda: ask(SOFTWARE, space()), "I8", ()),
    "software filing": (lambda: ask(SOFTWARE, space(), Action.DEPOSIT), "I8", ()),
    "software labelling": (lambda: ask(SOFTWARE, space(), Action.CHANGE_MARKS), "I8", ()),
    "software identifying": (lambda: ask(SOFTWARE, space(), Action.IDENTIFY), "I8", ()),
    "software traces": (lambda: ask(SOFTWARE, space(), Action.READ_TRACES), "H4", ()),
    "auditor": (lambda: ask(AUDITOR, space(), Action.READ_TRACES), "H8", ()),
    "auditor searching all spaces": (lambda: ask(AUDITOR, space(), Action.READ_ALL_TRACES), "H8", ()),
    "support": (lambda: ask(SUPPORT, space(), Action.READ_TRACES), "H8", ()),
    "auditor reviewing": (lambda: ask(AUDITOR, space(), Action.REVIEW), "G8", ()),
}
NARROWED = {"declared", "administrator", "team", "consent", "break-glass", "regulation"}


@pytest.mark.parametrize("name", PERMITS)
def test_an_entry_names_its_rule(name):
    asked, statement, consents = PERMITS[name]
    answer = asked()
    assert answer.rules[0] == RuleApplied(statement, "permit", consents, answer.grade)
    narrowed = (RuleApplied("D3", "narrow"), RuleApplied("E1", "narrow"))
    opened = {"opening break-glass", "opening regulation"}
    assert answer.rules[1:] == (narrowed if name in NARROWED | opened else ())


@holds("V1")
@pytest.mark.parametrize(
    ("given", "grade"),
    [
        ([TEAM, replace(TEAM, id="other", grade=Grade.THIRD_PARTY)], "third_party"),
        ([replace(TEAM, grade=Grade.THIRD_PARTY), replace(TEAM, id="other")], "third_party"),
        ([replace(TEAM, grade=Grade.THIRD_PARTY), replace(TEAM, id="own", grade=Grade.PATIENT)], "patient"),
        ([TEAM], "declared"),
        ([replace(NAMED, grade=Grade.THIRD_PARTY)], "third_party"),
        ([directive(DirectiveKind.ADMINISTRATOR, PAUL.person, grade=Grade.PATIENT)], "patient"),
        ([opening(PAUL)], "declared"),
    ],
)
def test_an_entry_for_care_has_the_best_grade_of_its_ground(given, grade):
    purpose = BTG if given[0].kind is DirectiveKind.EMERGENCY_OPENING else Purpose.TREATMENT
    assert ask(PAUL, space(*given), purpose=purpose).grade == grade


@pytest.mark.parametrize("name", PERMITS)
def test_only_the_grounds_of_care_have_a_grade(name):
    asked, _, _ = PERMITS[name]
    assert (asked().grade is not None) == (name in NARROWED)


SEALED = document(marks=Mark.INVISIBLE_PATIENT, sealed_until=NOW + DAY)
RELABEL = AccessRequest(HOLDER, Action.CHANGE_MARKS, Purpose.PATIENT_REQUEST, NOW)
FILE = AccessRequest(PAUL, Action.DEPOSIT, Purpose.TREATMENT, NOW)
OWN = replace(NAMED, by_patient=True, grade=Grade.PATIENT)
BOTH = Mark.INVISIBLE_PATIENT | Mark.MASQUE_PS


def filed(wanted, *directives, replaced=None):
    return visibility_marks.may_file(context_of(FILE, space(*directives), MATRIX, FR), wanted, replaced)


LABELS = {
    "sealing what is seen": (
        lambda: visibility_marks.may_change_marks(RELABEL, space(), document(), Mark.INVISIBLE_PATIENT, FR),
        "already-seen",
        "E9",
    ),
    "lifting a seal": (
        lambda: visibility_marks.may_change_marks(RELABEL, space(), SEALED, Mark.NONE, FR),
        "mark-not-allowed",
        "E9",
    ),
    "a secret of an adult": (
        lambda: visibility_marks.may_change_marks(
            RELABEL, space(), document(), Mark.INVISIBLE_REPRESENTANTS_LEGAUX, FR
        ),
        "mark-not-allowed",
        "B6",
    ),
    "hiding by somebody": (
        lambda: visibility_marks.may_change_marks(
            replace(RELABEL, requester=PAUL), space(), document(), Mark.MASQUE_PS, FR
        ),
        "mark-not-allowed",
        "E1",
    ),
    "hidden and sealed": (
        lambda: visibility_marks.may_change_marks(RELABEL, space(), SEALED, BOTH, FR),
        "marks-exclude-each-other",
        "E8",
    ),
    "filing a secret of an adult": (lambda: filed(Mark.INVISIBLE_REPRESENTANTS_LEGAUX), "mark-not-allowed", "B6"),
    "filing for who wants results at once": (
        lambda: filed(Mark.INVISIBLE_PATIENT, OWN, directive(DirectiveKind.AT_ONCE)),
        "patient-wants-results-at-once",
        "E9",
    ),
    "filing a sealed replacement": (
        lambda: filed(Mark.INVISIBLE_PATIENT, OWN, replaced=document()),
        "already-seen",
        "E9",
    ),
    "filing a seal without treating": (lambda: filed(Mark.INVISIBLE_PATIENT, NAMED), "sealing-needs-care", "V16"),
    "filing hidden and sealed": (lambda: filed(BOTH, OWN), "marks-exclude-each-other", "E8"),
}


@pytest.mark.parametrize(("answer", "reason", "statement"), LABELS.values(), ids=LABELS.keys())
def test_a_refusal_of_marks_names_its_rule(answer, reason, statement):
    assert answer() == Deny(reason, (RuleApplied(statement, "refuse"),))


def recorded(requester, said, *given, rules=FR):
    request = AccessRequest(requester, Action.DIRECT, Purpose.TREATMENT, NOW)
    return say(context_of(request, space(*given), MATRIX, rules), said)


CARERS = [directive(DirectiveKind.CARER, f"RelatedPerson/{n}", id_=str(n), end=NOW + DAY) for n in range(4)]
CHOICES = {
    "another's choice": (lambda: recorded(PAUL, block("Practitioner/zoe")), "not-yours-to-say", "C7"),
    "as the patient": (lambda: recorded(PAUL, replace(NAMED, proof=Proof.PATIENT)), "not-yours-to-say", "C7"),
    "a fourth carer": (lambda: recorded(HOLDER, CARERS[3], *CARERS[:3]), "too-many-carers", "B13"),
    "a third switch without the others": (
        lambda: recorded(
            HOLDER, directive(DirectiveKind.HIDDEN_IN_EMERGENCY), block(purposes=frozenset({BTG, ETREAT}))
        ),
        "emergency-off",
        "G5",
    ),
    "for too long": (lambda: recorded(HOLDER, replace(NAMED, end=NOW + 91 * DAY)), "period-too-long", "C4"),
}


@pytest.mark.parametrize(("answer", "reason", "statement"), CHOICES.values(), ids=CHOICES.keys())
def test_a_refusal_of_a_choice_names_its_rule(answer, reason, statement):
    assert answer() == Deny(reason, (RuleApplied(statement, "refuse"),))


def test_a_refusal_of_a_change_of_state_says_what_was_tried():
    moves = [
        lifecycle.may_move(space(status=before, since=NOW), after, NOW, FR)
        for before, after in ((S.ACTIVE, S.OPPOSED), (S.ANNOUNCED, S.ACTIVE), (S.CLOSED, S.ERASED))
    ]
    assert moves == [
        Deny("illegal-transition", (RuleApplied("A", "a space cannot change from active to opposed"),)),
        Deny("too-early", (RuleApplied("A3", "the notice period has not ended"),)),
        Deny("too-early", (RuleApplied("A8", "the archive period has not ended, and nobody asked for erasure"),)),
    ]


def test_a_refusal_of_a_matrix_says_what_is_missing():
    wider = of_cells([c._replace(access=True) for c in MATRIX.cells.values()], "2026-06-01")

    def activate(approvers, noticed_on, newer=wider):
        asked = comparison.Activation(frozenset(approvers), noticed_on, date(2026, 3, 2))
        return comparison.may_activate(MATRIX, newer, asked)

    past = of_cells(MATRIX.cells.values(), "2026-03-01")
    assert [activate([], None, past), activate(["a"], None), activate(["a", "b"], None)] == [
        Deny("too-early", (RuleApplied("D3", "a version must be approved before it comes into force"),)),
        Deny("second-approver-missing", (RuleApplied("D3", "a widening needs a second approver"),)),
        Deny("notice-missing", (RuleApplied("D3", "a widening is announced before it comes into force"),)),
    ]


def test_no_version_replaces_one_of_the_same_day():
    same = of_cells(MATRIX.cells.values(), "2026-06-01")
    asked = comparison.Activation(frozenset(), None, date(2026, 3, 2))
    refused = Deny("too-early", (RuleApplied("D3", "version 2026-06-01 is not older"),))
    assert comparison.may_activate(same, same, asked) == refused


@holds("C11", "F4")
def test_nothing_that_the_holder_says_hinders_filing():
    """C11, F4: whoever may file does, whatever was chosen; what is then seen is another matter."""
    everything = [directive(kind, id_=kind.value) for kind in DirectiveKind if kind is not DirectiveKind.BLOCK]
    blocks = [block(id_="all"), block(PAUL.person, PAUL.organization, id_="paul")]
    for said in ([], everything, blocks, [*everything, *blocks]):
        assert not isinstance(ask(PAUL, space(*said), Action.DEPOSIT), Deny)


@holds("K1")
def test_the_order_in_which_a_read_is_judged():
    """K1: who asks before what the patient decided; the space, then blocks, then the ground; each alone when alone."""
    unnamed, outside = {"person": ""}, {"profession": PSYCHOLOGIST}
    blocked, shut = (block(PAUL.person, id_="b"),), S.CLOSED
    cases = [
        (replace(INSURER, person=""), blocked, shut, "forbidden-party"),
        (replace(PAUL, **unnamed, **outside), blocked, shut, "unidentified"),
        (replace(PAUL, **outside), blocked, shut, "not-entitled"),
        (PAUL, blocked, shut, "closed"),
        (PAUL, blocked, S.ACTIVE, "blocked"),
        (PAUL, (), S.ACTIVE, "no-consent"),
    ]
    for requester, said, status, reason in cases:
        assert ask(requester, space(*said, status=status)).reason == reason
    assert ask(INSURER, space(), in_lockdown=True).reason == "forbidden-party"
    assert ask(replace(PAUL, **unnamed), space(), in_lockdown=True).reason == "emergencies-only", "K2"
    answer = ask(PAUL, space(TEAM))
    assert [rule.statement for rule in answer.rules] == ["C2", "D3", "E1"], "the ground, the matrix, the labels"


class TestNothingButEmergencies:
    """K2: what the operator lets through is read as ever, and is opened as ever."""

    OPENED = (block("Practitioner/zoe"), opening(MARTIN), opening(MARTIN, ETREAT, id_="regulation"))

    @pytest.mark.parametrize("mode", [BTG, ETREAT])
    @pytest.mark.parametrize("action", [Action.CONSULT, Action.OPEN_EMERGENCY, Action.IDENTIFY])
    def test_in_both_modes(self, mode, action):
        answer = ask(MARTIN, space(*self.OPENED), action, mode, in_lockdown=True)
        assert answer == ask(MARTIN, space(*self.OPENED), action, mode)
        assert not isinstance(answer, Deny)

    @pytest.mark.parametrize("mode", [BTG, ETREAT])
    def test_what_is_not_opened_stays_closed(self, mode):
        assert ask(MARTIN, space(TEAM), purpose=mode, in_lockdown=True).reason == "emergency-not-open"
