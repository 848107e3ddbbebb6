"""A code for one consultation on its page: made, shown once, used, cancelled, and what was opened with it (C4, V1)."""

import re

import pytest

from consent_rules.vocabulary import RequesterKind
from tests.http.spaces import call, parent
from tests.pages.visitors import SITE, Visitor, an_account, camille_at_home, events, left
from tests.world import World

CODE = re.compile(r'<p class="code-text">([A-Z0-9-]+)</p>')
UNKNOWN = "00000000-0000-4000-8000-000000000009"
WRONG = (
    ({"what": "chosen"}, "document"),
    ({"minutes": "20"}, "minutes"),
    ({"minutes": ""}, "minutes"),
    ({"who": "one"}, "name"),
    ({"who": "one", "name": "Nobody Known"}, "name"),
    ({"who": "one", "name": "\\,$|"}, "name"),
    ({"who": "one", "name": "Mart", "audience": f"Practitioner/{UNKNOWN}"}, "audience"),
)
"""What a form may hold wrongly, and the field that is named."""


@pytest.fixture
def camille(world):
    return camille_at_home(world)


def made(visitor: Visitor, **form: str) -> str:
    answer = visitor.send("/sharing", **({"what": "all", "who": "anybody", "minutes": "15"} | form))
    assert answer.status_code == 200, answer.text
    return CODE.search(answer.text)[1]


def redeemed(world: World, who: str, code: str) -> int:
    body = {"resourceType": "Parameters", "parameter": [{"name": "code", "valueString": code}]}
    return world.send(who, "POST", "/Patient/$redeem", body).status_code


def test_a_code_is_shown_as_letters_and_picture_and_lets_one_professional_in(world, camille):
    document = world.publish()
    answer = camille.send("/sharing", what="all", who="anybody", minutes="30")
    assert "<svg" in answer.text
    assert redeemed(world, "martin", CODE.search(answer.text)[1]) == 200
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 200


def test_the_code_stands_in_the_one_answer_that_nothing_stores(world, camille, caplog):
    answer = camille.send("/sharing", what="all", who="anybody", minutes="15")
    code = CODE.search(answer.text)[1]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers
    later = camille.get("/sharing").text
    assert "Codes that can be used now" in later
    for text in (later, caplog.text, str(events(world)), str(dict(answer.headers))):
        assert code not in text
        assert code.replace("-", "") not in text


def test_the_page_says_who_used_a_code_and_what_they_opened(world, camille):
    opened, kept = world.publish(title="Scanner"), world.publish(title="Radio")
    assert "No code was used so far" in camille.get("/sharing").text
    assert redeemed(world, "martin", made(camille)) == 200
    used = camille.get("/sharing").text.partition("Codes that were used")[2]
    assert "Martin" in used
    assert "No document of yours was opened." in used
    assert world.get("martin", f"/DocumentReference/{opened}").status_code == 200
    used = camille.get("/sharing").text.partition("Codes that were used")[2]
    assert "Scanner" in used
    assert kept not in used


def test_what_was_read_before_the_code_does_not_count_as_opened_with_it(world, camille, clock):
    document = world.publish()
    world.agree("camille", "martin")
    assert world.get("martin", f"/DocumentReference/{document}").status_code == 200
    clock.advance(minutes=1)
    assert redeemed(world, "martin", made(camille)) == 200
    assert "No document of yours was opened." in camille.get("/sharing").text


def test_a_code_opens_the_chosen_documents_only(world, camille):
    shown, kept = world.publish(), world.publish()
    assert redeemed(world, "martin", made(camille, what="chosen", document=shown)) == 200
    found = world.found("martin", f"/DocumentReference?patient={camille.patient}")
    assert found == [shown]
    assert kept not in found


def test_a_code_for_one_is_for_nobody_else(world, camille):
    answer = camille.send("/sharing", what="all", who="one", minutes="15", name="Mart")
    assert answer.status_code == 422
    reference = f"Practitioner/{world.ids['martin']}"
    assert f'value="{reference}"' in answer.text
    code = made(camille, who="one", name="Mart", audience=reference)
    assert redeemed(world, "zoe", code) == 422
    assert "Only for Martin" in camille.get("/sharing").text
    assert redeemed(world, "martin", code) == 200


