"""The state of a space as bytes and back: a store keeps it beside the resources, and loads it in one read.

Only what differs from the default is written. Instants are microseconds since the epoch.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from datetime import date
from typing import Any

import orjson

from consent_rules.model import Directive, Membership, RecordState, Team, closed
from consent_rules.visibility import micros
from consent_rules.vocabulary import DirectiveKind, Label, Proof, Purpose, SpaceStatus
from fhir_server.domain.stored import instant
from fhir_server.domain.values import Json

Held = RecordState | Directive | Membership | Team


def dump(record: RecordState) -> bytes:
    """Write a state; equal states give equal bytes."""
    return orjson.dumps(_written(record, _RECORD), option=orjson.OPT_SORT_KEYS)


def load(state: bytes) -> RecordState:
    """Read what `dump` wrote. A directive that cannot be read closes what it may concern, and is named in `unread`.

    Raises: ValueError or KeyError for any other damage, so that a damaged state lets nobody in.
    """
    values = orjson.loads(state)
    try:
        return RecordState(**_read(values, _RECORD))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return _salvaged(values)


def _salvaged(values: Json) -> RecordState:
    """Read a state in which one or more directives cannot be read."""
    read = [(value, _directive_or_none(value)) for value in values.get("directives", ())]
    unread = {str(value["id"]) for value, directive in read if directive is None}
    kept = (directive or _left_of(value) for value, directive in read)
    record = RecordState(**_read({name: value for name, value in values.items() if name != "directives"}, _RECORD))
    return replace(record, directives=tuple(filter(None, kept)), unread=record.unread | unread)


def _directive_or_none(value: Json) -> Directive | None:
    try:
        return Directive(**_read(value, _DIRECTIVE))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _left_of(value: Json) -> Directive | None:
    """Return a closed directive in place of one that cannot be read; the kind and the actors are enough for that."""
    named = {name: value[name] for name in _WHOM & value.keys()}
    directive = _directive_or_none(named)
    return closed(directive) if directive else None


def _written(value: Held, codecs: "Codecs") -> Json:
    return {
        field.name: codecs[field.name][0](held)
        for field in fields(value)
        if (held := getattr(value, field.name)) != field.default
    }


def _read(values: Json, codecs: "Codecs") -> Json:
    return {name: codecs[name][1](value) for name, value in values.items()}


def _as_is(value: Any) -> Any:  # noqa: ANN401 - a JSON value that needs no change
    return value


def _texts(values: Iterable[str]) -> list[str]:
    return sorted(values)


def _purposes(values: Iterable[str]) -> frozenset[Purpose]:
    return frozenset(Purpose(value) for value in values)


def _many(codecs: "Codecs") -> Callable[[Iterable[Held]], list[Json]]:
    return lambda values: [_written(value, codecs) for value in values]


Codecs = dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]

_TEXT = (_as_is, _as_is)
_TIME = (micros, instant)
_SET = (_texts, frozenset)
_DIRECTIVE: Codecs = {
    "id": _TEXT,
    "kind": (_as_is, DirectiveKind),
    "actors": _SET,
    "excluded": _SET,
    "purposes": (_texts, _purposes),
    "start": _TIME,
    "end": _TIME,
    "recorded_at": _TIME,
    "proof": (_as_is, Proof),
    "by_patient": _TEXT,
    "recorder": _TEXT,
    "kinds": _SET,
    "categories": _SET,
    "reason": _TEXT,
    "documents": _SET,
    "data_start": _TIME,
    "data_end": _TIME,
    "professions": _SET,
    "labels": (int, Label),
}
_WHOM = frozenset({"id", "kind", "actors", "by_patient"})
_MEMBER: Codecs = {"member": _TEXT, "start": _TIME, "end": _TIME}
_TEAM: Codecs = {
    "reference": _TEXT,
    "members": (_many(_MEMBER), lambda values: tuple(Membership(**_read(value, _MEMBER)) for value in values)),
}
_RECORD: Codecs = {
    "patient": _TEXT,
    "status": (_as_is, SpaceStatus),
    "since": _TIME,
    "erasure_asked_at": _TIME,
    "birth_date": (date.isoformat, date.fromisoformat),
    "directives": (_many(_DIRECTIVE), lambda values: tuple(Directive(**_read(v, _DIRECTIVE)) for v in values)),
    "teams": (_many(_TEAM), lambda values: tuple(Team(**_read(value, _TEAM)) for value in values)),
    "deceased": _TEXT,
    "told": _SET,
    "unread": _SET,
}
