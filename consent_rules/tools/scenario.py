"""Scenarios: a space, documents and a request in a TOML or JSON file, for people who have no server.

docs/rules.md shows one; tests/rules/scenarios holds single decisions, each named after an acceptance scenario.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from typing import Any, TypeVar

from consent_rules import rule_profile
from consent_rules.matrix import table as matrix_table
from consent_rules.model import AccessRequest, Directive, Membership, RecordState, Requester, Team, implied_grade
from consent_rules.tools.hypothetical_requesters import Stage
from consent_rules.visibility import AccessFacts, Interval, micros
from consent_rules.vocabulary import (
    Action,
    Capacity,
    DirectiveKind,
    Grade,
    Label,
    Mark,
    Proof,
    Purpose,
    RequesterKind,
    SpaceStatus,
)

Table = dict[str, Any]
T = TypeVar("T", RecordState, Directive, Team, Membership, Requester, AccessFacts)
_KEYS = frozenset(
    {"profile", "matrix", "at", "people", "space", "directives", "teams", "documents", "request", "expect"}
)


class ScenarioError(ValueError):
    """A scenario that cannot be understood; the text names the key."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a file contains. request: None when the file has no request. expect: the results that the file expects."""

    stage: Stage
    documents: Mapping[str, AccessFacts]
    request: AccessRequest | None
    expect: Table


def parse(text: str) -> Scenario:
    """Read a scenario.

    Raises: ScenarioError naming what is missing, unknown or of the wrong kind.
    """
    table = _table(text)
    unknown = sorted(table.keys() - _KEYS)
    if unknown:
        raise ScenarioError(f"`{unknown[0]}` is unknown; there are {', '.join(sorted(_KEYS))}")
    at = _instant("at", table.get("at"))
    record = _record(table)
    stage = Stage(
        record,
        matrix_table.published(str(table.get("matrix", ""))),
        rule_profile.profile(str(table.get("profile", "fr"))),
        at,
        {str(name): str(code) for name, code in table.get("people", {}).items()},
    )
    documents = {
        name: _build(f"documents.{name}", AccessFacts, {"compartment": record.patient, "id": name} | facts)
        for name, facts in table.get("documents", {}).items()
    }
    return Scenario(stage, documents, _request(table, at), table.get("expect", {}))


def _table(text: str) -> Table:
    try:
        table: Table = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError as problem:
        raise ScenarioError(f"neither TOML nor JSON: {problem}") from problem
    return table


def _record(table: Table) -> RecordState:
    space = {"status": "active"} | table.get("space", {})
    directives = [
        _build(f"directives[{n}]", Directive, {"id": f"directive-{n}"} | said)
        for n, said in enumerate(table.get("directives", []))
    ]
    teams = [_team(f"teams[{n}]", team) for n, team in enumerate(table.get("teams", []))]
    return _build("space", RecordState, space | {"directives": directives, "teams": teams})


def _team(where: str, said: Table) -> Team:
    members = [_build(f"{where}.members", Membership, member) for member in said.get("members", [])]
    return _build(where, Team, said | {"members": members})


def _request(table: Table, at: datetime) -> AccessRequest | None:
    if "request" not in table:
        return None
    asked = dict(table["request"])
    action = _convert("request.action", Action, asked.pop("action", "consult"))
    purpose = _convert("request.purpose", Purpose, asked.pop("purpose", "TREAT"))
    only = asked.pop("emergencies_only", False)
    if not isinstance(only, bool):
        raise ScenarioError("request.emergencies_only: true or false is needed")
    return AccessRequest(_build("request", Requester, asked), action, purpose, at, only)


