"""Conditional update, patch and deletion: https://hl7.org/fhir/R4/http.html#cond-update, #patch and #delete."""

import pytest

from tests.holds import holds
from tests.http.stores import BOTH, another, runtime, store
from tests.world import BASE, FHIR_JSON, INS, JSON_PATCH, RPPS, World

__all__ = ["another", "runtime", "store"]
NUMBER = f"{RPPS}|99700000031"
OFF = [{"op": "replace", "path": "/active", "value": False}]


def person(**more):
    system, value = NUMBER.split("|")
    found = {"resourceType": "Practitioner", "identifier": [{"system": system, "value": value}], "active": True}
    return found | more


@holds("REST-31")
@BOTH
def test_an_update_by_criteria_creates_once_and_replaces_then(world: World):
    path = f"/Practitioner?identifier={NUMBER}"
    made = world.send("keeper", "PUT", path, person())
    again = world.send("keeper", "PUT", path, person(active=False))

    id_ = made.get_json()["id"]
    assert (made.status_code, again.status_code) == (201, 200), again.get_data(as_text=True)
    assert made.headers["Location"] == f"{BASE}/Practitioner/{id_}/_history/1"
    assert again.headers["Content-Location"] == f"{BASE}/Practitioner/{id_}/_history/2"
    assert again.get_json() | {"meta": {}} == person(active=False, id=id_, meta={})


def test_an_update_by_criteria_takes_the_id_of_the_match_or_none(world: World):
    path = f"/Practitioner?identifier={NUMBER}"
    chosen = world.send("keeper", "PUT", path, person(id="mine"))
    id_ = world.send("keeper", "PUT", path, person()).get_json()["id"]

    assert chosen.status_code == 405
    assert world.send("keeper", "PUT", path, person(id=id_)).status_code == 200
    assert world.send("keeper", "PUT", path, person(id="mine")).status_code == 400
    assert world.send("keeper", "PUT", path, person(), If_Match='W/"1"').status_code == 412
    assert world.send("keeper", "PUT", path, person(), If_Match='W/"2"').status_code == 200
    absent = world.send("keeper", "PUT", "/Practitioner?identifier=urn:x|0", person(), If_Match='W/"1"')
    assert absent.status_code == 412


@BOTH
def test_a_patch_by_criteria_changes_the_one_match(world: World):
    path = f"/Practitioner?identifier={NUMBER}"
    none = world.send("keeper", "PATCH", path, OFF, JSON_PATCH)
    world.send("keeper", "POST", "/Practitioner", person())
    one = world.send("keeper", "PATCH", path, OFF, JSON_PATCH)

    assert (none.status_code, one.status_code) == (404, 200)
    assert one.get_json()["active"] is False


def test_a_type_without_a_number_is_named_by_any_search_parameter(world: World):
    role = world.get("keeper", f"/PractitionerRole/{world.ids['haddad@chu']}").get_json()
    of_both = f"practitioner=Practitioner/{world.ids['haddad']}"
    of_one = f"{of_both}&organization=Organization/{world.ids['chu']}"

    assert world.send("keeper", "PATCH", f"/PractitionerRole?{of_both}", OFF, JSON_PATCH).status_code == 412
    del role["id"]
    changed = world.send("keeper", "PUT", f"/PractitionerRole?{of_one}", role | {"active": True})
    assert (changed.status_code, changed.get_json()["id"]) == (200, world.ids["haddad@chu"])
    hit = world.send("keeper", "POST", "/PractitionerRole", role, If_None_Exist=of_one)
    assert (hit.status_code, hit.get_json()["id"]) == (200, world.ids["haddad@chu"])


@holds("PIXM-104-1")
def test_a_patient_is_updated_by_number_and_never_by_name(world: World):
    patient = world.get("keeper", f"/Patient/{world.ids['camille']}").get_json()
    del patient["id"]
    by_number = world.send("keeper", "PUT", f"/Patient?identifier={INS}|284039999900148", patient | {"active": True})
    by_name = world.send("keeper", "PUT", "/Patient?family=camille", patient)

    assert (by_number.status_code, by_number.get_json()["id"]) == (200, world.ids["camille"])
    assert by_name.status_code == 400
    for who in ("nour", "camille"):
        refused = world.send(who, "PUT", f"/Patient?identifier={INS}|284039999900148", patient)
        unknown = world.send(who, "PUT", f"/Patient?identifier={INS}|284039999900999", patient)
        assert (refused.status_code, refused.data) == (403, unknown.data)


@BOTH
def test_a_consent_is_changed_by_criteria_in_the_view_of_the_caller(world: World):
    numbered = {"identifier": [{"system": "urn:x", "value": "c1"}]}
    world.agree("camille", "martin", **numbered)
    ended = world.consent("martin") | numbered | {"status": "inactive"}
    path = f"/Consent?patient={world.ids['camille']}&identifier=urn:x|c1"

    for who in ("nour", "zoe"):
        assert world.send(who, "PATCH", path, [], JSON_PATCH).status_code == 404
    assert world.send("camille", "PUT", path, ended).status_code == 200
    assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403
    assert world.send("camille", "PUT", "/Consent?status=inactive", world.consent("martin")).status_code == 200
    assert world.send("camille", "DELETE", path).status_code == 405


