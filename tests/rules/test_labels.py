"""Every label by every actor: who may put and lift it, and what a new document is born with (E1, E6–E12, B6, L6)."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from consent_rules.consents import visibility_marks
from consent_rules.decision.decision_context import context_of
from consent_rules.model import AccessRequest, Deny, RuleApplied
from consent_rules.vocabulary import Action, DirectiveKind, Grade, Mark, Proof, Purpose
from tests.holds import holds
from tests.rules.builders import (
    ADULT,
    AUDITOR,
    CHILD,
    DAY,
    FR,
    HOLDER,
    MARTIN,
    MATRIX,
    NOW,
    PARENT,
    PAUL,
    SOFTWARE,
    TEEN,
    agreement,
    block,
    directive,
    document,
    space,
)

PS, SEALED, SECRET = Mark.MASQUE_PS, Mark.INVISIBLE_PATIENT, Mark.INVISIBLE_REPRESENTANTS_LEGAUX
OWN = {"owner_person": PAUL.person, "owner_organization": "Organization/chu"}
ACTORS = {
    "patient": HOLDER,
    "parent": PARENT,
    "author": PAUL,
    "other": MARTIN,
    "software": SOFTWARE,
    "auditor": AUDITOR,
}
TOGETHER = replace(FR, hidden_and_sealed_together=True)
HIDING = {Mark.MASQUE_PS, Mark.MASQUE_PSOCIAL, Mark.MASQUE_PT}
MARKS = [mark for mark in Mark if mark]

MAY_ADD = {
    # (actor, minor): marks
    ("patient", False): HIDING,
    ("patient", True): HIDING | {SECRET},
    ("parent", False): HIDING,
    ("parent", True): HIDING,
    ("author", False): {SEALED},
    ("author", True): {SEALED, SECRET},
    ("software", False): {SEALED},
    ("software", True): {SEALED, SECRET},
}
MAY_LIFT = {"patient": HIDING, "parent": HIDING, "author": {SEALED}, "software": {SEALED}}


def relabel(who, before, after, born=ADULT, rules=TOGETHER, **more):
    facts = document(marks=before, **(OWN | more))
    request = AccessRequest(ACTORS[who], Action.CHANGE_MARKS, Purpose.TREATMENT, NOW)
    return visibility_marks.may_change_marks(request, space(born=born), facts, after, rules)


@holds("B6")
@pytest.mark.parametrize(("who", "mark", "minor"), list(product(ACTORS, MARKS, [False, True])), ids=str)
def test_each_label_is_put_only_by_whom_the_table_names(who, mark, minor):
    before = SEALED if mark is SEALED else Mark.NONE
    if mark is SEALED:
        answer = relabel(who, Mark.NONE, SEALED, born=TEEN if minor else ADULT)
        assert answer.reason == "already-seen"
        return
    answer = relabel(who, before, before | mark, born=TEEN if minor else ADULT)
    if mark in MAY_ADD.get((who, minor), set()):
        assert answer.outcome == "permit"
    else:
        assert answer.reason == "mark-not-allowed"


@pytest.mark.parametrize(("who", "mark"), list(product(ACTORS, MARKS)), ids=str)
def test_each_label_is_lifted_only_by_whom_the_table_names(who, mark):
    answer = relabel(who, mark, Mark.NONE, born=TEEN, sealed_until=NOW + DAY)
    if mark in MAY_LIFT.get(who, set()):
        assert answer.outcome == "permit"
    else:
        assert answer.reason == "mark-not-allowed"


@holds("B6")
def test_a_secret_once_kept_from_parents_stays_one():
    for who in ACTORS:
        answer = relabel(who, SECRET, Mark.NONE, born=CHILD)
        assert (answer.reason, answer.rules[0].statement) == ("mark-not-allowed", "B6")


@holds("E1", "E16")
@pytest.mark.parametrize("who", ["patient", "parent"])
def test_the_holder_hides_documents_of_every_type(who):
    """E16: no text names a type that cannot be hidden, so there is none; the history of reimbursements included."""
    for kind in [*MATRIX.kinds, ""]:
        assert relabel(who, Mark.NONE, PS, kind=kind).outcome == "permit", kind
        assert relabel(who, PS, Mark.NONE, kind=kind).outcome == "permit", kind


@pytest.mark.parametrize("who", ["patient", "parent"])
def test_a_lapsed_seal_may_be_taken_away_by_the_holder(who):
    assert relabel(who, SEALED, Mark.NONE, sealed_until=NOW).outcome == "permit"


def test_nothing_changed_is_permitted_to_everybody():
    for who in ACTORS:
        assert relabel(who, PS, PS) == RuleApplied("E1", "permit")


def test_the_statement_is_that_of_the_mark():
    assert relabel("author", SEALED, Mark.NONE, sealed_until=NOW + DAY).statement == "E9"
    assert relabel("patient", Mark.NONE, SECRET, born=TEEN).statement == "B6"
    assert relabel("patient", Mark.NONE, PS).statement == "E1"


@holds("E8")
def test_hidden_and_sealed_exclude_each_other_while_the_profile_says_so():
    assert relabel("patient", SEALED, SEALED | PS, rules=FR, sealed_until=NOW + DAY).reason == (
        "marks-exclude-each-other"
    )
    assert relabel("patient", SEALED, SEALED | PS, rules=FR, sealed_until=NOW).outcome == "permit"
    assert relabel("patient", SEALED, SEALED | PS, sealed_until=NOW + DAY).outcome == "permit"
    assert relabel("author", SEALED | PS, PS, rules=FR, sealed_until=NOW + DAY).outcome == "permit"


def test_software_acts_for_its_own_establishment_or_itself():
    assert relabel("software", SEALED, Mark.NONE, owner_organization="", sealed_until=NOW + DAY).reason
    itself = {"owner_organization": "", "owner_client": "Device/chu", "sealed_until": NOW + DAY}
    assert relabel("software", SEALED, Mark.NONE, **itself).outcome == "permit"


def test_nobody_is_the_author_of_a_document_without_owner():
    nameless = replace(PAUL, person="")
    request = AccessRequest(nameless, Action.CHANGE_MARKS, Purpose.TREATMENT, NOW)
    facts = document(marks=SEALED, sealed_until=NOW + DAY)
    assert visibility_marks.may_change_marks(request, space(), facts, Mark.NONE, FR).reason == "mark-not-allowed"
    bare = AccessRequest(replace(SOFTWARE, client="", organization=""), Action.CHANGE_MARKS, Purpose.TREATMENT, NOW)
    assert visibility_marks.may_change_marks(bare, space(), facts, Mark.NONE, FR).reason == "mark-not-allowed"


CARED_FOR = directive(
    DirectiveKind.CARE, "Organization/cabinet", "Organization/practice", "Organization/chu", end=NOW + DAY,
    proof=Proof.ADMISSION, grade=Grade.THIRD_PARTY, recorder="Device/admissions",
)  # fmt: skip


def file(who, wanted, *directives, born=ADULT, rules=FR, replaced=None, care=(CARED_FOR,), purpose=Purpose.TREATMENT):
    request = AccessRequest(ACTORS[who], Action.DEPOSIT, purpose, NOW)
    context = context_of(request, space(*directives, *care, born=born), MATRIX, rules)
    return visibility_marks.may_file(context, wanted, replaced)


OWN_AGREEMENT = {"by_patient": True, "proof": Proof.PATIENT}
OF_SOFTWARE = agreement("Organization/chu", **OWN_AGREEMENT)


@holds("V16")
@pytest.mark.parametrize(
    ("who", "given", "may"),
    [
        ("author", (), False),
        ("author", (agreement("Practitioner/paul"),), False),
        ("author", (agreement("Organization/cabinet"),), False),
        ("author", (agreement("Practitioner/paul", **OWN_AGREEMENT),), True),
        ("author", (agreement("Practitioner/paul", grade=Grade.THIRD_PARTY),), True),
        ("author", (directive(DirectiveKind.ADMINISTRATOR, "Practitioner/paul", by_patient=True),), True),
        ("author", (agreement("Practitioner/paul", **OWN_AGREEMENT), block("Practitioner/paul")), False),
        ("author", (CARED_FOR,), True),
        ("author", (CARED_FOR, block("Practitioner/paul")), True),
        ("software", (), False),
        ("software", (agreement("Organization/chu"),), False),
        ("software", (OF_SOFTWARE,), True),
        ("software", (OF_SOFTWARE, block("Organization/chu")), False),
        ("software", (CARED_FOR,), True),
        ("software", (replace(CARED_FOR, recorder="Device/chu"),), False),
    ],
)
def test_only_who_treats_seals_from_the_patient(who, given, may):
    answer = file(who, SEALED, *given, care=())
    assert answer == (
        RuleApplied("E7", "permit") if may else Deny("sealing-needs-care", (RuleApplied("V16", "refuse"),))
    )
    assert file(who, PS, *given, care=()).outcome == "permit"


def test_an_emergency_seals_nothing():
    own = agreement("Practitioner/paul", **OWN_AGREEMENT)
    assert file("author", SEALED, own, care=(), purpose=Purpose.BREAK_GLASS).reason == "sealing-needs-care"


def test_who_does_not_treat_is_not_told_that_the_patient_wants_results_at_once():
    assert file("author", SEALED, directive(DirectiveKind.AT_ONCE), care=()).reason == "sealing-needs-care"


def test_a_replacement_inherits_the_seal_whoever_files_it():
    sealed = document(marks=SEALED, sealed_until=NOW + DAY)
    assert file("author", SEALED, replaced=sealed, care=()).outcome == "permit"
    assert file("author", SEALED, replaced=replace(sealed, sealed_until=NOW), care=()).reason == "sealing-needs-care"


@holds("E7")
@pytest.mark.parametrize(("who", "mark", "minor"), list(product(ACTORS, MARKS, [False, True])), ids=str)
def test_each_label_is_given_at_filing_only_by_whom_the_law_lets(who, mark, minor):
    files = {SEALED} if who in {"author", "other", "software"} else set()
    keeps = {SECRET} if minor and who in {"author", "other", "software", "patient"} else set()
    allowed = HIDING | files | keeps
    answer = file(who, mark, born=CHILD if minor else ADULT)
    if mark in allowed:
        assert answer == RuleApplied("E7", "permit")
    else:
        assert answer.reason == "mark-not-allowed"


def test_a_seal_is_refused_to_a_patient_who_wants_results_at_once():
    always = directive(DirectiveKind.AT_ONCE)
    assert file("author", SEALED, always).reason == "patient-wants-results-at-once"
    assert file("author", PS, always).outcome == "permit"
    assert file("author", SEALED, replace(always, end=NOW)).outcome == "permit"


def test_a_seal_is_refused_on_the_replacement_of_what_the_patient_sees():
    assert file("author", SEALED, replaced=document()).reason == "already-seen"
    assert file("author", SEALED, replaced=document(marks=SEALED, sealed_until=NOW)).reason == "already-seen"
    assert file("author", SEALED, replaced=document(marks=SEALED, sealed_until=NOW + DAY)).outcome == "permit"
    assert file("author", PS, replaced=document()).outcome == "permit"


@holds("E8")
def test_hidden_and_sealed_are_not_filed_together_while_the_profile_says_so():
    assert file("author", SEALED | PS).reason == "marks-exclude-each-other"
    assert file("author", SEALED | PS, rules=TOGETHER).outcome == "permit"
    assert file("author", SEALED | Mark.MASQUE_PT).outcome == "permit"


@holds("E7")
def test_a_new_document_has_the_marks_that_it_is_filed_with():
    assert visibility_marks.marks_at_filing(space(), SEALED, NOW) == SEALED


@holds("E12")
def test_a_new_document_is_hidden_when_the_patient_hides_by_default():
    record = space(directive(DirectiveKind.HIDDEN_BY_DEFAULT, end=NOW))
    assert visibility_marks.marks_at_filing(record, Mark.NONE, NOW - DAY) == PS
    assert visibility_marks.marks_at_filing(record, Mark.NONE, NOW) is Mark.NONE


@holds("E6")
def test_the_default_adds_to_what_is_filed():
    record = space(directive(DirectiveKind.HIDDEN_BY_DEFAULT))
    assert visibility_marks.marks_at_filing(record, Mark.MASQUE_PT, NOW) == PS | Mark.MASQUE_PT


def test_a_change_of_another_mark_is_not_hindered_by_what_was_filed_before():
    before = SEALED | PS
    assert relabel("author", before, before | SECRET, born=TEEN, rules=FR, sealed_until=NOW + DAY).outcome == "permit"


@holds("E6")
def test_a_replacement_inherits_every_mark():
    replaced = document(marks=PS | SECRET)
    assert visibility_marks.marks_at_filing(space(), Mark.MASQUE_PT, NOW, replaced) == PS | SECRET | Mark.MASQUE_PT


@holds("E11")
def test_a_seal_opens_one_calendar_month_after_filing():
    assert visibility_marks.sealed_until(datetime(2026, 1, 31, 8, tzinfo=UTC), FR) == datetime(
        2026, 2, 28, 8, tzinfo=UTC
    )


@holds("E10")
def test_the_patient_is_told_after_two_weeks():
    assert visibility_marks.information_due(NOW, FR) == NOW + 14 * DAY


def test_a_document_is_sealed_until_its_instant():
    assert visibility_marks.is_sealed(document(marks=SEALED), NOW)
    assert visibility_marks.is_sealed(document(marks=SEALED, sealed_until=NOW + DAY), NOW)
    assert not visibility_marks.is_sealed(document(marks=SEALED, sealed_until=NOW), NOW)
    assert not visibility_marks.is_sealed(document(sealed_until=NOW + DAY), NOW)
