"""`$everything` over HTTP: the single searches in one answer, page by page, for each caller alone.

Source: https://hl7.org/fhir/R4/patient-operation-everything.html; docs/adr/0115-everything-of-a-space.md.
"""

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import everything
from tests.adversarial.two_worlds import BATCH, KINDS, differences, sides
from tests.holds import holds
from tests.http.spaces import UNKNOWN, call, parent, sign_in
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_admissions import admission_system, admit
from tests.world import FHIR_JSON, World

CONTAINED = frozenset({"DocumentReference", "List", "Provenance", "Consent", "Encounter", "Communication", "Patient"})


@pytest.fixture
def full(world: World) -> World:
    """Fill Camille's space: documents, one of them hidden; choices; an admission; notices."""
    world.publish(), world.publish(date="2025-06-01T10:00:00+01:00")
    world.ids["hidden"] = world.publish("other-ehr", place="other")
    assert world.hide(world.ids["hidden"]).status_code == 200
    assert world.agree("camille", "nour").status_code == 201
    assert world.agree("camille", "zoe", "deny").status_code == 201
    admission_system(world)
    admit(world)
    world.get("nour", f"/DocumentReference?patient={world.ids['camille']}")
    return world


def path(world: World, query: str = "", patient: str = "camille") -> str:
    return f"/Patient/{world.ids.get(patient, patient)}/$everything{query}"


def entries(answer, mode: str = "match") -> list[dict]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = answer.get_json().get("entry", [])
    return [entry["resource"] for entry in found if entry["search"]["mode"] == mode]


def names(resources) -> list[str]:
    return [f"{one['resourceType']}/{one['id']}" for one in resources]


def following(answer) -> str:
    """Return the path of the next page, "" on the last one."""
    links = {link["relation"]: link["url"] for link in answer.get_json()["link"]}
    return links.get("next", "").partition("/fhir")[2]


def walked(world: World, who: str, start: str) -> list[list[str]]:
    """Return the names on each page."""
    pages = []
    while start:
        answer = world.get(who, start)
        pages.append(names(entries(answer)))
        start = following(answer)
    return pages


def searched(world: World, who: str) -> set[str]:
    """Return what single searches show."""
    found: set[str] = set()
    for type_ in everything.TYPES:
        key = "_id" if type_ == "Patient" else "patient"
        answer = world.get(who, f"/{type_}?{key}={world.ids['camille']}&_count=200")
        found |= set(names(entries(answer))) if answer.status_code == 200 else set()
    return found


@holds("REST-19")
@BOTH
@pytest.mark.parametrize("who", ["camille", "nour", "chu-ehr"])
def test_it_is_what_single_searches_show(full, who):
    found = entries(full.get(who, path(full, "?_count=200")))
    assert set(names(found)) == searched(full, who)
    assert len(names(found)) == len(set(names(found)))
    if who == "camille":
        assert {one["resourceType"] for one in found} >= CONTAINED


@BOTH
def test_pages_show_each_resource_once_and_their_cursors_have_one_length(full):
    whole = names(entries(full.get("camille", path(full, "?_count=200"))))
    for size in (1, 2, 3):
        pages = walked(full, "camille", path(full, f"?_count={size}"))
        assert [name for page in pages for name in page] == whole
        assert {len(page) for page in pages[:-1]} == {size}
        assert pages[-1]
    starts = [following(full.get("camille", path(full, "?_count=1")))]
    starts.append(following(full.get("camille", starts[0])))
    assert len({len(start) for start in starts}) == 1


def test_a_page_brings_the_directory_entries_to_which_it_refers(full):
    answer = full.get("camille", path(full, "?_count=200"))
    assert f"Practitioner/{full.ids['nour']}" in names(entries(answer, "include"))
    assert {one["resourceType"] for one in entries(answer, "include")} <= set(everything.DIRECTORY_TYPES)


def test_a_cursor_is_of_one_caller_and_one_question(full):
    start = following(full.get("nour", path(full, "?_count=1&_type=DocumentReference,List")))
    assert full.get("nour", start).status_code == 200
    assert full.get("camille", start).status_code == 400
    assert full.get("nour", start.replace("_count=1", "_count=2")).status_code == 400
    assert full.get("nour", start.replace(",List", "")).status_code == 400


def test_a_block_ends_the_pages(full):
    start = following(full.get("nour", path(full, "?_count=1")))
    assert full.agree("camille", "nour", "deny").status_code == 201
    assert full.get("nour", start).status_code == 404


def test_a_period_is_that_of_the_care(full):
    of_2025 = entries(full.get("camille", path(full, "?start=2025-01-01&end=2025-12-31&_type=DocumentReference")))
    every = entries(full.get("camille", path(full, "?start=2025-01-01&_type=DocumentReference")))
    none = entries(full.get("camille", path(full, "?end=2020&_type=DocumentReference")))
    assert len(every) == 3
    assert len(of_2025) < 3
    assert none == []


@BOTH
def test_a_document_without_a_period_counts_by_the_date_it_has(world):
    body = world.simplified()
    body.get("context", {}).pop("period", None)
    body["content"][0]["attachment"]["creation"] = "2024-03-03"
    made = world.send("chu-ehr", "POST", "/DocumentReference", body)
    assert made.status_code == 201, made.get_data(as_text=True)
    wanted = "?_type=DocumentReference&start=2024-03-01&end=2024-03-31"
    assert len(entries(world.get("camille", path(world, wanted)))) == 1
    assert entries(world.get("camille", path(world, wanted.replace("2024-03", "2024-05")))) == []


