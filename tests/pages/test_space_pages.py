"""The pages of a space: emergencies, requests, and the state of the space, over HTTP."""

import re

import pytest

from tests.http.choices import listed
from tests.http.spaces import UNKNOWN, announce, call, status, told
from tests.pages.visitors import Visitor, an_account, camille_at_home, events, left


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def followed(visitor, answer) -> str:
    """Return the page to which the answer to a form leads."""
    assert answer.status_code == 303, answer.text
    return visitor.get(answer.headers["Location"].removeprefix(visitor.at(""))).text


def undone(visitor, page: str) -> str:
    """Send the form that undoes what the page says was done; return the next page."""
    region = page.partition('role="status"')[2].partition("</div>")[0]
    action = re.search(r'<form method="post" action="([^"]+)"', region)[1]
    found = re.findall(r'name="(\w+)" value="([^"]*)"', region)
    return followed(visitor, visitor.send(action.removeprefix(visitor.at("")), **dict(found)))


def settings(world, who="camille") -> dict[str, bool]:
    answer = world.get(who, f"/Patient/{world.ids['camille']}/$space-settings")
    assert answer.status_code == 200, answer.text
    parts = [one["part"] for one in answer.get_json()["parameter"] if one["name"] == "setting"]
    return {part[0]["valueCode"]: part[1]["valueBoolean"] for part in parts}


class TestEmergency:
    @pytest.mark.parametrize(
        ("name", "first"), [("break-glass", "no"), ("regulation", "no"), ("hidden-in-emergency", "yes")]
    )
    def test_a_switch_is_turned_and_turned_back(self, world, camille, name, first):
        before = settings(world)
        page = followed(camille, camille.send("/emergency/switch", switch=name, on=first))
        assert settings(world) == before | {name: first == "yes"}
        undone(camille, page)
        assert settings(world) == before

    def test_one_mode_is_opened_and_the_other_stays_closed(self, world, camille):
        consent = world.consent("martin")
        consent["provision"] = {"type": "deny", "purpose": [purpose(one) for one in ("BTG", "ETREAT")]}
        assert world.send("camille", "POST", "/Consent", consent).status_code == 201
        camille.send("/emergency/switch", switch="regulation", on="yes")
        assert (settings(world)["regulation"], settings(world)["break-glass"]) == (True, False)

    def test_a_default_that_an_app_has_withdrawn_is_restored(self, world, camille):
        found = world.get("camille", f"/Consent?patient={world.ids['camille']}").get_json()["entry"]
        default = next(one["resource"] for one in found if "202" in str(one["resource"].get("identifier")))
        path = f"/Consent/{default['id']}"
        assert world.send("camille", "PUT", path, default | {"status": "inactive"}).status_code == 200
        assert settings(world)["break-glass"] is False
        camille.send("/emergency/switch", switch="break-glass", on="yes")
        assert (settings(world)["break-glass"], settings(world)["regulation"]) == (True, False)
        camille.send("/emergency/switch", switch="regulation", on="yes")
        assert (settings(world)["break-glass"], settings(world)["regulation"]) == (True, True)

    def test_the_page_shows_what_is_seen_today(self, world, camille):
        world.publish(title="plain report")
        hidden = world.publish(title="kept back", marks=("MASQUE_PS",))
        page = camille.get("/emergency").text
        seen, unseen = page.split("What a physician would not see")
        assert "plain report" in seen
        assert "kept back" in unseen
        assert hidden in unseen
        camille.send("/emergency/switch", switch="hidden-in-emergency", on="yes")
        assert "What a physician would not see" not in camille.get("/emergency").text
        for one in ("break-glass", "regulation"):
            camille.send("/emergency/switch", switch=one, on="no")
        page = camille.get("/emergency").text
        assert "None." in page
        assert "plain report" in page.partition("What a physician would not see")[2]

    @pytest.mark.parametrize("sent", [{"switch": "ask-first", "on": "yes"}, {"switch": "break-glass"}, {}])
    def test_another_switch_is_refused(self, world, camille, sent):
        before = settings(world)
        assert camille.send("/emergency/switch", **sent).status_code == 422
        assert settings(world) == before

    def test_a_switch_leaves_the_events_of_an_app(self, world, camille):
        consent = world.consent("martin")
        consent["provision"] = {"type": "deny", "purpose": [purpose("ETREAT")]}
        assert world.send("camille", "POST", "/Consent", consent).status_code == 201
        csrf = camille.csrf(camille.at("/emergency"))
        by_page = left(world, lambda: camille.send("/emergency/switch", csrf=csrf, switch="break-glass", on="no"))
        camille.send("/emergency/switch", csrf=csrf, switch="break-glass", on="yes")
        consent["provision"] = {"type": "deny", "purpose": [purpose("BTG")]}
        by_app = left(world, lambda: asking_first(world, lambda: world.send("camille", "POST", "/Consent", consent)))
        assert alike(by_page) == alike(by_app) != []


