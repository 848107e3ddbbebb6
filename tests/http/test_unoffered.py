"""What is not there or not offered is answered evenly: https://hl7.org/fhir/R4/http.html#Status-Codes."""

import pytest

from tests.world import World

ID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/Binary", 405),
        ("GET", "/Binary", 405),
        ("PUT", f"/DocumentReference/{ID}", 405),
        ("DELETE", f"/Patient/{ID}", 405),
        ("PATCH", "/Encounter", 405),
        ("GET", "/AuditEvent/_history", 405),
        ("GET", "/Binary/_history", 405),
        ("POST", "/_history", 405),
        ("POST", f"/AuditEvent/{ID}/_history", 405),
        ("POST", "/Patient/$burn", 404),
        ("POST", f"/Patient/{ID}/$burn", 404),
        ("POST", "/$burn", 404),
        ("GET", f"/Patient/{ID}/$break-glass", 404),
        ("GET", "/Observation", 404),
        ("POST", "/Observation", 404),
        ("DELETE", f"/Observation/{ID}", 404),
        ("GET", f"/Patient/{ID}/name/0", 404),
    ],
)
def test_an_unknown_thing_is_404_and_an_interaction_that_is_not_offered_405(shared_world: World, method, path, status):
    if path.endswith("$break-glass"):
        status = 405  # it is there, for POST
    answer = shared_world.send("keeper", method, path, {} if method not in ("GET", "DELETE") else None)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert ("Allow" in answer.headers) is (status == 405)
