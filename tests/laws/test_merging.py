"""A merge of identities widens no decision, and what closes one of the two spaces closes both (AC51, F3, G4)."""

from dataclasses import replace

from hypothesis import given, settings

from consent_rules.decision import conditions
from consent_rules.decision.decision_context import context_of
from consent_rules.lifecycle import status_at
from consent_rules.merging import under_both
from consent_rules.model import Deny, Merge, Permit
from consent_rules.vocabulary import Action, DirectiveKind, SpaceStatus
from tests.holds import holds
from tests.laws.worlds import judge, professional_requests, profiles, records, requests, within
from tests.rules.builders import FR, MATRIX, NOW, space

others = records.map(lambda record: replace(record, patient="double"))


def merged(own, other, at, rules):
    """Return the state by which a space is decided while it is merged with another."""
    said = Merge("merge", other.patient, replaced=False, at=NOW)
    return under_both(replace(own, merged=said), other, at, rules)


@holds("AC51")
@given(requests, records, others, profiles)
@settings(max_examples=600)
def test_no_decision_becomes_wider(request, own, other, rules):
    alone = judge(request, own, rules)
    joined = judge(request, merged(own, other, request.at, rules), rules)
    assert within(joined, alone)
    assert isinstance(joined, Deny) or isinstance(alone, Permit)


@given(professional_requests, records, others, profiles)
def test_who_is_blocked_in_one_is_not_let_into_the_other(request, own, other, rules):
    asked = replace(request, action=Action.CONSULT)
    blocks = conditions.blocks(context_of(asked, other, MATRIX, rules), asked.purpose)
    if blocks:
        assert isinstance(judge(asked, merged(own, other, asked.at, rules), rules), Deny)


@given(professional_requests, records, others, profiles)
def test_nobody_reads_the_one_while_the_other_is_not_open(request, own, other, rules):
    if status_at(other, request.at, rules) is not SpaceStatus.ACTIVE:
        asked = replace(request, action=Action.CONSULT)
        assert isinstance(judge(asked, merged(own, other, asked.at, rules), rules), Deny)


@given(records, others, profiles)
def test_the_third_switch_holds_where_both_have_it(own, other, rules):
    wide = DirectiveKind.HIDDEN_IN_EMERGENCY
    both = any(one.kind is wide and one.holds_at(NOW) for one in other.directives)
    left = [one for one in merged(own, other, NOW, rules).directives if one.kind is wide]
    assert left == ([one for one in own.directives if one.kind is wide] if both else [])


@given(records, others)
def test_nothing_names_a_consent_of_the_other_space(own, other):
    joined = merged(own, other, NOW, FR)
    assert {one.id for one in joined.directives} <= {one.id for one in own.directives} | {"merge"}


def test_an_ended_archive_closes_and_erases_nothing():
    gone = space(status=SpaceStatus.ERASED)
    assert merged(space(), gone, NOW, FR).status is SpaceStatus.CLOSED
