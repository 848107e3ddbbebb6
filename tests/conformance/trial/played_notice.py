"""The trial's notice, as the patient of the copy meets it; pytest runs this file in the copy alone."""

from pathlib import Path

import pytest

import fhir_server
from fhir_server.domain.events import sentences
from fhir_server.domain.events.rules import NoticeKind
from tests.http.test_reviews import break_glass, contest, of_people
from tests.world import World


def notices(world, kind):
    answer = world.get("camille", f"/Communication?patient={world.ids['camille']}&category={kind}").get_json()
    return [entry["resource"] for entry in answer.get("entry", ())]


def test_the_copy_is_what_is_tested():
    assert Path(fhir_server.__file__).parents[1] == Path.cwd()


def test_the_holders_of_the_space_are_told_that_an_access_was_contested(world: World):
    opening = break_glass(of_people(world))
    assert notices(world, "access-contested") == []
    assert contest(world, opening).status_code == 200
    (notice,) = notices(world, "access-contested")
    assert "a contesté une ouverture de l’espace en urgence" in notice["payload"][0]["contentString"]


@pytest.mark.parametrize(
    ("language", "label"),
    [("en", "An emergency access was contested"), ("fr", "Une ouverture en urgence est contestée")],
)
def test_it_can_be_chosen_for_mails_in_both_languages(language, label):
    assert sentences.notice_label(NoticeKind.CONTESTED, language) == label
