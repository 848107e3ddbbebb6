"""The journal of a space: its filters, what machines did told together, the journal to keep, and how near it is."""

import json
import re
from html import unescape

import pytest

from tests.http.spaces import UNKNOWN
from tests.pages.visitors import SITE, Visitor, camille_at_home, events


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.fixture
def read(world) -> str:
    """Let Martin in, who reads a document. Return the id of the document."""
    document = world.publish(title="scanner")
    world.agree("camille", "martin")
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 200
    return document


def lines(page: str) -> list[str]:
    """Return the text of each entry that a page shows, without the notices."""
    found = re.findall(r'<ol class="lines" reversed>(.*?)</ol>', page, re.DOTALL)
    entries = [one for part in found for one in part.split("<li ")[1:]]
    return [unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", f"<{one}"))).strip() for one in entries]


def journal(visitor: Visitor, query: str = "") -> str:
    answer = visitor.get(f"//journal?person={visitor.patient}{query}")
    assert answer.status_code == 200
    return answer.text


@pytest.mark.usefixtures("read")
class TestFilters:
    def test_only_one_person_is_shown_and_the_filter_is_removed(self, world, camille):
        page = journal(camille)
        link = next(one for one in re.findall(r'href="(/journal[^"]+who=[^"]+)"', page) if world.ids["martin"] in one)
        only = camille.get(f"/{unescape(link)}").text
        assert lines(only)
        assert all("martin" in one for one in lines(only))
        assert "only martin" in only
        removed = unescape(re.search(r'<a href="(\?[^"]+)">remove', only)[1])
        assert len(lines(camille.get(f"//journal{removed}").text)) > len(lines(only))

    def test_only_one_app_is_shown(self, camille):
        found = lines(journal(camille, "&app=chu-ehr"))
        assert found
        assert not [one for one in found if "martin" in one]

    def test_a_period_is_shown(self, camille, clock):
        before = len(lines(journal(camille)))
        day = clock.now().date().isoformat()
        assert len(lines(journal(camille, f"&from={day}&to={day}"))) == before
        assert lines(journal(camille, "&from=2020-01-01&to=2020-01-31")) == []

    def test_refusals_alone_are_shown(self, world, camille):
        assert world.get("zoe", f"/DocumentReference?patient={camille.patient}").status_code == 403
        found = lines(journal(camille, "&refused=1"))
        assert found
        assert all("Refused" in one for one in found)

    @pytest.mark.parametrize("query", ["&from=yesterday", "&to=2026-02-30"])
    def test_a_day_that_is_none_is_said(self, camille, query):
        page = journal(camille, query)
        assert "give a day such as" in page
        assert lines(page)

    @pytest.mark.parametrize(
        "query", ["&who=Practitioner/x", "&who=*", "&app=a%00b", "&own=2", f"&who=Device/{UNKNOWN}"]
    )
    def test_what_cannot_be_read_filters_nothing(self, camille, query):
        assert len(lines(journal(camille, query))) == len(lines(journal(camille)))

    def test_somebody_who_did_nothing_has_no_entries(self, camille):
        assert lines(journal(camille, f"&who=Practitioner/{UNKNOWN}")) == []


class TestMachines:
    def test_what_an_app_did_often_on_one_day_is_one_entry(self, world, camille):
        document = world.publish(title="scanner")
        for _ in range(7):
            assert world.get("camille", f"/DocumentReference/{document}").status_code == 200
        found = [one for one in lines(journal(camille)) if "times this day" in one]
        assert [one for one in found if "7 times this day" in one]
        assert "scanner" in next(one for one in found if "7 times" in one)

    def test_refusals_and_people_stay_apart(self, world, camille, read):
        for _ in range(3):
            world.get("martin", f"/DocumentReference/{read}")
            world.get("zoe", f"/DocumentReference?patient={camille.patient}")
        found = lines(journal(camille))
        assert len([one for one in found if "martin" in one and "scanner" in one]) == 4
        assert len([one for one in found if "Refused" in one]) == 3


class TestExport:
    @pytest.mark.usefixtures("read")
    def test_the_file_holds_what_an_app_gets(self, world, camille):
        answer = camille.get("/journal/file")
        assert answer.headers["Content-Type"] == "application/fhir+json"
        assert "attachment" in answer.headers["Content-Disposition"]
        kept = {one["resource"]["id"]: one["resource"] for one in json.loads(answer.text)["entry"]}
        by_app = {one["id"]: one for one in events(world)}
        assert len(kept) >= 3
        assert kept == {id_: one for id_, one in by_app.items() if id_ in kept}

    @pytest.mark.usefixtures("read")
    def test_the_print_has_every_entry_in_words(self, camille):
        page = camille.get("/journal/print").text
        assert [one for one in page.split('<div class="said">') if "martin" in one and "scanner" in one]
        assert "<form" not in page.partition("<main")[2].partition("</main>")[0]

    @pytest.mark.usefixtures("read")
    def test_a_period_limits_both(self, camille):
        query = "?from=2020-01-01&to=2020-01-31"
        assert "Nothing in this period" in camille.get(f"/journal/print{query}").text
        assert json.loads(camille.get(f"/journal/file{query}").text)["entry"] == []

    def test_the_export_is_in_the_journal(self, world, camille):
        before = len(events(world))
        camille.get("/journal/file")
        assert len(events(world)) > before

    def test_a_closed_space_exports_nothing(self, camille):
        camille.send("/my-space/state", act="close")
        assert [camille.get(path).status_code for path in ("/journal/print", "/journal/file")] == [403, 403]


class Walk:
    """Somebody who goes on only by what the page in view offers; each page and each act counts."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.pages, self.acts, self.text = visitor, 0, 0, ""
        self.arrive("/account/start")

    def arrive(self, address: str) -> None:
        answer = self.visitor.web.get(address, base_url=SITE, headers={"Accept-Language": "en"}, follow_redirects=True)
        assert answer.status_code == 200
        self.pages, self.text = self.pages + 1, answer.text

    def follow(self, label: str) -> None:
        self.acts += 1
        self.arrive(unescape(re.search(rf'<a href="([^"]+)"[^>]*>{label}<', self.text)[1]))

    def send(self, form: str) -> None:
        """Unfold what hides a form, and send it."""
        self.acts += 2
        sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        action = re.search(r'action="([^"]+)"', form)[1]
        answer = self.visitor.web.post(action, data=sent, base_url=SITE)
        self.arrive(answer.headers["Location"].removeprefix(SITE).partition("#")[0])


def test_who_saw_my_documents_why_and_stop_it_is_near(world, camille, read):
    """At most three pages and five acts after the sign-in (issue 13)."""
    walk = Walk(camille)
    walk.follow("Journal")
    seen = next(one for one in walk.text.split("<li ") if "martin" in one and "scanner" in one)
    assert "Ground:" in seen
    walk.send(re.search(r'<form class="contest".*?</form>', seen, re.DOTALL)[0])
    assert "This person is blocked" in walk.text
    assert world.get("martin", f"/DocumentReference/{read}").status_code in {403, 404}
    assert walk.pages <= 3
    assert walk.acts <= 5
