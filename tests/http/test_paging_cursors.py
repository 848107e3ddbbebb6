"""Paging cursors: sealed, of constant length, of one caller and one search."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.domain.problem import Problem
from fhir_server.domain.search.criteria import Place
from fhir_server.http.fhir import paging
from tests.holds import holds

KEY = bytes(range(32))
PLACES = st.builds(
    Place, st.integers(-(2**62), 2**62), st.uuids().map(str), st.binary(min_size=48, max_size=48), st.booleans()
)


@given(PLACES, st.text())
def test_a_cursor_opens_to_the_place_it_was_made_of(place, bound_to):
    assert paging.unseal(KEY, paging.seal(KEY, place, bound_to), bound_to) == place


@holds("AC10")
@given(PLACES, PLACES)
def test_all_cursors_have_one_length(one, other):
    assert len(paging.seal(KEY, one, "a")) == len(paging.seal(KEY, other, "quite another search"))


@given(PLACES)
def test_a_cursor_of_another_caller_or_search_does_not_open(place):
    cursor = paging.seal(KEY, place, "grant-1\nDocumentReference?")
    with pytest.raises(Problem):
        paging.unseal(KEY, cursor, "grant-2\nDocumentReference?")


@given(st.text(string.ascii_letters + string.digits + "-_=%é", max_size=80))
def test_a_made_up_cursor_is_a_problem_not_a_failure(cursor):
    with pytest.raises(Problem):
        paging.unseal(KEY, cursor, "")
