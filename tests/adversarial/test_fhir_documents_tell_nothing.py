"""`GET Bundle/[id]` by whom the document is hidden from: a leak that is planted there is found."""

from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import read
from tests.http.fhir_documents import filed
from tests.world import World

UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"


def told_apart(world: World) -> bool:
    """Hide a FHIR document, and tell whether its id differs from an unknown one for a professional in care."""
    assert world.agree("camille", "martin").status_code == 201
    document, id_ = filed(world)
    assert world.hide(document).status_code == 200
    answers = [world.get("martin", f"/Bundle/{one}") for one in (id_, UNKNOWN)]
    return len({(answer.status_code, answer.get_data()) for answer in answers}) > 1


def test_a_hidden_document_is_an_unknown_one(world: World):
    assert not told_apart(world)


def test_the_leak_of_a_document_that_is_read_past_the_decision_is_found(world: World, monkeypatch):
    """The fault is planted: a content is read whoever asks."""
    entered = read.enter_by_id

    def planted(access, row):
        filters = entered(access, row)
        place = access.snapshot.locate(row.name, access.audited.target.split("/")[1])
        return whole_space(ReadingReason.REGISTERED, place.compartment) if place else filters

    monkeypatch.setattr(read, "enter_by_id", planted)
    assert told_apart(world)
