"""Whoever has a ground is shown what it opens, whatever else is said in the space."""

from dataclasses import replace

from hypothesis import given

from consent_rules.model import Directive
from consent_rules.vocabulary import Action, Basis, DirectiveKind, Grade, Mark, Proof, Purpose, SpaceStatus
from tests.holds import holds
from tests.laws.worlds import SAMPLE, directives, judge, profiles, records, requests, view
from tests.rules.builders import CHILD, DAY, EHDS, FR, HOUR, MARTIN, MATRIX, NOW, PARENT, PAUL, opening

K = DirectiveKind
ENTRIES = {K.AGREEMENT, K.ADMINISTRATOR, K.BLOCK, K.BLOCK_LIFTED}
"""What decides whether a professional enters a space for treatment."""
TAKING_AWAY = {K.BLOCK, K.BLOCK_LIFTED, K.WITHHELD, K.CARE_HISTORY_HIDDEN}


def beside(record, *directives):
    """Return an open space with these directives beside what was said in another, without what takes away."""
    kept = tuple(one for one in record.directives if one.kind not in TAKING_AWAY)
    return replace(record, status=SpaceStatus.ACTIVE, since=None, directives=(*kept, *directives))


def asking(request, requester, purpose=Purpose.TREATMENT):
    return replace(request, requester=requester, action=Action.CONSULT, purpose=purpose)


def numbers_of(condition):
    return {number for number, item in enumerate(SAMPLE) if condition(item)}


def unhidden_in_row(requester):
    row = MATRIX.kinds_for(requester.profession)
    return numbers_of(lambda item: item.kind in row and not item.marks & Mark.MASQUE_PS)


def team_of(requester):
    """Return the patient's own agreement to the establishment in which somebody practises."""
    given = {"recorded_at": NOW - 4 * DAY, "by_patient": True}
    return Directive("team", K.AGREEMENT, frozenset({requester.organization}), **given)


@holds("I25")
@given(requests, records)
def test_the_declared_physician_sees_everything(request, record):
    declared = Directive("declared", K.DECLARED_PHYSICIAN, frozenset({MARTIN.person}))
    answer = judge(asking(request, MARTIN), beside(record, declared), FR)
    assert answer.basis is Basis.DECLARED_PHYSICIAN
    assert view(answer) == set(range(len(SAMPLE)))
    strict = judge(asking(request, MARTIN), beside(record, declared), EHDS)
    assert numbers_of(lambda item: not item.marks & Mark.MASQUE_PS) <= view(strict)


@holds("I26")
@given(requests, records, profiles)
def test_the_author_sees_the_own_documents_hidden_or_withheld(request, record, rules):
    withheld = (Directive("all", K.WITHHELD, by_patient=True), Directive("care", K.CARE_HISTORY_HIDDEN))
    answer = judge(asking(request, PAUL), beside(record, team_of(PAUL), *withheld), rules)
    assert numbers_of(lambda item: item.owner_person == PAUL.person) <= view(answer)


@holds("I27")
@given(requests, records, profiles)
def test_an_agreement_opens_the_row_of_the_matrix(request, record, rules):
    for requester in (PAUL, MARTIN):
        answer = judge(asking(request, requester), beside(record, team_of(requester)), rules)
        assert unhidden_in_row(requester) <= view(answer)


@holds("I28")
@given(requests, records, profiles)
def test_break_glass_opens_the_row_of_the_matrix(request, record, rules):
    opened = opening(PAUL, id_="opened", recorded_at=request.at - HOUR / 2)
    answer = judge(asking(request, PAUL, Purpose.BREAK_GLASS), beside(record, opened), rules)
    assert answer.basis is Basis.BREAK_GLASS
    assert unhidden_in_row(PAUL) <= view(answer)


@holds("I29")
@given(requests, records, profiles)
def test_the_regulating_physician_is_served(request, record, rules):
    opened = opening(MARTIN, Purpose.EMERGENCY, id_="opened", recorded_at=request.at - HOUR / 2)
    answer = judge(asking(request, MARTIN, Purpose.EMERGENCY), beside(record, opened), rules)
    assert answer.basis is Basis.REGULATION
    assert unhidden_in_row(MARTIN) <= view(answer)


@holds("I30")
@given(requests, records, profiles)
def test_a_representative_sees_the_open_record_of_a_young_minor(request, record, rules):
    represents = Directive("represents", K.REPRESENTATIVE, frozenset({PARENT.person}))
    minor = replace(beside(record, represents), birth_date=CHILD)
    answer = judge(asking(request, PARENT, Purpose.FAMILY_REQUEST), minor, rules)
    kept = Mark.INVISIBLE_REPRESENTANTS_LEGAUX | Mark.INVISIBLE_PATIENT
    assert numbers_of(lambda item: not item.marks & kept) <= view(answer)


@holds("B6")
@given(requests, records, profiles, directives)
def test_a_representatives_code_opens_what_the_patients_does_but_what_a_minor_hides_from_them(
    request, record, rules, hiding
):
    by_code = {"by_patient": False, "grade": Grade.PATIENT, "proof": Proof.CODE, "recorded_at": request.at - HOUR}
    asked, shown = asking(request, PAUL), replace(team_of(PAUL), **by_code)
    hidden = replace(hiding, kind=K.WITHHELD, actors=frozenset({PARENT.person}), excluded=frozenset())
    others = [one for one in record.directives if one.kind not in ENTRIES]
    plain, by_parent = (
        view(judge(asked, replace(beside(record), directives=(*others, hidden, code)), rules))
        for code in (shown, replace(shown, given_by=PARENT.person))
    )
    kept = [one for one in (*others, hidden) if one.kind is K.WITHHELD and one.holds_at(request.at)]
    extents = [one.extent for one in kept if PARENT.person in one.actors]
    secret = numbers_of(
        lambda item: item.marks & Mark.INVISIBLE_REPRESENTANTS_LEGAUX or any(one.touches(item) for one in extents)
    )
    filed = numbers_of(lambda item: item.is_owned_by(frozenset({PAUL.person, PAUL.organization})))
    assert by_parent == plain - (secret - filed)