def test_codes_are_cancelled(world, camille):
    code = made(camille)
    assert "No code can be used now" not in camille.get("/sharing").text
    answer = camille.send("/sharing/cancel")
    page = camille.get(answer.headers["Location"].removeprefix(camille.at(""))).text
    assert "No code can be used any more." in page
    assert redeemed(world, "martin", code) == 422


def test_the_page_claims_no_cancelling_while_a_code_can_be_used(camille):
    made(camille)
    assert "No code can be used any more." not in camille.get("/sharing?done=cancelled").text


def test_wrong_fields_are_named_and_make_no_code(camille):
    csrf = camille.csrf(camille.at("/sharing"))
    for form, field in WRONG:
        sent = {"csrf": csrf, "what": "all", "who": "anybody", "minutes": "15"} | form
        answer = camille.send("/sharing", {"Accept-Language": "en"}, **sent)
        assert answer.status_code == 422, form
        assert f'href="#{field}"' in answer.text
        assert f'id="{field}"' in answer.text
        assert "No code can be used now" in answer.text
        assert not CODE.search(answer.text)


def test_an_unknown_and_a_foreign_document_are_refused_alike(world, camille):
    world.patient("ines", "210039999900255", "2010-06-01")
    foreign = world.publish(patient="ines")
    answers = [
        camille.send("/sharing", what="chosen", who="anybody", minutes="15", document=id_) for id_ in (foreign, UNKNOWN)
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].text.replace(foreign, UNKNOWN) == answers[1].text


def test_the_acts_leave_the_events_of_the_same_requests_of_an_app(world, camille):
    csrf = camille.csrf(camille.at("/documents"))
    sent = {"csrf": csrf, "what": "all", "who": "anybody", "minutes": "15"}
    by_page = left(world, lambda: camille.send("/sharing", **sent))
    by_app = left(world, lambda: call(world, "camille", "invite"))
    assert by_page == by_app != []
    by_page = left(world, lambda: camille.send("/sharing/cancel", csrf=csrf))
    by_app = left(world, lambda: call(world, "camille", "cancel-invitation"))
    assert by_page == by_app != []
    by_page = left(world, lambda: camille.get("/sharing"))
    by_app = left(world, lambda: world.get("camille", f"/Patient/{camille.patient}/$invitations"))
    assert by_app != []
    assert [event for event in by_page if event["subtype"] == by_app[0]["subtype"]] == by_app


def test_forms_of_nobody_of_others_and_of_other_sites_are_refused(world, camille):
    for path in ("/sharing", "/sharing/cancel"):
        assert camille.send(path, csrf="x", what="all").status_code == 403
        csrf = camille.csrf(camille.at("/sharing"))
        assert camille.send(path, {"Origin": "https://evil.example"}, csrf=csrf).status_code == 403
        stranger = world.web.application.test_client()
        assert stranger.post(camille.at(path), data={"csrf": csrf}, base_url=SITE).status_code == 401
    assert "No code can be used now" in camille.get("/sharing").text


class TestAGuardian:
    """A guardian's page says nothing of the codes that a minor made."""

    @pytest.fixture
    def marc(self, world):
        world.patient("lea", "209019999900183", "2009-01-17")
        parent(world, "marc", "lea")
        an_account(world, "marc", "lea", kind=RequesterKind.RELATED)
        return Visitor(world, "marc", world.ids["lea"])

    def test_the_code_of_the_minor_is_not_told(self, world, marc):
        before = marc.get("/sharing").text
        assert call(world, "lea", "invite", "lea").status_code == 200
        assert marc.get("/sharing").text == before

    def test_a_document_that_the_minor_hides_is_offered_like_an_unknown_one(self, world, marc):
        secret = world.publish(patient="lea", marks=("INVISIBLE_REPRESENTANTS_LEGAUX",))
        shown = marc.get(f"/sharing?document={secret}").text
        assert shown.replace(secret, UNKNOWN) == marc.get(f"/sharing?document={UNKNOWN}").text

    def test_the_own_code_is_told_to_both(self, world, marc):
        made(marc)
        assert "For the first professional" in marc.get("/sharing").text
        an_account(world, "lea", "lea")
        lea = Visitor(world, "lea", world.ids["lea"])
        assert "Made by somebody who acts for you" in lea.get("/sharing").text
