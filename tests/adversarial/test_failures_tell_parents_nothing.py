"""B10: that somebody failed to reach a minor's secret is told to the minor, and to no parent, who failed or not."""

import json
from base64 import b64decode, b64encode

import pytest

from consent_rules.vocabulary import RequesterKind
from tests.holds import holds
from tests.http.spaces import UNKNOWN, parent, sign_in
from tests.world import JSON_PATCH, TRE_A07, World

SECRET = "INVISIBLE_REPRESENTANTS_LEGAUX"
PATCH = [{"op": "replace", "path": "/status", "value": "superseded"}]


@pytest.fixture
def family(world: World):
    """Return a world in which Inès, 15, has two parents, a secret document, and one that is none."""
    world.patient("ines", "210039999900255", "2010-06-01")
    for name in ("marc", "anne"):
        parent(world, name, "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    world.professional("blocked", "70", "other")
    world.professional("social", "41", "other")
    world.ids["secret"] = world.publish(patient="ines", marks=(SECRET,))
    world.ids["plain"] = world.publish(patient="ines")
    return world


def content(world: World, document):
    body = world.get("ines", f"/DocumentReference/{document}").get_json()
    return body["content"][0]["attachment"]["url"].rpartition("/fhir")[2]


def entries(world: World, who):
    """Return the ids of the journal of the space that somebody reads, the looks at the journal itself left out."""

    def is_a_look(event):
        queries = (b64decode(entity.get("query", "")).decode() for entity in event["entity"])
        return any("/fhir/AuditEvent?" in query for query in queries)

    answer = world.get(who, f"/AuditEvent?patient={world.ids['ines']}&_count=200")
    assert answer.status_code == 200
    events = [entry["resource"] for entry in answer.get_json().get("entry", [])]
    return {event["id"] for event in events if not is_a_look(event)}


DOORS = {
    "read": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}"),
    "head": lambda world, who, id_: world.send(who, "HEAD", f"/DocumentReference/{id_}"),
    "vread": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/_history/1"),
    "history": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/_history"),
    "patch": lambda world, who, id_: world.send(who, "PATCH", f"/DocumentReference/{id_}", PATCH, JSON_PATCH),
    "delete": lambda world, who, id_: world.send(who, "DELETE", f"/DocumentReference/{id_}"),
    "audience": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/$audience"),
    "explain": lambda world, who, id_: world.get(who, f"/DocumentReference/{id_}/$explain"),
    "search by id": lambda world, who, id_: world.get(who, f"/DocumentReference?_id={id_}"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_parent_who_fails_finds_no_trace_and_nor_does_the_other(family: World, door):
    before = {who: entries(family, who) for who in ("marc", "anne")}
    answers = [DOORS[door](family, "marc", id_) for id_ in (family.ids["secret"], UNKNOWN)]
    assert answers[0].status_code == answers[1].status_code
    assert {who: entries(family, who) for who in ("marc", "anne")} == before


def test_a_parent_who_fails_to_retrieve_finds_none_either(family: World):
    url = content(family, family.ids["secret"])
    before = entries(family, "marc")
    assert family.get("marc", url).status_code == 404
    assert entries(family, "marc") == before


@holds("B10")
@pytest.mark.parametrize("door", ["read", "history", "patch", "audience", "explain", "search by id"])
def test_a_professional_who_is_refused_it_is_told_to_the_minor_alone(family: World, door):
    before = {who: entries(family, who) for who in ("ines", "marc")}
    DOORS[door](family, "blocked", family.ids["secret"])
    assert entries(family, "marc") == before["marc"]
    assert len(entries(family, "ines") - before["ines"]) == 1


def test_what_is_no_secret_is_told_to_parents_as_before(family: World):
    before = entries(family, "marc")
    assert family.get("blocked", f"/DocumentReference/{family.ids['plain']}").status_code == 404
    assert len(entries(family, "marc") - before) == 1


def test_the_minor_learns_who_tried(family: World):
    before = entries(family, "ines")
    family.get("marc", f"/DocumentReference/{family.ids['secret']}")
    (new,) = entries(family, "ines") - before
    event = family.get("ines", f"/AuditEvent/{new}").get_json()
    assert event["outcome"] == "4"
    assert f"RelatedPerson/{family.ids['marc']}" in str(event["agent"])
    assert family.get("marc", f"/AuditEvent/{new}").status_code == 404


# --- filing and changing: what a request carries is a secret before it is stored ------------------------------------


def batch(world: World, who, method, url, resource=None):
    entry = {"request": {"method": method, "url": url}} | ({"resource": resource} if resource else {})
    return world.send(who, "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})


def in_bundle(operations):
    data = b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}


def filed_for(world: World, who, marks, **more):
    return world.send(who, "POST", "", world.bundle(world.filing(patient="ines", marks=marks, **more)))


def filed_twice(world: World, marks):
    bundle = world.bundle(world.filing(patient="ines"))
    assert world.send("chu-ehr", "POST", "", bundle).status_code == 200
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "DocumentReference" and marks:
            labels = entry["resource"].setdefault("securityLabel", [])
            labels.append({"coding": [{"system": TRE_A07, "code": mark} for mark in marks]})
    return lambda: world.send("chu-ehr", "POST", "", bundle)


def with_dangling(world: World, marks, beside=()):
    lot = [world.filing(patient="ines", marks=marks), *(world.filing(patient="ines", marks=mark) for mark in beside)]
    bundle = world.bundle(*lot)
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "DocumentReference":
            related = [{"reference": f"DocumentReference/{UNKNOWN}"}]
            entry["resource"].setdefault("context", {})["related"] = related
    return lambda: world.send("chu-ehr", "POST", "", bundle)


def alone(world: World, marks, *, by_batch=False):
    document = world.simplified(patient="ines", marks=marks)
    document["context"] = document.get("context", {}) | {"related": [{"reference": f"DocumentReference/{UNKNOWN}"}]}
    if by_batch:
        return lambda: batch(world, "chu-ehr", "POST", "DocumentReference", document)
    return lambda: world.send("chu-ehr", "POST", "/DocumentReference", document)


def beside_nobody(world: World, marks):
    bundle = world.bundle(world.filing(patient="ines", marks=marks), world.filing(patient="ines"))
    documents = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "DocumentReference"]
    documents[-1]["subject"] = {"reference": f"Patient/{UNKNOWN}"}
    return lambda: world.send("chu-ehr", "POST", "", bundle)


def looked_up(world: World, marks, document=None):
    number = world.get("ines", f"/Patient/{world.ids['ines']}").get_json()["identifier"][0]
    document = document or world.simplified(patient="ines", marks=marks)
    document["subject"] = {"reference": f"Patient?identifier={number['system']}|{number['value']}"}
    return lambda: world.send("social", "POST", "/DocumentReference", document)


FILINGS = {
    "by whom the rules refuse the look-up": looked_up,
    "beside a document about nobody": beside_nobody,
    "by whom the rules refuse": lambda world, marks: lambda: filed_for(world, "social", marks),
    "of a number that was filed": filed_twice,
    "with a reference to nothing": with_dangling,
    "beside one that is no secret": lambda world, marks: with_dangling(world, (), beside=(marks,)),
    "alone": alone,
    "alone in a batch": lambda world, marks: alone(world, marks, by_batch=True),
}


@pytest.mark.parametrize("marks", [(SECRET,), ()], ids=["secret", "open"])
@pytest.mark.parametrize("way", FILINGS)
def test_a_filing_in_secret_that_fails_is_told_to_the_minor_alone(family: World, way, marks):
    fails = FILINGS[way](family, marks)
    before = {who: entries(family, who) for who in ("ines", "marc")}
    answer = fails()
    if answer.get_json()["resourceType"] == "Bundle":
        assert answer.get_json()["entry"][0]["response"]["status"].startswith("4")
    else:
        assert answer.status_code >= 400
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert len(entries(family, "marc") - before["marc"]) == (0 if marks else 1)


def replacing(world: World, name):
    return lambda: filed_for(world, "other-ehr", (), replaces=world.ids[name])


def by_its_number(world: World, name):
    body = world.get("ines", f"/DocumentReference/{world.ids[name]}").get_json()["masterIdentifier"]
    path = f"/DocumentReference?identifier={body['system']}|{body['value']}"
    return lambda: world.send("blocked", "PATCH", path, PATCH, JSON_PATCH)


def agreement(world: World, name):
    said = world.consent("zoe") | {"patient": {"reference": f"Patient/{world.ids['ines']}"}}
    reference = {"reference": f"DocumentReference/{world.ids[name]}"}
    said["provision"]["data"] = [{"meaning": "instance", "reference": reference}]
    return lambda: world.send("nour", "POST", "/Consent", said)


def anew(world: World, name):
    number = world.get("ines", f"/DocumentReference/{world.ids[name]}").get_json()["masterIdentifier"]
    document = world.simplified(patient="ines") | {"masterIdentifier": number}
    return lambda: world.send("chu-ehr", "POST", "/DocumentReference", document)


def beside_its_content(world: World, name):
    named = content(world, world.ids[name]).lstrip("/")
    related = [{"reference": named}, {"reference": f"DocumentReference/{UNKNOWN}"}]
    document = world.simplified(patient="ines")
    document["context"] = document.get("context", {}) | {"related": related}
    return lambda: world.send("chu-ehr", "POST", "/DocumentReference", document)


def with_its_content(world: World, name):
    bundle = world.bundle(world.filing(patient="ines"))
    bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != "Binary"]
    attachment = bundle["entry"][1]["resource"]["content"][0]["attachment"]
    attachment["url"] = f"{world.runtime.fhir_base}{content(world, world.ids[name])}"
    return lambda: world.send("chu-ehr", "POST", "", bundle)


