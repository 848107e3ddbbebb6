"""Fear: that a professional who may read the space learns anything of a document that the patient has hidden.

DESIGN, leak rules: absent everywhere, and the 404 of a hidden id is that of an unknown one, byte for byte.
"""

import pytest

from tests.holds import holds
from tests.world import FHIR_JSON, JSON_PATCH, World

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"
SUPERSEDE = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "DocumentReference.status"},
                {"name": "value", "valueCode": "superseded"},
            ],
        }
    ],
}
ARCHIVE = [{"op": "add", "path": "/extension", "value": [{"url": "urn:x", "valueBoolean": True}]}]


@pytest.fixture
def hiding(world: World) -> World:
    """Publish a plain and a hidden document; Dr Martin of another practice may read the space."""
    world.ids["plain"] = world.publish()
    filing = world.filing()
    world.ids["hidden"] = world.publish_all("chu-ehr", filing)[0]
    world.ids["hidden-name"] = f"urn:oid:{filing.unique_id}"
    read = world.get("camille", f"/DocumentReference/{world.ids['hidden']}").get_json()
    world.ids["hidden-binary"] = read["content"][0]["attachment"]["url"].rsplit("/", 1)[1]
    assert world.agree("camille", "martin").status_code == 201
    assert world.ids["hidden"] in world.found("martin", f"/DocumentReference?patient={world.ids['camille']}")
    answer = world.hide(world.ids["hidden"])
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return world


def same(answer, other):
    """Tell whether two answers say the same: status, bytes, and headers but for what names the request."""
    spoken = [
        {name: value for name, value in one.headers.items() if name not in ("X-Request-Id", "Date")}
        for one in (answer, other)
    ]
    return (answer.status_code, answer.get_data(), spoken[0]) == (other.status_code, other.get_data(), spoken[1])


@holds("E5", "AC01", "AC04")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "&status=current",
        "&_summary=count",
        "&_count=1",
        "&_total=accurate",
        "&security-label=MASQUE_PS",
        "&_sort=date",
        "&date=ge2020-01-01",
    ],
)
@holds("PCF-3")
def test_a_search_shows_what_it_would_show_without_the_hidden_document(hiding, query):
    found = hiding.get("martin", f"/DocumentReference?patient={hiding.ids['camille']}{query}").get_json()

    expected = 0 if "security-label" in query else 1
    assert found["total"] == expected
    assert hiding.ids["hidden"] not in str(found)
    assert "next" not in {link["relation"] for link in found["link"]}


def test_a_search_by_its_identifier_finds_nothing(hiding):
    patient, name = hiding.ids["camille"], hiding.ids["hidden-name"]
    query = f"/DocumentReference?patient={patient}&identifier=urn:ietf:rfc:3986|{name}"
    assert hiding.found("martin", query) == []
    assert hiding.found("camille", query) == [hiding.ids["hidden"]]


@holds("AC02", "AC03")
@pytest.mark.parametrize(
    "path",
    [
        "/DocumentReference/{}",
        "/DocumentReference/{}/_history",
        "/DocumentReference/{}/_history/1",
        "/DocumentReference/{}/_history/1-1",
    ],
)
def test_reading_it_is_reading_an_unknown_id(hiding, path):
    hidden = hiding.get("martin", path.format(hiding.ids["hidden"]))
    assert hidden.status_code == 404
    assert same(hidden, hiding.get("martin", path.format(UNKNOWN)))


@holds("AC07", "AC17")
@pytest.mark.parametrize("accept", ["*/*", "text/plain", FHIR_JSON])
def test_its_content_is_that_of_an_unknown_id(hiding, accept):
    hidden = hiding.get("martin", f"/Binary/{hiding.ids['hidden-binary']}", Accept=accept)
    assert hidden.status_code == 404
    assert same(hidden, hiding.get("martin", f"/Binary/{UNKNOWN}", Accept=accept))


@holds("AC07")
def test_a_list_that_gathers_only_hidden_documents_is_hidden_and_one_entry_is_left_out(world):
    both = world.publish_all("chu-ehr", world.filing(), world.filing())
    alone = world.publish()
    world.agree("camille", "martin")
    for document in (both[1], alone):
        world.hide(document)

    lists = world.get("martin", f"/List?patient={world.ids['camille']}").get_json()

    assert lists["total"] == 1
    entries = lists["entry"][0]["resource"]["entry"]
    assert [entry["item"]["reference"] for entry in entries] == [f"DocumentReference/{both[0]}"]


@holds("AC08")
def test_what_relates_to_it_does_not_name_it(world):
    hidden = world.publish()
    relation = {"code": "appends", "target": {"reference": f"DocumentReference/{hidden}"}}
    bundle = world.bundle()
    bundle["entry"][1]["resource"]["relatesTo"] = [relation]
    answer = world.send("chu-ehr", "POST", "", bundle).get_json()
    shown = answer["entry"][1]["response"]["location"].split("/_history")[0].rsplit("/", 1)[1]
    world.agree("camille", "martin")
    before = world.get("martin", f"/DocumentReference/{shown}")
    assert before.get_json()["relatesTo"] == [relation]

    world.hide(hidden)

    after = world.get("martin", f"/DocumentReference/{shown}")
    assert hidden not in after.get_data(as_text=True)
    assert after.headers["ETag"] == before.headers["ETag"]


@pytest.mark.parametrize("operations", [ARCHIVE, [{"op": "test", "path": "/status", "value": "current"}]])
def test_a_patch_of_it_is_a_patch_of_an_unknown_id(hiding, operations):
    hidden = hiding.send("martin", "PATCH", f"/DocumentReference/{hiding.ids['hidden']}", operations, JSON_PATCH)
    assert hidden.status_code == 404
    assert same(hidden, hiding.send("martin", "PATCH", f"/DocumentReference/{UNKNOWN}", operations, JSON_PATCH))


