"""Mails in a browser without JavaScript: confirm an address, choose, follow the link of a mail to its notice."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.mail import work
from tests.pages.browsing import FITS, follow, measured, send_password
from tests.pages.conftest import PHONE, Site
from tests.pages.steps import open_in_an_emergency

pytestmark = pytest.mark.browser
ADDRESS = "camille@example.org"


@pytest.fixture
def phone(chromium: Browser, site: Site) -> Iterator[Page]:
    context = chromium.new_context(locale="en-GB", viewport=PHONE, base_url=site.base, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_an_address_is_confirmed_and_the_link_of_a_mail_leads_to_the_notice(phone, site):
    phone.goto("/login?lang=en")
    send_password(phone, site, "camille")
    phone.goto("/account/notices")
    phone.get_by_label("Mail address").fill(ADDRESS)
    phone.get_by_label("Present password", exact=True).fill(site.demo.logins["camille"])
    follow(phone.get_by_role("button", name="Send a code there"))
    work(site.runtime)
    code = re.search(r"^\d{8}", site.post.letters_to(ADDRESS)[-1].get_content(), flags=re.MULTILINE)[0]
    phone.get_by_label(f"The code that was sent to {ADDRESS}").fill(code)
    follow(phone.get_by_role("button", name="Confirm the address"))
    expect(phone.get_by_text(f"Mails go to {ADDRESS}.")).to_be_visible()
    phone.get_by_label("Somebody looks at the space again").select_option("never")
    follow(phone.get_by_role("button", name="Save"))
    expect(phone.get_by_label("Somebody looks at the space again")).to_have_value("never")
    assert measured(phone, FITS)

    open_in_an_emergency(site.runtime, site.demo.patients["camille"], "Dr Awa", "found unconscious")
    work(site.runtime)
    letter = site.post.letters_to(ADDRESS)[-1].get_content()
    phone.context.clear_cookies()
    phone.goto(re.search(r"http\S+/account/notices/\S+", letter)[0])
    send_password(phone, site, "camille")
    expect(phone.locator(".notices li")).to_contain_text("Dr Awa")