@BOTH
def test_a_document_is_deleted_by_number_and_what_is_hidden_is_not_there(world: World):
    filing = world.filing()
    document = world.publish_all("chu-ehr", filing)[0]
    path = f"/DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:{filing.unique_id}"
    unknown = path + "0"

    before = [world.send("other-ehr", "DELETE", one) for one in (path, unknown)]
    assert [one.status_code for one in before] == [204, 204]
    assert [one.headers.to_wsgi_list()[1:] for one in before[:1]] == [before[1].headers.to_wsgi_list()[1:]]
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 200
    assert world.send("chu-ehr", "DELETE", path).status_code == 204
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 410


@holds("REST-32")
def test_more_than_one_match_is_never_deleted(world: World):
    documents = world.publish_all("chu-ehr", world.filing(), world.filing())
    answer = world.send("chu-ehr", "DELETE", f"/DocumentReference?patient={world.ids['camille']}")

    assert answer.status_code == 412
    assert len(world.found("camille", f"/DocumentReference?patient={world.ids['camille']}")) == len(documents)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("query", ["", "?", "?_format=json", "?colour=blue", "?_count=1"])
def test_without_criteria_that_are_known_nothing_is_written(shared_world: World, method, query):
    type_ = "DocumentReference" if method == "DELETE" else "Practitioner"
    body = {"PUT": person(), "PATCH": OFF, "DELETE": None}[method]
    mime = JSON_PATCH if method == "PATCH" else FHIR_JSON
    answer = shared_world.send("keeper", method, f"/{type_}{query}", body, mime)
    assert answer.status_code == 400, answer.get_data(as_text=True)


def test_too_many_criteria_are_refused_before_they_are_read(shared_world: World):
    query = "&".join(f"identifier=urn:x|{number}" for number in range(65))
    answer = shared_world.send("keeper", "PUT", f"/Practitioner?{query}", person())
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["code"] == "too-costly"


def test_criteria_beside_the_number_need_the_right_to_search(world: World):
    world.software("writer", "system/Practitioner.cu")
    path = f"/Practitioner?identifier={NUMBER}"

    assert world.send("writer", "PUT", path, person()).status_code == 201
    assert world.send("writer", "PUT", path, person()).status_code == 200
    assert world.send("writer", "PUT", f"{path}&active=true", person()).status_code == 403


def test_a_professional_asks_a_space_by_searching_and_never_by_writing(world: World):
    world.agree("camille", "martin")
    document = world.publish()
    space = f"patient={world.ids['camille']}"
    for path in (f"/DocumentReference?{space}&status=current", f"/Consent?{space}&status=active"):
        assert world.send("martin", "PATCH", path, [], JSON_PATCH).status_code == 400
    assert (
        world.send("martin", "PATCH", f"/DocumentReference?{space}&_id={document}", [], JSON_PATCH).status_code == 200
    )


def entry(method, url, resource=None, **request):
    built = {"request": {"method": method, "url": url} | request}
    return built | ({"resource": resource} if resource is not None else {})


@BOTH
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_entries_write_by_criteria_too(world: World, kind):
    filing = world.filing()
    document = world.publish_all("chu-ehr", filing)[0]
    by_number = f"DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:{filing.unique_id}"
    entries = [
        entry("PUT", f"Practitioner?identifier={NUMBER}", person()),
        entry("PUT", "Organization?identifier=https://finess.esante.gouv.fr|990000018", ORGANIZATION),
        entry("DELETE", by_number),
        entry("DELETE", f"{by_number}0"),
    ]
    answer = world.send(
        "chu-ehr", "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries[:1] + entries[2:]}
    )

    assert answer.status_code == 200, answer.get_data(as_text=True)
    statuses = [one["response"]["status"][:3] for one in answer.get_json()["entry"]]
    assert statuses == ["201", "204", "204"]
    assert world.get("camille", f"/DocumentReference/{document}").status_code == 410
    again = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries[1:2]})
    assert again.get_json()["entry"][0]["response"]["status"] == "200 OK"


ORGANIZATION = {
    "resourceType": "Organization",
    "identifier": [{"system": "https://finess.esante.gouv.fr", "value": "990000018"}],
    "name": "CHU",
}


def test_a_reference_to_an_entry_by_criteria_becomes_the_match(world: World):
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": "urn:uuid:1"}}
    entries = [
        entry("PUT", f"Practitioner?identifier={NUMBER}", person()) | {"fullUrl": "urn:uuid:1"},
        entry("POST", "PractitionerRole", role) | {"fullUrl": "urn:uuid:2"},
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    headers = {"Prefer": "return=representation"}
    first, second = (world.send("keeper", "POST", "", bundle, **headers).get_json()["entry"] for _ in range(2))

    named = [one[1]["resource"]["practitioner"]["reference"] for one in (first, second)]
    assert [one[0]["response"]["status"] for one in (first, second)] == ["201 Created", "200 OK"]
    assert named == [f"Practitioner/{first[0]['resource']['id']}"] * 2


def test_one_resource_is_not_written_twice_under_two_names(world: World):
    id_ = world.send("keeper", "POST", "/Practitioner", person()).get_json()["id"]
    entries = [
        entry("PUT", f"Practitioner?identifier={NUMBER}", person()),
        entry("PUT", f"Practitioner/{id_}", person(id=id_)),
    ]
    answer = world.send("keeper", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "duplicate"