@holds("AC11")
def test_a_conditional_patch_finds_neither_it_nor_more_than_one(hiding):
    path = "/DocumentReference?identifier=urn:ietf:rfc:3986|"
    hidden = hiding.send("martin", "PATCH", f"{path}{hiding.ids['hidden-name']}", ARCHIVE, JSON_PATCH)
    assert hidden.status_code == 404
    assert same(hidden, hiding.send("martin", "PATCH", f"{path}urn:oid:1.2.3", ARCHIVE, JSON_PATCH))


def test_deleting_it_is_deleting_an_unknown_id(hiding):
    hidden = hiding.send("martin", "DELETE", f"/DocumentReference/{hiding.ids['hidden']}")
    assert same(hidden, hiding.send("martin", "DELETE", f"/DocumentReference/{UNKNOWN}"))
    assert hiding.get("camille", f"/DocumentReference/{hiding.ids['hidden']}").status_code == 200


def test_replacing_it_is_replacing_an_unknown_id(hiding):
    answers = [
        hiding.send("martin", "POST", "", bundle)
        for target in (hiding.ids["hidden"], UNKNOWN)
        for bundle in [hiding.bundle(hiding.filing(place="other", replaces=target))]
    ]
    assert answers[0].status_code == 422
    assert answers[0].get_data() == answers[1].get_data()


@holds("AC12")
@pytest.mark.parametrize("element", ["relatesTo", "entry", "conditional"])
def test_a_submission_that_refers_to_it_refers_to_the_unknown(hiding, element):
    answers = []
    for target, name in ((hiding.ids["hidden"], hiding.ids["hidden-name"]), (UNKNOWN, "urn:oid:1.2.3")):
        bundle = hiding.bundle(hiding.filing(place="other"))
        lot, document = (entry["resource"] for entry in bundle["entry"][:2])
        literal = f"DocumentReference/{target}"
        if element == "conditional":
            literal = f"DocumentReference?identifier=urn:ietf:rfc:3986|{name}"
        if element == "entry":
            lot["entry"].append({"item": {"reference": literal}})
        else:
            document["relatesTo"] = [{"code": "signs", "target": {"reference": literal}}]
        answers.append(hiding.send("martin", "POST", "", bundle))

    assert answers[0].status_code == 422
    assert answers[0].get_data() == answers[1].get_data()


@holds("AC16")
def test_a_batch_reads_it_as_an_unknown_id(hiding):
    def read(id_):
        entry = {"request": {"method": "GET", "url": f"DocumentReference/{id_}"}}
        return hiding.send("martin", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})

    hidden = read(hiding.ids["hidden"])
    assert hidden.get_json()["entry"][0]["response"]["status"] == "404"
    assert hidden.get_data() == read(UNKNOWN).get_data()


@holds("E1", "AC10")
def test_the_version_of_others_stays_the_same_before_during_and_after(world):
    document = world.publish()
    world.agree("camille", "martin")
    path = f"/DocumentReference/{document}"
    before = world.get("martin", path)
    world.hide(document)
    assert world.get("martin", path).status_code == 404
    shown = [{"op": "remove", "path": "/securityLabel/1"}]
    assert world.send("camille", "PATCH", path, shown, JSON_PATCH).status_code == 200

    after = world.get("martin", path)

    assert same(before, after)
    assert world.get("martin", f"{path}/_history").get_json()["total"] == 1


def test_who_may_know_the_marks_sees_a_new_version(world):
    document = world.publish()
    path = f"/DocumentReference/{document}"
    first = world.get("camille", path)
    world.hide(document)

    second = world.get("camille", path)

    assert (first.headers["ETag"], second.headers["ETag"]) == ('W/"1-0"', 'W/"1-1"')
    codes = [label["coding"][0]["code"] for label in second.get_json()["securityLabel"]]
    assert codes == ["N", "MASQUE_PS"]
    assert world.get("chu-ehr", path).headers["ETag"] == 'W/"1-1"'


def test_a_replacement_of_a_hidden_document_is_hidden_and_the_old_one_stays_so(hiding):
    filing = hiding.filing(replaces=hiding.ids["hidden"])
    newer = hiding.publish_all("chu-ehr", filing)[0]

    assert hiding.found("martin", f"/DocumentReference?patient={hiding.ids['camille']}") == [hiding.ids["plain"]]
    assert hiding.get("martin", f"/DocumentReference/{newer}").status_code == 404
    codes = [
        label["coding"][0]["code"]
        for label in hiding.get("camille", f"/DocumentReference/{newer}").get_json()["securityLabel"]
    ]
    assert codes == ["N", "MASQUE_PS"]


def test_showing_one_version_shows_the_whole_family(hiding):
    newer = hiding.publish_all("chu-ehr", hiding.filing(replaces=hiding.ids["hidden"]))[0]
    shown = [{"op": "remove", "path": "/securityLabel/1"}]
    assert hiding.send("camille", "PATCH", f"/DocumentReference/{newer}", shown, JSON_PATCH).status_code == 200

    found = hiding.found("martin", f"/DocumentReference?patient={hiding.ids['camille']}")

    assert set(found) == {hiding.ids["plain"], hiding.ids["hidden"], newer}


def test_the_trail_tells_the_patient_of_the_hiding_and_nobody_else(hiding):
    def deeds(who):
        found = hiding.get(who, f"/AuditEvent?patient={hiding.ids['camille']}&date=ge2020-01-01").get_json()
        return {event["resource"]["subtype"][0]["code"] for event in found.get("entry", [])}

    assert "patch" in deeds("camille")
    assert "patch" not in deeds("martin")
    assert "patch" not in deeds("chu-ehr")
