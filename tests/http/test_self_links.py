"""What a searchset says of itself: https://hl7.org/fhir/R4/search.html#conformance ("self" is what was served)."""

from base64 import b64decode
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.http.spaces import parent
from tests.world import BASE, INS, World

NUMBER = "284039999900148"
CAMILLE = f"{INS}|{NUMBER}"
OTHER = "42"
FORM = "application/x-www-form-urlencoded"


def links(bundle):
    return {link["relation"]: link["url"] for link in bundle["link"]}


def test_a_page_says_the_size_that_it_has(shared_world: World):
    bundle = shared_world.get("nour", "/Practitioner?_count=5000").get_json()
    assert parse_qs(urlsplit(links(bundle)["self"]).query)["_count"] == ["200"]


def test_every_entry_of_a_searchset_has_a_full_url(shared_world: World):
    bundle = shared_world.get("nour", "/Practitioner?unheard-of=1").get_json()
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    assert [url for url in urls if url.startswith("urn:uuid:")] == [urls[-1]]


@pytest.mark.parametrize("spelling", ["estimate", "estimated", "accurate"])
def test_a_total_is_counted_in_every_spelling(shared_world: World, spelling):
    assert shared_world.get("nour", f"/Practitioner?_total={spelling}").get_json()["total"] == 4


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


@pytest.fixture
def known(world: World) -> World:
    """Return a world in which a mother is known by her number, and has written documents of her child."""
    world.intermediary("exchange", "chu")
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    for _ in range(3):
        related = {
            "resourceType": "RelatedPerson",
            "patient": {"reference": f"Patient/{world.ids['ines']}"},
            "identifier": [{"system": INS, "value": NUMBER}],
        }
        assert world.send("keeper", "POST", "/RelatedPerson", related).status_code == 201
        author = {"resourceType": "Patient", "id": "author", "identifier": [{"system": INS, "value": NUMBER}]}
        world.publish("exchange", patient="ines", author=author)
    world.publish(patient="ines")
    return world


BY_NUMBER = [
    ("RelatedPerson", "identifier", CAMILLE),
    ("RelatedPerson", "identifier", NUMBER),
    ("RelatedPerson", "identifier", f"urn:oid:1.2.3|{OTHER},{CAMILLE}"),
    ("DocumentReference", "author.identifier", CAMILLE),
    ("DocumentReference", "author:identifier", CAMILLE),
    ("DocumentReference", "identifier", CAMILLE),
    ("List", "source.identifier", CAMILLE),
    ("List", "source:identifier", CAMILLE),
    ("Consent", "identifier", CAMILLE),
    ("Practitioner", "identifier", CAMILLE),
    ("Practitioner", "name", f"{NUMBER}\\,x"),
    ("Practitioner", "identifier", f"{INS}\\|{NUMBER}"),
    ("DocumentReference", "description", f"{NUMBER}|"),
]


@pytest.mark.parametrize(("type_", "name", "value"), BY_NUMBER)
@pytest.mark.parametrize("by_form", [False, True])
def test_a_number_that_a_search_is_for_stands_in_no_link(known: World, type_, name, value, by_form):
    query = f"patient={known.ids['ines']}&" if type_ != "Practitioner" else ""
    query += f"{name}={quote(value)}&_count=1"
    if by_form:
        answer = known.send("marc", "POST", f"/{type_}/_search", query.encode(), FORM)
    else:
        answer = known.get("marc", f"/{type_}?{query}")
    assert answer.status_code == 200
    for url in links(answer.get_json()).values():
        assert NUMBER not in url
        assert quote(name, safe="") in url  # what was searched by is told, though not for whom