def _build(where: str, cls: type[T], table: Table) -> T:
    known = {item.name for item in fields(cls)}
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ScenarioError(f"{where}: `{unknown[0]}` is unknown; there are {', '.join(sorted(known))}")
    values = {name: _CONVERTERS.get(name, _as_is)(f"{where}.{name}", value) for name, value in table.items()}
    if cls is Requester or cls is Directive:
        values["kind"] = _convert(
            f"{where}.kind", RequesterKind if cls is Requester else DirectiveKind, values.get("kind")
        )
    if cls is Directive:
        values.setdefault("grade", implied_grade(values["kind"], by_patient=values.get("by_patient") is True))
    needed = (item.name for item in fields(cls) if item.default is MISSING and item.default_factory is MISSING)
    missing = sorted(name for name in needed if name not in values)
    if missing:
        raise ScenarioError(f"{where}: `{missing[0]}` is missing")
    return cls(**values)


def _convert(where: str, kind: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401 - a value of that kind
    try:
        return kind(value)
    except ValueError as problem:
        raise ScenarioError(f"{where}: {problem}") from problem


def _as_is(_where: str, value: Any) -> Any:  # noqa: ANN401 - any value
    return value


def _instant(where: str, value: Any) -> datetime:  # noqa: ANN401 - any value
    read = _convert(where, datetime.fromisoformat, value) if isinstance(value, str) else value
    if not isinstance(read, datetime) or read.tzinfo is None:
        raise ScenarioError(f"{where}: an instant with a zone is needed, such as 2026-03-02T09:00:00Z")
    return read


def _interval(where: str, value: Any) -> Interval:  # noqa: ANN401 - any value
    """Read when a document was written: one instant."""
    written = micros(_instant(where, value))
    return written, written + 1


def _day(where: str, value: Any) -> date:  # noqa: ANN401 - any value
    read = _convert(where, date.fromisoformat, value) if isinstance(value, str) else value
    if not isinstance(read, date) or isinstance(read, datetime):
        raise ScenarioError(f"{where}: a day is needed, such as 1980-01-01")
    return read


def _texts(where: str, value: Any) -> frozenset[str]:  # noqa: ANN401 - any value
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: a list is needed")
    return frozenset(str(item) for item in value)


def _purposes(where: str, value: Any) -> frozenset[Purpose]:  # noqa: ANN401 - any value
    return frozenset(_convert(where, Purpose, item) for item in _texts(where, value))


def _marks(where: str, value: Any) -> Mark:  # noqa: ANN401 - any value
    marks = Mark.NONE
    for name in _texts(where, value):
        if name not in Mark.__members__:
            raise ScenarioError(f"{where}: `{name}` is no mark; there are {', '.join(Mark.__members__)}")
        marks |= Mark[name]
    return marks


def _labels(where: str, value: Any) -> Label:  # noqa: ANN401 - any value
    labels = Label.NONE
    for name in _texts(where, value):
        if name not in Label.__members__:
            raise ScenarioError(f"{where}: `{name}` is no label; there are {', '.join(Label.__members__)}")
        labels |= Label[name]
    return labels


def marks_of(text: str) -> Mark:
    """Read marks as they are written on a command line: names with commas between.

    Raises: ScenarioError naming an unknown mark.
    """
    return _marks("marks", [name for name in text.split(",") if name])


_CONVERTERS: Mapping[str, Callable[[str, Any], Any]] = {
    "status": lambda where, value: _convert(where, SpaceStatus, value),
    "capacity": lambda where, value: _convert(where, Capacity, value),
    "proof": lambda where, value: _convert(where, Proof, value),
    "grade": lambda where, value: _convert(where, Grade, value),
    "marks": _marks,
    "purposes": _purposes,
    "actors": _texts,
    "excluded": _texts,
    "kinds": _texts,
    "categories": _texts,
    "told": _texts,
    "documents": _texts,
    "professions": _texts,
    "authored": _interval,
    "labels": _labels,
    "directives": lambda _, value: tuple(value),
    "teams": lambda _, value: tuple(value),
    "members": lambda _, value: tuple(value),
    "birth_date": _day,
    **dict.fromkeys(
        ("since", "erasure_asked_at", "start", "end", "recorded_at", "sealed_until", "data_start", "data_end"), _instant
    ),
}
