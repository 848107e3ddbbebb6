"""SMART scopes, versions 1 and 2: how to read, write, compare and intersect them; a scope only narrows access.

Source: SMART App Launch 2.2 (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from urllib.parse import quote, unquote

LETTERS = "cruds"
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_V1_NAMES = {letters: name for name, letters in _V1.items()}
_LENIENT = {"create": "c", "search": "s"}  # spellings of a European draft, for system scopes only
_RESOURCE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]*)\.([a-z]+|\*)(?:\?(.+))?")
_CONTEXT = re.compile(r"launch(/[a-z]+(\?role=\S+)?)?|openid|fhirUser|profile|offline_access|online_access")
_EXTENSION = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.\-]*://|urn:|__)[\x21\x23-\x5B\x5D-\x7E]+")
_QUERYABLE = {"DocumentReference": frozenset({"type", "category"})}
"""Search parameters that a scope may hold, by type; a scope with another parameter is dropped, never widened."""

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ScopeGrant:
    """What one scope allows for one letter and one type. query: pairs (parameter, comma-separated values)."""

    level: str
    query: Query = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """One resource scope. letters: in the order of "cruds". v1: whether it was asked in the spelling of version 1."""

    level: str
    type: str
    letters: str
    query: Query = ()
    v1: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """Write the scope, in the spelling of version 1 if it was requested so and it still says the same."""
        letters = _V1_NAMES[self.letters] if self.v1 and self.letters in _V1_NAMES else self.letters
        query = "&".join(f"{name}={quote(value, safe='|,:/')}" for name, value in self.query)
        return f"{self.level}/{self.type}.{letters}{'?' if query else ''}{query}"

    def contains(self, other: "Scope") -> bool:
        """Tell whether this scope allows all that the other allows."""
        return (
            self.level == other.level
            and self.type in ("*", other.type)
            and set(other.letters) <= set(self.letters)
            and _query_contains(dict(self.query), dict(other.query))
        )

    def meet(self, other: "Scope") -> "Scope | None":
        """Return what both scopes allow, None when that is nothing.

        The result has the spelling of version 1 if this scope has it and loses nothing by the other, or if both have it
        with the same letters.
        """
        if self.level != other.level or (self.type != other.type and "*" not in (self.type, other.type)):
            return None
        type_ = other.type if self.type == "*" else self.type
        letters = "".join(letter for letter in LETTERS if letter in self.letters and letter in other.letters)
        query = _meet_queries(self.query, other.query)
        if not letters or query is None:
            return None
        is_whole = (type_, letters, query) == (self.type, self.letters, self.query)
        is_same = other.v1 and letters == self.letters == other.letters
        return Scope(self.level, type_, letters, query, self.v1 and (is_whole or is_same))


@dataclass(frozen=True, slots=True)
class Scopes:
    """A set of scopes in shortest form: resource scopes, and other scopes (launch, openid …)."""

    resources: tuple[Scope, ...] = ()
    other: frozenset[str] = frozenset()

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> "Scopes":
        """Read a scope string; drop scopes that are unknown, malformed or cannot be honoured exactly; guess none."""
        words = text.split()
        parsed = (_parse_one(word) for word in words)
        resources = _shortest(scope for scope in parsed if scope)
        return cls(resources, frozenset(word for word in words if _is_other(word)))

    def __str__(self) -> str:
        """Write the scope string: contexts first, in a stable order."""
        return " ".join([*sorted(self.other), *(str(scope) for scope in self.resources)])

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.resources or self.other)

    def has(self, token: str) -> bool:
        """Tell whether a scope that names no resource is present, such as "offline_access"."""
        return token in self.other

    def grants(self, type_: str, letter: str) -> tuple[ScopeGrant, ...]:
        """Return what the scopes allow for one letter ("r") and one resource type; empty when nothing."""
        return tuple(
            ScopeGrant(scope.level, scope.query)
            for scope in self.resources
            if letter in scope.letters and scope.type in ("*", type_)
        )

    def contains(self, other: "Scopes") -> bool:
        """Tell whether these scopes allow all that the others allow."""
        return other.other <= self.other and all(self._covers(scope) for scope in other.resources)

    def meet(self, other: "Scopes") -> "Scopes":
        """Return what both sets allow, in the spelling of these scopes where they lose nothing."""
        met = (mine.meet(theirs) for mine in self.resources for theirs in other.resources)
        return Scopes(_shortest(scope for scope in met if scope), self.other & other.other)

    def _covers(self, wanted: Scope) -> bool:
        """Tell whether for every letter of the wanted scope one of these scopes allows it."""
        return all(
            any(scope.contains(replace(wanted, letters=letter)) for scope in self.resources)
            for letter in wanted.letters
        )


def _is_other(word: str) -> bool:
    return bool(_CONTEXT.fullmatch(word) or _EXTENSION.fullmatch(word))


def _parse_one(word: str) -> Scope | None:
    match = _RESOURCE.fullmatch(word)
    if not match:
        return None
    level, type_, permissions, query_text = match.groups()
    letters = _V1.get(permissions) or (_LENIENT.get(permissions) if level == "system" else None)
    query = _parse_query(type_, query_text)
    if query is None:
        return None
    if letters:
        return Scope(level, type_, letters, query, v1=permissions in _V1)
    in_order = "".join(letter for letter in LETTERS if letter in permissions)
    return Scope(level, type_, permissions, query) if permissions == in_order else None


def _parse_query(type_: str, text: str | None) -> Query | None:
    """Read the query of a scope; None when a part of it cannot be honoured exactly."""
    if text is None:
        return ()
    pairs = tuple(pair.split("=", 1) for pair in text.split("&"))
    names = [pair[0] for pair in pairs]
    if len(set(names)) != len(names) or not set(names) <= _QUERYABLE.get(type_, frozenset()):
        return None
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - a name and its values
        return None
    values = tuple(sorted((name, _ordered(unquote(value).split(","))) for name, value in pairs))
    return values if all(value for _, value in values) else None


def _ordered(values: Iterable[str]) -> str:
    """Write a set of values in a fixed order; empty when one of the values is empty."""
    kept = sorted(set(values))
    return ",".join(kept) if all(kept) else ""


def _query_contains(wide: dict[str, str], narrow: dict[str, str]) -> bool:
    return all(name in narrow and _values_contain(values, narrow[name]) for name, values in wide.items())


def _values_contain(wide: str, narrow: str) -> bool:
    return all(any(_value_contains(a, b) for a in wide.split(",")) for b in narrow.split(","))


def _value_contains(wide: str, narrow: str) -> bool:
    """Compare two token values: a bare code contains the same code of any system."""
    return wide == narrow or ("|" not in wide and narrow.partition("|")[2] == wide)


def _meet_queries(a: Query, b: Query) -> Query | None:
    met = dict(a)
    for name, values in b:
        met[name] = _meet_values(met[name], values) if name in met else values
        if not met[name]:
            return None
    return tuple(sorted(met.items()))


def _meet_values(a: str, b: str) -> str:
    """Return the values that both sides allow, each in the narrower of the two spellings."""
    pairs = [(x, y) for x in a.split(",") for y in b.split(",")]
    return _ordered(
        [y for x, y in pairs if _value_contains(x, y)] + [x for x, y in pairs if x != y and _value_contains(y, x)]
    )


def _shortest(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Unite the letters of scopes that differ in nothing else; leave out scopes that another scope contains."""
    united: _United = reduce(_unite, scopes, {})
    rows = [replace(first, letters=letters, v1=v1) for first, letters, v1 in united.values()]
    kept = [row for row in rows if not any(other is not row and other.contains(row) for other in rows)]
    return tuple(sorted(kept, key=lambda scope: (scope.level, scope.type, scope.query)))


_United = dict[tuple[str, str, Query], tuple[Scope, str, bool]]


def _unite(found: _United, scope: Scope) -> _United:
    key = (scope.level, scope.type, scope.query)
    _, letters, v1 = found.get(key, (scope, "", True))
    together = "".join(letter for letter in LETTERS if letter in letters + scope.letters)
    return {**found, key: (scope, together, v1 and scope.v1)}
