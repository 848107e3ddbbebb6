"""Turning pages forth and back shows the same in two worlds that differ in one secret, whatever the order."""

from urllib.parse import urlsplit

import pytest

from consent_rules.visibility import Visibility
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading.paging import examining, pages
from tests.adversarial.two_worlds import KINDS, Side, alike, sides
from tests.world import BASE

ASKED = (  # ids are random, so no order may end in a tie

    "_count=1", "_count=2&_sort=_lastUpdated", "_count=1&_sort=type,-_lastUpdated", "_count=1&type:text=cr",
    "_count=1&relation:missing=true&_sort=-_lastUpdated,_id", "_count=1&_summary=true&_total=estimate",
)  # fmt: skip
KIND = KINDS[0]
MOST_PAGES = 40


def turned(side: Side, who: str, query: str) -> list[str]:
    """Return all pages forth and then back, as texts without ids and instants."""
    path = f"/DocumentReference?patient={side.ids[side.space]}&{query}"
    told, relation = [], "next"
    while path and len(told) < MOST_PAGES:
        answer = side.get(who, path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        told.append(alike(side, answer.get_data(as_text=True)))
        links = {link["relation"]: link["url"] for link in answer.get_json()["link"]}
        told.append(str({name: len(urlsplit(url).query) for name, url in links.items()}))
        if relation == "next" and "next" not in links:
            relation = "previous"
        path = links.get(relation, "").removeprefix(BASE)
    return told


def differing(pair: tuple[Side, Side], query: str) -> list[str]:
    return [who for who in KIND.blind if turned(pair[0], who, query) != turned(pair[1], who, query)]


def test_pages_forth_and_back_are_the_same_in_both_worlds(tmp_path):
    with sides(tmp_path, KIND) as pair:
        assert {query: found for query in ASKED if (found := differing(pair, query))} == {}
        assert [who for who in KIND.knowing[:1] if turned(pair[0], who, ASKED[0]) != turned(pair[1], who, ASKED[0])]


def everything(access) -> Visibility:
    return whole_space(ReadingReason.REGISTERED, access.entered.patient)


@pytest.mark.parametrize(
    ("module", "name", "query"),
    [(pages, "_before", ASKED[0]), (examining, "_candidates", ASKED[2]), (examining, "_candidates", ASKED[3])],
)
def test_the_leak_of_a_page_that_is_read_without_the_filter_is_found(tmp_path, monkeypatch, module, name, query):
    """The fault is planted: pages back, or what is compared one by one, are read without the caller's filter."""
    original = getattr(module, name)
    monkeypatch.setattr(module, name, lambda access, search, _filters: original(access, search, everything(access)))
    with sides(tmp_path, KIND) as pair:
        assert differing(pair, query)
