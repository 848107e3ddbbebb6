"""The pages of the data-protection officer, and those of the operator."""

from types import SimpleNamespace

from playwright.sync_api import Page

from tests.http.cases import a_case, open_as_worker
from tests.pages.browsing import follow
from tests.pages.conftest import Site
from tests.pages.steps import open_in_an_emergency

_OFFICER, _OPERATOR = "/account/officer", "/account/operator"
PAGES = {
    "dana": [f"{_OFFICER}/queue", f"{_OFFICER}/matrix", f"{_OFFICER}/suspensions", f"{_OFFICER}/trail"],
    "oscar": [f"{_OPERATOR}/state", f"{_OPERATOR}/tasks", f"{_OPERATOR}/installation"],
}


def _review(page: Page, site: Site) -> None:
    """Go from the queue to the review of an emergency."""
    open_in_an_emergency(site.runtime, site.demo.patients["camille"], "Dr Awa", "found unconscious")
    page.goto(f"{_OFFICER}/queue")
    follow(page.locator("a[href*='/reviews/']").first)


def _case(page: Page, site: Site) -> None:
    """Go from the queue to a case that the worker has opened."""
    seen = SimpleNamespace(runtime=site.runtime, ids={"awa": site.demo.professionals["stern"]})
    open_as_worker(seen, a_case(seen))
    page.goto(f"{_OFFICER}/queue")
    follow(page.locator("a[href*='/cases/']").first)


STEPS = {"portal.review": ("dana", _review), "portal.case": ("dana", _case)}
NOT_WALKED = {"portal.trail_file": "sends what the search found as a file"}
