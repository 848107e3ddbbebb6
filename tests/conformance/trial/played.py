"""Immunization over HTTP on the real store, as a user of the copy meets it; pytest runs this file in the copy alone."""

from pathlib import Path

import orjson
import pytest

import fhir_server
from consent_rules.vocabulary import Capacity
from fhir_server.application.bundles.handlers import demand_handlers
from fhir_server.http.pages.patient import journal_lines
from tests.http.choices import choose, setting
from tests.http.notices import PCP
from tests.http.notices import told as notices
from tests.http.spaces import parent
from tests.world import TRE_A07, World

VACCINE = ("https://smt.esante.gouv.fr/fhir/CodeSystem/vaccins", "BNT162")
UNKNOWN = "11111111-2222-4333-8444-555555555555"


def vaccination(world, *marks, patient="camille", status="completed", date="2026-02-14"):
    security = [{"system": TRE_A07, "code": mark} for mark in marks]
    return {
        "resourceType": "Immunization",
        **({"meta": {"security": security}} if marks else {}),
        "status": status,
        "vaccineCode": {"coding": [{"system": VACCINE[0], "code": VACCINE[1]}]},
        "patient": {"reference": f"Patient/{world.ids[patient]}"},
        "occurrenceDateTime": date,
        "performer": [{"actor": {"reference": f"Practitioner/{world.ids['nour']}"}}],
    }


@pytest.fixture
def given(world: World):
    """Camille has agreed to three professionals, and Nour has recorded a vaccination."""
    for name in ("nour", "martin", "zoe"):
        assert world.agree("camille", name).status_code == 201
    answer = world.send("nour", "POST", "/Immunization", vaccination(world))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer


def id_of(answer):
    return answer.get_json()["id"]


def told(answer, id_=""):
    """What an answer tells, without what differs between any two answers."""
    kept = {name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-Id")}
    text = answer.get_data(as_text=True)
    return answer.status_code, text.replace(id_, UNKNOWN) if id_ else text, kept


def events(world, who, query):
    answer = world.get(who, f"/AuditEvent?patient={world.ids['camille']}&{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


def log(world, who, patient="camille"):
    answer = world.get(who, f"/AuditEvent?patient={world.ids[patient]}&_count=200")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_the_copy_is_what_is_tested():
    assert Path(fhir_server.__file__).parents[1] == Path.cwd()
    demand_handlers()


def test_a_physician_records_reads_and_finds_it(world, given):
    id_, place = id_of(given), given.headers["Location"]
    assert place.endswith(f"/fhir/Immunization/{id_}/_history/1-0")
    read = world.get("martin", f"/Immunization/{id_}")
    assert read.status_code == 200
    assert read.headers["ETag"] == 'W/"1"'
    assert read.get_json()["vaccineCode"]["coding"][0]["code"] == VACCINE[1]
    assert world.get("martin", f"/Immunization/{id_}", If_None_Match='W/"1"').status_code == 304
    assert world.get("martin", f"/Immunization/{id_}/_history/1").status_code == 200
    assert world.get("martin", f"/Immunization/{id_}/_history").get_json()["total"] == 1
    assert world.get("nour", f"/Immunization/{id_}").headers["ETag"] == 'W/"1-0"'


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("date=2026-02", True),
        ("date=lt2026-02-14", False),
        (f"vaccine-code={VACCINE[0]}|{VACCINE[1]}", True),
        ("vaccine-code=other", False),
        ("status=completed", True),
        ("status=not-done", False),
    ],
)
def test_a_search_finds_it_by_its_parameters(world, given, query, found):
    searched = world.found("martin", f"/Immunization?patient={world.ids['camille']}&{query}")
    assert searched == ([id_of(given)] if found else [])


