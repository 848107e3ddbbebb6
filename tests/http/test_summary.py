"""`Patient/[id]/$summary` over HTTP: a FHIR document that names what the caller may see, and says what it has not.

Source: https://hl7.org/fhir/uv/ips/; https://hl7.org/fhir/R4/documents.html.
"""

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import read, summary
from fhir_server.domain.documents.patient_summary import SECTIONS
from fhir_server.domain.search.criteria import Search
from fhir_server.r4.checking import check
from tests.adversarial.two_worlds import BATCH, KINDS, differences, sides
from tests.holds import holds
from tests.http.spaces import UNKNOWN, call, parent, sign_in
from tests.http.stores import BOTH, runtime, store  # noqa: F401 - fixtures
from tests.http.test_everything import entries
from tests.world import LABORATORY, World

PRESCRIPTION = ("http://loinc.org", "57833-6", "Prescription de <produits>")


@pytest.fixture
def filed(world: World) -> World:
    world.ids["report"], world.ids["result"] = world.publish(), world.publish(type_=LABORATORY)
    world.ids["prescription"] = world.publish(type_=PRESCRIPTION, category=("42", "Prescription"))
    world.ids["hidden"] = world.publish("other-ehr", place="other", type_=LABORATORY)
    assert world.hide(world.ids["hidden"]).status_code == 200
    assert world.agree("camille", "nour").status_code == 201
    return world


def asked(world: World, who: str, patient: str = "camille", **headers: str):
    return world.get(who, f"/Patient/{world.ids.get(patient, patient)}/$summary", **headers)


def parts(answer) -> dict[str, list[dict]]:
    """Return the resources of the document by type; the Composition comes first."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, list[dict]] = {}
    for entry in answer.get_json()["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    assert next(iter(found)) == "Composition"
    return found


def sections(answer) -> dict[str, dict]:
    (composition,) = parts(answer)["Composition"]
    return {one.get("code", {}).get("coding", [{}])[0].get("code", ""): one for one in composition["section"]}


def named(section: dict) -> set[str]:
    return {one["reference"].rpartition("/")[2] for one in section.get("entry", ())}


@holds("IPS-1")
@BOTH
@pytest.mark.parametrize("who", ["camille", "nour", "chu-ehr", "other-ehr"])
def test_it_names_the_documents_that_a_search_shows(filed, who):
    whole = f"/DocumentReference?patient={filed.ids['camille']}&status=current"
    seen = {one["id"] for one in entries(filed.get(who, whole))}
    answer = asked(filed, who)
    assert {one["id"] for one in parts(answer).get("DocumentReference", [])} == seen
    assert set().union(*map(named, sections(answer).values())) == seen


def test_documents_stand_in_the_section_of_their_subject(filed):
    found = sections(asked(filed, "nour"))
    assert named(found["10160-0"]) == {filed.ids["prescription"]}
    assert named(found["30954-2"]) == {filed.ids["result"]}
    assert named(found[""]) == {filed.ids["report"]}


def test_required_sections_without_documents_say_why_they_are_empty(filed):
    found = sections(asked(filed, "nour"))
    assert {section.code for section in SECTIONS if section.required} <= set(found)
    for code in ("11450-4", "48765-2"):
        assert found[code]["emptyReason"]["coding"][0]["code"] == "unavailable"
        assert "données structurées" in found[code]["text"]["div"]
        assert "entry" not in found[code]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_it_is_a_valid_document_in_the_language_of_the_reader(filed, language):
    answer = asked(filed, "nour", Accept_Language=language)
    bundle = answer.get_json()
    assert check(bundle) == []
    assert bundle["type"] == "document"
    assert bundle["identifier"]["value"].startswith("urn:uuid:")
    (composition,) = parts(answer)["Composition"]
    assert composition["language"] == language
    assert all(f'lang="{language}"' in one["text"]["div"] for one in composition["section"])
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    references = {composition["subject"]["reference"], composition["author"][0]["reference"]}
    references |= {one["reference"] for section in composition["section"] for one in section.get("entry", ())}
    assert references <= urls


def test_what_a_document_says_of_itself_is_no_markup(filed):
    assert "&lt;produits&gt;" in sections(asked(filed, "nour"))["10160-0"]["text"]["div"]
    xml = asked(filed, "nour", Accept="application/fhir+xml")
    assert xml.status_code == 200


def test_older_documents_are_said_to_be_there(filed, monkeypatch):
    monkeypatch.setattr(summary, "MOST", 2)
    answer = asked(filed, "nour")
    assert len(parts(answer)["DocumentReference"]) == 2
    assert any("plus anciens" in one["text"]["div"] for one in sections(answer).values())


@BOTH
@pytest.mark.parametrize("who", ["martin", "zora", "chu-ehr"])
def test_a_patient_who_may_not_be_read_and_an_unknown_one_are_alike(filed, who):
    filed.patient("zora", "284039999900999")
    unknown = asked(filed, who, UNKNOWN)
    if who == "chu-ehr":
        assert call(filed, "camille", "close-space").status_code == 200
    refused = asked(filed, who)
    assert (refused.status_code, refused.get_data()) == (404, unknown.get_data())


def test_one_event_names_it_and_the_first_access_is_told(filed):
    assert asked(filed, "nour").status_code == 200
    wanted = f"/AuditEvent?patient={filed.ids['camille']}&subtype=urn:habilis:operation|summary"
    (event,) = entries(filed.get("camille", wanted))
    assert "synthèse de l’espace" in event["text"]["div"]
    notices = entries(filed.get("camille", f"/Communication?patient={filed.ids['camille']}&category=first-access"))
    assert len(notices) == 1


def test_a_parent_reads_nothing_that_the_minor_hides(world):
    world.patient("ines", "210039999900255", "2010-06-01")
    parent(world, "marc", "ines")
    sign_in(world, "ines", "ines", RequesterKind.PATIENT)
    secret = world.publish(patient="ines", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
    assert secret in asked(world, "ines", "ines").get_data(as_text=True)
    assert secret not in asked(world, "marc", "ines").get_data(as_text=True)
    told = world.get("marc", f"/AuditEvent?patient={world.ids['ines']}&subtype=urn:habilis:operation|summary")
    assert len(entries(told)) == 2
    assert secret not in told.get_data(as_text=True)


def test_a_token_that_searches_no_documents_is_named_none(filed):
    filed.in_mode("narrow", "nour", ("10", "chu", ""), scopes="user/Patient.r")
    assert "DocumentReference" not in parts(asked(filed, "narrow"))


def test_the_leak_of_a_summary_of_everything_is_found(tmp_path, monkeypatch):
    """The fault is planted: the documents are read as the server itself reads."""

    def everything(access):
        whole = whole_space(ReadingReason.REGISTERED, access.entered.patient)
        rows = access.snapshot.find(Search("DocumentReference", limit=summary.MOST), whole).rows
        return read.present(access, rows, whole), True

    monkeypatch.setattr(summary, "_documents", everything)
    with sides(tmp_path, KINDS[-1]) as pair:
        found = next(differences(pair, KINDS[-1], BATCH, seed=8), None)
    assert found is not None
    assert found.what == "summary"
