"""Every story of stories.toml holds in both worlds: by the rules alone, and over HTTP."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consent_rules.profiles import profile
from fhir_server.app import build_runtime, create_app
from seed import book, cast, choices
from tests.conftest import FixedClock
from tests.scenarios.worlds import HttpWorld, RulesWorld
from tests.seed.conftest import Stage, copied, loaded, settings_in

__all__ = ["copied", "loaded"]  # fixtures of the seed's tests

STORIES = tomllib.loads((Path(__file__).parent / "stories.toml").read_text(encoding="utf-8"))["story"]
EACH = pytest.mark.parametrize("story", STORIES, ids=[story["id"] for story in STORIES])


@EACH
def test_the_story_holds_by_the_rules_alone(story):
    play(story, RulesWorld(story.get("profile", "fr")))


@EACH
def test_the_story_holds_over_http(story, copied):
    served = build_runtime(settings_in(copied))
    clock = FixedClock(datetime.now(UTC) + timedelta(seconds=1))
    rules = profile(story.get("profile", "fr"))
    served = replace(served, profile=rules, ports=replace(served.ports, clock=clock))
    demo = book.read(copied)
    assert demo is not None
    try:
        play(story, HttpWorld(Stage(demo, served, create_app(settings_in(copied), served).test_client())))
    finally:
        served.ports.store.close()


def test_no_story_has_the_name_of_another():
    names = [story["id"] for story in STORIES]
    assert len(names) == len(set(names)) > 12


def play(story, world):
    for number, step in enumerate(story["steps"], 1):
        world_allows = _DEEDS[step["does"]](world, step)
        where = f"step {number}: {step}"
        if "sees" in step or "misses" in step:
            assert world_allows is not None, where
            assert set(step.get("sees", ())) <= world_allows, where
            assert not set(step.get("misses", ())) & world_allows, where
        elif step["does"] == "read":
            assert world_allows is step["found"], where
        elif step["does"] != "wait":
            assert (not world_allows) is step.get("refused", False), where
        if "why" in step:
            assert world.why() == step["why"], where


def _of(step):
    return step.get("of", "camille")


def _choice(world, step, consent, kind):
    name = step.get("as", f"{kind}-{step['who']}-{step.get('to', step.get('whom'))}")
    return world.choose(step["who"], _of(step), consent, name)


def _agree(world, step):
    is_place = any(part.key == step["to"] for part in cast.ESTABLISHMENTS)
    write = choices.team if is_place else choices.consultation
    return _choice(world, step, write(world.demo, _of(step), step["to"]), "agree")


_DEEDS = {
    "list": lambda world, step: world.list(step["who"], _of(step)),
    "read": lambda world, step: world.read(step["who"], step["document"]),
    "agree": _agree,
    "block": lambda world, step: _choice(world, step, choices.block(world.demo, _of(step), step["whom"]), "block"),
    "declare": lambda world, step: _choice(
        world, step, choices.declared_physician(world.demo, _of(step), step["whom"]), "declare"
    ),
    "undo": lambda world, step: world.undo(step["who"], _of(step), step["choice"]),
    "hide": lambda world, step: world.mark(step["who"], step["document"], hidden=True),
    "show": lambda world, step: world.mark(step["who"], step["document"], hidden=False),
    "wait": lambda world, step: world.wait(step["hours"]),
}
