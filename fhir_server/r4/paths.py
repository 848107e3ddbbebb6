"""The part of FHIRPath with which patches select elements: a strict reader; it selects places (places.py), not values.

Steps: element names (a choice by its name without type), `[n]`, `.first()`, `.last()`, `.extension('url')`,
    `.ofType(T)` and `.where(condition)`. Conditions: comparisons of a path with a literal by `=` and `!=`, `.exists()`,
    `.exists(condition)`, joined by `and` and `or`. Anything else is refused. A general FHIRPath library returns values
    and not places, and the one in use accepts broken expressions (ADR 0011).

Source: https://hl7.org/fhir/R4/fhirpatch.html and http://hl7.org/fhirpath/N1/.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_server.domain.values import Json
from fhir_server.r4.places import (
    BadPath,
    Extension,
    Index,
    Name,
    OfType,
    Place,
    Step,
    Where,
    Work,
    follow,
    root_of,
)

__all__ = ["BadPath", "parent_of", "select"]

MAX_LENGTH = 1000
"""Longest expression, in characters."""

_LEXEME = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<string>'(?:[^'\\]|\\.)*')"
    r"|`(?P<quoted>[A-Za-z_]\w*)`|(?P<sign>!=|[.\[\]()=]))",
    re.ASCII,
)
_ESCAPE = re.compile(r"\\(.)")


def select(resource: Json, expression: str, work: Work) -> list[Place]:
    """Return the places that an expression selects in a resource, in order; the first step may be the resource type.

    Raises: BadPath.
    """
    steps = _Reader(expression, work).whole_path()
    root = root_of(resource)
    if steps and steps[0] == Name(root.type):
        steps = steps[1:]
    return follow([root], steps, work)


def parent_of(expression: str) -> tuple[str, str]:
    """Split an expression that ends in an element's name into the expression of the parent and the name.

    Raises: BadPath when it has another ending.
    """
    parent, dot, name = expression.strip().rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise BadPath("the path must end in the name of a list")
    return parent, name


@dataclass(slots=True)
class _Reader:
    """A reader of one expression, from left to right."""

    text: str
    work: Work
    at: int = 0
    kind: str = ""
    lexeme: str = ""
    depth: int = field(default=0)

    def whole_path(self) -> list[Step]:
        if len(self.text) > MAX_LENGTH:
            raise BadPath(f"the path is longer than {MAX_LENGTH} characters")
        self._next()
        steps, exists = self._path()
        if self.kind or exists is not None:
            raise BadPath("the path goes on after what can be read, or selects no element")
        return steps

    def _next(self) -> None:
        rest = self.text[self.at :]
        if not rest.strip():
            self.kind, self.lexeme = "", ""
            return
        match = _LEXEME.match(self.text, self.at)
        if match is None or match.lastgroup is None:
            raise BadPath("the path holds a sign that is not supported")
        self.at = match.end()
        self.kind, self.lexeme = match.lastgroup, match[match.lastgroup]

    def _take(self, sign: str) -> bool:
        if self.kind == "sign" and self.lexeme == sign:
            self._next()
            return True
        return False

    def _demand(self, sign: str) -> None:
        if not self._take(sign):
            raise BadPath(f"the path lacks a `{sign}`")

    def _path(self) -> tuple[list[Step], "Callable[[Place], bool] | None"]:
        """Read steps; return a final `.exists(…)` as a test."""
        steps: list[Step] = []
        while True:
            name = self._name()
            if not self._take("("):
                steps.append(Name(name))
            elif name == "exists":
                return steps, self._exists()
            else:
                steps.append(self._function(name))
            while self._take("["):
                steps.append(Index(self._index()))
            if not self._take("."):
                return steps, None

    def _name(self) -> str:
        if self.kind not in ("name", "quoted"):
            raise BadPath("the path lacks the name of an element")
        name = self.lexeme
        self._next()
        return name

    def _index(self) -> int:
        if self.kind != "number" or not self.lexeme.isdigit() or len(self.lexeme) > 6:  # noqa: PLR2004 - digits of an index
            raise BadPath("an index must be a whole number")
        index = int(self.lexeme)
        self._next()
        self._demand("]")
        return index

    def _function(self, name: str) -> Step:
        step: Step
        if name in ("first", "last"):
            step = Index(0 if name == "first" else -1)
        elif name == "ofType":
            step = OfType(self._name())
        elif name == "extension":
            step = Extension(self._literal())
        elif name == "where":
            step = Where(self._condition())
        else:
            raise BadPath(f"the function `{name[:32]}` is not supported")
        self._demand(")")
        return step

    def _exists(self) -> Callable[[Place], bool]:
        if self._take(")"):
            return lambda _place: True
        test = self._condition()
        self._demand(")")
        return test

    def _condition(self) -> Callable[[Place], bool]:
        """Read comparisons joined by `or` and `and`; `and` binds closer."""
        self.depth += 1
        if self.depth > 8:  # noqa: PLR2004 - people do not write deeper conditions
            raise BadPath("the path's conditions are nested too deeply")
        alternatives = [self._conjunction()]
        while self.kind == "name" and self.lexeme == "or":
            self._next()
            alternatives.append(self._conjunction())
        self.depth -= 1
        return lambda place: any(test(place) for test in alternatives)

    def _conjunction(self) -> Callable[[Place], bool]:
        tests = [self._comparison()]
        while self.kind == "name" and self.lexeme == "and":
            self._next()
            tests.append(self._comparison())
        return lambda place: all(test(place) for test in tests)

    def _comparison(self) -> Callable[[Place], bool]:
        steps, exists = self._path()
        if exists is not None:
            return lambda place: any(exists(found) for found in follow([place], steps, self.work))
        equal = self._take("=")
        if not equal:
            self._demand("!=")
        literal = self._literal()

        def test(place: Place) -> bool:
            values = [found.value for found in follow([place], steps, self.work)]
            same = len(values) == 1 and type(values[0]) is type(literal) and values[0] == literal
            return same if equal else bool(values) and not same

        return test

    def _literal(self) -> str | int | float | bool:
        kind, lexeme = self.kind, self.lexeme
        self._next()
        if kind == "string":
            return _ESCAPE.sub(r"\1", lexeme[1:-1])
        if kind == "number":
            return float(lexeme) if "." in lexeme else int(lexeme)
        if kind == "name" and lexeme in ("true", "false"):
            return lexeme == "true"
        raise BadPath("a comparison needs a literal")
