"""The pages of a space as a whole: emergencies, requests, apps, its state, the journal to keep."""

from playwright.sync_api import Page

from tests.pages.browsing import attribute
from tests.pages.conftest import Site

_SPACE = "/account/spaces/{patients[camille]}"
PAGES = {
    "camille": [
        f"{_SPACE}/emergency",
        f"{_SPACE}/requests",
        f"{_SPACE}/apps",
        f"{_SPACE}/my-space",
        f"{_SPACE}/journal",
        f"{_SPACE}/journal/print",
    ]
}


def _receipt(page: Page, site: Site) -> None:
    """Close the space and open it again, and go to the proof of that."""
    here = f"/account/spaces/{site.demo.patients['camille']}"
    page.goto(f"{here}/my-space")
    for act in ("close", "open"):
        csrf = attribute(page.locator("main input[name=csrf]").first, "value")
        sent = page.request.post(f"{here}/my-space/state", form={"csrf": csrf, "act": act}, max_redirects=0)
        receipt = sent.headers["location"].partition("receipt=")[2].partition("&")[0]
        page.goto(f"{here}/my-space")
    page.goto(f"{here}/my-space/receipts/{receipt}")


STEPS = {"portal.receipt": ("camille", _receipt)}
NOT_WALKED = {"portal.journal_file": "the journal as FHIR for programs, to keep"}
