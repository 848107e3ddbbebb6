"""What a searchset says of itself: https://hl7.org/fhir/R4/search.html#conformance ("self" is what was served)."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.world import BASE, INS, World

NUMBER = "284039999900148"
CAMILLE = f"{INS}|{NUMBER}"
FORM = "application/x-www-form-urlencoded"


def links(bundle):
    return {link["relation"]: link["url"] for link in bundle["link"]}


def test_a_page_says_the_size_that_it_has(shared_world: World):
    bundle = shared_world.get("nour", "/Practitioner?_count=5000").get_json()
    assert parse_qs(urlsplit(links(bundle)["self"]).query)["_count"] == ["200"]


@pytest.mark.parametrize("value", ["true", "text", "data"])
def test_a_summary_that_is_not_made_is_refused_or_told_and_never_claimed(shared_world: World, value):
    path = f"/Practitioner?_summary={value}"
    assert shared_world.get("nour", path, Prefer="handling=strict").status_code == 400
    bundle = shared_world.get("nour", path).get_json()
    told = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert f"`_summary={value}`" in told[0]["issue"][0]["details"]["text"]
    assert "_summary" not in links(bundle)["self"]


def test_every_entry_of_a_searchset_has_a_full_url(shared_world: World):
    bundle = shared_world.get("nour", "/Practitioner?unheard-of=1").get_json()
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    assert [url for url in urls if url.startswith("urn:uuid:")] == [urls[-1]]


@pytest.mark.parametrize("spelling", ["estimate", "estimated", "accurate"])
def test_a_total_is_counted_in_every_spelling(shared_world: World, spelling):
    assert shared_world.get("nour", f"/Practitioner?_total={spelling}").get_json()["total"] == 3


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/Patient/_search", f"identifier={quote(CAMILLE)}"),
        ("/List/_search", f"patient.identifier={quote(CAMILLE)}"),
        ("/DocumentReference/_search", f"subject:identifier={quote(CAMILLE)}"),
    ],
)
def test_a_person_who_is_named_by_number_in_a_form_stands_in_no_link(shared_world: World, path, form):
    answer = shared_world.send("camille", "POST", path, form.encode(), FORM)
    assert answer.status_code == 200
    for url in links(answer.get_json()).values():
        assert NUMBER not in url
        assert shared_world.ids["camille"] in url


def test_a_search_in_a_batch_names_nobody_by_number_either(shared_world: World):
    entry = {"request": {"method": "GET", "url": f"List?patient.identifier={quote(CAMILLE)}"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    answer = shared_world.send("camille", "POST", "", bundle).get_json()
    assert links(answer["entry"][0]["resource"]) == {"self": f"{BASE}/List?patient={shared_world.ids['camille']}"}
