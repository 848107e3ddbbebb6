"""Fear: that a write asks whether an identifier names a patient, and the patient never hears of it (AC20)."""

import pytest
from werkzeug.test import TestResponse

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account
from fhir_server.application.identity.clients import Client, ClientKind
from tests.holds import holds
from tests.http.test_bundles import bundle, entry
from tests.world import INS, World

ZORA, NOBODY = "284039999900999", "299999999999999"


@pytest.fixture
def two(world: World) -> World:
    """Open a second space, whose identifier is asked for; add an auditor."""
    world.patient("zora", ZORA)
    auditor = Account("dana", RequesterKind.AUDITOR, "Practitioner/dana", "Dana", subject="dana")
    client = Client(id="audits", name="audits", kind=ClientKind.PROFESSIONAL_APP)
    world.tokens["dana"] = world.mint(client=client, account=auditor, scopes="user/*.cruds")
    return world


def lines(two: World) -> int:
    """Return how many lines Zora's journal has."""
    total: int = two.get("zora", f"/AuditEvent?patient={two.ids['zora']}&_summary=count").get_json()["total"]
    return total


def kin(ins: str) -> dict:
    """Build a relative who names a patient by identifier alone."""
    return {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient?identifier={INS}|{ins}"}}


def probe(two: World, who: str, ins: str, *more: dict) -> TestResponse:
    """Name a patient by identifier in a transaction."""
    return two.send(who, "POST", "", bundle("transaction", entry("POST", "RelatedPerson", kin(ins), "urn:k"), *more))


def choice(two: World, reference: str) -> dict:
    """Build the entry of a choice about the patient of a reference."""
    return entry("POST", "Consent", two.consent("martin") | {"patient": {"reference": reference}}, "urn:c")


class TestWhatIsWrongByItself:
    """It is told before anybody is looked up, so that the answer tells nobody who is known."""

    @holds("AC20")
    @pytest.mark.parametrize("who", ["martin", "keeper", "camille", "dana"])
    @pytest.mark.parametrize("wrong", ["dangling", "id", "document", "condition"])
    def test_the_answer_is_one_whether_the_identifier_names_somebody_or_not(self, two, who, wrong):
        more = {
            "dangling": choice(two, "urn:uuid:none"),
            "id": entry("PUT", "Practitioner/1", {"resourceType": "Practitioner", "id": "2"}),
            "document": entry("PUT", "DocumentReference/1", {"resourceType": "DocumentReference"} | two.simplified()),
            "condition": choice(two, "Patient?name=x"),
        }[wrong]
        before = lines(two)
        known = probe(two, who, ZORA, more)
        unknown = probe(two, who, NOBODY, more)

        assert (known.status_code, known.get_data()) == (unknown.status_code, unknown.get_data())
        assert known.status_code < 500
        assert known.status_code != 200
        assert lines(two) - before <= 1  # the first count is a line of its own


@pytest.mark.parametrize("who", ["martin", "keeper"])
def test_whoever_may_look_up_leaves_a_line_though_nothing_is_stored(two, who):
    failing = entry("PUT", "Practitioner/none", {"resourceType": "Practitioner", "id": "none"})
    before = lines(two)
    assert probe(two, who, NOBODY, failing).status_code >= 400
    unknown = lines(two) - before
    assert probe(two, who, ZORA, failing).status_code >= 400
    assert lines(two) - before == unknown + 1 + 1  # the look-up, and this count


@pytest.mark.parametrize("who", ["dana", "camille"])
def test_who_may_look_up_nobody_gets_one_answer_and_leaves_a_line_all_the_same(two, who):
    before = lines(two)
    unknown = probe(two, who, NOBODY)
    counted = lines(two) - before
    known = probe(two, who, ZORA)
    assert (known.status_code, known.get_data()) == (unknown.status_code, unknown.get_data())
    assert lines(two) - before == counted + 1 + 1


def told_of(two: World, ask) -> int:
    """Return how many lines more Zora's journal gets when a request names her than when it names nobody."""
    before = lines(two)
    ask(NOBODY)
    between = lines(two)
    ask(ZORA)
    return (lines(two) - between) - (between - before)


def test_a_new_patient_with_an_identifier_that_somebody_has_is_told_to_the_one_who_has_it(two):
    def record(ins: str) -> None:
        patient = {"resourceType": "Patient", "identifier": [{"system": INS, "value": ins}]}
        answer = two.send("keeper", "POST", "/Patient", patient)
        assert answer.status_code == (409 if ins == ZORA else 201)

    assert told_of(two, record) == 1


def test_a_condition_of_a_creation_is_told_though_nothing_is_stored(two):
    def record(ins: str) -> None:
        patient = {"resourceType": "Patient", "identifier": [{"system": INS, "value": ins}]}
        made = entry("POST", "Patient", patient, "urn:p", ifNoneExist=f"identifier={INS}|{ins}")
        broken = {"resourceType": "Practitioner", "id": "none"}
        sent = bundle("transaction", made, entry("PUT", "Practitioner/none", broken))
        assert two.send("keeper", "POST", "", sent).status_code == 404

    assert told_of(two, record) == 1


def test_a_second_identifier_beside_that_of_the_patient_is_told(two):
    """Two patients in one subject are refused, one and nobody are not: that tells whether the second is somebody."""

    def file(ins: str) -> None:
        body = two.simplified()
        both = [{"system": INS, "value": value} for value in ("284039999900148", ins)]
        body["contained"].append({"resourceType": "Patient", "id": "whom", "identifier": both})
        body["subject"] = {"reference": "#whom"}
        assert two.send("chu-ehr", "POST", "/DocumentReference", body).status_code == (422 if ins == ZORA else 201)

    assert told_of(two, file) == 1


def test_a_batch_and_a_search_by_identifier_are_told(two):
    def batch(ins: str) -> None:
        two.send("martin", "POST", "", bundle("batch", choice(two, f"Patient?identifier={INS}|{ins}")))

    def search(ins: str) -> None:
        answer = two.get("martin", f"/Patient?identifier={INS}|{ins}")
        assert answer.get_json()["total"] == (ins == ZORA), answer.get_json()

    assert told_of(two, search) == 1
    assert told_of(two, batch) >= 1
