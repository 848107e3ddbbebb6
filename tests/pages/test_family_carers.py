"""Carers on their page: invited for a time and some documents, joined by a code, ended at once; what a carer sees."""

import re
from datetime import date, timedelta

import pytest

from tests.http.test_invitations import asked
from tests.pages.visitors import SITE, Visitor, an_account, camille_at_home, left

UNTIL = "2026-05-01"


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.fixture
def rose(world):
    world.patient("rose", "250039999900276", "1950-03-02")
    an_account(world, "rose", "rose")
    return Visitor(world, "rose", world.ids["rose"])


def invited(camille, **more) -> str:
    """Invite Rose on the page and return the code that it shows."""
    answer = camille.send("/carers", **{"name": "Rose Petit", "until": UNTIL} | more)
    assert answer.status_code == 303, answer.text
    return re.search(r"<code>([A-Z0-9-]{14})</code>", camille.get("/carers").text)[1]


def join(visitor, code):
    csrf = visitor.csrf("/account/invitation")
    return visitor.web.post("/account/invitation", data={"csrf": csrf, "code": code}, base_url=SITE)


def test_a_carer_is_invited_joins_and_is_ended(world, camille, rose):
    document = world.publish()
    code = invited(camille)
    page = camille.get("/carers").text
    assert "Rose Petit" in page
    assert "1 May 2026" in page or "2 May 2026, 00:00" in page
    answer = join(rose, code)
    assert answer.headers["Location"].endswith(f"/account/spaces/{camille.patient}/documents")
    rose.patient = camille.patient
    seen = rose.get("/documents").text
    assert document in seen
    assert "You act here as a carer" in seen
    assert "Not accepted yet" not in camille.get("/carers").text
    path = re.search(r'action="([^"]+/end)"', camille.get("/carers").text)[1].removeprefix(camille.at(""))
    back = camille.send(path, **{"from": "carers"})
    assert back.headers["Location"].endswith("/carers")
    assert "Nobody helps with this space" in camille.get("/carers").text
    assert rose.get("/documents").status_code == 403
    assert "You do not act for this person any more" in rose.get("/documents").text


def test_the_carer_sees_the_chosen_documents_and_no_choices_of_the_patient(world, camille, rose):
    world.agree("camille", "martin")
    shown, kept = world.publish(category=("11", "Synthese")), world.publish()
    join(rose, invited(camille, **{"class": "11"}))
    rose.patient = camille.patient
    seen = rose.get("/documents").text
    assert shown in seen
    assert kept not in seen
    assert "You see these documents:" in seen
    for path in ("/people", "/carers", "/guardians"):
        page = rose.get(path)
        assert page.status_code == 200
        assert "Martin" not in page.text
        assert "Invite somebody" not in page.text, path


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"until": ""}, "until"),
        ({"until": "2020-01-01"}, "until"),
        ({"until": "9999-12-31"}, "until"),
        ({"until": "soon"}, "until"),
    ],
)
def test_a_wrong_field_is_named_and_nobody_is_invited(camille, given, field):
    answer = camille.send("/carers", **{"name": "Rose", "until": UNTIL} | given)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert "Nobody helps with this space" in camille.get("/carers").text


def test_after_three_carers_the_page_offers_no_fourth(camille):
    for number in range(3):
        invited(camille, name=f"Carer {number}")
    assert "There are 3 carers at most" in camille.get("/carers").text
    assert camille.send("/carers", name="Rose", until=UNTIL).status_code == 422


def test_a_code_that_lets_nobody_in_gets_one_answer(camille, rose):
    own = invited(camille)
    answers = [join(rose, code) for code in ("", "AAAA-AAAA-AAAA", "x")] + [join(camille, own)]
    assert {answer.status_code for answer in answers} == {422}
    texts = {re.sub(r'value="[^"]+"', "", answer.text) for answer in answers}
    assert len(texts) == 1


def test_the_form_leaves_the_events_of_the_same_operation_of_an_app(world, camille):
    csrf = camille.csrf(camille.at("/carers"))
    by_page = left(world, lambda: camille.send("/carers", csrf=csrf, name="Rose", until=UNTIL))
    path = f"/Patient/{camille.patient}/$invite-relative"
    until = (date.fromisoformat(UNTIL) + timedelta(days=1)).isoformat()
    body = asked(name="Rose", until=f"{until}T00:00:00+02:00")
    by_app = left(world, lambda: world.send("camille", "POST", path, body))
    kinds = [
        sorted(str((one["subtype"], one["action"], one["ground"])) for one in one_way) for one_way in (by_page, by_app)
    ]
    assert len(kinds[0]) == 2
    assert kinds[0] == kinds[1]
