"""Marks what can be asked of the application: a command is one act of a person or software, a query only answers.

A command has the name of the intent. It is a typed function that does the act, or a frozen dataclass whose `plan` puts
the act into a unit of work, where a translator may plan several. Edges (http, cli, seed) name commands, queries and
translators, and nothing else of the application; docs/commands.md lists the commands with the edges that reach each.
A translator reads a request, such as a patch or a Consent, and names the commands that the request asks for.
Source: docs/adr/0075-commands-and-translators.md.
"""

from collections.abc import Callable
from typing import TypeVar

from fhir_server.domain.events.kinds import EventKind

T = TypeVar("T")
_CAUSES: dict[object, tuple[EventKind, ...]] = {}


def command(*causes: EventKind) -> Callable[[T], T]:
    """Mark a function or a dataclass as a command. causes: the kinds of events that it causes, the usual one first."""

    def marked(act: T) -> T:
        _CAUSES[act] = causes
        return act

    return marked


def causes_of(act: object) -> tuple[EventKind, ...]:
    """Return the kinds of events that a command causes, the usual one first; () for what is no command."""
    return _CAUSES.get(act, ())


def query(question: T) -> T:
    """Mark a function as a query: it changes nothing but the audit log, notices, and times of use."""
    return question


def translator(reader: T) -> T:
    """Mark a function as a translator."""
    return reader


def carrier(hand: T) -> T:
    """Mark a function that carries out the commands which an edge hands over."""
    return hand
