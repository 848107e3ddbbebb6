"""Links between the pages of a search: https://hl7.org/fhir/R4/http.html#paging; each page is judged anew."""

from urllib.parse import urlsplit

import pytest

from tests.holds import holds
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.world import BASE, World

PAGES = ["", "&_sort=date", "&_sort=-date", "&_sort=_lastUpdated"]


def links(bundle):
    return {link["relation"]: link["url"] for link in bundle["link"]}


def turn(world: World, who: str, bundle, relation: str):
    url = links(bundle)[relation]
    answer = world.get(who, url.removeprefix(BASE))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def ids(bundle):
    return [entry["resource"]["id"] for entry in bundle.get("entry", ())]


@pytest.fixture
def filed(world: World) -> World:
    for number in range(7):
        world.ids[f"document {number}"] = world.publish(title=f"Document {number}")
    return world


@holds("REST-24")
@BOTH
@pytest.mark.parametrize("order", PAGES)
def test_pages_are_turned_forth_and_back(filed: World, order):
    path = f"/DocumentReference?patient={filed.ids['camille']}&_count=3{order}"
    first = filed.get("camille", path).get_json()
    second = turn(filed, "camille", first, "next")
    third = turn(filed, "camille", second, "next")
    assert "next" not in links(third)
    assert "previous" not in links(first)
    assert [len(ids(page)) for page in (first, second, third)] == [3, 3, 1]
    back = turn(filed, "camille", third, "previous")
    assert ids(back) == ids(second)
    assert ids(turn(filed, "camille", back, "previous")) == ids(first)
    assert "previous" not in links(turn(filed, "camille", back, "previous"))
    assert ids(turn(filed, "camille", back, "next")) == ids(third)
    assert ids(turn(filed, "camille", third, "first")) == ids(first)
    assert {page["total"] for page in (first, second, third, back)} == {7}


@BOTH
def test_a_page_before_does_not_show_what_was_hidden_meanwhile(filed: World):
    path = f"/DocumentReference?patient={filed.ids['camille']}&_count=3"
    filed.agree("camille", "martin")
    first = filed.get("martin", path).get_json()
    second = turn(filed, "martin", first, "next")
    hidden = ids(first)[1]
    assert filed.hide(hidden).status_code == 200
    for relation in ("previous", "first"):
        again = turn(filed, "martin", second, relation)
        assert hidden not in ids(again)
        assert again["total"] == 6


def test_all_links_to_neighbours_of_a_search_have_one_length(filed: World):
    path = f"/DocumentReference?patient={filed.ids['camille']}&_count=2"
    second = turn(filed, "camille", filed.get("camille", path).get_json(), "next")
    assert len({len(urlsplit(links(second)[relation]).query) for relation in ("previous", "next")}) == 1


def test_a_page_without_neighbours_has_no_other_links(filed: World):
    for more in ("", "&_summary=count", "&_count=0"):
        bundle = filed.get("camille", f"/DocumentReference?patient={filed.ids['camille']}{more}").get_json()
        assert set(links(bundle)) == {"self"}