def test_whom_the_matrix_excludes_gets_the_answer_for_an_unknown_id(world, given):
    id_ = id_of(given)
    for path in ("", "/_history", "/_history/1"):
        hidden, unknown = (world.get("zoe", f"/Immunization/{one}{path}") for one in (id_, UNKNOWN))
        assert told(hidden, id_) == told(unknown)
        assert hidden.status_code == 404
    answer = world.get("zoe", f"/Immunization?patient={world.ids['camille']}").get_json()
    assert (answer["total"], answer.get("entry", [])) == (0, [])
    assert world.found("zoe", f"/Immunization?_id={id_}") == []


def test_who_has_no_ground_gets_the_answer_for_an_unknown_id(world, given):
    world.professional("eve", "10", "other")
    id_ = id_of(given)
    assert told(world.get("eve", f"/Immunization/{id_}"), id_) == told(world.get("eve", f"/Immunization/{UNKNOWN}"))
    assert world.get("eve", f"/Immunization?patient={world.ids['camille']}").status_code == 403


def test_what_is_masked_is_shown_to_its_recorder_and_the_patient_alone(world, given):
    answer = world.send("nour", "POST", "/Immunization", vaccination(world, "MASQUE_PS", date="2026-02-20"))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    id_, search = id_of(answer), f"/Immunization?patient={world.ids['camille']}"
    assert told(world.get("martin", f"/Immunization/{id_}"), id_) == told(
        world.get("martin", f"/Immunization/{UNKNOWN}")
    )
    assert world.found("martin", search) == [id_of(given)]
    assert world.get("martin", search).get_json()["total"] == 1
    assert set(world.found("camille", search)) == {id_of(given), id_}
    shown = world.get("nour", f"/Immunization/{id_}").get_json()
    assert [one["code"] for one in shown["meta"]["security"]] == ["MASQUE_PS"]
    assert "securityLabel" not in shown


def test_a_declared_physician_reads_of_it_in_the_audit_log_and_others_only_of_their_own(world, given):
    world.professional("declared", "10", "other")
    assert world.send("camille", "POST", "/Consent", world.consent("declared", role=PCP)).status_code == 201
    assert id_of(given) in log(world, "declared")
    assert id_of(given) not in log(world, "martin")


def test_a_guardian_learns_nothing_of_what_a_minor_hides(world):
    world.patient("lea", "210039999900255", "2010-06-01")
    parent(world, "marc", "lea")
    for mark, seen in (("INVISIBLE_REPRESENTANTS_LEGAUX", False), ("", True)):
        marks = (mark,) if mark else ()
        answer = world.send("nour", "POST", "/Immunization", vaccination(world, *marks, patient="lea"))
        assert answer.status_code == 201, answer.get_data(as_text=True)
        id_ = id_of(answer)
        assert (id_ in world.found("marc", f"/Immunization?patient={world.ids['lea']}")) is seen
        assert (id_ in log(world, "marc", "lea")) is seen
        assert id_ in world.found("lea", f"/Immunization?patient={world.ids['lea']}")
        assert id_ in log(world, "lea", "lea")


def test_the_patient_who_wishes_it_is_told_of_it(world):
    choose(world, setting(world, "told-of-filing"))
    id_ = id_of(world.send("nour", "POST", "/Immunization", vaccination(world)))
    (notice,) = notices(world)
    assert {"reference": f"Immunization/{id_}"} in notice["about"]
    world.send("nour", "POST", "/Immunization", vaccination(world, "INVISIBLE_PATIENT"))
    assert notices(world) == [notice]


def test_who_hides_everything_hides_it_too(world, given):
    choose(world, setting(world, "hidden-by-default"))
    assert world.found("martin", f"/Immunization?patient={world.ids['camille']}") == []
    assert world.found("nour", f"/Immunization?patient={world.ids['camille']}") == [id_of(given)]