def test_since_counts_the_last_change(full, clock):
    clock.advance(hours=1)
    at = clock.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    clock.advance(minutes=1)
    new = full.publish()
    found = names(entries(full.get("camille", path(full, f"?_since={at}&_type=DocumentReference"))))
    assert found == [f"DocumentReference/{new}"]


WRONG = (
    "_type=AuditEvent", "_type=Dragon", "start=x", "_since=yesterday", "_count=0", "_count=x", "_page=x", "colour=red",
    "start=2026-01-01&start=2026-02-01",
)  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
def test_what_cannot_be_read_is_refused_by_name(full, query):
    answer = full.get("camille", path(full, f"?{query}"))
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.get_data(as_text=True)


def test_post_takes_parameters(full):
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "_type", "valueCode": "List"}, {"name": "_type", "valueCode": "Patient"},
                      {"name": "_count", "valueInteger": 50}],
    }  # fmt: skip
    found = entries(full.send("camille", "POST", path(full), body, FHIR_JSON))
    assert {one["resourceType"] for one in found} == {"List", "Patient"}


def test_on_the_type_it_is_the_patient_in_context(full):
    assert names(entries(full.get("camille", "/Patient/$everything"))) == names(
        entries(full.get("camille", path(full)))
    )
    assert full.get("nour", "/Patient/$everything").status_code == 400


@BOTH
@pytest.mark.parametrize("who", ["martin", "zoe", "martin-app"])
def test_a_patient_who_may_not_be_read_and_an_unknown_one_are_alike(full, who):
    if who == "martin-app":
        full.patient("zora", "284039999900999")
        who = "zora"
    answers = [full.get(who, path(full, patient=id_)) for id_ in ("camille", UNKNOWN)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].get_data() == answers[1].get_data()


def test_a_token_without_a_scope_for_a_type_is_shown_nothing_of_it(full):
    full.in_mode("narrow", "nour", ("10", "chu", ""), scopes="user/Patient.rs user/List.rs")
    found = entries(full.get("narrow", path(full)))
    assert {one["resourceType"] for one in found} <= {"List", "Patient"}
    full.in_mode("narrow", "nour", ("10", "chu", ""), scopes="user/DocumentReference.rs")
    assert full.get("narrow", path(full)).status_code == 403


def test_one_event_names_it_and_the_first_access_is_told(world):
    world.publish()
    assert world.agree("camille", "nour").status_code == 201
    assert world.get("nour", path(world)).status_code == 200
    own = f"/AuditEvent?patient={world.ids['camille']}&subtype=urn:habilis:operation|everything"
    (event,) = entries(world.get("camille", own))
    assert event["outcome"] == "0"
    assert "tout ce qui lui est ouvert" in event["text"]["div"]
    notices = entries(world.get("camille", f"/Communication?patient={world.ids['camille']}&category=first-access"))
    assert len(notices) == 1


def test_a_parent_reads_in_the_journal_that_it_was_read_and_nothing_hidden(world):
    """A teenager hides a document; the parent sees the event of a page that shows only this document."""
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    secret = world.publish(patient="ines", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
    only = path(world, "?_type=DocumentReference", "ines")
    assert names(entries(world.get("ines", only))) == [f"DocumentReference/{secret}"]
    assert names(entries(world.get("marc", only))) == []
    trail = f"/AuditEvent?patient={world.ids['ines']}&subtype=urn:habilis:operation|everything"
    told = world.get("marc", trail)
    assert len(entries(told)) == 2
    assert secret not in told.get_data(as_text=True)


def test_the_event_of_a_page_does_not_tell_that_something_hidden_came_first(world):
    """Else the kind of entity that only the first resource has would tell a parent that another one was before it."""
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    world.publish(patient="ines")
    world.publish(patient="ines", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
    assert len(entries(world.get("ines", path(world, "?_type=DocumentReference", "ines")))) == 2
    (event,) = entries(world.get("marc", f"/AuditEvent?patient={world.ids['ines']}&subtype=everything"))
    (one,) = [
        entity for entity in event["entity"] if "DocumentReference" in entity.get("what", {}).get("reference", "")
    ]
    assert one["type"] == {"system": "http://hl7.org/fhir/resource-types", "code": "DocumentReference"}


@pytest.mark.parametrize("who", ["chu-ehr", "other-ehr"])
def test_closed_blocked_and_unknown_are_alike_to_software_too(full, who):
    unknown = full.get(who, path(full, patient=UNKNOWN))
    assert call(full, "camille", "close-space").status_code == 200
    closed = full.get(who, path(full))
    assert (closed.status_code, closed.get_data()) == (unknown.status_code, unknown.get_data())


def test_the_leak_of_a_filter_that_shows_everything_is_found(tmp_path, monkeypatch):
    """The fault is planted: the parts are searched as the server itself reads."""

    class Everything(everything.AllFilters):
        def of(self, _type):
            return whole_space(ReadingReason.REGISTERED, self.access.entered.patient).of(_type)

    monkeypatch.setattr(everything, "AllFilters", Everything)
    with sides(tmp_path, KINDS[-1]) as pair:
        found = next(differences(pair, KINDS[-1], BATCH, seed=8), None)
    assert found is not None
    assert found.what.startswith("everything")
