"""The documents of a patient on pages: who finds which page, what it shows, what the audit log keeps."""

from urllib.parse import urlencode

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.http.pages.frame.roles import PREFIXES
from tests.pages.visitors import SITE, Visitor, an_account, camille_at_home, left
from tests.world import TRE_A07, World


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def content_of(world: World, document: str) -> str:
    shown = world.get("camille", f"/DocumentReference/{document}").get_json()
    return shown["content"][0]["attachment"]["url"].rpartition("/")[2]


def test_the_start_leads_to_the_documents_of_the_only_space(camille):
    answer = camille.get("//account/start")
    assert answer.headers["Location"] == f"/account/spaces/{camille.patient}/documents"


def test_the_list_names_each_document_and_leads_to_it_and_to_its_content(world, camille):
    document = world.publish()
    page = camille.get("/documents").text
    assert f'href="{camille.at(f"/documents/{document}")}"' in page
    shown = camille.get(f"/documents/{document}").text
    assert f'href="{camille.at(f"/contents/{content_of(world, document)}")}"' in shown
    assert "CHU" in shown or "Chu" in shown or "chu" in shown


def test_an_empty_space_says_how_documents_come(camille):
    assert "No document here yet" in camille.get("/documents").text


def test_pages_of_the_list_lead_to_each_other(world, camille):
    documents = {world.publish() for _ in range(22)}
    seen, path = [], "/documents"
    for _ in range(2):
        page = camille.get(path).text
        seen.append({id_ for id_ in documents if id_ in page})
        path = "/documents?page=" + page.partition('<a href="?page=')[2].partition('"')[0]
    assert [len(one) for one in seen] == [20, 2]
    assert seen[0] | seen[1] == documents


@pytest.mark.parametrize("query", ["page=x", "page=" + "A" * 80])
def test_a_page_that_the_server_did_not_make_is_refused(camille, query):
    assert camille.get(f"/documents?{query}").status_code == 400


def test_nobody_sees_a_page_without_signing_in(world, camille):
    document = world.publish()
    stranger = world.web.application.test_client()
    for path in ("/documents", f"/documents/{document}", f"/contents/{content_of(world, document)}"):
        answer = stranger.get(camille.at(path), base_url=SITE)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/login")


def test_a_professional_and_another_patient_find_no_such_page(world, camille):
    document = world.publish()
    world.patient("ines", "210039999900255", "2010-06-01")
    an_account(world, "ines", "ines")
    an_account(world, "nour", kind=RequesterKind.PROFESSIONAL)
    ways = ("/documents", f"/documents/{document}", f"/contents/{content_of(world, document)}")
    for login in ("ines", "nour"):
        visitor = Visitor(world, login, camille.patient)
        assert {visitor.get(path).status_code for path in ways} == {404}


def test_a_document_of_another_space_is_unknown_here(world):
    world.patient("ines", "210039999900255", "2010-06-01")
    an_account(world, "ines", "ines")
    document, unknown = world.publish(), "00000000-0000-4000-8000-000000000009"
    ines = Visitor(world, "ines", world.ids["ines"])
    for path in ("/documents/{}", "/contents/{}", "/contents/{}/file"):
        answers = [ines.get(path.format(id_)) for id_ in (document, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(document, unknown) == answers[1].text


def test_a_sealed_result_is_no_document_of_the_patients_pages(world, camille):
    sealed = world.publish(marks=("INVISIBLE_PATIENT",))
    assert sealed not in camille.get("/documents").text
    assert camille.get(f"/documents/{sealed}").status_code == 404


def test_a_page_leaves_the_audit_event_of_the_same_request_of_an_app(world, camille):
    document = world.publish()
    content = content_of(world, document)
    includes = [("_include", "DocumentReference:author"), ("_include", "DocumentReference:custodian")]
    query = urlencode(
        [("patient", camille.patient), ("status", "current"), ("_sort", "-date"), ("_count", "20"), *includes]
    )
    ways = {
        "/documents": f"/DocumentReference?{query}",
        f"/contents/{content}": f"/Binary/{content}",
    }
    for page, path in ways.items():
        by_page, by_app = (
            left(world, lambda p=page: camille.get(p)),
            left(world, lambda p=path: world.get("camille", p)),
        )
        assert by_page == by_app != [], page
    read = left(world, lambda: world.get("camille", f"/DocumentReference/{document}"))
    assert left(world, lambda: camille.get(f"/documents/{document}"))[:1] == read


def test_a_hidden_document_says_so_on_the_pages_of_its_patient(world, camille):
    document = world.publish(marks=("MASQUE_PS",))
    assert "Hidden from professionals" in camille.get("/documents").text
    assert TRE_A07 not in camille.get(f"/documents/{document}").text


class TestContents:
    """What a browser is given of a content."""

    def test_a_text_opens_in_the_browser_without_any_right(self, world, camille):
        answer = camille.get(f"/contents/{content_of(world, world.publish())}")
        policy = answer.headers["Content-Security-Policy"]
        assert "sandbox" in policy or answer.content_type == "application/pdf"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("mime", ["text/html", "image/svg+xml", "text/xml", "application/xhtml+xml"])
    def test_what_could_run_is_only_a_file(self, world, camille, mime):
        document = world.publish(content=b"<script>alert(1)</script>", mime=mime)
        for end in ("", "/file"):
            answer = camille.get(f"/contents/{content_of(world, document)}{end}")
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.content_type == "application/octet-stream"
            assert "sandbox" in answer.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("mime", ["application/pdf", "image/png", "image/jpeg"])
    def test_what_is_not_what_it_says_is_only_a_file(self, world, camille, mime):
        document = world.publish(content=b"<html><script>alert(1)</script>", mime=mime)
        answer = camille.get(f"/contents/{content_of(world, document)}")
        assert answer.headers["Content-Disposition"].startswith("attachment")

    def test_a_pdf_opens_in_the_viewer_of_the_browser(self, world, camille):
        document = world.publish(content=b"%PDF-1.4 nothing", mime="application/pdf")
        answer = camille.get(f"/contents/{content_of(world, document)}")
        assert answer.content_type == "application/pdf"
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_signing_out_closes_every_page(camille):
    page = camille.get("/documents").text
    assert 'action="/logout"' in page
    camille.web.post("/logout", data={"csrf": camille.csrf(camille.at("/documents"))}, base_url=SITE)
    assert camille.get("/documents").headers["Location"].startswith("/login?then=")


def test_a_guardian_of_two_chooses_the_space_and_sees_its_name(world):
    world.patient("ines", "210039999900255", "2010-06-01")
    world.ids["marc"] = world.ids["camille"]
    an_account(world, "marc", "camille", "ines", kind=RequesterKind.RELATED)
    marc = Visitor(world, "marc", world.ids["ines"])
    page = marc.get("//account/start").text
    assert "Camille" in page
    assert "Ines" in page


def test_nothing_but_page_and_form_adds_a_page_of_a_role(world):
    """The start page and the code of an invitation alone belong to no role: they read nothing of a space."""
    rules = [rule for rule in world.web.application.url_map.iter_rules() if rule.endpoint.startswith("portal.")]
    views = world.web.application.view_functions
    loose = [rule.rule for rule in rules if not hasattr(views[rule.endpoint], "__wrapped__")]
    assert set(loose) == {"/account/start", "/account/invitation"}
    prefixes = tuple(PREFIXES.values())
    assert all(rule.rule.startswith(prefixes) for rule in rules if rule.rule not in loose)
