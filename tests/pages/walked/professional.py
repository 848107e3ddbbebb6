"""The pages of a professional: in care, in an emergency, and the declaration of one."""

from http import HTTPStatus

from playwright.sync_api import Page

from tests.pages.browsing import follow
from tests.pages.conftest import Site
from tests.pages.steps import sign_in_with_factor

_DESK = "/account/desk/{roles[paul]}"
_CARE = f"{_DESK}/patients/{{patients[camille]}}"
PAGES = {
    "paul": [
        f"{_DESK}/patients",
        f"{_DESK}/code",
        _CARE,
        f"{_CARE}/deposit",
        f"{_CARE}/accesses",
        f"{_CARE}/team",
        f"{_CARE}/documents",
        f"{_CARE}/documents/{{documents[camille-hospital-report]}}",
        f"{_DESK}/openings/emergency",
    ]
}


def _opened(page: Page, site: Site) -> str:
    """Let a physician with a second factor open a space in an emergency; return where its pages are."""
    role, patient = site.demo.roles["stern"], site.demo.patients["camille"]
    where = f"/account/desk/{role}/emergencies/{patient}"
    if page.request.get(f"{where}/documents", max_redirects=0).status != HTTPStatus.OK:
        sign_in_with_factor(page, site, "stern")
        page.goto(f"/account/desk/{role}/openings/emergency?patient={patient}")
        page.locator("input[name=reason]").first.check()
        page.locator("textarea[name=words]").fill("found at home")
        page.locator("input[name=confirmed]").check()
        follow(page.locator("main button[type=submit]").first)
    return where


def _documents(page: Page, site: Site) -> None:
    page.goto(f"{_opened(page, site)}/documents")


def _document(page: Page, site: Site) -> None:
    page.goto(f"{_opened(page, site)}/documents/{site.demo.documents['camille-hospital-report']}")


STEPS = {
    "portal.emergency_documents": ("on-call", _documents),
    "portal.emergency_document": ("on-call", _document),
}
NOT_WALKED = {
    "portal.care_content": "the bytes of a document, in the form in which they were filed",
    "portal.care_file": "the bytes of a document, to keep",
    "portal.emergency_content": "the bytes of a document, in the form in which they were filed",
    "portal.emergency_file": "the bytes of a document, to keep",
}
