"""The filters of the list of documents: what the form holds, the search that it asks for, and how each is removed.

Source: docs/portal.md; https://hl7.org/fhir/R4/documentreference.html#search.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self
from urllib.parse import urlencode

from flask_babel import format_date, gettext, lazy_gettext

from fhir_server.domain.documents.security_labels import TRE_A07
from fhir_server.domain.terminology.code_systems import CodeSystem, code_systems
from fhir_server.http.pages.language import current_language

_LONGEST = 60
_NAMES = ("class", "words", "from", "to", "hidden")
_NO_DATE = {
    "from": lazy_gettext("“From”: give a day such as 2026-01-31, or leave the field empty."),
    "to": lazy_gettext("“Until”: give a day such as 2026-01-31, or leave the field empty."),
}


@dataclass(frozen=True, slots=True)
class DocumentFilters:
    """What the form of the list holds. sent: the value of each field that is filled, as it was sent.

    problems: what is wrong with a field, by its name; a field that is wrong filters nothing.
    """

    sent: Mapping[str, str]
    problems: Mapping[str, Any]

    @classmethod
    def read(cls, values: Mapping[str, str], *, hidden: bool = True) -> Self:
        """Read the fields of the form, from the address of the page. hidden: whether the form has this filter."""
        names = [name for name in _NAMES if hidden or name != "hidden"]
        sent = {name: value for name in names if (value := _cleaned(values.get(name, "")))}
        wrong: dict[str, Any] = {
            name: text for name, text in _NO_DATE.items() if name in sent and not _is_day(sent[name])
        }
        if "class" in sent and sent["class"] not in _classes().concepts:
            wrong["class"] = lazy_gettext("“Class”: choose one of the list.")
        return cls(sent, wrong)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of the FHIR search for these filters."""
        return [pair for name in self._right for pair in (self._pair(name),)]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The filters in force, as the address of the page has them."""
        return [(name, self.sent[name]) for name in self._right]

    @property
    def in_force(self) -> list[tuple[str, str]]:
        """Each filter in force in words, with the address of the page without it."""
        return [
            (self._told(name), f"?{urlencode([one for one in self.kept if one[0] != name])}") for name in self._right
        ]

    @property
    def _right(self) -> Iterator[str]:
        return (name for name in self.sent if name not in self.problems)

    def _pair(self, name: str) -> tuple[str, str]:
        value = self.sent[name]
        if name == "class":
            return "category", f"{_classes().url}|{value}"
        if name == "words":
            return "type:text", value.replace(",", "\\,").replace("$", "\\$").replace("|", "\\|")
        if name == "hidden":
            return "security-label", f"{TRE_A07}|MASQUE_PS"
        return "date", f"{'ge' if name == 'from' else 'le'}{value}"

    def _told(self, name: str) -> str:
        value = self.sent[name]
        if name == "class":
            return _classes().concepts[value].display(current_language())
        if name == "words":
            return str(gettext("kind contains “%(words)s”", words=value))
        if name == "hidden":
            return str(gettext("hidden from professionals"))
        day = format_date(date.fromisoformat(value), "d MMMM y")
        return str(gettext("from %(day)s", day=day) if name == "from" else gettext("until %(day)s", day=day))


def classes() -> list[tuple[str, str]]:
    """Return the classes of documents, code and words, in the order of the words."""
    concepts = _classes().concepts.values()
    return sorted(((one.code, one.display(current_language())) for one in concepts), key=lambda pair: pair[1])


def _classes() -> CodeSystem:
    return next(system for url, system in code_systems().items() if "TRE_A03-" in url)


def _cleaned(value: str) -> str:
    """Return a field without what a search parameter would take for an escape, and no longer than it may be."""
    return value.replace("\\", " ").strip()[:_LONGEST].strip()


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