def agreement_from(world: World, name):
    said = world.consent("zoe") | {"patient": {"reference": f"Patient/{world.ids['ines']}"}}
    said["sourceReference"] = {"reference": f"DocumentReference/{world.ids[name]}"}
    return lambda: world.send("zoe", "POST", "/Consent", said)


def number_of(world: World, name):
    found = world.get("ines", f"/DocumentReference/{world.ids[name]}").get_json()["masterIdentifier"]
    return {member: found[member] for member in ("system", "value")}


def beside_its_number(world: World, name):
    related = [{"identifier": number_of(world, name)}, {"reference": f"DocumentReference/{UNKNOWN}"}]
    document = world.simplified(patient="ines")
    document["context"] = document.get("context", {}) | {"related": related}
    return lambda: world.send("chu-ehr", "POST", "/DocumentReference", document)


def refused_beside_its_number(world: World, name):
    document = world.simplified(patient="ines")
    document["context"] = document.get("context", {}) | {"related": [{"identifier": number_of(world, name)}]}
    return lambda: world.send("social", "POST", "/DocumentReference", document)


def agreement_from_its_number(world: World, name):
    said = world.consent("zoe") | {"patient": {"reference": f"Patient/{world.ids['ines']}"}}
    said["sourceReference"] = {"identifier": number_of(world, name)}
    said["provision"]["data"] = [{"meaning": "instance", "reference": {"reference": f"DocumentReference/{UNKNOWN}"}}]
    return lambda: world.send("nour", "POST", "/Consent", said)


