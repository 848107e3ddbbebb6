"""Every story comes out alike by the rules alone, by the use cases on both stores, and over HTTP."""

import pytest

from tests.scenarios.playing import Play, play, plays
from tests.scenarios.rules_world import RulesWorld
from tests.scenarios.server_worlds import HttpWorld, UseCaseWorld
from tests.seed.conftest import settings_in
from tests.world import client_of

STORIES = tuple(plays())
EACH = pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])


@EACH
def test_by_the_rules_alone(story: Play):
    assert play(story, RulesWorld(story.profile)) == len(story.steps) > 0


@EACH
def test_by_the_use_cases_on_sqlite(story: Play, on_sqlite):
    assert play(story, UseCaseWorld(*on_sqlite(story.profile))) == len(story.steps)


@EACH
@pytest.mark.mongo
def test_by_the_use_cases_on_mongodb(story: Play, on_mongo):
    assert play(story, UseCaseWorld(*on_mongo(story.profile))) == len(story.steps)


@EACH
def test_over_http(story: Play, on_sqlite, copied):
    demo, served = on_sqlite(story.profile)
    world = HttpWorld(demo, served, client_of(settings_in(copied), served))
    assert play(story, world) == len(story.steps)


def test_no_play_has_the_name_of_another():
    names = [story.name for story in STORIES]
    assert len(names) == len(set(names)) > 20
