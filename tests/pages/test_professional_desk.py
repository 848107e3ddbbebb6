"""The desk of a professional on pages: finding a patient, evidence, documents; who sees what, and what it leaves."""

import re
from dataclasses import replace

import pytest

from fhir_server.application.core.ceilings import supervising
from tests.pages.professionals import DECLARED, NUMBER, at_desk, own_space
from tests.pages.visitors import SITE, camille_at_home, left
from tests.world import INS

UNKNOWN = "00000000-0000-4000-8000-000000000009"


@pytest.fixture(autouse=True)
def test_numbers(world):
    """Try test numbers first, as the demonstration does."""
    config = world.web.application.config
    before, config["DEMO"] = config["DEMO"], True
    yield
    config["DEMO"] = before


@pytest.fixture
def martin(world):
    return at_desk(world)


def test_a_patient_is_found_by_number_and_nothing_is_shown_before_there_is_ground(world, martin):
    world.publish()
    answer = martin.send("/patients", number="2 84 03 99 999 001 48")
    assert NUMBER not in answer.headers["Location"]
    page = martin.follows(answer)
    assert page.status_code == 403
    assert "Evidence first" in page.text
    assert not {"Camille", NUMBER, "1984", "Compte rendu"} & set(re.findall(r"\w[\w ]*\w", page.text))


def test_a_declared_agreement_opens_the_documents_and_the_identity(world, martin):
    document = world.publish()
    page = martin.follows(martin.send(martin.of_patient(), **DECLARED))
    assert "The agreement is recorded" in page.text
    assert "Camille" in page.text
    assert NUMBER in page.text
    listed = martin.get(martin.of_patient("/documents")).text
    assert martin.at(martin.of_patient(f"/documents/{document}")) in listed
    shown = martin.get(martin.of_patient(f"/documents/{document}"))
    content = re.search(r'href="([^"]+/contents/[^"]+)"', shown.text)[1]
    assert martin.get("/" + content).text.startswith("content number")
    assert martin.get("/" + content + "/file").headers["Content-Disposition"].startswith("attachment")


def test_the_patient_is_told_of_the_declaration(world, martin):
    martin.send(martin.of_patient(), **DECLARED)
    told = world.get("camille", f"/Communication?patient={world.ids['camille']}").get_data(as_text=True)
    assert "Martin" in told


def test_the_journal_shows_what_a_professional_did_on_pages_without_being_asked(world, martin):
    camille, document = camille_at_home(world), world.publish()
    martin.send(martin.of_patient(), **DECLARED)
    martin.get(martin.of_patient(f"/documents/{document}"))
    camille.get("/documents")
    journal = camille.get(f"//journal?person={camille.patient}").text
    lines = re.findall(r'<li id="[^"]+".*?</li>', journal, re.DOTALL) or journal.split("<li")[1:]
    assert sum("Martin" in line for line in lines) >= 3
    assert "Ground" in journal
    assert not any("Camille" in line and "looked" in line for line in lines)


@pytest.mark.parametrize("sent", [{"agreed": ""}, {"how": "written"}])
def test_a_declaration_that_is_not_whole_records_nothing_and_leads_to_its_fields(martin, sent):
    answer = martin.send(martin.of_patient(), **(DECLARED | sent))
    assert answer.status_code == 422
    assert f'<a href="#{"writing" if "how" in sent else "agreed"}">' in answer.text
    assert martin.get(martin.of_patient("/documents")).status_code == 403


def test_a_code_of_the_patient_lets_in_and_a_wrong_one_does_not(world, martin):
    made = world.send("camille", "POST", f"/Patient/{world.ids['camille']}/$invite", {"resourceType": "Parameters"})
    code = next(one["valueString"] for one in made.get_json()["parameter"] if one["name"] == "code")
    assert martin.send("/code", code="AAAA-AAAA-AAAA").status_code == 422
    assert "Camille" in martin.follows(martin.send("/code", code=code)).text


@pytest.mark.parametrize("how", ["blocked", "unknown", "nothing"])
def test_whoever_is_closed_or_unknown_gets_the_same_page(world, martin, how):
    if how == "blocked":
        world.agree("camille", "martin", "deny")
    nobody = martin.get(martin.of_patient(patient=UNKNOWN))
    id_ = UNKNOWN if how == "unknown" else world.ids["camille"]
    answer = martin.get(martin.of_patient(patient=id_))
    assert answer.status_code == nobody.status_code == 403
    hidden = re.compile(r'value="[^"]{30,}"')
    assert hidden.sub("", answer.text.replace(id_, "x")) == hidden.sub("", nobody.text.replace(UNKNOWN, "x"))


def test_a_blocked_professional_is_not_let_in_by_their_word(world, martin):
    world.agree("camille", "martin", "deny")
    martin.send(martin.of_patient(), **DECLARED)
    assert martin.get(martin.of_patient("/documents")).status_code == 403


def test_who_has_no_space_and_whose_space_is_closed_are_not_found_alike(world, martin):
    world.send("camille", "POST", f"/Patient/{world.ids['camille']}/$close-space", {"resourceType": "Parameters"})
    closed, unknown = (martin.send("/patients", number=one) for one in (NUMBER, "284039999900247"))
    assert closed.status_code == unknown.status_code == 422
    csrf = re.compile(r'name="csrf" value="[^"]+"')
    assert csrf.sub("", closed.text) == csrf.sub("", unknown.text)