def test_what_is_sealed_from_the_patient_leaves_no_trace_for_the_patient(world, given):
    answer = world.send("nour", "POST", "/Immunization", vaccination(world, "INVISIBLE_PATIENT", date="2026-02-21"))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    id_ = id_of(answer)
    assert world.found("camille", f"/Immunization?patient={world.ids['camille']}") == [id_of(given)]
    assert told(world.get("camille", f"/Immunization/{id_}"), id_) == told(
        world.get("camille", f"/Immunization/{UNKNOWN}")
    )
    assert id_ not in log(world, "camille")
    assert id_ not in str(notices(world))


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        ("user/Immunization.rs", True, False),
        ("user/Immunization.c", False, True),
        ("user/DocumentReference.cruds", False, False),
    ],
)
def test_scopes_govern_it(world, given, scopes, reads, writes):
    world.in_mode("app", "nour", ("10", "chu", Capacity.NONE), scopes=scopes)
    read = world.get("app", f"/Immunization/{id_of(given)}").status_code
    searched = world.get("app", f"/Immunization?patient={world.ids['camille']}").status_code
    assert (read, searched) == ((200, 200) if reads else (403, 403))
    assert world.send("app", "POST", "/Immunization", vaccination(world)).status_code == (201 if writes else 403)


def test_the_patient_reads_but_does_not_record(world, given):
    assert world.get("camille", f"/Immunization/{id_of(given)}").status_code == 200
    assert world.send("camille", "POST", "/Immunization", vaccination(world)).status_code == 403
    assert world.send("nour", "DELETE", f"/Immunization/{id_of(given)}").status_code == 405


def test_what_names_nothing_is_refused(world):
    world.ids["nobody"] = UNKNOWN
    answer = world.send("nour", "POST", "/Immunization", vaccination(world, patient="nobody"))
    assert answer.status_code in (403, 422)
    wrong = vaccination(world) | {"performer": [{"actor": {"reference": f"Practitioner/{UNKNOWN}"}}]}
    assert world.send("nour", "POST", "/Immunization", wrong).status_code == 422


def test_the_audit_events_are_those_of_the_profiles(world, given):
    id_ = id_of(given)
    world.get("martin", f"/Immunization/{id_}")
    world.get("martin", f"/Immunization?patient={world.ids['camille']}")
    world.get("zoe", f"/Immunization/{id_}")
    found = events(world, "camille", "_count=200")
    about = [event for event in found if "Immunization" in orjson.dumps(event).decode()]
    patterns = {"create": "PatientCreate", "read": "PatientRead"}
    for code, pattern in patterns.items():
        (event,) = [one for one in about if one["subtype"][0]["code"] == code and one["outcome"] == "0"]
        assert event["meta"]["profile"][0].endswith(pattern)
        assert [e["what"]["reference"] for e in event["entity"] if e["type"]["code"] == "2"] == [f"Immunization/{id_}"]
    (searched,) = [
        one for one in found if one["subtype"][0]["code"] == "search" and one["agent"][2]["who"]["display"] == "martin"
    ]
    assert searched["meta"]["profile"][0].endswith("PatientQuery")
    assert [one["outcome"] for one in about if one["agent"][2]["who"]["display"] == "zoe"] == ["4"]


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", {"recorded a vaccination", "looked at a vaccination", "looked at the vaccinations"}),
        ("fr", {"a enregistré une vaccination", "a consulté une vaccination", "a consulté les vaccinations"}),
    ],
)
def test_the_journal_tells_it_in_both_languages(world, given, language, sentences):
    world.get("martin", f"/Immunization/{id_of(given)}")
    world.get("martin", f"/Immunization?patient={world.ids['camille']}")
    found = events(world, "camille", "_count=200")
    with world.web.application.test_request_context(f"/journal?lang={language}"):
        lines = [journal_lines.line_of(event, {}) for event in found]
    assert sentences <= {line.act for line in lines}
    assert {line.documents for line in lines if line.act in sentences} == {()}
    narratives = [event["text"]["div"] for event in found]
    assert any("a enregistré une vaccination" in text for text in narratives)
