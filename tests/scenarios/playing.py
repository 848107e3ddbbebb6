"""Reading stories and playing them in a world. README.md says what a step may be."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.worlds import Newcomer, Paper, Step, Wanted, World, chosen

FOLDER = Path(__file__).parent / "stories"


@dataclass(frozen=True, slots=True)
class Play:
    """One play of a story. place: in its file, from 1. missing: what is not played of the scenario."""

    number: str
    place: int
    title: str
    profile: str
    steps: tuple[Step, ...]
    missing: str = ""

    @property
    def name(self) -> str:
        """The name under which it is run."""
        return self.number if self.place == 1 else f"{self.number}-{self.place}"


def plays() -> Iterator[Play]:
    """Yield every play of every file, in order of their names."""
    for path in sorted(FOLDER.glob("*.toml")):
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        assert path.stem == told["number"].lower().replace(".", "_"), path
        for place, play in enumerate(told["play"], 1):
            yield Play(
                told["number"],
                place,
                play.get("title", told["title"]),
                play.get("profile", "fr"),
                tuple(play["steps"]),
                told.get("missing", ""),
            )


def play(story: Play, world: World) -> int:
    """Play a story; the first step that does not come out as it says fails. Return how many steps held."""
    held = 0
    for number, step in enumerate(story.steps, 1):
        where = f"{story.name}, step {number}: {step}"
        came = _DEEDS[step["does"]](world, step)
        _CHECKS.get(step["does"], _done)(step, came, where)
        if "why" in step:
            assert world.why() == step["why"], f"{where}: {world.why()}"
        held = number
    return held


def _of(step: Step) -> str:
    return step.get("of", "camille")


def _opening(step: Step, key: str = "opening") -> str:
    return str(step.get(key, "opening"))


def _choose(world: World, step: Step) -> bool:
    who, whom = step["who"], step.get("to", step.get("whom", step.get("kind")))
    name = step.get("as", f"{step['does']}-{who}-{whom}")
    return world.choose(who, _of(step), chosen(world, step, _of(step)), name)


def _change_default(world: World, step: Step) -> bool:
    wanted = Wanted(step["template"], step.get("level", "normal"), step.get("status", "active"))
    return world.change_default(step["who"], _of(step), wanted)


def _file(world: World, step: Step) -> bool:
    marks, replaces = tuple(step.get("marks", ())), step.get("replaces", "")
    return world.file(step["who"], Paper(step["document"], _of(step), step["type"], marks, replaces))


def _announce(world: World, step: Step) -> bool:
    world.announce(Newcomer(step["of"], step["birth"], tuple(step["guardians"])))
    return True


def _introduce(world: World, step: Step) -> bool:
    world.introduce(step["name"], _of(step))
    return True


_DEEDS: dict[str, Callable[[World, Step], Any]] = {
    "list": lambda world, step: world.list(step["who"], _of(step), step.get("scope", "")),
    "read": lambda world, step: world.read(step["who"], step["document"]),
    "agree": _choose,
    "block": _choose,
    "declare": _choose,
    "choose": _choose,
    "undo": lambda world, step: world.undo(step["who"], _of(step), step["choice"]),
    "default": _change_default,
    "defaults": lambda world, step: world.defaults(step["who"], _of(step)),
    "hide": lambda world, step: world.mark(step["who"], step["document"], "MASQUE_PS", on=True),
    "show": lambda world, step: world.mark(step["who"], step["document"], "MASQUE_PS", on=False),
    "mark": lambda world, step: world.mark(step["who"], step["document"], step["mark"], on=True),
    "file": _file,
    "wait": lambda world, step: world.wait(step["hours"]),
    "only-emergencies": lambda world, step: world.only_emergencies(on=step["on"]),
    "emergency": lambda world, step: world.open_emergency(step["who"], _of(step), step["reason"], _opening(step, "as")),
    "queue": lambda world, step: world.queue(step["who"]),
    "review": lambda world, step: world.review(step["who"], _opening(step), step["outcome"]),
    "contest": lambda world, step: world.contest(step["who"], _opening(step)),
    "review-state": lambda world, step: world.review_state(step["who"], _opening(step)),
    "announce": _announce,
    "introduce": _introduce,
    "move": lambda world, step: world.move(step["who"], _of(step), step["operation"]),
    "status": lambda world, step: world.status(step["who"], _of(step)),
    "told": lambda world, step: world.told(step["who"], _of(step)),
    "audience": lambda world, step: world.audience(step["who"], step["document"], step["proposed"]),
    "explain": lambda world, step: world.explain(step["who"], _of(step), step["type"]),
    "traces": lambda world, step: world.traces(step["who"], _of(step)),
}


def _done(step: Step, came: object, where: str) -> None:
    assert bool(came) is not step.get("refused", False), where


def _shown(step: Step, came: set[str] | None, where: str) -> None:
    if step.get("refused"):
        assert came is None, where
        return
    assert came is not None, where
    assert set(step.get("sees", ())) <= came, f"{where}: {sorted(came)}"
    assert not set(step.get("misses", ())) & came, f"{where}: {sorted(came)}"
    if "exactly" in step:
        assert came == set(step["exactly"]), f"{where}: {sorted(came)}"


def _found(step: Step, came: bool, where: str) -> None:  # noqa: FBT001 - what a world answers
    assert came is step["found"], where


def _stands(step: Step, came: str | None, where: str) -> None:
    assert came == step.get("is"), f"{where}: {came}"


def _lined_up(step: Step, came: list[tuple[str, str]] | None, where: str) -> None:
    if step.get("refused"):
        assert came is None, where
        return
    assert came == [tuple(one) for one in step["exactly"]], f"{where}: {came}"


def _named(step: Step, came: dict[tuple[str, str], tuple[bool, bool]] | None, where: str) -> None:
    if step.get("refused"):
        assert came is None, where
        return
    assert came is not None, where
    for role, name, now, then in step["parties"]:
        assert came[role, name] == (now, then), f"{where}: {role} {name} {came.get((role, name))}"


def _explained(step: Step, came: tuple[bool, str] | None, where: str) -> None:
    assert came is not None, where
    assert came[0] is step["permitted"], where
    assert all(words in came[1] for words in step.get("says", ())), f"{where}: {came[1]}"
    assert not any(words in came[1] for words in step.get("hides", ())), f"{where}: {came[1]}"


def _nothing(_step: Step, _came: object, _where: str) -> None:
    """Time passes; there is nothing to check."""


_CHECKS: dict[str, Callable[[Step, Any, str], None]] = {
    "list": _shown,
    "told": _shown,
    "defaults": _shown,
    "read": _found,
    "wait": _nothing,
    "status": _stands,
    "review-state": _stands,
    "queue": _lined_up,
    "audience": _named,
    "explain": _explained,
}