def test_a_document_of_another_patient_is_not_shown_under_this_name(world, martin):
    world.patient("ines", "210039999900255", "2010-06-01")
    of_ines = world.publish(patient="ines")
    for patient in ("camille", "ines"):
        martin.send(martin.of_patient(patient=patient), **DECLARED)
    assert martin.get(martin.of_patient(f"/documents/{of_ines}", "ines")).status_code == 200
    strange = martin.get(martin.of_patient(f"/documents/{of_ines}"))
    unknown = martin.get(martin.of_patient(f"/documents/{UNKNOWN}"))
    assert (strange.status_code, strange.text.replace(of_ines, UNKNOWN)) == (404, unknown.text)


def test_a_hidden_document_and_an_unknown_one_are_alike_and_no_number_tells_of_it(world, martin):
    document = world.publish()
    martin.send(martin.of_patient(), **DECLARED)
    world.publish()
    before = martin.get(martin.of_patient("/documents")).text
    assert document in before
    world.hide(document)
    after = martin.get(martin.of_patient("/documents")).text
    assert document not in after
    assert "Hidden from" not in after
    answers = [martin.get(martin.of_patient(f"/documents/{one}")) for one in (document, UNKNOWN)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(document, UNKNOWN) == answers[1].text


def test_the_pages_leave_the_events_of_the_same_requests_of_an_app(world, martin):
    document, id_ = world.publish(), world.ids["camille"]
    assert martin.send(martin.of_patient(), **DECLARED).status_code == 303
    martin.get(martin.of_patient("/documents"))  # the name is read and kept
    query = f"/DocumentReference?patient={id_}&status=current&_sort=-date&_count=20"
    query += "&_include=DocumentReference%3Aauthor&_include=DocumentReference%3Acustodian"
    pairs = [
        (lambda: martin.get(martin.of_patient("/documents")), lambda: world.get("martin", query)),
        (
            lambda: martin.get(martin.of_patient(f"/documents/{document}")),
            lambda: world.get("martin", f"/DocumentReference/{document}"),
        ),
    ]
    for by_page, by_app in pairs:
        assert _of_role(left(world, by_page)) == _of_role(left(world, by_app)) != []


def test_a_look_up_leaves_the_event_of_the_same_search_of_an_app(world, martin):
    csrf = martin.csrf(martin.at("/patients"))
    by_page = left(world, lambda: martin.send("/patients", csrf=csrf, number=NUMBER))
    form = f"identifier={INS}%7C{NUMBER}"
    by_app = left(
        world,
        lambda: world.send("martin", "POST", "/Patient/_search", form.encode(), "application/x-www-form-urlencoded"),
    )
    assert _of_role(by_page)[-1:] == _of_role(by_app) != []


def _of_role(found):
    return [event | {"ground": event["ground"].replace("PractitionerRole", "")} for event in found]


def test_look_ups_on_pages_and_by_app_share_the_ceiling(world, martin):
    profile = world.runtime.profile
    few = replace(profile, ceilings=replace(profile.ceilings, identities_an_hour=3))
    world.web.application.extensions["habilis.runtime"] = replace(world.runtime, profile=few)
    csrf = martin.csrf(martin.at("/patients"))
    answers = [martin.send("/patients", csrf=csrf, number=NUMBER) for _ in range(9)]
    assert answers[0].status_code == 303
    assert answers[-1].status_code == 401
    assert "second factor" in answers[-1].text
    assert f"/login?then={martin.at('/patients')}" in answers[-1].text.replace("%2F", "/")


def test_the_start_offers_each_role_and_a_person_in_one_role_goes_straight_there(world, martin):
    assert martin.get("//account/start").headers["Location"] == martin.at("/patients")
    both = at_desk(world, "nour", "chu", patients=(own_space(world, "camille"),))
    page = both.get("//account/start").text
    assert both.at("/patients") in page
    assert f"/account/spaces/{world.ids['camille']}/documents" in page
    assert "Nour · chu" in both.get("/patients").text


def test_nobody_uses_the_desk_of_another(world, martin):
    stranger = world.web.application.test_client()
    assert stranger.get(martin.at("/patients"), base_url=SITE).status_code == 303
    nour = at_desk(world, "nour", "chu")
    nour.situation = martin.situation
    camille = camille_at_home(world)
    assert {nour.get("/patients").status_code, camille.get("/" + martin.at("/patients")).status_code} == {404}


def test_a_situation_that_the_directory_ended_opens_nothing(world, martin):
    role = world.get("keeper", f"/PractitionerRole/{martin.situation}").get_json()
    assert (
        world.send("keeper", "PUT", f"/PractitionerRole/{martin.situation}", role | {"active": False}).status_code
        == 200
    )
    assert martin.get("/patients").status_code == 404


@pytest.mark.parametrize("path", ["/patients", "/code", "/patients/{}"])
def test_forms_are_refused_without_token_by_a_foreign_origin_by_others_and_after_sign_out(world, martin, path):
    path, csrf = path.format(world.ids["camille"]), martin.csrf(martin.at("/patients"))
    sent = DECLARED | {"number": NUMBER, "code": "x"}
    camille = camille_at_home(world)
    own = camille.csrf(camille.at("/documents"))
    assert martin.send(path, **(sent | {"csrf": "x"})).status_code == 403
    assert martin.send(path, {"Origin": "https://elsewhere.example"}, **(sent | {"csrf": csrf})).status_code == 403
    assert camille.web.post(martin.at(path), data=sent | {"csrf": own}, base_url=SITE).status_code == 404
    martin.web.post("/logout", data={"csrf": csrf}, base_url=SITE)
    assert martin.send(path, **(sent | {"csrf": csrf})).status_code == 401
    assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403


def test_a_suspended_professional_opens_no_space_by_their_word(world, martin):
    supervising.suspend(world.runtime, f"Practitioner/{world.ids['martin']}", "oscar", "contests")
    assert martin.send(martin.of_patient(), **DECLARED).status_code in (303, 403)
    assert martin.get(martin.of_patient("/documents")).status_code == 403