CHANGES = {
    "files something beside its number": beside_its_number,
    "is refused something beside its number": refused_beside_its_number,
    "writes down an agreement from its number": agreement_from_its_number,
    "files its number anew": anew,
    "files something beside its content": beside_its_content,
    "files something with its content": with_its_content,
    "writes down an agreement that it is the source of": agreement_from,
    "replaces it": replacing,
    "patches it in a batch": lambda world, name: (
        lambda: batch(world, "blocked", "PATCH", f"DocumentReference/{world.ids[name]}", in_bundle(PATCH))
    ),
    "deletes it in a batch": lambda world, name: (
        lambda: batch(world, "blocked", "DELETE", f"DocumentReference/{world.ids[name]}")
    ),
    "patches it by its number": by_its_number,
    "writes down an agreement about it": agreement,
}


@pytest.mark.parametrize("name", ["secret", "plain"])
@pytest.mark.parametrize("way", CHANGES)
def test_a_change_of_a_secret_that_fails_is_told_to_the_minor_alone(family: World, way, name):
    change = CHANGES[way](family, name)
    before = {who: entries(family, who) for who in ("ines", "marc")}
    change()
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert len(entries(family, "marc") - before["marc"]) == (0 if name == "secret" else 1)


@pytest.mark.parametrize(("mark", "told"), [(SECRET, 0), ("MASQUE_PS", 1)])
@pytest.mark.parametrize("by_batch", [False, True])
def test_whoever_fails_to_make_a_document_a_secret_is_told_to_the_minor_alone(family: World, mark, told, by_batch):
    value = {"coding": [{"system": TRE_A07, "code": mark}]}
    operations = [{"op": "add", "path": "/securityLabel/-", "value": value}]
    path = f"/DocumentReference/{family.ids['plain']}"
    before = {who: entries(family, who) for who in ("ines", "marc")}
    if by_batch:
        batch(family, "blocked", "PATCH", path.removeprefix("/"), in_bundle(operations))
    else:
        family.send("blocked", "PATCH", path, operations, JSON_PATCH)
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert len(entries(family, "marc") - before["marc"]) == told


