"""The filters of the journal: what the form holds, the search that it asks for, and how each filter is removed.

Source: rule H7; docs/portal.md; https://hl7.org/fhir/R4/auditevent.html#search.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from flask_babel import format_date, gettext, lazy_gettext

from fhir_server.domain.audit.audit_event import on_pages
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Criterion, NoneOf
from fhir_server.http.fhir import search_query
from fhir_server.http.pages.language import zone
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_NAMES = ("from", "to", "who", "app", "refused", "own")
_SWITCHES = frozenset({"refused", "own"})
_LONGEST = 200
_OF_APP = "agent.identifier"
_WHO = re.compile(r"(Practitioner|Organization|Patient|RelatedPerson)/[0-9a-f-]{36}", re.ASCII)
_APP = re.compile(r"[\x21-\x7e]+", re.ASCII)
_NO_DAY = {
    "from": lazy_gettext("“From”: give a day such as 2026-01-31, or leave the field empty."),
    "to": lazy_gettext("“Until”: give a day such as 2026-01-31, or leave the field empty."),
}


@dataclass(frozen=True, slots=True)
class JournalFilters:
    """What the form of the journal holds: a period, a person or establishment, an app, refusals, own acts on pages.

    sent: the value of each field that is filled and can be read. problems: what is wrong with a field, by its name.
    """

    sent: Mapping[str, str]
    problems: Mapping[str, Any]

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Read the fields of the form, from the address of the page; what cannot be read filters nothing."""
        given = {name: value for name in _NAMES if (value := values.get(name, "").strip()[:_LONGEST])}
        problems = {name: text for name, text in _NO_DAY.items() if name in given and not _is_day(given[name])}
        sent = {name: value for name, value in given.items() if name not in problems and _can_be_read(name, value)}
        return cls(sent, problems)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of the FHIR search for these filters, without the patient."""
        return [pair for name, value in self.sent.items() for pair in _pairs(name, value)]

    def criteria(self, reader: str) -> tuple[Criterion, ...]:
        """Return the criteria of the search; what the reader did on these pages is left out unless they ask for it.

        reader: the reference of the person who reads.
        """
        plain = [pair for pair in self.pairs if pair[0] != _OF_APP]  # that one is no criterion, but a chain
        parsed = search_query.parse(REGISTRY["AuditEvent"], plain, runtime().fhir_base, strict=True)
        asked = parsed.wanted("").search.criteria
        if "app" in self.sent:
            asked = (*asked, AnyOf(frozenset({tokens.any_system(_OF_APP, self.sent["app"])})))
        return asked if "own" in self.sent else (*asked, NoneOf(on_pages(reader)))

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The filters in force, as the address of the page has them."""
        return list(self.sent.items())

    def in_force(self, patient: str, named: str) -> list[tuple[str, str]]:
        """Return each filter in words, with the query of the page without it.

        patient: whose journal. named: who acted in the lines that are shown, "" when there are none.
        """
        others = [(name, [("person", patient), *(one for one in self.kept if one[0] != name)]) for name in self.sent]
        return [(self._told(name, named), f"?{urlencode(without)}") for name, without in others if name != "own"]

    def _told(self, name: str, named: str) -> str:
        if name == "refused":
            return str(gettext("refusals"))
        if name in _NO_DAY:
            day = format_date(date.fromisoformat(self.sent[name]), "d MMMM y")
            return str(gettext("from %(day)s", day=day) if name == "from" else gettext("until %(day)s", day=day))
        return str(gettext("only %(name)s", name=named or self.sent[name]))


def _pairs(name: str, value: str) -> Iterator[tuple[str, str]]:
    match name:
        case "from":
            yield "date", f"ge{_midnight(value, 0)}"
        case "to":
            yield "date", f"lt{_midnight(value, 1)}"
        case "who":
            yield "agent", value
        case "app":
            yield _OF_APP, re.sub(r"([\\,$|])", r"\\\1", value)
        case "refused":
            yield "outcome", "4"
        case _:  # own acts on pages are left out by a criterion of its own
            return


def _midnight(day: str, later: int) -> str:
    """Return the instant at which a day begins, or one of the days after it, where the pages are read."""
    at = datetime.combine(date.fromisoformat(day) + timedelta(days=later), time(), zone())
    return at.isoformat(timespec="seconds")


def _can_be_read(name: str, value: str) -> bool:
    if name in _SWITCHES:
        return value == "1"
    pattern = {"who": _WHO, "app": _APP}.get(name)
    return pattern is None or bool(pattern.fullmatch(value))


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value and "1900" <= value < "2200"
    except ValueError:
        return False
