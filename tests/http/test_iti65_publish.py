"""ITI-65 Provide Document Bundle: https://profiles.ihe.net/ITI/MHD/ITI-65.html."""

from fhir_server.domain.documents.submission import hash_of
from tests.holds import holds
from tests.world import BASE, World


@holds("ITI-65")
def test_a_submission_is_answered_entry_by_entry_in_order(world: World):
    answer = world.send("chu-ehr", "POST", "", world.bundle())

    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    assert body["type"] == "transaction-response"
    kinds = [entry["response"]["location"].removeprefix(f"{BASE}/").split("/")[0] for entry in body["entry"]]
    assert kinds == ["List", "DocumentReference", "Binary"]
    assert {entry["response"]["status"] for entry in body["entry"]} == {"201 Created"}


@holds("ITI-68")
def test_a_published_document_is_read_with_its_content(world: World):
    document = world.publish(content=b"the knee is healing")

    read = world.get("camille", f"/DocumentReference/{document}").get_json()
    url = read["content"][0]["attachment"]["url"]
    assert url.startswith(f"{BASE}/Binary/")
    content = world.get("camille", url.removeprefix(BASE), Accept="text/plain")
    assert content.get_data() == b"the knee is healing"
    assert read["content"][0]["attachment"]["hash"] == hash_of(b"the knee is healing")


def test_the_submission_set_names_the_documents_that_it_brought(world: World):
    document = world.publish()

    found = world.get("camille", f"/List?patient={world.ids['camille']}&code=submissionset").get_json()
    assert [entry["item"]["reference"] for entry in found["entry"][0]["resource"]["entry"]] == [
        f"DocumentReference/{document}"
    ]