@pytest.mark.parametrize(
    ("type_", "name"), [("RelatedPerson", "identifier"), ("DocumentReference", "author.identifier")]
)
def test_the_links_of_a_search_by_number_are_the_same_search(known: World, type_, name):
    first = known.get("marc", f"/{type_}?patient={known.ids['ines']}&{name}={quote(CAMILLE)}&_count=1").get_json()
    assert first["total"] == 3
    again = known.get("marc", links(first)["self"].removeprefix(BASE)).get_json()
    assert again | {"link": first["link"]} == first
    assert links(again)["self"] == links(first)["self"]
    seen = [first["entry"][0]["resource"]["id"]]
    page = first
    while "next" in links(page):
        page = known.get("marc", links(page)["next"].removeprefix(BASE)).get_json()
        assert NUMBER not in str(links(page))
        seen += [entry["resource"]["id"] for entry in page["entry"]]
    assert len(set(seen)) == len(seen) == 3


def test_a_sealed_number_serves_its_caller_and_its_parameter_alone(known: World):
    path = f"/RelatedPerson?patient={known.ids['ines']}&identifier={quote(CAMILLE)}"
    own = links(known.get("marc", path).get_json())["self"].removeprefix(BASE)
    assert known.get("marc", own).get_json()["total"] == 3
    for who, changed in (("camille", own), ("marc", own.replace("identifier=", "name=")), ("marc", f"{own}A")):
        answer = known.get(who, changed)
        assert answer.status_code == 400
        assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "sealed"


@pytest.mark.parametrize(("type_", "name", "value"), BY_NUMBER)
def test_a_number_stands_in_no_link_of_a_batch_and_in_no_query_of_the_trail(known: World, type_, name, value):
    patient = f"patient={known.ids['ines']}&" if type_ != "Practitioner" else ""
    entry = {"request": {"method": "GET", "url": f"{type_}?{patient}{name}={quote(value)}"}}
    answer = known.send("marc", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert NUMBER not in str(links(answer.get_json()["entry"][0]["resource"]))
    for reader in ("marc", "ines"):
        events = known.get(reader, f"/AuditEvent?patient={known.ids['ines']}&_count=200").get_json()["entry"]
        queries = [e.get("query", "") for event in events for e in event["resource"]["entity"]]
        assert not [query for query in queries if NUMBER in b64decode(query).decode()]


@pytest.mark.parametrize("path", ["/Patient?identifier={}", "/DocumentReference?patient.identifier={}"])
def test_the_trail_tells_that_the_patient_was_looked_for_and_not_by_which_number(shared_world: World, path):
    assert shared_world.get("camille", path.format(quote(CAMILLE))).status_code == 200
    own = f"/AuditEvent?patient={shared_world.ids['camille']}&_count=200"
    events = shared_world.get("camille", own).get_json()["entry"]
    queries = [e.get("query", "") for event in events for e in event["resource"]["entity"]]
    told = [b64decode(query).decode() for query in queries]
    assert any(f"/fhir{path.partition('?')[0]}?" in query for query in told)
    assert not [query for query in told if NUMBER in query]


@pytest.mark.parametrize(
    "query",
    [
        "RelatedPerson?identifier=a|b|{}",
        "RelatedPerson?identifier:of-type={}",
        "DocumentReference?author.identifier:missing={}",
        "DocumentReference?patient.identifier={},{}",
        "DocumentReference?patient={}",
        "DocumentReference?{}=1",
        "Patient?{}",
        "Patient?identifier={}&birthdate={}",
        "AuditEvent?entity:identifier={}|{}|",
        "List?_sort={}",
        "List?_id={}/x",
        "Consent?_total={}",
        "Practitioner/{}",
    ],
)
def test_no_text_of_a_failure_repeats_a_number(known: World, query):
    for strict in ("handling=strict", "handling=lenient"):
        answer = known.get("nour", f"/{query.format(*[quote(CAMILLE)] * 2)}", Prefer=strict)
        body = answer.get_json()
        outcomes = [body] if body["resourceType"] == "OperationOutcome" else body.get("entry", [])
        assert NUMBER not in str(outcomes)
