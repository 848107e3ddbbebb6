"""A submission that names its recipients is a fact of care about them, and never for the depositor's house (V1)."""

from consent_rules.vocabulary import Grade
from fhir_server.application.documents.recipients import INTENDED_RECIPIENT
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_admissions import facts
from tests.world import World


def send(world: World, *recipients, **more):
    bundle = world.bundle(world.filing(**more))
    submission_set = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "List")
    named = [{"url": INTENDED_RECIPIENT, "valueReference": {"reference": one}} for one in recipients]
    submission_set["extension"] = [*submission_set.get("extension", []), *named]
    answer = world.send("chu-ehr", "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)


def ref(world: World, name, type_="Practitioner"):
    return f"{type_}/{world.ids[name]}"


@BOTH
def test_a_named_professional_is_supported_for_a_time_but_not_in_the_depositing_establishment(world: World, clock):
    send(world, ref(world, "martin"))
    (fact,) = facts(world)
    assert (fact.actors, fact.grade) == ({ref(world, "martin")}, Grade.THIRD_PARTY)
    assert fact.excluded == {ref(world, "chu", "Organization")}
    clock.advance(days=30)
    assert fact.end == clock.now()
    send(world, ref(world, "zoe"))
    assert [one.actors for one in facts(world)] == [{ref(world, "zoe")}]


def test_the_depositing_establishment_and_nobody_are_no_recipients(world: World):
    send(world, ref(world, "chu", "Organization"))
    send(world)
    assert facts(world) == []


def test_submissions_to_the_same_recipients_are_one_fact_and_none_is_refused(world: World):
    for _ in range(3):
        send(world, ref(world, "martin"))
    assert len(facts(world)) == 1
