"""Entries of a batch or transaction that read or call an operation: https://hl7.org/fhir/R4/http.html#transaction."""

from dataclasses import replace

import pytest

from fhir_server.settings import limits
from tests.holds import holds
from tests.http.stores import BOTH, another, runtime, store
from tests.world import FHIR_JSON, World

__all__ = ["another", "runtime", "store"]
XML = "?_format=xml"


def entry(method, url, resource=None, **request):
    built = {"request": {"method": method, "url": url} | request}
    return built | ({"resource": resource} if resource is not None else {})


def run(world: World, who: str, *entries, kind="batch"):
    answer = world.send(who, "POST", "", {"resourceType": "Bundle", "type": kind, "entry": list(entries)})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["entry"]


@holds("REST-35")
@BOTH
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_every_way_to_read_is_an_entry(world: World, kind):
    document = world.publish()
    content = world.get("camille", f"/DocumentReference/{document}").get_json()["content"][0]["attachment"]["url"]
    urls = [
        f"DocumentReference/{document}",
        f"DocumentReference/{document}/_history",
        f"DocumentReference/{document}/_history/1",
        f"DocumentReference?patient={world.ids['camille']}&_elements=status",
        f"?_type=DocumentReference&patient={world.ids['camille']}",
        f"Binary/{content.rpartition('/')[2]}",
        "metadata",
        f"DocumentReference/{document}/$explain",
        f"DocumentReference/{document}{XML}",
    ]
    answers = run(world, "camille", *(entry("GET", url) for url in urls), kind=kind)

    assert [one["response"]["status"] for one in answers] == ["200 OK"] * len(urls), answers
    for url, one in zip(urls, answers, strict=True):
        path = url if url.startswith("?") else f"/{url.removesuffix(XML)}"
        alone = world.get("camille", path, Accept=FHIR_JSON)
        if not url.startswith(("Binary", "metadata")) and "$" not in url:
            assert one["resource"] == alone.get_json()
            assert one["response"].get("etag") == alone.headers.get("ETag")
    assert answers[5]["resource"]["data"]
    assert answers[0]["response"]["lastModified"] == answers[0]["resource"]["meta"]["lastUpdated"]
    assert answers[3]["resource"]["entry"][0]["resource"]["meta"]["tag"]


def test_an_entry_is_answered_only_when_it_has_changed_and_a_head_without_its_body(world: World):
    url = f"Practitioner/{world.ids['nour']}"
    answers = run(
        world,
        "nour",
        entry("GET", url, ifNoneMatch='W/"1"'),
        entry("GET", url, ifModifiedSince="2099-01-01T00:00:00Z"),
        entry("GET", url, ifNoneMatch='W/"2"'),
        entry("HEAD", url),
    )
    assert [one["response"]["status"][:3] for one in answers] == ["304", "304", "200", "200"]
    assert ["resource" in one for one in answers] == [False, False, True, False]


def test_an_operation_that_changes_something_runs_in_a_batch_and_never_in_a_transaction(world: World):
    url = f"Patient/{world.ids['camille']}/$close-space"
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", url)]}
    refused = world.send("camille", "POST", "", bundle)

    assert refused.status_code == 400
    assert "transaction" in refused.get_json()["issue"][0]["details"]["text"]
    assert world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").status_code == 200
    assert run(world, "camille", entry("POST", url))[0]["response"]["status"] == "200 OK"
    assert world.get("camille", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "../oauth/authorize", "404"),
        ("GET", "%2e%2e/metadata", "404"),
        ("GET", "Patient/é", "404"),
        ("GET", "Patient?family=é&_id=x", "200"),
        ("GET", "Observation/1", "404"),
        ("GET", "Patient/$burn", "404"),
        ("POST", "Patient/_search", "400"),
        ("POST", "Patient/x/$burn", "404"),
        ("GET", "Patient/x/$close-space", "405"),
        ("GET", "Patient/x/_history/1/2", "404"),
        ("POST", "", "400"),
        ("GET", "", "400"),
        ("GET", "//elsewhere/x", "404"),
        ("BREW", "Patient/x", "400"),
    ],
)
def test_what_is_not_offered_is_refused_alone(shared_world: World, method, url, status):
    resource = {"resourceType": "Patient"} if method == "POST" and "$" not in url else None
    asked = entry(method, url, resource)
    good = entry("GET", f"Practitioner/{shared_world.ids['nour']}")
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [asked, good]}
    answer = shared_world.send("keeper", "POST", "", bundle)
    if answer.status_code == 400:  # R4 knows no such method, or no such URL: the Bundle itself is not valid
        assert (method, url) in {("BREW", "Patient/x"), ("POST", ""), ("GET", "")}
        return
    assert [one["response"]["status"][:3] for one in answer.get_json()["entry"]] == [status, "200"]


def test_the_answers_of_a_bundle_have_a_size(world: World):
    before = limits.put_in_force(replace(limits.in_force(), body_bytes=20_000))
    try:
        answers = run(world, "nour", *(entry("GET", "metadata") for _ in range(3)))
    finally:
        limits.put_in_force(before)
    assert [one["response"]["status"][:3] for one in answers] == ["200", "413", "413"]


def test_each_entry_counts_against_the_ceilings_as_if_it_were_sent_alone(world: World):
    most = world.runtime.profile.ceilings.identities_an_hour
    urls = [f"Patient?identifier=urn:oid:1.2.250.1.213.1.4.10|28403999990{number:04}" for number in range(most + 2)]
    answers = run(world, "nour", *(entry("GET", url) for url in urls))
    assert [one["response"]["status"][:3] for one in answers] == ["200"] * most + ["429"] * 2
