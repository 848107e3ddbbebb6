"""Finding documents on the list: filters that are seen and removed, what is new, and wrong fields that are named."""

import re
from datetime import timedelta
from html import unescape

import pytest

from tests.pages.visitors import Visitor, camille_at_home, left
from tests.world import LABORATORY


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.fixture
def filed(world):
    """Three documents: a report, a prescription of an earlier year, and a hidden laboratory report."""
    return {
        "report": world.publish(),
        "old": world.publish(category=("42", "Prescription"), date="2024-05-01T10:00:00+02:00"),
        "hidden": world.publish(type_=LABORATORY, marks=("MASQUE_PS",)),
    }


def listed(page: str, filed: dict[str, str]) -> set[str]:
    return {name for name, id_ in filed.items() if id_ in page}


@pytest.mark.parametrize(
    ("query", "expected", "words"),
    [
        ("class=42", {"old"}, "Prescription"),
        ("words=biolog", {"hidden"}, "kind contains “biolog”"),
        ("from=2025-01-01", {"report", "hidden"}, "from 1 January 2025"),
        ("to=2024-12-31", {"old"}, "until 31 December 2024"),
        ("hidden=1", {"hidden"}, "hidden from professionals"),
        ("class=42&from=2025-01-01", set(), "Prescription"),
    ],
)
def test_a_filter_is_applied_named_and_removable(camille, filed, query, expected, words):
    page = camille.get(f"/documents?{query}").text
    assert listed(page, filed) == expected
    chosen = unescape(page.partition('class="chosen"')[2].partition("</ul>")[0])
    assert words in chosen
    path = re.search(r'href="(\?[^"]*)"', chosen)[1]
    assert listed(camille.get(f"/documents{path}").text, filed) >= expected


def test_no_match_says_so_and_leads_back_to_all(camille, filed):
    page = camille.get("/documents?class=60").text
    assert listed(page, filed) == set()
    assert "No document matches." in page
    assert "Show all documents" in page


@pytest.mark.parametrize(
    ("query", "field"), [("from=31/01/2026", "from"), ("to=2026-13-01", "to"), ("class=x", "class")]
)
def test_a_wrong_field_is_named_and_linked_and_filters_nothing(camille, filed, query, field):
    answer = camille.get(f"/documents?{query}")
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert listed(answer.text, filed) == {"report", "old", "hidden"}


@pytest.mark.parametrize("words", ["a,b", "a|b", "a$b", "\\", "é", "<script>", "a" * 100, "%00"])
def test_any_words_are_searched_as_they_are(camille, words):
    answer = camille.get("/documents", query_string={"words": words})
    assert answer.status_code == 200
    assert "<script>" not in answer.text


def test_a_filtered_list_leaves_the_event_of_the_same_search(world, camille):
    world.publish(category=("42", "Prescription"), marks=("MASQUE_PS",))
    [event] = left(world, lambda: camille.get("/documents?class=42&hidden=1"))
    sent = next(one for one in event["asked"] if one).decode().removeprefix("GET /fhir")
    assert [event] == left(world, lambda: world.get("camille", sent))


def test_what_was_filed_since_the_last_visit_is_new(world, camille, filed):
    clock = world.runtime.ports.clock
    assert "new since your last visit" not in camille.get("/documents").text
    clock.at += timedelta(minutes=5)
    later = world.publish()
    assert "new since your last visit" not in camille.get("/documents").text
    clock.at += timedelta(hours=20)
    again = Visitor(world, "camille", camille.patient)
    for _ in range(2):
        page = again.get("/documents").text
        told = {name: page.partition(id_)[2].partition("</li>")[0] for name, id_ in {**filed, "later": later}.items()}
        assert {name for name, text in told.items() if "new since your last visit" in text} == {"later"}


def test_hiding_a_document_oneself_makes_it_no_news(world, camille, filed):
    clock = world.runtime.ports.clock
    camille.get("/documents")
    clock.at += timedelta(minutes=5)
    camille.send(f"/documents/{filed['report']}/hide")
    clock.at += timedelta(hours=20)
    assert "new since your last visit" not in Visitor(world, "camille", camille.patient).get("/documents").text
