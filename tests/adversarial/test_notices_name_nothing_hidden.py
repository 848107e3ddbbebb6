"""A notice names only what its reader sees: no result that waits, no secret of a minor (B10, E9, H1)."""

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, RequesterKind
from fhir_server.domain.consents.writing import consent_of
from tests.http.spaces import parent, sign_in
from tests.seed.conftest import Stage, copied, loaded, stage
from tests.world import World

__all__ = ["copied", "loaded", "stage"]  # fixtures of the seed's tests


def notices(stage: Stage, who: str, of: str) -> str:
    answer = stage.ask(who, "GET", f"Communication?patient={stage.demo.patients[of]}&_count=50")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_a_result_that_waits_is_in_no_notice_of_who_read_it(stage):
    waiting, seen = (stage.demo.documents[key] for key in ("camille-pathology", "camille-hospital-report"))
    assert "camille-pathology" in stage.keys("nour")
    told = notices(stage, "camille", "camille")
    assert seen in told
    assert waiting not in told
    assert waiting not in stage.ask("camille", "GET", "Communication?_count=50").get_data(as_text=True)


def test_a_minors_secret_is_in_no_notice_of_the_representative(stage):
    keys = stage.keys("anna", "ines")
    assert "ines-midwife-visit" in keys
    open_ = min(keys - {"ines-midwife-visit", "ines-midwife-order"})
    secret, seen = (stage.demo.documents[key] for key in ("ines-midwife-visit", open_))
    own = notices(stage, "ines", "ines")
    assert secret in own
    assert seen in own
    told = notices(stage, "camille/ines", "ines")
    assert seen in told
    assert secret not in told


def test_whoever_read_nothing_but_a_secret_is_not_told_of_to_the_representative(stage):
    assert stage.read("anna", "ines-midwife-visit").status_code == 200
    assert "Lopez" in notices(stage, "ines", "ines")
    assert "Lopez" not in notices(stage, "camille/ines", "ines")


def test_each_notice_read_by_its_id_names_no_more_than_in_a_search(stage):
    stage.keys("nour")
    found = stage.ask("camille", "GET", f"Communication?patient={stage.demo.patients['camille']}").json["entry"]
    for entry in found:
        alone = stage.ask("camille", "GET", f"Communication/{entry['resource']['id']}").json
        assert alone == entry["resource"]
        assert stage.demo.documents["camille-pathology"] not in str(alone)


def test_what_is_hidden_later_is_named_to_the_patient_only(stage):
    stage.keys("paul")
    stage.hide("camille-hospital-report")
    assert stage.demo.documents["camille-hospital-report"] in notices(stage, "camille", "camille")
    patient = stage.demo.patients["camille"]
    assert stage.ask("paul", "GET", f"Communication?patient={patient}").status_code == 403


def test_whom_only_a_minors_secret_lets_in_is_in_no_notice_and_no_trace_of_the_representative(stage):
    """Also when that one looks at the list or the identity, in which nothing is secret."""
    secret, patient = stage.demo.documents["ines-midwife-visit"], stage.demo.patients["ines"]
    doctor = f"Practitioner/{stage.demo.professionals['elsa']}"
    directive = Directive(
        "",
        DirectiveKind.AGREEMENT,
        actors=frozenset({doctor}),
        documents=frozenset({secret}),
        recorded_at=stage.runtime.ports.clock.now(),
    )
    stage.choose("ines", consent_of(directive, patient, f"Organization/{stage.demo.organizations['chu-a']}"))
    assert stage.search("elsa", "ines", "&type=http://loinc.org|34112-3").status_code == 200
    assert stage.ask("elsa", "GET", f"Patient?_id={patient}").status_code == 200
    assert stage.keys("elsa", "ines") == {"ines-midwife-visit"}
    assert "Vidal" in notices(stage, "ines", "ines")
    assert "Vidal" not in notices(stage, "camille/ines", "ines")
    journal = f"AuditEvent?patient={patient}&_count=100"
    assert "Vidal" in stage.ask("ines", "GET", journal).get_data(as_text=True)
    assert "Vidal" not in stage.ask("camille/ines", "GET", journal).get_data(as_text=True)


def named(world: World, who: str) -> set[str]:
    """Return the documents that the notices of a space name to somebody."""
    found = world.get(who, f"/Communication?patient={world.ids['ines']}&_count=50").get_json().get("entry", [])
    about = [item["reference"] for entry in found for item in entry["resource"].get("about", [])]
    return {reference.partition("/")[2] for reference in about if reference.startswith("DocumentReference/")}


def test_what_a_notice_names_is_cut_after_what_its_reader_does_not_see_is_left_out(world: World):
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    open_ = {world.publish(patient="ines") for _ in range(3)}
    filings = [world.filing(patient="ines", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",)) for _ in range(25)]
    secrets = set(world.publish_all("chu-ehr", *filings))
    own = {"reference": f"Patient/{world.ids['ines']}"}
    agreed = world.send("ines", "POST", "/Consent", world.consent("nour") | {"patient": own, "performer": [own]})
    assert agreed.status_code == 201
    assert set(world.found("nour", f"/DocumentReference?patient={world.ids['ines']}&_count=50")) == open_ | secrets
    assert named(world, "marc") == open_
    assert len(named(world, "ines")) == 20
