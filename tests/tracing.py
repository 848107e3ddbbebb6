"""What a server really calls: each request as it ran, with the functions of ours that stood on the stack at each call.

`Recorded` stands in front of a web application and records the thread that answers.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("consent_rules", "fhir_server")
_EXPRESSIONS = frozenset({"<module>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Frames that are no functions: newer Pythons have none for a comprehension."""

Stack = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One request as it ran.

    asked: method, path and query. stacks: for each call of a function of ours, in order, the functions of ours that it
    ran beneath, the outermost first, and itself last: "fhir_server.application.reading.search.find".
    """

    asked: str
    stacks: tuple[Stack, ...]

    @property
    def called(self) -> set[str]:
        """The functions that were called."""
        return {stack[-1] for stack in self.stacks}

    @property
    def modules(self) -> set[str]:
        """The modules of which a function was called; a class counts for its module."""
        return {_module_of(name) for name in self.called}

    def has_chain(self, path: Sequence[str]) -> bool:
        """Tell whether each function of a path was called beneath the one before it, all on one stack."""
        return any(_is_within(path, stack) for stack in self.stacks)

    def depths(self, view: str, reached: str) -> list[int]:
        """Return for each call of a function beneath a view how many functions deep it is: the view does not count."""
        stacks = (stack for stack in self.stacks if stack[-1] == reached and view in stack)
        return [len(stack) - 1 - stack.index(view) for stack in stacks]

    def times(self, names: Iterable[str]) -> int:
        """Return how often functions were called, calls beneath one another counted once."""
        wanted = set(names)
        return sum(stack[-1] in wanted and wanted.isdisjoint(stack[:-1]) for stack in self.stacks)


class Recorded:
    """A web application of which each request is recorded."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Stand in front of a WSGI application."""
        self.application = application
        self.traces: list[Trace] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request and keep its trace."""
        stacks: list[Stack] = []

        def watch(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and _name(frame.f_code):
                stacks.append(_stack(frame))

        earlier = sys.getprofile()
        sys.setprofile(watch)
        try:
            answer = list(self.application(environ, start_response))
        finally:
            sys.setprofile(earlier)
        query = environ.get("QUERY_STRING", "")
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' if query else ''}{query}"
        self.traces.append(Trace(asked, tuple(stacks)))
        return answer


def _stack(frame: FrameType | None) -> Stack:
    names: list[str] = []
    while frame:
        if name := _name(frame.f_code):
            names.append(name)
        frame = frame.f_back
    return tuple(reversed(names))


@cache
def _name(code: CodeType) -> str:
    """Return the full name of a function of ours, "" for any other code."""
    module = _module(code.co_filename)
    return f"{module}.{code.co_qualname}" if module and code.co_name not in _EXPRESSIONS else ""


@cache
def _module(filename: str) -> str:
    """Return the module of ours that a file holds, "" for any other file."""
    path = Path(filename)
    if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in PACKAGES:
        return ""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _module_of(name: str) -> str:
    """Return the module of a function: the longest part of its name that is loaded."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name


def _is_within(path: Sequence[str], stack: Stack) -> bool:
    """Tell whether the names of a path stand in a stack in this order."""
    rest = iter(stack)
    return all(name in rest for name in path)