@pytest.mark.parametrize("name", ["secret", "plain"])
def test_a_number_that_is_taken_for_ever_is_told_to_the_minor_alone(family: World, name):
    files = anew(family, name)
    assert family.send("chu-ehr", "DELETE", f"/DocumentReference/{family.ids[name]}").status_code == 204
    before = {who: entries(family, who) for who in ("ines", "marc")}
    assert files().status_code == 409
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert entries(family, "marc") == before["marc"]


def test_a_taken_number_beside_a_reference_is_refused_as_usual(family: World):
    files = anew(family, "secret")
    document = family.simplified(patient="ines")
    number = family.get("ines", f"/DocumentReference/{family.ids['secret']}").get_json()["masterIdentifier"]
    related = [{"reference": f"DocumentReference/{family.ids['plain']}"}]
    document |= {"masterIdentifier": number, "context": document.get("context", {}) | {"related": related}}
    assert files().status_code == 409
    assert family.send("chu-ehr", "DELETE", f"/DocumentReference/{family.ids['secret']}").status_code == 204
    before = entries(family, "marc")
    assert family.send("chu-ehr", "POST", "/DocumentReference", document).status_code == 409
    assert entries(family, "marc") == before


@pytest.mark.parametrize(("name", "told"), [("secret", 0), ("plain", 1)])
def test_a_transaction_that_fails_in_another_space_tells_no_parent_of_a_secret(family: World, name, told):
    deletion = {"request": {"method": "DELETE", "url": f"DocumentReference/{family.ids[name]}"}}
    choice = {"fullUrl": "urn:uuid:8c9b4f4e-0000-4000-8000-000000000001", "resource": family.consent("zoe")}
    entry = [deletion, choice | {"request": {"method": "POST", "url": "Consent"}}]
    before = {who: entries(family, who) for who in ("ines", "marc")}
    answer = family.send("chu-ehr", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entry})
    assert answer.status_code == 403
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert len(entries(family, "marc") - before["marc"]) == told


@pytest.mark.parametrize(("name", "told"), [("secret", 0), ("plain", 1)])
@pytest.mark.parametrize("by_number", [False, True])
def test_a_transaction_that_fails_before_it_writes_tells_no_parent_of_a_secret(family: World, name, told, by_number):
    number = family.get("ines", f"/Patient/{family.ids['ines']}").get_json()["identifier"][0]
    patient = {"reference": f"Patient?identifier={number['system']}|{number['value']}"}
    said = family.consent("zoe") | {"patient": patient}
    literal = {"reference": f"DocumentReference/{family.ids[name]}"}
    said["sourceReference"] = {"identifier": number_of(family, name)} if by_number else literal
    said["performer"] = [{"reference": "Practitioner?identifier=urn:oid:1.2.3|nobody"}]
    entry = [{"fullUrl": "urn:uuid:8c9b4f4e-0000-4000-8000-000000000001", "resource": said}]
    entry[0]["request"] = {"method": "POST", "url": "Consent"}
    before = {who: entries(family, who) for who in ("ines", "marc")}
    answer = family.send("nour", "POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entry})
    assert answer.status_code == 422
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert len(entries(family, "marc") - before["marc"]) == told


@pytest.mark.parametrize("marks", [(SECRET,), ()], ids=["secret", "open"])
def test_nobody_hides_a_refused_look_up_from_the_patient_by_naming_no_document(family: World, marks):
    document = family.simplified(patient="ines", marks=marks)
    document["context"] = document.get("context", {}) | {"related": [{"reference": f"DocumentReference/{UNKNOWN}"}]}
    fails = looked_up(family, marks, document)
    before = {who: entries(family, who) for who in ("ines", "marc")}
    assert fails().status_code >= 400
    assert len(entries(family, "ines") - before["ines"]) == 1
    assert len(entries(family, "marc") - before["marc"]) == (0 if marks else 1)
