"""What differs between two records: the same change in many answers is told once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher, unified_diff
from typing import Any

Json = dict[str, Any]
Pair = tuple[Json | None, Json | None]


@dataclass
class Difference:
    """One change. lines: a unified difference of the first answer in which it is. where: what was asked, each time."""

    lines: list[str]
    where: list[str] = field(default_factory=list)

    def told(self, most: int) -> str:
        """Return the difference as a text."""
        first, *others = self.where
        head = f"=== {first}" + (f"\n=== and {len(others)} more, such as {others[-1]}" if others else "")
        left = [f"… {len(self.lines) - most} lines more"] if len(self.lines) > most else []
        return "\n".join([head, *self.lines[:most], *left, ""])


def differences(before: Json, after: Json) -> list[Difference]:
    """Return what differs, in the order of the first record."""
    found: dict[tuple[str, ...], Difference] = {}
    for where, old, new in _pairs(before, after):
        if old == new and json.dumps(old) == json.dumps(new):  # the order of members counts too
            continue
        lines = list(unified_diff(_lines(old), _lines(new), "before", "after", lineterm="", n=3))[2:]
        key = tuple(line for line in lines if line[:1] in "+-")
        found.setdefault(key, Difference(lines)).where.append(where)
    return list(found.values())


def _pairs(before: Json, after: Json) -> Iterator[tuple[str, Any, Any]]:
    yield "the usual headers", before["usual"], after["usual"]
    moved = _moved(before["sections"], after["sections"])
    names = dict.fromkeys([*before["sections"], *after["sections"]])
    for name in (name for name in names if name not in moved.values()):
        old, new = before["sections"].get(name, []), after["sections"].get(moved.get(name, name), [])
        for one, other in _aligned(old, new):
            yield f"{name}: {(one or other or {}).get('asked')}", one, other


def _moved(before: Json, after: Json) -> dict[str, str]:
    """Return the new names of sections that were moved: a test is known by its name, or else by its answers."""
    found: dict[str, str] = {}
    gone, come = [[name for name in one if name not in other] for one, other in ((before, after), (after, before))]
    for of in (_test_of, lambda name: json.dumps((before if name in before else after)[name])):
        for name in (name for name in gone if name not in found):
            alike = [other for other in come if other not in found.values() and of(other) == of(name)]
            if len(alike) == 1 or (alike and of is not _test_of):
                found[name] = alike[0]
    return found


def _test_of(section: str) -> str:
    return section.partition("::")[2] or section


def _aligned(old: list[Json], new: list[Json]) -> Iterator[Pair]:
    """Yield answers to the same questions together, those of one record alone with None."""
    if [one["asked"] for one in old] == [one["asked"] for one in new]:
        yield from zip(old, new, strict=True)
        return
    matcher = SequenceMatcher(None, [one["asked"] for one in old], [one["asked"] for one in new], autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(old[start:end], new[first:last], strict=True)
        else:
            yield from ((one, None) for one in old[start:end])
            yield from ((None, one) for one in new[first:last])


def _lines(answer: Any) -> list[str]:
    return json.dumps(answer, ensure_ascii=False, indent=1).splitlines() if answer is not None else []
