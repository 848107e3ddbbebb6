"""The form for a one-time code: which documents, for whom and for how long; what is wrong with it, field by field.

Source: docs/operations.md ($invite); docs/adr/0091-invitations.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from flask_babel import gettext, lazy_gettext, ngettext
from werkzeug.datastructures import MultiDict

from fhir_server.application.consents.invitations import Wish
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find

MINUTES = (15, 30, 60, 240, 1440)
"""The times that the form offers, as far as the rule profile allows them."""
_MOST_MATCHES = 8
_LONGEST_NAME = 80
_HOUR = 60
_EMPTY = {
    "document": lazy_gettext("“Which documents”: choose at least one document, or all."),
    "name": lazy_gettext("“Name”: write the name of a professional or an establishment."),
    "minutes": lazy_gettext("“For how long”: choose one of the list."),
}
_UNKNOWN = lazy_gettext("“Name”: the directory knows nobody of this name. Look at the spelling.")
_CHOOSE = lazy_gettext("“Name”: choose who is meant.")


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody of the directory. reference: "Practitioner/…" or "Organization/…". where: establishments, or ""."""

    reference: str
    name: str
    where: str


@dataclass(frozen=True, slots=True)
class CodeForm:
    """What the form for a code holds. problems: what is wrong with a field, by its name.

    documents: ids that were chosen. minutes: 0 when none of the list was. audience: the chosen reference, "" for none.
    matches: those of the directory among whom to choose.
    """

    is_chosen: bool
    documents: tuple[str, ...]
    minutes: int
    is_for_one: bool
    name: str
    audience: str
    matches: tuple[Match, ...]
    problems: Mapping[str, Any]

    @classmethod
    def empty(cls, document: str = "") -> Self:
        """Return a new form. document: id of the one to choose first, "" for all."""
        documents = (document,) if document else ()
        return cls(
            bool(document), documents, MINUTES[0], is_for_one=False, name="", audience="", matches=(), problems={}
        )

    @classmethod
    def read(cls, caller: Caller, sent: MultiDict[str, str], offered: Sequence[int]) -> Self:
        """Read what was sent; look the name up in the directory. offered: the minutes that can be chosen."""
        is_chosen, is_for_one = sent.get("what") == "chosen", sent.get("who") == "one"
        documents = tuple(dict.fromkeys(sent.getlist("document"))) if is_chosen else ()
        minutes = next((one for one in offered if str(one) == sent.get("minutes")), 0)
        name = sent.get("name", "").strip()[:_LONGEST_NAME]
        matches = tuple(_matches(caller, name)) if is_for_one and name else ()
        known = {match.reference for match in matches}
        audience = sent.get("audience", "") if sent.get("audience") in known else ""
        wrong = {"document": is_chosen and not documents, "minutes": not minutes, "name": is_for_one and not name}
        problems: dict[str, Any] = {field: _EMPTY[field] for field, is_wrong in wrong.items() if is_wrong}
        if is_for_one and name and not audience:
            problems["audience" if matches else "name"] = _CHOOSE if matches else _UNKNOWN
        return cls(is_chosen, documents, minutes, is_for_one, name, audience, matches, problems)

    @property
    def wish(self) -> Wish:
        """What the command gets."""
        return Wish(self.audience or None, self.minutes, frozenset(self.documents) or None)

    @property
    def audience_name(self) -> str:
        """The name of whom the code is for, "" for whoever has it."""
        return next((match.name for match in self.matches if match.reference == self.audience), "")


def told_minutes(minutes: int) -> str:
    """Return a time in words."""
    if minutes < _HOUR:
        return str(ngettext("%(num)s minute", "%(num)s minutes", minutes))
    return str(ngettext("%(num)s hour", "%(num)s hours", minutes // _HOUR))


def _matches(caller: Caller, name: str) -> list[Match]:
    """Return the professionals and establishments of a name, as a search of the directory finds them."""
    cleaned = name.replace("\\", " ").replace(",", " ").replace("$", " ").replace("|", " ").strip()
    if not cleaned:
        return []
    beside = [("_revinclude", "PractitionerRole:practitioner"), ("_include:iterate", "PractitionerRole:organization")]
    wanted = [("name", cleaned), ("_count", str(_MOST_MATCHES))]
    people = find(caller, "Practitioner", [*wanted, *beside])
    places = find(caller, "Organization", wanted)
    told = [_person(one, people.beside) for one in people.resources]
    return told + [Match(f"Organization/{one['id']}", str(one.get("name", "")), "") for one in places.resources]


def _person(resource: Json, beside: Mapping[str, Json]) -> Match:
    reference = f"Practitioner/{resource['id']}"
    roles = [one for one in beside.values() if one.get("practitioner", {}).get("reference") == reference]
    places = [name_of(role.get("organization", {}), beside) for role in roles if role.get("active") is not False]
    name = name_of({"reference": reference}, {reference: resource}) or gettext("somebody whose name is not known")
    return Match(reference, name, ", ".join(sorted({*filter(None, places)})))