def alike(found: list) -> list[str]:
    """Return what events say, in any order: events of one instant come in the order of their random ids."""
    return sorted(str((one["subtype"], one["action"], one["outcome"], one["ground"])) for one in found)


def asking_first(world, act):
    """Read the settings as an app does, and then do something."""
    world.get("camille", f"/Patient/{world.ids['camille']}/$space-settings")
    return act()


def purpose(code: str) -> dict[str, str]:
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}


class TestRequests:
    @pytest.fixture
    def asked(self, world, camille) -> str:
        """Ask first; Martin writes down an agreement, which waits. Return the id of its Consent."""
        page = followed(camille, camille.send("/requests/switch", on="yes"))
        assert "You are asked first now" in page
        answer = world.send("martin", "POST", "/Consent", world.consent("martin"))
        assert answer.status_code == 201
        return answer.get_json()["id"]

    def test_who_asks_is_named_with_profession_and_place(self, world, camille, asked):
        world.practice("martin", "other")
        page = camille.get("/requests").text
        assert asked in page
        waiting = page.partition("Waiting for your answer")[2]
        assert "Martin" in waiting
        assert "other" in waiting
        assert "hysician" in waiting

    @pytest.mark.parametrize(("span", "hours"), [("hour", 1), ("day", 24), ("season", 90 * 24)])
    def test_an_approval_opens_for_as_long_as_was_said(self, world, clock, camille, asked, span, hours):
        page = followed(camille, camille.send(f"/requests/{asked}/approve", span=span))
        assert "Nobody waits" in page
        assert listed(world, "martin") == set()
        clock.advance(hours=hours, seconds=5)
        refreshed = world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code
        assert refreshed in {401, 403}

    def test_an_approval_is_undone_and_the_request_waits_again(self, world, camille, asked):
        page = followed(camille, camille.send(f"/requests/{asked}/approve", span="day"))
        assert asked in undone(camille, page)
        assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403

    def test_a_refusal_ends_the_request(self, world, camille, asked):
        page = followed(camille, camille.send(f"/requests/{asked}/refuse"))
        assert "You have refused" in page
        assert "Nobody waits" in page
        assert world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403

    def test_silence_of_a_day_is_a_refusal(self, clock, camille, asked):
        clock.advance(hours=24)
        again = Visitor(camille.world, "camille", camille.patient)
        assert "Nobody waits" in again.get("/requests").text
        assert again.send(f"/requests/{asked}/approve", span="day").status_code == 404

    @pytest.mark.usefixtures("asked")
    def test_what_does_not_wait_is_as_unknown(self, world, camille):
        world.agree("camille", "zoe")
        own = next(one for one in consents(world) if world.ids["zoe"] in str(one) and one["status"] == "active")
        for form in ({"span": "day"}, {"span": "year"}, {}):
            answers = [camille.send(f"/requests/{one}/approve", **form) for one in (own["id"], UNKNOWN)]
            assert answers[0].status_code == answers[1].status_code == (404 if form == {"span": "day"} else 422)
            assert answers[0].text.replace(own["id"], UNKNOWN) == answers[1].text
        assert camille.send(f"/requests/{own['id']}/refuse").status_code == 404

    @pytest.mark.usefixtures("asked")
    def test_who_is_not_asked_first_has_nothing_waiting(self, world, camille):
        camille.send("/requests/switch", on="no")
        assert "Waiting for your answer" not in camille.get("/requests").text
        assert listed(world, "martin") == set()

    def test_an_approval_leaves_the_events_of_an_app(self, world, camille, asked):
        csrf = camille.csrf(camille.at("/requests"))
        by_page = left(world, lambda: camille.send(f"/requests/{asked}/approve", csrf=csrf, span="day"))
        by_app = left(world, lambda: asking_first(world, lambda: world.agree("camille", "zoe")))
        assert alike(by_page) == alike(by_app) != []


def consents(world):
    found = world.get("camille", f"/Consent?patient={world.ids['camille']}&_count=100").get_json()
    return [one["resource"] for one in found["entry"]]


