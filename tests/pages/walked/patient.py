"""The pages of a patient, and of who acts for a patient."""

from playwright.sync_api import Page

from tests.mail import work
from tests.pages.conftest import Site
from tests.pages.steps import open_in_an_emergency

_SPACE = "/account/spaces/{patients[camille]}"
PAGES = {
    "camille": [
        "/account/start",
        f"{_SPACE}/documents",
        f"{_SPACE}/documents?class=42&from=2026-01-01",
        f"{_SPACE}/documents/{{documents[camille-hospital-report]}}",
        f"{_SPACE}/documents/{{documents[camille-hospital-report]}}/audience",
        f"{_SPACE}/people",
        f"{_SPACE}/own-documents",
        f"{_SPACE}/own-documents/{{documents[camille-allergy-note]}}/replacement",
        "/journal?own=1",
    ],
    "marc": ["/account/start", "/account/spaces/{patients[leo]}/documents", "/journal?person={patients[leo]}"],
}


def _notice(page: Page, site: Site) -> None:
    """Go to the notice of an emergency, as the link of a mail leads there."""
    open_in_an_emergency(site.runtime, site.demo.patients["camille"], "Dr Awa", "found unconscious")
    work(site.runtime)
    headers = {"Authorization": f"Bearer {site.demo.tokens['camille']}"}
    answer = page.request.get(
        f"{site.demo.fhir}/Communication?subject={site.demo.patients['camille']}", headers=headers
    )
    page.goto(f"/account/notices/{answer.json()['entry'][0]['resource']['id']}")


STEPS = {"pages.one_notice": ("camille", _notice)}
NOT_WALKED = {
    "portal.content": "the bytes of a document, in the form in which they were filed",
    "portal.file": "the bytes of a document, to keep",
}
