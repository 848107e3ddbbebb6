"""Notices in plain French or English, for the page of the journal.

Source: R.1111-48 of the French public health code (rules G3, G6 and H1 of docs/rules.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext, lazy_gettext

from fhir_server.domain.notices import REVIEW_DUE, Kind

Json = dict[str, Any]

_TEXTS: Mapping[str, Any] = {
    Kind.ANNOUNCED: lazy_gettext("This space will open six weeks after this message, unless you oppose it."),
    Kind.OPPOSED: lazy_gettext("Your opposition to the opening of this space is recorded; this is the proof."),
    Kind.OPENED: lazy_gettext("This space is open."),
    Kind.SUSPENDED: lazy_gettext("Access to this space is suspended; it closes after six weeks unless you oppose it."),
    Kind.CLOSED: lazy_gettext("This space is closed; its documents are archived, and you may open it again."),
    Kind.ERASURE_ASKED: lazy_gettext("The erasure of this space was asked for; it happens within three months."),
    Kind.WAITING: lazy_gettext(
        "This space was updated; you are advised to see a health professional, your declared physician above all."
    ),
    Kind.FIRST_ACCESS: lazy_gettext("%(who)s looked at this space for the first time."),
    Kind.ACCESS: lazy_gettext("%(who)s looked at this space."),
    Kind.BREAK_GLASS: lazy_gettext("%(who)s opened this space in an emergency (break-glass)."),
    Kind.REGULATION: lazy_gettext("%(who)s opened this space for an emergency call."),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One notice in words of the page's language. reason: as the person stated it, "" when none was told."""

    id: str
    at: datetime
    text: str
    reason: str
    review_due: datetime | None
    urgent: bool


def told_of(notice: Json) -> Told:
    """Tell one Communication."""
    kind = str(notice["category"][0]["coding"][0]["code"])
    due = next((e["valueDateTime"] for e in notice.get("extension", ()) if e.get("url") == REVIEW_DUE), "")
    return Told(
        id=str(notice["id"]),
        at=datetime.fromisoformat(notice["sent"]),
        text=str(_TEXTS[kind]).replace("%(who)s", _who(notice)),
        reason=next((str(code.get("text", "")) for code in notice.get("reasonCode", ())), ""),
        review_due=datetime.fromisoformat(due) if due else None,
        urgent=notice.get("priority") == "urgent",
    )


def _who(notice: Json) -> str:
    """Return the person, with the establishment."""
    named = [item for item in notice.get("about", ()) if item.get("display")]
    people = [item["display"] for item in named if item["reference"].startswith("Practitioner/")]
    places = [item["display"] for item in named if item["reference"].startswith("Organization/")]
    who = next(iter(people), gettext("Somebody"))
    return f"{who} ({places[0]})" if places else who
