"""Every page that a browser shows, by who sees it: one module for each room of pages, found by its place here.

PAGES: for each person, by login, "" for somebody who is not signed in: the addresses that the walk visits.
STEPS: for a page that no address alone reaches: its endpoint, who goes there, and a function of the browser's page and
the site that ends on it. NOT_WALKED: the endpoint of a GET that shows no page of ours, with the reason.

In an address, `{patients[camille]}` and `{documents[camille-hospital-report]}` stand for ids of the demonstration, by
their keys, as `seed.book.Demonstration` names them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from flask import Flask
from playwright.sync_api import Page
from werkzeug.exceptions import NotFound

from seed.book import Demonstration
from tests.pages.conftest import Site

NOBODY = ""
_ANY_ID = "00000000-0000-4000-8000-000000000000"
_PLACEHOLDER = re.compile(r"\{[^}]+\}")


@dataclass(frozen=True)
class Visited:
    """One page of the walk. who: by login. name: its address, or the endpoint of a page that steps lead to."""

    who: str
    name: str
    steps: Callable[[Page, Site], None] | None = None

    def endpoint(self, app: Flask) -> str:
        """Return the endpoint that answers the address, "" for an address that there is not."""
        if self.steps:
            return self.name
        path, _, query = _PLACEHOLDER.sub(_ANY_ID, self.name).partition("?")
        try:
            return str(app.url_map.bind("localhost").match(path, query_args=query)[0])
        except NotFound:
            return ""

    def address(self, demo: Demonstration) -> str:
        """Return the address in a loaded demonstration."""
        return _PLACEHOLDER.sub(partial(_named, demo), self.name)


def _named(demo: Demonstration, found: re.Match[str]) -> str:
    table, _, key = found[0].strip("{}").rstrip("]").partition("[")
    ids: Mapping[str, str] = getattr(demo, table)
    return ids[key]


def _pages(of: Mapping[str, Iterable[str]]) -> Iterable[Visited]:
    return (Visited(who, address) for who, addresses in of.items() for address in addresses)


_ROOMS = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
VISITED = (
    *(one for room in _ROOMS for one in _pages(room.PAGES)),
    *(Visited(who, name, steps) for room in _ROOMS for name, (who, steps) in getattr(room, "STEPS", {}).items()),
)
NOT_WALKED: Mapping[str, str] = {name: why for room in _ROOMS for name, why in getattr(room, "NOT_WALKED", {}).items()}
PEOPLE = tuple(dict.fromkeys(one.who for one in VISITED))