class TestState:
    def test_a_space_is_opposed_with_a_proof_and_opened_later(self, world):
        announce(world)
        an_account(world, "new", "new")
        new = Visitor(world, "new", world.ids["new"])
        assert "It opens by itself unless you oppose it" in new.get("/my-space").text
        page = followed(new, new.send("/my-space/state", csrf=new.csrf(new.at("/my-space")), act="oppose"))
        assert status(world, "new", "new") == "opposed"
        proof = re.search(r'href="([^"]+/receipts/[^"]+)"', page)[1]
        proven = new.get(proof.removeprefix(new.at(""))).text
        assert "This message is the proof" in proven
        assert proof.rpartition("/")[2] in proven
        new.send("/my-space/state", csrf=new.csrf(new.at("/my-space")), act="open")
        assert status(world, "new", "new") == "active"

    def test_a_space_is_closed_and_opened_by_undo(self, world, camille):
        page = followed(camille, camille.send("/my-space/state", act="close"))
        assert status(world) == "closed"
        assert "This space is closed now" in page
        for path in ("/documents", "/people"):
            assert camille.get(path).status_code == 403
        assert "This space is open now" in undone(camille, page)
        assert camille.get("/documents").status_code == 200

    def test_who_signs_in_after_closing_can_open_the_space(self, world, camille):
        camille.send("/my-space/state", act="close")
        later = Visitor(world, "camille", camille.patient)
        page = later.get("/my-space").text
        assert "Everything is kept until" in page
        csrf = later.csrf(later.at("/my-space"))
        later.send("/my-space/state", csrf=csrf, act="open")
        assert status(world) == "active"

    @pytest.mark.parametrize("acts", [("close-and-erase",), ("close", "erase")])
    def test_an_erasure_is_asked_for_and_taken_back_by_opening(self, world, camille, acts):
        for act in acts:
            page = followed(
                camille, camille.send("/my-space/state", csrf=camille.csrf(camille.at("/my-space")), act=act)
            )
        assert "erasureAskedAt" in told(world.get("camille", f"/Patient/{camille.patient}/$space-status"))
        assert "at the latest on" in page
        assert "Ask for the erasure" not in page
        camille.send("/my-space/state", csrf=camille.csrf(camille.at("/my-space")), act="open")
        assert "erasureAskedAt" not in told(world.get("camille", f"/Patient/{camille.patient}/$space-status"))

    @pytest.mark.parametrize(("act", "expected"), [("oppose", 422), ("erase", 422), ("", 422), ("suspend", 422)])
    def test_what_the_state_does_not_allow_changes_nothing(self, world, camille, act, expected):
        assert camille.send("/my-space/state", act=act).status_code == expected
        assert status(world) == "active"

    def test_closing_leaves_the_events_of_an_app(self, world, camille):
        csrf = camille.csrf(camille.at("/my-space"))
        camille.send("/my-space/state", csrf=csrf, act="close")
        for act in ("open-space", "close-space", "open-space"):
            call(world, "camille", act)
        closed = [one for one in events(world) if "close-space" in str(one["subtype"])]
        assert len(closed) == 2
        told = [(one["subtype"], one["action"], one["outcome"], one.get("extension")) for one in closed]
        assert told[0] == told[1]

    def test_the_notice_of_each_document_is_switched(self, world, camille):
        assert settings(world)["told-of-filing"] is False
        camille.send("/my-space/filing", on="yes")
        assert settings(world)["told-of-filing"] is True
        assert "Do not tell me" in camille.get("/my-space").text
        camille.send("/my-space/filing", on="no")
        assert settings(world)["told-of-filing"] is False

    def test_another_notice_is_no_receipt(self, world, camille):
        world.agree("camille", "martin")
        world.send("zoe", "POST", "/Consent", world.consent("zoe"))
        notices = world.get("camille", f"/Communication?patient={camille.patient}").get_json()["entry"]
        other = notices[0]["resource"]["id"]
        answers = [camille.get(f"/my-space/receipts/{one}") for one in (other, UNKNOWN)]
        assert [one.status_code for one in answers] == [404, 404]
        assert answers[0].text.replace(other, UNKNOWN) == answers[1].text


class TestSettingsOperation:
    """Who may ask for `$space-settings`."""

    @pytest.mark.parametrize("who", ["martin", "chu-ehr", "keeper"])
    def test_nobody_but_the_patients_side(self, world, who):
        answers = [world.get(who, f"/Patient/{one}/$space-settings") for one in (world.ids["camille"], UNKNOWN)]
        assert [one.status_code for one in answers] == [403, 403]
        assert answers[0].get_data() == answers[1].get_data()

    def test_a_block_of_everybody_closes_the_modes_and_is_no_switch(self, world, camille):
        consent = world.consent("martin")
        consent["provision"] = {"type": "deny"}
        assert world.send("camille", "POST", "/Consent", consent).status_code == 201
        assert settings(world)["break-glass"] is False
        assert "A block of everybody keeps this closed" in camille.get("/emergency").text

    def test_asking_is_in_the_journal(self, world):
        world.get("camille", f"/Patient/{world.ids['camille']}/$space-settings")
        assert any("space-settings" in str(one["subtype"]) for one in events(world))
