"""The form of a deposit: what it holds, what is wrong with it, and the publication that it asks for (ITI-105).

Source: IHE MHD 4.2, ITI-105 (https://profiles.ihe.net/ITI/MHD/ITI-105.html); rules E7 to E9 and B6; docs/labels.md.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha1
from typing import Any, Self
from uuid import UUID

from flask_babel import lazy_gettext
from werkzeug.datastructures import FileStorage

from consent_rules.consents.uploads import Standing, standing
from consent_rules.vocabulary import PatientId
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY, TRE_A07
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json
from fhir_server.http.pages.documents.contents import is_as_stated
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.language import current_language, local, zone
from fhir_server.http.request_context import runtime
from fhir_server.registry import DOCUMENT

_LONGEST_TITLE = 200
_TYPES = {"application/pdf": "", "image/jpeg": "", "image/png": "", "text/plain": "; charset=utf-8"}
"""The media types that the form takes, each with what follows it in the stored one."""
_CLASSES = "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument"
_URI = "urn:ietf:rfc:3986"
_CONFIDENTIAL = {"N": "normal", "R": "restricted", "V": "very restricted"}
HOLD, FROM_PARENTS, FROM_OTHERS = "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX", "MASQUE_PS"
MARKS = (HOLD, FROM_PARENTS, FROM_OTHERS)
_NO_FILE = lazy_gettext("“File”: choose a PDF, a JPEG or PNG picture, or a text (UTF-8) that is not empty.")
_NO_TITLE = lazy_gettext("“Title”: say in a few words what it is.")
_NO_KIND = lazy_gettext("“Kind”: choose one of the list.")
_NO_DAY = lazy_gettext("“Date”: give a day up to today, such as 2026-01-31.")
_NO_LABEL = lazy_gettext("“Confidentiality”: choose one of the list.")
_OF_CODES: Mapping[str, tuple[str, Any]] = {
    "sealing-needs-care": (
        HOLD,
        lazy_gettext(
            "“Hold until announced”: only who treats this patient on more than their own word may hold a result."
        ),
    ),
    "results-at-once": (
        HOLD,
        lazy_gettext(
            "“Hold until announced”: this patient has chosen to see every result at once. Announce it, then file."
        ),
    ),
    "marks-exclude-each-other": (
        FROM_OTHERS,
        lazy_gettext("“Hide from other professionals”: choose this or “hold until announced”, not both."),
    ),
    "type-not-of-the-profession": (
        "kind",
        lazy_gettext("“Kind”: your profession does not file documents of this kind."),
    ),
    "advance-directives-of-a-minor": ("kind", lazy_gettext("“Kind”: a minor cannot have advance directives.")),
}
"""By the code of an issue: the field, and what to say there."""
_OF_ELEMENTS: Mapping[str, tuple[str, Any]] = {
    "type": ("kind", _NO_KIND),
    "category": ("kind", _NO_KIND),
    "content": ("file", _NO_FILE),
    "date": ("day", _NO_DAY),
    "securityLabel": (
        FROM_PARENTS,
        lazy_gettext("“Not visible to the legal representatives”: this mark is for documents of minors alone."),
    ),
}
"""By the element of an issue without a text of its own."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """What the form holds. key: of this form, so that it files once however often it is sent."""

    key: str
    title: str
    kind: str
    day: str
    label: str
    marks: frozenset[str]
    type: str
    content: bytes

    @classmethod
    def read(cls, sent: Mapping[str, str], marks: Iterable[str], file: FileStorage | None) -> Self:
        """Read the fields of the form."""
        return cls(
            sent.get("key", ""),
            sent.get("title", "").strip(),
            sent.get("kind", ""),
            sent.get("day", ""),
            sent.get("label", "N"),
            frozenset(marks) & set(MARKS),
            file.mimetype if file else "",
            file.read() if file else b"",
        )

    def problems(self, offered: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is wrong, by the name of the field. offered: the kinds that the list has."""
        checks = {
            "file": (self._is_readable(), _NO_FILE),
            "title": (0 < len(self.title) <= _LONGEST_TITLE, _NO_TITLE),
            "kind": (self.kind in offered, _NO_KIND),
            "day": (self._day() is not None, _NO_DAY),
            "label": (self.label in _CONFIDENTIAL, _NO_LABEL),
        }
        return {name: text for name, (is_right, text) in checks.items() if not is_right}

    def publication(self, visit: DeskVisit) -> Json:
        """Return the document as a simplified publication sends it; the author is the professional."""
        requester, kind = visit.caller.requester, runtime().matrix.kinds[self.kind]
        resource: Json = {
            "resourceType": DOCUMENT,
            "masterIdentifier": {"system": _URI, "value": f"urn:oid:2.25.{UUID(self.key).int}"},
            "status": "current",
            "type": _concept(kind.system, kind.code, kind.label_fr),
            "category": [_concept(_CLASSES, kind.category)],
            "subject": {"reference": f"Patient/{PatientId(visit.patient)}"},
            "date": self._instant(),
            "author": [{"reference": requester.person, "display": visit.session.account.display}],
            "securityLabel": [
                _concept(CONFIDENTIALITY, self.label, _CONFIDENTIAL[self.label]),
                *(_concept(TRE_A07, mark) for mark in sorted(self.marks)),
            ],
            "content": [{"attachment": self._attachment()}],
        }
        return resource | ({"custodian": {"reference": requester.organization}} if requester.organization else {})

    def _attachment(self) -> Json:
        return {
            "contentType": f"{self.type}{_TYPES[self.type]}",
            "data": b64encode(self.content).decode(),
            "size": len(self.content),
            "hash": b64encode(sha1(self.content, usedforsecurity=False).digest()).decode(),
            "title": self.title,
            "creation": self.day,
        }

    def _is_readable(self) -> bool:
        return self.type in _TYPES and bool(self.content) and is_as_stated(self.type, self.content)

    def _day(self) -> date | None:
        try:
            day = date.fromisoformat(self.day)
        except ValueError:
            return None
        return day if day.isoformat() == self.day and day <= local(runtime().now()).date() else None

    def _instant(self) -> str:
        """Return when the document was made: now for today, else the beginning of the day."""
        now, day = runtime().now(), date.fromisoformat(self.day)
        at = now if day == local(now).date() else datetime.combine(day, time(), zone())
        return local(at).isoformat(timespec="seconds")


def offered(visit: DeskVisit) -> dict[str, str]:
    """Return the kinds that the profession may file, code and words, in the order of the words."""
    matrix, profession = runtime().matrix, visit.caller.requester.profession
    may = (
        kind
        for kind in matrix.kinds.values()
        if kind.author == "professional" and standing({profession}, kind.code, matrix) is not Standing.REFUSED
    )
    words = ((one.code, one.label_fr if current_language() == "fr" else one.label_en) for one in may)
    return dict(sorted(words, key=lambda pair: pair[1]))


def told(issues: Iterable[Issue]) -> dict[str, Any]:
    """Return the faults that the server found, by the name of the field; {} when none belongs to a field."""
    found: dict[str, Any] = {}
    for issue in issues:
        element = issue.expression.partition(".")[2].partition("[")[0].partition(".")[0]
        place = _OF_CODES.get(issue.code) or _OF_ELEMENTS.get(element)
        if place:
            found.setdefault(*place)
    return found


def _concept(system: str, code: str, display: str = "") -> Json:
    return {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}
